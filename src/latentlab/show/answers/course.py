"""A course system's own table, filled in: Moodle's grading worksheet and Canvas's gradebook, as both import them again.

Neither can be written without the file that the system gives out: Moodle knows its rows by an identifier of its own, Canvas its
columns by an assignment's. Moodle: `mod/assign/feedback/offline` reads Identifier, Grade and Last modified (grade) in the site's
language, and takes feedback by the column of its name. Canvas: "How do I import grades in the Gradebook?" of its instructor guide.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import replace_text
from latentlab.show.answers.rubric import read_csv

# Of the columns that are needed, what they are called in English and French.
MOODLE = {
    "row": ("Identifier", "Identifiant"),
    "name": ("Full name", "Nom complet"),
    "number": ("ID number", "Numéro d’identification", "Numéro d'identification", "Matricule"),
    "grade": ("Grade", "Note"),
    "most": ("Maximum grade", "Maximum Grade", "Note maximale"),
    "feedback": ("Feedback comments", "Feedback par commentaires"),
}
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_PARTICIPANT = re.compile(r"_(\d+)_assignsubmission_")  # in the names of files that Moodle hands out together
_CANVAS_FILE = re.compile(r"^[^_]+_(?:LATE_)?(\d+)_\d+_")  # and Canvas
_ASSIGNMENT = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class Grade:
    """What one hand-in is given. Several who worked together are all named, with commas between."""

    file: str
    name: str
    student: str
    points: float
    feedback: str


def fill(path: Path, out: Path, grades: Sequence[Grade], column: str | None = None) -> tuple[Path, list[str]]:
    """Write OUT-moodle.csv or OUT-canvas.csv, the file at `path` with the grades in it; returns it, and hand-ins without a row there.

    A row is a hand-in's by its student number, by what the course system put into the file's name, or by the name, where one row
    alone fits. `column` is the assignment's in Canvas, where there are several. Raises LabError for a file that is neither.
    """
    header, rows, _ = read_csv(path, "--gradebook")
    found = {key: next((name for name in names if name in header), None) for key, names in MOODLE.items()}
    if found["row"] and found["grade"]:
        return _moodle(out, header, rows, {key: name for key, name in found.items() if name}, grades)
    if set(header) >= {"Student", "ID", "Section"}:
        return _canvas(out, header, rows, grades, column)
    must_be = "the grading worksheet of a Moodle assignment or a Canvas gradebook, in English or French"
    raise refusal("--gradebook", must_be, f"{path} with the columns {', '.join(header[:6])}", "Download it there as CSV.")


def _moodle(
    out: Path, header: list[str], rows: list[dict[str, str]], names: dict[str, str], grades: Sequence[Grade]
) -> tuple[Path, list[str]]:
    missing = []
    for grade in grades:
        own = _PARTICIPANT.search(grade.file)
        fitting = [row for row in rows if own and re.fullmatch(rf"\D*{own[1]}", row[names["row"]])]
        fitting = fitting or _by_person(rows, grade, [names[key] for key in ("number",) if key in names], names.get("name"))
        if not fitting:
            missing.append(grade.file)
        for row in fitting:
            most = row.get(names.get("most", ""), "").replace(",", ".")
            if re.fullmatch(r"\d+(\.\d*)?", most) and grade.points > float(most):
                raise LabError(f"{grade.file}: {grade.points:g} points must be at most the {most} of the worksheet. Change one of the two.")
            row[names["grade"]] = f"{grade.points:g}"
            if "feedback" in names:
                row[names["feedback"]] = grade.feedback
    return _written(out, "moodle", header, rows), missing


def _canvas(
    out: Path, header: list[str], rows: list[dict[str, str]], grades: Sequence[Grade], column: str | None
) -> tuple[Path, list[str]]:
    assignments = [name for name in header[header.index("Section") + 1 :] if _ASSIGNMENT.search(name)]
    chosen = [name for name in assignments if column in (None, name, _ASSIGNMENT.sub("", name))]
    if len(chosen) != 1:
        raise refusal("--column", "the assignment: one of " + ", ".join(assignments), column or "nothing")
    missing = []
    for grade in grades:
        own = _CANVAS_FILE.match(Path(grade.file).name)
        fitting = [row for row in rows if own and row["ID"] == own[1]]
        fitting = fitting or _by_person(rows, grade, [name for name in ("SIS User ID", "SIS Login ID") if name in header], "Student")
        if not fitting:
            missing.append(grade.file)
        for row in fitting:
            row[chosen[0]] = f"{grade.points:g}"
    return _written(out, "canvas", [name for name in CANVAS if name in header] + chosen, rows), missing


def _by_person(rows: list[dict[str, str]], grade: Grade, numbers: Sequence[str], name: str | None) -> list[dict[str, str]]:
    """The rows of a student's number, else of each name that is that of one row alone."""
    wanted = _number(grade.student)
    if wanted and (found := [row for row in rows if any(_number(row[column]) == wanted for column in numbers)]):
        return found
    people = [_folded(one) for one in grade.name.split(",")] if name else []
    found = []
    for one in filter(None, people):
        same = [row for row in rows if _folded(row[name or ""]) == one]
        found += same if len(same) == 1 else []
    return found


def _number(words: str) -> str:
    return "".join(words.split()).casefold()


def _folded(words: str) -> frozenset[str]:
    """The words of a name without order, case, accents and commas: "Lovelace, Ada" is "Ada Lovelace"."""
    plain = unicodedata.normalize("NFKD", words).casefold()
    return frozenset(re.findall(r"\w+", "".join(letter for letter in plain if not unicodedata.combining(letter))))


def _written(out: Path, system: str, columns: Sequence[str], rows: list[dict[str, str]]) -> Path:
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    path = out.with_name(f"{out.name}-{system}.csv")
    replace_text(path, lines.getvalue())
    return path
