"""How large the report of the lab's four runs is, with every question that was run, how long it takes to write, and how long a
course of 120 such hand-ins with an answer to every question takes to read and to give feedback on.

Run: python benchmarks/bench_report.py [RUNS], a folder that `latentlab lab --data mnist --out RUNS` made (runs/lab-mnist).
Without such a folder it says so and measures nothing. Questions are taken from runs/questions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import report

from latentlab.show.answers import Answers, Part, written
from latentlab.show.answers.likeness import model_answers
from latentlab.show.answers.rubric import template
from latentlab.show.card import FOLDER, NAMES, found_cards

MOST_MB, COURSE, MOST_SECONDS = 5.0, 120, 120.0


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
        sheet, rubric, handed = (Path(folder) / name for name in ("sheet.md", "rubric.toml", "handed"))
        # Everybody answers alike, which gives the search for common passages the most to do.
        answers = {name: Part(None, model_answers(name)[0]) for name in NAMES}
        sheet.write_text(written(Answers("A", "", answers), "en"), encoding="utf-8")
        rubric.write_text(template("en"), encoding="utf-8")
        handed.mkdir()
        words = [sys.executable, "-m", "latentlab", "report", str(runs), "--out", str(page), "--answers", str(sheet)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        for number in range(COURSE):
            shutil.copy(page, handed / f"{number}.html")
        words = [sys.executable, "-m", "latentlab", "grade", str(handed), "--out", str(Path(folder) / "all"), "--rubric", str(rubric)]
        started = time.perf_counter()
        subprocess.run([*words, "--feedback"], check=True, stdout=subprocess.DEVNULL)
        what = f"{COURSE} hand-ins of {page.stat().st_size / 1e6:.1f} MB, equal answers to all questions, read with feedback"
        report(what, time.perf_counter() - started, "s", f"< {MOST_SECONDS:g}", at_most=MOST_SECONDS)


if __name__ == "__main__":
    main()
