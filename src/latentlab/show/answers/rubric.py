"""What a teacher gives for what: a rubric (TOML), and the points and comments by it (CSV), which stay beside the hand-ins.

Both are the teacher's own files. `grade` reads them each time and adds what is missing; what stands there stays.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import lock
from latentlab.base.shapes import misfit
from latentlab.base.texts import text
from latentlab.show.answers import SECTIONS
from latentlab.show.answers.table import Table, key_of, read_table, read_text, write_csv
from latentlab.show.card import NAMES

REPORT = "report"  # the section of criteria about the whole file
HAND_IN, WHO, PSEUDONYM = "hand-in", "who", "pseudonym"
PATIENCE_SECONDS = 5.0
_CODE = re.compile(r"#(\d+)")
_POINTS = re.compile(r"\d+([.,]\d+)?")
_CRITERION = {"question": str, "name": str, "points": (int, float), "comments?": [str]}
_NEW = "`latentlab grade --new-rubric FILE` writes one to begin with."


@dataclass(frozen=True)
class Criterion:
    """What earns points."""

    section: str  # a question's name, "notes" or "report"
    name: str
    points: float
    comments: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How its column in the table of points begins; the most points may change."""
        return f"{self.section}: {self.name}"

    @property
    def column(self) -> str:
        """Its column in the table of points."""
        return f"{self.key} ({self.points:g})"


@dataclass(frozen=True)
class Rubric:
    """Every criterion, in the file's order."""

    criteria: tuple[Criterion, ...]

    @property
    def sections(self) -> list[str]:
        """The sections that earn points, in order."""
        return list(dict.fromkeys(criterion.section for criterion in self.criteria))

    @property
    def most(self) -> float:
        """The sum of all points."""
        return sum(criterion.points for criterion in self.criteria)

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


def alone(points: Path) -> AbstractContextManager[None]:
    """While the teacher's files are read and written again, another who grades waits, where the file system has locks."""
    busy = f"{points} must be free, but another process writes it. Try again."
    return lock(points.with_name(".grade.lock"), PATIENCE_SECONDS, busy, without=True)


def comment_column(section: str) -> str:
    """The column of what is said about a section."""
    return f"{section}: comment"


