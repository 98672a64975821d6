"""`python -m latentlab` is `latentlab`."""

from latentlab.cli import main

raise SystemExit(main())
