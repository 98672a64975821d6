"""What a teacher gives for what: a rubric (TOML), and the points and comments by it (CSV), which stay beside the hand-ins.

Both are the teacher's own files: `grade` reads them each time, adds rows for new hand-ins, and changes nothing that stands there.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import replace_text
from latentlab.base.shapes import misfit
from latentlab.base.texts import text
from latentlab.show.answers import SECTIONS
from latentlab.show.card import NAMES

BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8
Cell = str | int | float | None
REPORT = "report"  # the section of criteria about the whole file
HAND_IN, WHO = "hand-in", "who"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_CODE = re.compile(r"#(\d+)")
_CRITERION = {"question": str, "name": str, "points": (int, float), "comments?": [str]}


@dataclass(frozen=True)
class Criterion:
    """What earns points."""

    section: str  # a question's name, "notes" or "report"
    name: str
    points: float
    comments: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """Its column in the table of points."""
        return f"{self.section}: {self.name} ({self.points:g})"


@dataclass(frozen=True)
class Rubric:
    """Every criterion, in the file's order."""

    criteria: tuple[Criterion, ...]

    @property
    def sections(self) -> list[str]:
        """The sections that earn points, in order."""
        return list(dict.fromkeys(criterion.section for criterion in self.criteria))

    def of(self, section: str) -> list[Criterion]:
        """The criteria of a section."""
        return [criterion for criterion in self.criteria if criterion.section == section]

    def comments(self, section: str) -> list[str]:
        """The comments that can be given in a section as #1, #2 …"""
        return [comment for criterion in self.of(section) for comment in criterion.comments]

    @property
    def columns(self) -> list[str]:
        """The columns of the table of points: the criteria of a section, then its comment."""
        return [column for section in self.sections for column in (*(one.column for one in self.of(section)), comment_column(section))]


def comment_column(section: str) -> str:
    """The column of what is said about a section."""
    return f"{section}: comment"


def read_rubric(path: Path) -> Rubric:
    """The rubric in a file. Raises LabError that names the criterion and what is wrong with it."""
    try:
        content = tomllib.loads(_text(path, "--rubric"))
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path} must be TOML. {error}. `latentlab grade --new-rubric FILE` writes one to begin with.") from None
    known, found = (*SECTIONS, REPORT), []
    for number, one in enumerate(content.get("criterion", ()), 1):
        if wrong := misfit(one, _CRITERION):
            raise refusal(f"{path}, criterion {number}: {wrong[0]}", wrong[1], wrong[2])
        if one["question"] not in known:
            raise refusal(f"{path}, criterion {number}: question", "one of " + ", ".join(known), one["question"])
        if not 0 < one["points"] <= 1000:
            raise refusal(f"{path}, criterion {number}: points", "above 0 and at most 1,000", one["points"])
        found.append(Criterion(one["question"], " ".join(one["name"].split()), float(one["points"]), tuple(one.get("comments", ()))))
    if not found:
        raise LabError(f"{path} must have at least one [[criterion]]. It has none. `latentlab grade --new-rubric FILE` writes some.")
    if len(columns := [one.column for one in found]) > len(set(columns)):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise refusal(f"{path}: a criterion", "there once", twice)
    return Rubric(tuple(found))


def template(lang: str) -> str:
    """A rubric to edit: two criteria for each question, one for the whole."""

    def criterion(section: str, key: str, points: int) -> str:
        name, comment = (text(f"grade.rubric.{key}{end}", lang).replace('"', "'") for end in ("", ".comment"))
        return f'[[criterion]]\nquestion = "{section}"\nname = "{name}"\npoints = {points}\ncomments = ["{comment}"]\n'

    parts = [part for name in NAMES for part in (criterion(name, "evidence", 2), criterion(name, "reason", 2))]
    how = "\n".join(f"# {line}" for line in text("grade.rubric.how", lang).split(". "))
    return f"{how}\n\n" + "\n".join([*parts, criterion(REPORT, "whole", 4)])


