"""Watching a growing file of JSON lines: whatever is read when, the rows are those of the whole file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.jsonl import Tail, lines
from latentlab.runs.folder import RunFolder

VALUES = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8), st.lists(st.integers(), max_size=2))
ROWS = st.lists(st.dictionaries(st.text(max_size=6), VALUES, max_size=4), max_size=12)


def text(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def numbered(*steps: int) -> bytes:
    return text([{"step": step} for step in steps])


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tail") / "metrics.jsonl"


@given(rows=ROWS, cuts=st.lists(st.integers(0, 400), max_size=10))
def test_any_split_of_the_bytes_gives_the_same_rows(rows: list[dict], cuts: list[int], path: Path) -> None:
    content = text(rows)
    path.write_bytes(b"")
    tail, found = Tail(path), []
    ends = [*sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in zip([0, *ends], ends, strict=False):
        with open(path, "ab") as file:
            file.write(content[start:end])
        new, restarted = tail.read()
        assert not restarted
        found += new
        assert found == rows[: content[:end].count(b"\n")]  # neither late nor early
    assert found == rows
    assert tail.read() == ([], False)


@given(before=st.integers(0, 9), kept=st.integers(0, 9), after=st.integers(0, 30), in_place=st.booleans())
def test_a_file_written_anew_is_read_from_its_beginning(before: int, kept: int, after: int, in_place: bool, path: Path) -> None:
    """As a resumed run does it: the first lines again, others after them, by a new file in the old one's place."""
    kept = min(kept, before)
    path.unlink(missing_ok=True)
    path.write_bytes(numbered(*range(before)))
    tail = Tail(path)
    assert tail.read() == ([{"step": step} for step in range(before)], False)
    steps = [*range(kept), *range(100, 100 + after)]
    if in_place:
        path.write_bytes(numbered(*steps))
    else:
        (path.parent / "beside").write_bytes(numbered(*steps))
        os.replace(path.parent / "beside", path)
    rows, restarted = tail.read()
    if restarted:
        assert rows == [{"step": step} for step in steps]
    else:  # only where what was read is still there
        assert kept == before
        assert rows == [{"step": step} for step in steps[before:]]
    assert restarted or in_place or before == 0
    assert tail.read() == ([], False)


def test_a_longer_file_of_other_lines_in_the_same_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(numbered(1, 2, 3))
    tail = Tail(path)
    tail.read()
    with open(path, "r+b") as file:
        file.write(numbered(1, 7, 8, 9))
    assert tail.read() == ([{"step": step} for step in (1, 7, 8, 9)], True)


def test_a_line_cut_back_by_a_full_disk_and_written_again_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(numbered(1) + b'{"step": 2')
    tail = Tail(path)
    assert tail.read() == ([{"step": 1}], False)
    assert tail.rest == b'{"step": 2'
    os.truncate(path, len(numbered(1)))
    assert tail.read() == ([], False)
    with open(path, "ab") as file:
        file.write(numbered(2, 3))
    assert tail.read() == ([{"step": 2}, {"step": 3}], False)


def test_a_missing_file_is_an_empty_one_and_one_that_is_gone_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    assert tail.read() == ([], False)
    path.write_bytes(numbered(1))
    assert tail.read() == ([{"step": 1}], False)
    path.unlink()
    assert tail.read() == ([], True)
    assert tail.read() == ([], False)


@pytest.mark.parametrize("damaged", [b"nonsense", b'{"step": ', b"5", b"\xff\xfe", b'{"a": 1}{"b": 2}', b'{"a": [1', b'{"a": 1}, {"b": 2}'])
def test_damage_is_named_by_its_line_again_and_again(damaged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(numbered(1, 2))
    tail = Tail(path)
    tail.read()
    with open(path, "ab") as file:
        file.write(numbered(3) + damaged + b"\n" + numbered(4))
    for read in (tail.read, tail.read, Tail(path).read):
        with pytest.raises(LabError, match=r"metrics.jsonl line 4 is damaged"):
            read()
    lenient = Tail(path, lenient=True)
    assert lenient.read() == ([{"step": step} for step in (1, 2, 3, 4)], False)
    assert lenient.damaged == [4]


SEALED = [{"step": step, "loss_nats": 1.5 * step} for step in range(1, 7)]


@given(cut=st.integers(0, 6), position=st.integers(0, 10_000), bit=st.integers(0, 7), in_two=st.booleans())
def test_a_changed_byte_anywhere_is_found_in_lines_with_checksums(cut: int, position: int, bit: int, in_two: bool, path: Path) -> None:
    """However the lines were written, at once or by a process that went on; at most the line and the next are given up."""
    first, crc = lines(SEALED[:cut], 0)
    whole = (first + lines(SEALED[cut:], crc if in_two else zlib_of(path, first))[0]).encode()
    path.write_bytes(whole)
    assert Tail(path).read()[0] == SEALED
    changed = bytearray(whole)
    changed[position % len(whole)] ^= 1 << bit
    path.write_bytes(changed)
    with pytest.raises(LabError, match="is damaged"):
        read_whole(Tail(path))
    lenient = Tail(path, lenient=True)
    rows, _ = lenient.read()
    assert all(row in SEALED for row in rows)  # nothing false is told
    assert len(rows) >= len(SEALED) - 2


def zlib_of(path: Path, first: str) -> int:
    """The checksum that a process finds in the file when it goes on."""
    path.write_text(first)
    tail = Tail(path)
    tail.read()
    return tail.crc or 0


def read_whole(tail: Tail) -> None:
    """As `RunFolder.metrics` reads: what is left without a line end is a torn line, here never."""
    tail.read()
    if tail.rest:
        raise LabError("the last line is damaged")


@pytest.mark.parametrize("gone", range(1, 5))
def test_a_deleted_line_is_found(gone: int, tmp_path: Path) -> None:
    whole = lines(SEALED, 0)[0].splitlines(keepends=True)
    (tmp_path / "m").write_text("".join(whole[:gone] + whole[gone + 1 :]))
    with pytest.raises(LabError, match=f"line {gone + 1} is damaged"):
        Tail(tmp_path / "m").read()


def test_a_torn_last_line_is_left_out_of_the_metrics_and_a_whole_one_is_not(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    rows = [{"step": step, "epoch": 1.0, "images_seen": 9, "seconds": 0.5, "split": "val"} for step in (1, 2)]
    for whole in (text(rows), lines(rows, 0)[0].encode()):
        folder.metrics_file.write_bytes(whole[:-3])
        assert folder.metrics() == rows[:1]
        folder.metrics_file.write_bytes(whole[:-1])
        assert folder.metrics() == rows
