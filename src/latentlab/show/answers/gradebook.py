"""Many handed-in reports as one table: a row a file, a column a thing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from latentlab.base.errors import LabError
from latentlab.config.variations import LONGEST, student_number, variation
from latentlab.measure.table import MEASURES
from latentlab.show.answers import NOTES, SECTIONS, Answers, Part
from latentlab.show.answers.likeness import Alike, alike
from latentlab.show.answers.record import RUNS, HandedIn
from latentlab.show.answers.rubric import Points
from latentlab.show.answers.table import Cell
from latentlab.show.card import NAMES, Verdict

VERDICTS = get_args(Verdict)
Likeness = Mapping[str, Mapping[str, Sequence[Alike]]]
Outcome = Literal["right", "partly", "wrong", "open", "none"]
RUN_FIELDS = ("preset", "data", "latent_dim", "epochs", "steps", "seed", "seconds", "changed", "diagnosis")
SIGNATURE = "file,state,reason,name,group,"  # how a table of ours begins


@dataclass(frozen=True)
class Entry:
    """One file of the table. `file` is its name, with as much of the path as tells it from the others, or its pseudonym."""

    file: str
    handed: HandedIn
    key: str  # of its row of points: the file's name, or a pseudonym
    is_hidden: bool = False  # whose it is

    @property
    def record(self) -> Mapping[str, Any]:
        """The report's record; one without runs, questions and answers where none could be read."""
        return self.handed.record or {"runs": {}, "questions": {}, "answers": None, "yardstick": {}}

    @cached_property
    def answers(self) -> Answers:
        """The student's answers; nobody's and none where there are none, without names where they are hidden."""
        written = self.record["answers"]
        answers = Answers("", "", {}) if written is None else Answers.from_json(written)
        return replace(answers, name="", group="", student="") if self.is_hidden else answers

    def part(self, section: str) -> Part:
        """What was written in a section."""
        return self.answers.parts.get(section, Part(None, ""))

    def claims(self, question: str, verdict: str) -> list[str]:
        """The claims of a question that the report's own experiment judged so."""
        asked = self.record["questions"].get(question, {"claims": []})
        return [claim["name"] for claim in asked["claims"] if claim["verdict"] == verdict]

    def outcome(self, question: str) -> Outcome:
        """How a prediction fared: "open" where the experiment was not run or settled nothing, "none" without a prediction.

        Of several predicted options all must have come true to be right.
        """
        predicted = set(self.part(question).predicted)
        true = set(self.record["questions"].get(question, {"outcome": []})["outcome"])
        if not predicted or not true:
            return "open" if predicted else "none"
        return "right" if predicted <= true else "partly" if predicted & true else "wrong"

    def ended(self, question: str) -> str:
        """When the report's own experiment ended; "" where that is not known."""
        return str(self.record["questions"].get(question, {}).get("ended", ""))

    @property
    def student(self) -> str:
        """The student's number: the sheet's, or the lab's where the sheet has none. Nobody's where they are hidden."""
        return "" if self.is_hidden else self.answers.student or self.record.get("student", "")

    def variation(self) -> list[str] | None:
        """What the lab's runs have that the student's number does not give, in words; None without a number.

        ["model.latent_dim 32 ≠ 20 (ae, vae)", "∅ gan"]: what is there, what it should be, in which runs; runs that are not there.
        The number itself is not told, for it may be hidden.
        """
        lab = self.record.get("student", "")
        if not (sheet := (self.record["answers"] or {}).get("student", "").strip(" ,") or lab):
            return None
        try:
            numbers, labs = ([student_number(one) for one in words.split(",")] for words in (sheet, lab or sheet))
        except LabError:
            return [f"student ≠ 1–{LONGEST} A–Z 0–9 . _ -"]
        found: dict[str, list[str]] = {} if set(labs) <= set(numbers) else {"student ≠ lab --student": []}
        for name, run in self.record["runs"].items():
            wanted = variation(numbers[0], run["family"]) if name.rpartition("/")[2] in RUNS else {}
            for field, value in wanted.items():
                part, _, leaf = field.partition(".")
                if (has := run["config"][part].get(leaf)) != value:
                    found.setdefault(f"{field} {has} ≠ {value}", []).append(name)
        there = {name.rpartition("/")[2] for name in self.record["runs"]}
        missing = [f"∅ {name}" for name in RUNS if name not in there]
        return [*(f"{what} ({', '.join(names)})" if names else what for what, names in found.items()), *missing]

    @property
    def exercises(self) -> dict[str, dict[str, bool | None]]:
        """exercise → check → passed, as the report's own checks gave it."""
        return {name: checks for each in self.record.get("exercises", []) for name, checks in each["results"].items()}

    def counts(self) -> dict[str, int]:
        """How many questions were run, predictions made and kept before the result, answers written. Being right counts nothing."""
        return {
            "questions_run": sum(question in self.record["questions"] for question in NAMES),
            "predictions_made": sum(self.outcome(question) != "none" for question in NAMES),
            "predictions_kept": sum((kept := self.part(question).kept) is not None and bool(kept.chosen) for question in NAMES),
            "answers_written": sum(bool(self.part(question).text) for question in NAMES),
        }


