"""`python -m latentlab` is `latentlab`."""

from __future__ import annotations

from latentlab.cli import main

raise SystemExit(main())
