"""How large the report of the lab's four runs is, with every question that was run, and how long it takes to write.

Run: python benchmarks/bench_report.py [RUNS], a folder that `latentlab lab --data mnist --out RUNS` made (runs/lab-mnist).
Without such a folder it says so and measures nothing. Questions are taken from runs/questions.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import report

from latentlab.show.card import FOLDER, found_cards

MOST_MB = 5.0


def main() -> None:
    runs = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/lab-mnist")
    if not (runs / "vae" / "scores.json").is_file():
        print(f"{runs} holds no finished lab: `latentlab lab --data mnist --out {runs}` makes it. Nothing was measured.")
        return
    cards = len(found_cards(FOLDER))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "lab.html"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "latentlab", "report", str(runs), "--out", str(page)], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        report(f"report of the lab on mnist, {cards} questions: size", page.stat().st_size / 1e6, "MB", f"≤ {MOST_MB:g}", at_most=MOST_MB)
        report(f"report of the lab on mnist, {cards} questions: seconds", seconds, "s")


if __name__ == "__main__":
    main()