def named(handed: Sequence[HandedIn], beside: Path) -> list[Entry]:
    """The files by their paths below a folder, in the order in which they were given."""
    names = [Path(os.path.relpath(file.path, beside)).as_posix() for file in handed]
    return [Entry(name, file, name) for name, file in zip(names, handed, strict=True)]


def hidden(entries: Iterable[Entry]) -> list[Entry]:
    """The same files by their keys and in the order of those, without names."""
    return sorted((replace(entry, file=entry.key, is_hidden=True) for entry in entries), key=lambda entry: entry.file)


def run_names(entries: Iterable[Entry]) -> list[str]:
    """The runs that some report has: the lab's first, the others by name."""
    names = {name for entry in entries for name in entry.record["runs"]}
    return [name for name in RUNS if name in names] + sorted(names - set(RUNS))


def headline_scores(entries: Iterable[Entry], run: str) -> list[str]:
    """The headline scores that a run has in some report, in the order of comparisons."""
    named = {score for entry in entries for score in entry.record["runs"].get(run, {"scores": {}})["scores"]}
    return [measure.name for measure in MEASURES if measure.headline and measure.name in named]


def like_texts(entries: Sequence[Entry]) -> dict[str, dict[str, list[Alike]]]:
    """file → section → what its text there shares with other files' and with latentlab's own answer, see `likeness`.

    Two who worked together have much in common too: it says no more than it says.
    """
    return alike({entry.file: {section: text for section in SECTIONS if (text := entry.part(section).text)} for entry in entries})


def same_runs(entries: Sequence[Entry]) -> dict[str, dict[str, list[str]]]:
    """file → run → the other files with that very run: the same history, seconds included, which no two trainings share.

    The same scores say nothing: one configuration and seed give one result on like machines.
    """
    runs: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        for name, run in entry.record["runs"].items():
            if run["history"]:
                runs.setdefault(run["history"], []).append((entry.file, name))
    shared = ((name, list(dict.fromkeys(file for file, _ in same))) for same in runs.values() for name in sorted({n for _, n in same}))
    return _others(shared, entries)


def _others(groups: Iterable[tuple[str, list[str]]], entries: Sequence[Entry]) -> dict[str, dict[str, list[str]]]:
    others: dict[str, dict[str, list[str]]] = {entry.file: {} for entry in entries}
    for what, files in groups:
        for file in files if len(files) > 1 else ():
            others[file].setdefault(what, []).extend(other for other in files if other != file)
    return others


