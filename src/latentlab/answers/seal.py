"""A report's record and its checksum.

The record stands in the page's head as JSON. The checksum is the sha256 of the whole page with the checksum's own place
filled by zeros. It shows that a file was edited after it was written; it proves no author, for anybody can compute it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentlab.answers.record import FORMAT, is_record
from latentlab.panels import Phrase

LARGEST_BYTES = 100_000_000
State = Literal["sound", "edited", "foreign"]

_ZEROS = "0" * 64
_META = '<meta name="latentlab-checksum" content="{}">'
_SEAL = re.compile(rb'<meta name="latentlab-checksum" content="([0-9a-f]{64})">')
_SCRIPT = '<script type="application/json" id="latentlab-record">{}</script>'
_RECORD = re.compile(rb'<script\b[^<>]{0,200}\bid="?latentlab-record\b[^<>]{0,200}>([^<]*)</script>', re.IGNORECASE)


@dataclass(frozen=True)
class HandedIn:
    """A file that was handed in. `record` is None where there is none that can be read."""

    path: Path
    state: State
    reason: Phrase
    record: Mapping[str, Any] | None = field(default=None, repr=False)


def seal(page: str, record: Mapping[str, Any]) -> str:
    """The page with the record and its checksum in its head, its lines ended by a line feed.

    Raises ValueError for a page without a head, one that is sealed already, and a record that is no strict JSON.
    """
    plain = re.sub(r"\r\n?", "\n", page)
    if "</head>" not in plain:
        raise ValueError("a page to seal must have a </head>")
    written = json.dumps(record, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    before, end, after = plain.partition("</head>")
    whole = before + _META.format(_ZEROS) + _SCRIPT.format(written) + end + after
    if len(_SEAL.findall(whole.encode())) != 1 or len(_RECORD.findall(whole.encode())) != 1:
        raise ValueError("a page to seal must not be sealed already")
    return whole.replace(_META.format(_ZEROS), _META.format(hashlib.sha256(whole.encode()).hexdigest()), 1)


def is_report(path: Path) -> bool:
    """Whether a file is a report of latentlab's, edited or not, of this version or another."""
    try:
        return path.stat().st_size <= LARGEST_BYTES and _RECORD.search(path.read_bytes()) is not None
    except OSError:
        return False


def open_report(path: Path) -> HandedIn:
    """What a file is: a report as it was written ("sound"), one that was changed since ("edited"), or none of ours ("foreign").

    Line ends that a mail program turned into CR LF count as unchanged. Whatever the file holds, nothing is raised.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return HandedIn(path, "foreign", Phrase("grade.reason.large", {"megabytes": LARGEST_BYTES // 1_000_000}))
        content = path.read_bytes()
    except OSError as error:
        return HandedIn(path, "foreign", Phrase("grade.reason.unreadable", {"error": error.strerror or type(error).__name__}))
    return judged(path, content)


def judged(path: Path, content: bytes) -> HandedIn:
    """What the content of a file makes it, see `open_report`."""
    seals, records = _SEAL.findall(content), _RECORD.findall(content)
    if not records:
        return HandedIn(path, "foreign", Phrase("grade.reason.foreign"))
    unchanged = len(seals) == len(records) == 1 and (_fits(content, seals[0]) or _fits(content.replace(b"\r\n", b"\n"), seals[0]))
    found = _read(records[0])
    if is_record(found):
        if found["format"] == FORMAT and unchanged:
            return HandedIn(path, "sound", Phrase("grade.reason.sound"), found)
        if found["format"] == FORMAT:
            return HandedIn(path, "edited", Phrase("grade.reason.edited" if seals else "grade.reason.unsealed"), found)
    if unchanged:  # whole, and yet not what this version writes
        return HandedIn(path, "foreign", Phrase("grade.reason.other"))
    return HandedIn(path, "edited", Phrase("grade.reason.unreadable-record"))


def _fits(content: bytes, checksum: bytes) -> bool:
    opened = _SEAL.sub(_META.format(_ZEROS).encode(), content, count=1)
    return hashlib.sha256(opened).hexdigest().encode() == checksum


def _read(written: bytes) -> Any:
    """The JSON of a record; None for anything else."""

    def refuse(constant: str) -> float:
        raise ValueError(constant)

    try:
        return json.loads(written.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
