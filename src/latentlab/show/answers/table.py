"""CSV as spreadsheets and course systems write it, read and written again without losing a cell.

Comma, semicolon or tab; UTF-8 with or without its mark, or what Excel writes in western Europe. Columns that are nobody's, cells
beyond the header and rows of somebody's own stay where they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import replace_text

Cell = str | int | float | None
BYTE_ORDER_MARK = "\ufeff"  # by which Excel knows UTF-8
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_DELIMITERS = ",;\t"


@dataclass
class Table:
    """A CSV file: its header, and rows that may be shorter or longer."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","

    def at(self, column: str) -> int | None:
        """Where a column stands."""
        return self.header.index(column) if column in self.header else None

    def get(self, row: Sequence[str], column: str | None) -> str:
        """A cell without spaces around it and what `harmless` put before it; "" where there is none."""
        at = self.at(column) if column is not None else None
        cell = row[at].strip() if at is not None and at < len(row) else ""
        return cell[1:] if cell.startswith(tuple(f"'{sign}" for sign in _FORMULA)) else cell

    def put(self, row: list[str], column: str, words: str) -> None:
        """Fill in a cell; a column that there is none of is added."""
        if column not in self.header:
            longest = max([len(self.header), *map(len, self.rows)])
            self.header += [""] * (longest - len(self.header)) + [column]  # beside cells that stand beyond the header
        at = self.header.index(column)
        row += [""] * (at + 1 - len(row))
        row[at] = words


def read_table(path: Path, name: str, known: Container[str]) -> Table:
    """The table in a file, of which `known` says which columns show that it was cut up rightly.

    Raises LabError for a file that cannot be read, is in no known encoding or no CSV.
    """
    words = read_text(path, name)
    found = []
    for delimiter in _DELIMITERS:
        try:
            header, *rows = list(csv.reader(io.StringIO(words, newline=""), delimiter=delimiter)) or [[]]
        except csv.Error as error:
            raise LabError(f"{path} must be CSV. {error}. Save it as CSV again.") from None
        cells = [cell.strip() for cell in header]
        filled = [row for row in rows if any(map(str.strip, row))]
        found.append((any(cell in known for cell in cells), len(cells), Table(cells, filled, delimiter)))
    return max(found, key=lambda one: one[:2])[2]


def read_text(path: Path, name: str) -> str:
    """A text file in UTF-8, or as Excel writes it in western Europe. Raises LabError for one in neither."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal(name, "a file that can be read", str(path), f"{error.strerror}.") from None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise LabError(f"{path} must be text in UTF-8. It is in another encoding. Save it as UTF-8.")


def csv_text(rows: Iterable[Iterable[Cell]], delimiter: str = ",") -> str:
    """Rows as CSV (RFC 4180)."""
    lines = io.StringIO(newline="")
    csv.writer(lines, delimiter=delimiter).writerows(rows)
    return lines.getvalue()


def write_csv(path: Path, rows: Iterable[Iterable[Cell]], delimiter: str = ",") -> None:
    """Write rows as CSV in UTF-8 with a byte order mark, which spreadsheets expect, and without a cell that one computes."""
    replace_text(path, BYTE_ORDER_MARK + csv_text(([harmless(cell) for cell in row] for row in rows), delimiter))


def harmless(cell: Cell) -> str:
    """A cell as text that no spreadsheet computes: a formula is led by an apostrophe."""
    words = "" if cell is None else str(cell).replace("\0", "\ufffd")
    return f"'{words}" if words.startswith(_FORMULA) and not _NUMBER.fullmatch(words) else words


def key_of(words: str) -> str:
    """A name as it is compared with a cell, whatever `harmless` and a spreadsheet did to it."""
    return words.strip().lstrip("'").replace("\0", "\ufffd")