def read_rubric(path: Path) -> Rubric:
    """The rubric in a file. Raises LabError that names the criterion and what is wrong with it."""
    try:
        content = tomllib.loads(read_text(path, "--rubric"))
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path} must be TOML. {error}. {_NEW}") from None
    listed, known, found = content.get("criterion"), (*SECTIONS, REPORT), []
    if not isinstance(listed, list) or not listed:
        raise LabError(f"{path} must have criteria, each below a line [[criterion]]. It has none. {_NEW}")
    for number, one in enumerate(listed, 1):
        where = f"{path}, criterion {number}"
        if wrong := misfit(one, _CRITERION):
            raise refusal(f"{where}: {wrong[0]}", wrong[1], wrong[2])
        if unknown := set(one) - {key.rstrip("?") for key in _CRITERION}:
            raise refusal(f"{where}: a line", "one of question, name, points, comments", min(unknown))
        if one["question"] not in known:
            raise refusal(f"{where}: question", "one of " + ", ".join(known), one["question"])
        if not 0 < one["points"] <= 1000:
            raise refusal(f"{where}: points", "above 0 and at most 1,000", one["points"])
        found.append(Criterion(one["question"], " ".join(one["name"].split()), float(one["points"]), tuple(one.get("comments", ()))))
    if twice := next((one.key for at, one in enumerate(found) if one.key in [other.key for other in found[:at]]), None):
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
    """The table of points: a row a hand-in, by its key. Rows and columns that are the teacher's own stay."""

    path: Path
    rubric: Rubric
    table: Table

    @classmethod
    def read(cls, path: Path, rubric: Rubric) -> Points:
        """The points given so far; none where there is no file yet. Raises LabError for a file that is no table of points."""
        if not path.exists():
            return cls(path, rubric, Table([HAND_IN, WHO, *rubric.columns], []))
        table = read_table(path, "the table of points", (HAND_IN,))
        if HAND_IN not in table.header:
            raise refusal(f"{path}: its first line", f"a header with {HAND_IN}", ", ".join(table.header[:4]))
        for criterion in rubric.criteria:  # whose points are counted otherwise by now
            pattern = re.compile(re.escape(criterion.key) + r" \([\d.]+\)")
            table.header = [criterion.column if pattern.fullmatch(column) else column for column in table.header]
        if twice := next((column for column in rubric.columns if table.header.count(column) > 1), None):
            raise refusal(f"{path}: a column", "there once", twice)
        return cls(path, rubric, table)

    @property
    def unknown(self) -> list[str]:
        """The columns that look like a criterion's and are none's: of one that has another name by now."""
        mine = re.compile(rf"({'|'.join(map(re.escape, (*SECTIONS, REPORT)))}): .+ \([\d.]+\)")
        return [column for column in self.table.header if mine.fullmatch(column) and column not in self.rubric.columns]

    def row(self, key: str) -> list[str] | None:
        """The row of a hand-in."""
        return next((row for row in self.table.rows if key_of(self.table.get(row, HAND_IN)) == key_of(key)), None)

    def cell(self, key: str, column: str) -> str:
        """A cell of a hand-in; "" where nothing stands."""
        row = self.row(key)
        return "" if row is None else self.table.get(row, column)

    def given(self, key: str, criterion: Criterion) -> float | None:
        """The points of a criterion; None where none were given yet."""
        words = self.cell(key, criterion.column)
        return float(words.replace(",", ".")) if words else None

    def comment(self, key: str, section: str) -> str:
        """What is said about a section, with the rubric's comments in place of #1, #2 …"""
        bank = self.rubric.comments(section)
        return _CODE.sub(
            lambda code: bank[int(code[1]) - 1] if 0 < int(code[1]) <= len(bank) else code[0], self.cell(key, comment_column(section))
        )

    def total(self, key: str) -> float | None:
        """The sum; None until every criterion has its points."""
        given = [self.given(key, criterion) for criterion in self.rubric.criteria]
        return None if None in given else sum(points for points in given if points is not None)

    def add(self, hand_ins: Mapping[str, str]) -> None:
        """Rows for those that have none, key → who; the file is written where there is one more.

        Raises LabError for points that are none, and for a hand-in with two rows.
        """
        keys = [key_of(self.table.get(row, HAND_IN)) for row in self.table.rows]
        for key in hand_ins:
            if keys.count(key_of(key)) > 1:
                raise refusal(f"{self.path}: a hand-in", "there once", key, "Join its rows.")
            for criterion in self.rubric.criteria:
                self._check(criterion.column, self.cell(key, criterion.column), f"{self.path}, {key}")
        new = {key: who for key, who in hand_ins.items() if key_of(key) not in keys}
        for key, who in new.items():
            row: list[str] = []
            self.table.put(row, HAND_IN, key)
            self.table.put(row, WHO, who)
            self.table.rows.append(row)
        if new:
            self.write()

    def hide(self, pseudonyms: Mapping[str, tuple[str, str]]) -> None:
        """Give rows their pseudonym, name → (pseudonym, who): those that were written before there was one, then in another order.

        Raises LabError where both a name's row and its pseudonym's say something about one thing.
        """
        moved = False
        for name, (pseudonym, who) in pseudonyms.items():
            old, new = self.row(name), self.row(pseudonym)
            if old is None or old is new:
                continue
            moved = True
            if self.table.get(old, WHO) == who:
                self.table.put(old, WHO, "")
            if new is None:
                self.table.put(old, HAND_IN, pseudonym)
                continue
            for column in self.table.header:
                mine, other = self.table.get(old, column), self.table.get(new, column)
                if column != HAND_IN and mine and other and mine != other:
                    raise LabError(f"{self.path}: {name} and {pseudonym} are one hand-in, but differ in {column!r}. Join the two rows.")
                if column and mine and not other:
                    self.table.put(new, column, mine)
            self.table.rows = [row for row in self.table.rows if row is not old]
        if moved:
            self.table.rows.sort(key=lambda row: self.table.get(row, HAND_IN))
            self.write()

    def put(self, key: str, column: str, words: str) -> None:
        """Write one cell into the file as it is now, which a spreadsheet may have changed. Raises LabError for what are no points."""
        self._check(column, words, str(self.path))
        with alone(self.path):
            self.table = Points.read(self.path, self.rubric).table
            if (row := self.row(key)) is None:
                row = []
                self.table.put(row, HAND_IN, key)
                self.table.rows.append(row)
            self.table.put(row, column, words)
            self.write()

    def write(self) -> None:
        """Write the file."""
        write_csv(self.path, [self.table.header, *self.table.rows], self.table.delimiter)

    def _check(self, column: str, words: str, where: str) -> None:
        most = next((criterion.points for criterion in self.rubric.criteria if criterion.column == column), None)
        if most is not None and words and not (_POINTS.fullmatch(words) and float(words.replace(",", ".")) <= most):
            raise refusal(f"{where}: {column}", f"0 to {most:g} points", words)


# Pseudonyms: hand-in → number, drawn once and kept, so that who marks does not see whom.


def pseudonyms(path: Path, names: Sequence[str], shuffle: Callable[[list[str]], None]) -> dict[str, str]:
    """A pseudonym for each hand-in; those that are in the file stay, new ones are drawn above them, brought out of order and written."""
    table = read_table(path, "the pseudonyms", (HAND_IN,)) if path.exists() else Table([HAND_IN, PSEUDONYM], [])
    if not {HAND_IN, PSEUDONYM} <= set(table.header):
        raise refusal(f"{path}: its first line", f"{HAND_IN} and {PSEUDONYM}", ", ".join(table.header[:4]))
    rows = {key_of(table.get(row, HAND_IN)): row for row in table.rows}
    own = [table.get(row, PSEUDONYM) for row in table.rows]
    if twice := next((one for one in own if one and own.count(one) > 1), None):
        raise refusal(f"{path}: a pseudonym", "there once", twice)
    new = [name for name in names if not table.get(rows.get(key_of(name), []), PSEUDONYM)]
    highest = max((int(digits[1]) for one in own if (digits := re.fullmatch(r"H(\d+)", one))), default=0)
    drawn = [f"H{number:03d}" for number in range(highest + 1, highest + len(new) + 1)]
    shuffle(drawn)
    for name, pseudonym in zip(new, drawn, strict=True):
        if key_of(name) not in rows:
            table.rows.append(rows.setdefault(key_of(name), []))
        table.put(rows[key_of(name)], HAND_IN, name)
        table.put(rows[key_of(name)], PSEUDONYM, pseudonym)
    if new:
        write_csv(path, [table.header, *table.rows], table.delimiter)
    return {name: table.get(rows[key_of(name)], PSEUDONYM) for name in names}