def table(
    entries: Sequence[Entry], lang: str, texts: Likeness, points: Points | None = None, again: Mapping[str, str] | None = None
) -> list[dict[str, Cell]]:
    """One row a file, every row with the same columns in the same order; None where a report says nothing. `texts`: `like_texts`.

    `again`: file → what its exercises gave when they were checked anew.

    The reason of a state is in the language, every other cell is the same in all.
    """
    runs = same_runs(entries)
    rows = []
    for entry in entries:
        row: dict[str, Cell] = _about(entry, lang)
        if again is not None:
            row["exercises.again"] = again.get(entry.file)
        if points is not None:
            row["points"] = points.total(entry.key)
            row |= {f"points.{one.column}": points.given(entry.key, one) for one in points.rubric.criteria}
        shares = {section: [f"{one.other} {one.share:.2f}" for one in near] for section, near in texts[entry.file].items()}
        row |= {"like_text_of": _told(shares), "same_run_as": _told(runs[entry.file])}
        for question in NAMES:
            row |= _question_cells(entry, question)
        row[NOTES] = entry.part(NOTES).text
        for run in run_names(entries):
            row |= _run_cells(entry.record["runs"].get(run), run, headline_scores(entries, run))
        rows.append(row)
    return rows


def _told(others: Mapping[str, Sequence[str]]) -> str:
    """What is shared with whom: "kl: a.html, b.html; notes: b.html"."""
    return "; ".join(f"{what}: {', '.join(files)}" for what, files in others.items())


def _about(entry: Entry, lang: str) -> dict[str, Cell]:
    record, answers = entry.record, entry.answers
    return {
        "file": entry.file,
        "state": entry.handed.state,
        "reason": entry.handed.reason.say(lang),
        "name": answers.name,
        "group": answers.group,
        "student": entry.student,
        "variation": "" if (wrong := entry.variation()) is None else "; ".join(wrong) or "as it should be",
        "written": record.get("written"),
        "latentlab": record.get("latentlab"),
        "data": data_of(record),
        "runs": ", ".join(record["runs"]),
        **entry.counts(),
        "exercises": held(entry.exercises) or None,
    }


def held(exercises: Mapping[str, Mapping[str, bool | None]]) -> str:
    """How many checks of each exercise hold: "encoder 10/10; vae-loss 8/10"."""
    return "; ".join(f"{name} {sum(passed is True for passed in checks.values())}/{len(checks)}" for name, checks in exercises.items())


def data_of(record: Mapping[str, Any]) -> str:
    """The data sets of a report's runs."""
    return ", ".join(dict.fromkeys(run["data"] for run in record["runs"].values()))


def _question_cells(entry: Entry, question: str) -> dict[str, Cell]:
    part, asked = entry.part(question), entry.record["questions"].get(question)
    return {
        f"{question}.run": "no" if asked is None else "yes",
        **{f"{question}.{verdict}": ", ".join(entry.claims(question, verdict)) for verdict in VERDICTS},
        f"{question}.predicted": part.prediction,
        f"{question}.kept": None if part.kept is None else part.kept.time,
        f"{question}.ended": entry.ended(question) or None,
        f"{question}.came_true": None if asked is None else ", ".join(asked["outcome"]),
        f"{question}.prediction": entry.outcome(question),
        f"{question}.answer": part.text,
    }


def _run_cells(run: Mapping[str, Any] | None, name: str, scores: Sequence[str]) -> dict[str, Cell]:
    columns = [f"{name}.{column}" for column in (*RUN_FIELDS, *scores)]
    if run is None:
        return dict.fromkeys(columns)
    cells = {f"{name}.{field}": run[field] for field in RUN_FIELDS}
    cells |= {f"{name}.changed": ", ".join(changed_words(run)), f"{name}.diagnosis": ", ".join(run["diagnosis"])}
    return cells | {f"{name}.{score}": run["scores"].get(score, {"value": None})["value"] for score in scores}


def changed_words(run: Mapping[str, Any]) -> list[str]:
    """The fields that differ from the preset: ["train.beta=4", "model.hidden=400/200"]."""
    return [f"{name}={'/'.join(map(str, value)) if isinstance(value, list) else value}" for name, value in run["changed"].items()]


def is_table(path: Path) -> bool:
    """Whether a file is a CSV table that `write_csv` wrote."""
    try:
        with open(path, "rb") as file:
            return file.read(100).decode("utf-8-sig", "replace").startswith(SIGNATURE)
    except OSError:
        return False
