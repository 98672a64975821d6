"""Reading a file of JSON lines while another process writes it: each time only what is new."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError

WITNESS = 256  # bytes before the place read up to, by which a file written anew is known
Row = dict[str, Any]


class Tail:
    """The lines of a growing file, such as a run's metrics.jsonl; a resumed run writes a shorter one in its place.

    `lines` counts those read, `rest` is what follows the last whole one: a line that is being written, or was torn by a
    kill. Between two reads the file is not held open, so that it can be replaced on every system.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self.offset = self.lines = 0
        self.rest = self.witness = b""
        self.identity: tuple[int, int] | None = None

    def read(self) -> tuple[list[Row], bool]:
        """The rows written since the last read, and whether they are the whole file's because it is another one now.

        An incomplete last line is left for the next time; a missing file is an empty one. Raises LabError at a line that
        is no JSON object, and again at the next read.
        """
        before = self.offset
        try:
            new, newline = self._new_bytes()
        except FileNotFoundError:
            self._forget()
            return [], before > 0
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
        lines = [line for line in text.split(b"\n") if line]
        try:
            rows: list[Row] = json.loads(b"[" + b",".join(lines) + b"]")  # at once: a third less time than line by line
            if len(rows) == len(lines) and all(isinstance(row, dict) for row in rows):
                return rows
        except ValueError:
            pass
        numbers = (number for number, line in enumerate(text.split(b"\n"), self.lines + 1) if line and parsed(line) is None)
        raise LabError(f"{self.path} line {next(numbers, self.lines + 1)} is damaged. Restore the file from a copy.")


def parsed(line: bytes) -> Row | None:
    """The JSON object of a line; None where it holds none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
