"""A course system's own table, filled in: Moodle's grading worksheet and Canvas's gradebook, as both import them again.

Neither can be written without the file that the system gives out: Moodle knows its rows by an identifier of its own, Canvas its
columns by an assignment's. Moodle: `mod/assign/feedback/offline` reads Identifier, Grade and Last modified (grade) in the site's
language, and takes feedback by the column of its name. Canvas: "How do I import grades in the Gradebook?" of its instructor guide.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import replace_text
from latentlab.show.answers.table import Table, csv_text, read_table

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
_MOODLE_FILE = re.compile(r"_(\d+)_assignsubmission_")  # in the names of files, or their folders, that are handed out together
_CANVAS_FILE = re.compile(r"(?:^|/)[^_/]+_(?:LATE_)?(\d+)_\d+_[^/]*$")
_ASSIGNMENT = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class Grade:
    """What one hand-in is given. Several who worked together are all named, with commas between, and so are their numbers."""

    file: str
    name: str
    student: str
    points: float
    feedback: str


@dataclass(frozen=True)
class _Columns:
    """Which column of a course system's table is what."""

    row: str
    numbers: tuple[str, ...]
    name: str | None
    grade: str
    most: str | None = None
    feedback: str | None = None


def fill(path: Path, out: Path, grades: Sequence[Grade], column: str | None = None) -> tuple[Path, list[str]]:
    """Write OUT-moodle.csv or OUT-canvas.csv, the file at `path` with the grades in it; returns it, and what could not be filled in.

    A row is a hand-in's by what the course system put into the file's name, by the student's number, or by a name that is that of
    one row alone; for each of several people. A row that two hand-ins want stays as it is. `column` is the assignment's in
    Canvas, where there are several. Raises LabError for a file that is neither, or that would be replaced itself.
    """
    table = read_table(path, "--gradebook", (*MOODLE["row"], CANVAS[0]))
    known = {key: next((name for name in names if name in table.header), None) for key, names in MOODLE.items()}
    if known["row"] and known["grade"]:
        system, pattern, columns = "moodle", _MOODLE_FILE, table.header
        numbers = (known["number"],) if known["number"] else ()
        where = _Columns(known["row"], numbers, known["name"], known["grade"], known["most"], known["feedback"])
    elif set(table.header) >= {"Student", "ID", "Section"}:
        assignment = _assignment(table, column)
        system, pattern, columns = "canvas", _CANVAS_FILE, [*(name for name in CANVAS if name in table.header), assignment]
        where = _Columns("ID", tuple(name for name in CANVAS[2:4] if name in table.header), "Student", assignment)
    else:
        must_be = "the grading worksheet of a Moodle assignment or a Canvas gradebook, in English or French"
        raise refusal("--gradebook", must_be, f"{path} with the columns {', '.join(table.header[:6])}", "Download it there as CSV.")
    target = out.with_name(f"{out.name}-{system}.csv")
    if target.exists() and (target.samefile(path) or read_table(target, "--out", columns).header != columns):
        raise refusal("--out", "a name that is free, or that of an earlier table", str(target), "Name another: nothing is lost here.")
    people = [row for row in table.rows if table.get(row, where.row)]
    wanted: dict[int, list[Grade]] = {}
    said: list[str] = []
    for grade in grades:
        rows, missing = _rows_of(table, people, where, pattern, grade)
        said += [f"{grade.file}: {who} has no row of {path.name}, by file, number or name." for who in missing]
        for row in rows:
            wanted.setdefault(id(row), []).append(grade)
    for row in people:
        match wanted.get(id(row), []):
            case [grade]:
                _put(table, row, where, grade)
            case [first, second, *_]:
                name = table.get(row, where.name) or table.get(row, where.row)
                said.append(f"{first.file} and {second.file} both want the row of {name}: it stays as it is. Grade one of them alone.")
    replace_text(target, csv_text([columns, *([table.get(row, name) for name in columns] for row in table.rows)]))
    return target, said


def _assignment(table: Table, column: str | None) -> str:
    """The column of an assignment in Canvas's gradebook."""
    found = [name for name in table.header[table.header.index("Section") + 1 :] if _ASSIGNMENT.search(name)]
    chosen = [name for name in found if column in (None, name, _ASSIGNMENT.sub("", name))]
    if not found:
        raise LabError("--gradebook must have a column of an assignment, such as Lab 1 (4711). It has none. Make the assignment in Canvas.")
    if len(chosen) != 1:
        raise refusal("--column", "the assignment: one of " + ", ".join(found), column or "nothing")
    return chosen[0]


def _rows_of(
    table: Table, people: list[list[str]], where: _Columns, pattern: re.Pattern[str], grade: Grade
) -> tuple[list[list[str]], list[str]]:
    """The rows of everybody who made a hand-in, and who has none."""
    own, numbers = pattern.search(grade.file), [_number(one) for one in grade.student.split(",")]
    found = [row for row in people if own and re.fullmatch(rf"\D*0*{own[1]}", table.get(row, where.row))]
    found += [row for row in people if any(number and number in numbers for number in (_number(table.get(row, c)) for c in where.numbers))]

    def named(name: str) -> list[list[str]]:
        same = [row for row in people if where.name and name.strip() and _folded(table.get(row, where.name)) == _folded(name)]
        return same if len(same) == 1 else []

    whole = named(grade.name)
    names = [] if whole else [name.strip() for name in grade.name.split(",") if name.strip()]
    alone = len(names) < 2 and found  # the file or the number says who it is, however the name is written
    found += whole or [row for name in names for row in named(name)]
    unique = list({id(row): row for row in found}.values())
    missing = [] if alone or len(unique) >= max(1, len(names)) else [name for name in names if not named(name)] or [grade.name or "nobody"]
    return unique, missing


def _put(table: Table, row: list[str], where: _Columns, grade: Grade) -> None:
    most = table.get(row, where.most).replace(",", ".")
    if re.fullmatch(r"\d+(\.\d*)?", most) and grade.points > float(most):
        raise LabError(f"{grade.file}: {grade.points:g} points must be at most the {most} of the worksheet. Change one of the two.")
    table.put(row, where.grade, f"{grade.points:g}")
    if where.feedback is not None and grade.feedback:
        table.put(row, where.feedback, grade.feedback)


def _number(words: str) -> str:
    return "".join(words.split()).casefold()


def _folded(words: str) -> frozenset[str]:
    """The words of a name without order, case, accents and commas: "Lovelace, Ada" is "Ada Lovelace"."""
    plain = unicodedata.normalize("NFKD", words).casefold()
    return frozenset(re.findall(r"\w+", "".join(letter for letter in plain if not unicodedata.combining(letter))))