@dataclass
class Points:
    """The table of points: a row a hand-in, by its name. What stands in a row stays, also of hand-ins that are not read now."""

    path: Path
    rubric: Rubric
    rows: dict[str, dict[str, str]]
    delimiter: str = ","
    is_new: bool = field(default=False, compare=False)

    def given(self, hand_in: str, criterion: Criterion) -> float | None:
        """The points of a criterion; None where none were given yet."""
        words = self.rows.get(hand_in, {}).get(criterion.column, "")
        return float(words.replace(",", ".")) if words else None

    def comment(self, hand_in: str, section: str) -> str:
        """What is said about a section, with the rubric's comments in place of #1, #2 …"""
        bank = self.rubric.comments(section)
        words = self.rows.get(hand_in, {}).get(comment_column(section), "")
        return _CODE.sub(lambda code: bank[int(code[1]) - 1] if 0 < int(code[1]) <= len(bank) else code[0], words)

    def total(self, hand_in: str) -> float | None:
        """The sum; None until every criterion has its points."""
        given = [self.given(hand_in, criterion) for criterion in self.rubric.criteria]
        return None if None in given else sum(points for points in given if points is not None)

    def rename(self, keys: Mapping[str, str]) -> None:
        """Give rows another name: those that were written before hand-ins had pseudonyms."""
        if moved := {old: new for old, new in keys.items() if old != new and old in self.rows}:
            self.rows = {
                moved.get(name, name): row | ({HAND_IN: moved[name], WHO: ""} if name in moved else {}) for name, row in self.rows.items()
            }
            self.is_new = True

    def add(self, hand_ins: Mapping[str, str]) -> None:
        """Rows for those that have none, hand-in → who; written where there is one more."""
        for name, who in hand_ins.items():
            if name not in self.rows:
                self.rows[name] = {HAND_IN: name, WHO: who}
                self.is_new = True
        if self.is_new:
            self.write()

    def put(self, hand_in: str, column: str, words: str) -> None:
        """Write one cell."""
        check_points(self.rubric, column, words, str(self.path))
        self.rows[hand_in][column] = words
        self.write()

    def write(self) -> None:
        """Write the table (UTF-8 with a byte order mark, which spreadsheets expect)."""
        lines = io.StringIO(newline="")
        columns = [HAND_IN, WHO, *self.rubric.columns]
        writer = csv.DictWriter(lines, columns, restval="", delimiter=self.delimiter)
        writer.writeheader()
        writer.writerows({column: harmless(cell) for column, cell in row.items()} for row in self.rows.values())
        replace_text(self.path, BYTE_ORDER_MARK + lines.getvalue())


def read_points(path: Path, rubric: Rubric) -> Points:
    """The points given so far; none where there is no file yet. Raises LabError that names the cell that is wrong."""
    if not path.exists():
        return Points(path, rubric, {}, is_new=True)
    header, rows, delimiter = read_csv(path, "the table of points")
    if HAND_IN not in header:
        raise refusal(f"{path}: its first line", f"a header with {HAND_IN}", ", ".join(header[:4]), "Move the file away for a new one.")
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        for column, words in row.items():
            if column not in (HAND_IN, WHO, *rubric.columns) and words:
                raise refusal(
                    f"{path}: the column {column!r}", "one of the rubric", "points", "Put its criterion back, or remove the column."
                )
            check_points(rubric, column, words, f"{path}, {row[HAND_IN]}")
        if row[HAND_IN] in found:
            raise refusal(f"{path}: a hand-in", "there once", row[HAND_IN])
        found[row[HAND_IN]] = {column: words for column, words in row.items() if column in (HAND_IN, WHO, *rubric.columns)}
    return Points(path, rubric, found, delimiter)


def check_points(rubric: Rubric, column: str, words: str, where: str) -> None:
    """Raise LabError for what are no points of a criterion."""
    most = next((criterion.points for criterion in rubric.criteria if criterion.column == column), None)
    if most is None or not words:
        return
    try:
        fitting = 0 <= float(words.replace(",", ".")) <= most
    except ValueError:
        fitting = False
    if not fitting:
        raise refusal(f"{where}: {column}", f"0 to {most:g} points", words)


def harmless(cell: Cell) -> str:
    """A cell as text that no spreadsheet computes."""
    words = "" if cell is None else str(cell).replace("\0", "\ufffd")
    return f"'{words}" if words.startswith(_FORMULA) and not _NUMBER.fullmatch(words) else words


def read_csv(path: Path, name: str) -> tuple[list[str], list[dict[str, str]], str]:
    """Header, rows and delimiter of a CSV file as spreadsheets and course systems write it: comma, semicolon or tab."""
    words = _text(path, name)
    first = words.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(words, newline=""), delimiter=delimiter, restval="")
    header = [column.strip() for column in reader.fieldnames or ()]
    reader.fieldnames = header
    rows = [{column: _as_written(cell or "") for column, cell in row.items() if column is not None} for row in reader]
    return header, rows, delimiter


def _as_written(cell: str) -> str:
    """A cell without spaces around it, and without the apostrophe of `harmless`."""
    cell = cell.strip()
    return cell[1:] if cell.startswith(tuple(f"'{sign}" for sign in _FORMULA)) else cell


def _text(path: Path, name: str) -> str:
    """A text file, in UTF-8 or as Excel writes it in western Europe."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal(name, "a file that can be read", str(path), error.strerror or "") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


# Pseudonyms: hand-in → number, drawn once and kept, so that who marks does not see whom.


def pseudonyms(path: Path, hand_ins: Iterable[str], random: Any) -> dict[str, str]:
    """A pseudonym for each hand-in; those that are in the file stay, `random.shuffle` orders the new ones. Writes the file."""
    kept = {row[HAND_IN]: row["pseudonym"] for row in read_csv(path, "the pseudonyms")[1]} if path.exists() else {}
    new: Sequence[str] = [name for name in hand_ins if name not in kept]
    numbers = [f"H{number:03d}" for number in range(len(kept) + 1, len(kept) + len(new) + 1)]
    random.shuffle(numbers)
    kept |= dict(zip(new, numbers, strict=True))
    if new:
        lines = io.StringIO(newline="")
        csv.writer(lines).writerows([(HAND_IN, "pseudonym"), *((harmless(name), own) for name, own in kept.items())])
        replace_text(path, BYTE_ORDER_MARK + lines.getvalue())
    return kept
