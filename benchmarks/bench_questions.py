"""How long each question's experiment takes on the embedded digits, from the command to the card.

Run: python benchmarks/bench_questions.py (about ten minutes; needs no data)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import report

from latentlab.show.card import NAMES, read_card

MOST_SECONDS = 90.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            out = Path(folder) / name
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "latentlab", "question", name, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - started
            verdicts = [claim.verdict for claim in read_card(out).claims]
            report(f"question {name}, digits: seconds", seconds, "s", f"≤ {MOST_SECONDS:g}", at_most=MOST_SECONDS)
            counts = {verdict: float(verdicts.count(verdict)) for verdict in ("holds", "contradicted", "unclear")}
            report(f"question {name}, digits: claims", counts, "")


if __name__ == "__main__":
    main()
