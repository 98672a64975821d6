"""JSON lines: written so that a changed or a missing one is found, read while another process writes them, each time only what is new.

Each line ends with the key `crc32`: the CRC-32 of all text of the file so far but these numbers. A file without, which another
program wrote, is read as it is.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from latentlab.base.errors import Damaged
from latentlab.base.shapes import fits, parse
from latentlab.base.texts import reason

WITNESS = 256  # bytes before the place read up to, by which a file written anew is known
Row = dict[str, Any]
_CRC = re.compile(rb', "crc32": (\d{1,10})}$', re.MULTILINE)


def lines(rows: Iterable[Mapping[str, Any]], crc: int) -> tuple[str, int]:
    """Rows as lines to follow a text of that checksum (0: none), and the checksum then. ValueError for what is not finite."""
    text = ""
    for row in rows:
        body = json.dumps(row, allow_nan=False)
        crc = zlib.crc32(body.encode(), crc)
        text += f'{body[:-1]}, "crc32": {crc}}}\n'
    return text, crc


class Tail:
    """The lines of a growing file, such as a run's metrics.jsonl; a resumed run writes a shorter one in its place.

    `lines` counts those read; `crc` is the checksum that the last one gave: None in a file without, -1 after damage that hid it.
    `rest` is what follows it: a line that is being written, or was torn by a kill. `damaged` are the numbers of lines that hold
    no object of `shape`, or not what was written. Between two reads the file is not held open, so that it can be replaced on
    every system.
    """

    def __init__(self, path: Path, shape: Any = dict, lenient: bool = False) -> None:
        self.path, self.shape, self.lenient = path, shape, lenient
        self._forget()

    def _forget(self) -> None:
        self.offset = self.lines = 0
        self.crc: int | None = 0  # None after a line that had none
        self.damaged: list[int] = []
        self.rest = self.witness = b""
        self.identity: tuple[int, int] | None = None

    def read(self) -> tuple[list[Row], bool]:
        """The rows written since the last read, and whether they are the whole file's because it is another one now.

        An incomplete last line is left for the next time; a missing file is an empty one. Raises Damaged at a damaged line, and
        again at the next read; a lenient one leaves out such lines.
        """
        before = self.offset
        try:
            new, newline = self._new_bytes()
        except FileNotFoundError:
            self._forget()
            return [], before > 0
        except OSError as error:
            raise Damaged(f"{self.path} cannot be read ({error.strerror}). Restore the file from a copy.") from None
        restarted = self.offset < before
        rows = self._rows(new)
        whole = new + newline
        self.offset += len(whole)
        self.lines += whole.count(b"\n")
        self.witness = (self.witness + whole)[-WITNESS:]
        return rows, restarted

    def _new_bytes(self) -> tuple[bytes, bytes]:
        """What follows the place read up to, as far as its last newline; from the beginning where it is another file."""
        with open(self.path, "rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            file.seek(self.offset - len(self.witness))
            if (about.st_dev, about.st_ino) != self.identity or file.read(len(self.witness)) != self.witness:
                self._forget()
                self.identity = about.st_dev, about.st_ino
                file.seek(0)
            new, newline, self.rest = file.read().rpartition(b"\n")
        return new, newline

    def _rows(self, text: bytes) -> list[Row]:
        crc, damaged, rows = self.crc, list(self.damaged), list[Row]()
        if self.lines == 0 and text and not _CRC.search(text):
            crc = None
        for number, line in enumerate(text.split(b"\n"), self.lines + 1):
            if not line:
                continue
            row, crc = self._row(line, crc)
            if row is not None:
                rows.append(row)
            elif self.lenient:
                damaged.append(number)
            else:
                raise Damaged(reason("line", path=self.path, number=number))
        self.crc, self.damaged = crc, damaged
        return rows

    def last(self) -> Row | None:
        """What follows the last whole line, where it is a line but for its end; None for a torn one."""
        return self._row(self.rest, self.crc)[0]

    def _row(self, line: bytes, before: int | None) -> tuple[Row | None, int | None]:
        """The object of a line, None for a damaged one; and the checksum that it gives, or -1 where that cannot be known."""
        seal = _CRC.search(line)
        if seal is None:
            return (parsed(line, self.shape), None) if before is None else (None, -1)
        told = int(seal[1])
        whole = before == -1 or (before is not None and zlib.crc32(line[: seal.start()] + b"}", before) == told)
        return parsed(line, self.shape) if whole else None, told


def parsed(line: bytes, shape: Any = dict) -> Row | None:
    """The JSON object of a line, without its checksum; None where it holds none of that shape."""
    try:
        row = parse(line)
    except ValueError:
        return None
    if not fits(row, shape):
        return None
    row.pop("crc32", None)
    return row  # type: ignore[no-any-return]
