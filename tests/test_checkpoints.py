"""Checkpoints: a flipped bit anywhere is found, a crash at any moment leaves a whole one, and pruning spares the right ones."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.base import files
from latentlab.base.errors import Damaged, LabError
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder


def save(folder: Path, step: int, value: float | None = None) -> Path:
    tensors = {"w": torch.full((5, 3), float(step if value is None else value)), "n": torch.tensor(step)}
    return checkpoints.save(folder, step, tensors, {"step": step})


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    tensors, state = checkpoints.load(save(tmp_path, 7))
    assert state == {"step": 7}
    assert np.array_equal(tensors["w"], np.full((5, 3), 7.0, np.float32))
    assert tensors["n"].item() == 7


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    checked = 0
    for file in path.iterdir():
        content = file.read_bytes()
        for position in range(len(content)):
            bit = 1 << (position * 5 % 8)
            file.write_bytes(content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :])
            with pytest.raises(Damaged, match="damaged"):
                checkpoints.verify(path)
            checked += 1
        file.write_bytes(content)
    checkpoints.verify(path)
    assert checked == sum(f.stat().st_size for f in path.iterdir())


@pytest.mark.parametrize("name", [checkpoints.TENSORS, checkpoints.STATE, checkpoints.MANIFEST])
def test_truncated_emptied_missing_and_swapped_files_are_found(name: str, tmp_path: Path) -> None:
    path, other = save(tmp_path, 1), save(tmp_path, 2)
    content = (path / name).read_bytes()
    for broken in (b"", content[:1], content[: len(content) // 2], content[:-1], content + b"\0", (other / name).read_bytes()):
        (path / name).write_bytes(broken)
        with pytest.raises(Damaged):
            checkpoints.load(path)
    (path / name).unlink()
    with pytest.raises(Damaged):
        checkpoints.load(path)


def test_the_newest_whole_one_is_used_and_the_damaged_named(tmp_path: Path) -> None:
    for step in (0, 5, 9):
        save(tmp_path, step)
    with open(tmp_path / "step-00000009" / checkpoints.TENSORS, "r+b") as file:
        file.seek(90)
        file.write(b"\xff")
    said: list[str] = []
    assert checkpoints.newest(tmp_path, said.append).name == "step-00000005"
    assert len(said) == 1
    assert "damaged" in said[0]
    assert "step-00000009" in said[0]


def test_a_whole_manifest_around_other_files_is_no_whole_checkpoint(tmp_path: Path) -> None:
    """Its sums are right, and it is not ours: the one before it is used."""
    for step in (3, 4, 5):
        save(tmp_path, step)
    checkpoints.save(tmp_path, 4, {"w": torch.zeros(1)}, {"steps": 4})  # another state
    whole = tmp_path / "step-00000005"
    (whole / checkpoints.TENSORS).write_bytes(b"no tensors")
    data = {name: (whole / name).read_bytes() for name in (checkpoints.TENSORS, checkpoints.STATE)}
    sums = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in data.items()}
    (whole / checkpoints.MANIFEST).write_text(checkpoints._manifest_text(sums))
    said: list[str] = []
    assert checkpoints.newest(tmp_path, said.append, checkpoints.load).name == "step-00000003"
    assert ["step-00000005" in said[0], "step-00000004" in said[1], len(said)] == [True, True, 2]


def test_none_left_is_one_sentence(tmp_path: Path) -> None:
    save(tmp_path / "checkpoints", 3)
    (tmp_path / "checkpoints" / "step-00000003" / checkpoints.MANIFEST).write_text("{}")
    with pytest.raises(LabError, match="must have a whole checkpoint, but has none \\(1 damaged\\)"):
        checkpoints.newest(tmp_path / "checkpoints", lambda _: None)


CALLS = [(os, "fsync"), (os, "replace"), (os, "mkdir"), (checkpoints, "write_durably"), (checkpoints, "sync_folder"), (files.os, "open")]


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("failure", ["crash", errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("target", range(len(CALLS)))
@pytest.mark.parametrize("again", [False, True])
def test_a_failure_at_any_call_leaves_the_old_or_the_new(failure, target: int, again: bool, tmp_path: Path, monkeypatch) -> None:
    """`again`: the same step is written anew, as a resumed run does over a damaged one."""
    module, name = CALLS[target]
    reached = 0
    for fail_at in range(1, 12):
        folder = tmp_path / str(fail_at)
        save(folder, 1)
        save(folder, 2)
        if again:
            (folder / "step-00000002" / checkpoints.STATE).write_text("damaged")
        real, calls = getattr(module, name), 0

        def fail(*arguments, real=real, at=fail_at, **named):
            nonlocal calls
            calls += 1
            if calls == at:
                raise Crash if failure == "crash" else OSError(failure, os.strerror(failure))
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            try:
                save(folder, 2 if again else 3)
            except (Crash, OSError):
                reached += 1
            else:
                if calls < fail_at:
                    break  # every call was made to fail once
        RunFolder(folder).tidy()
        whole = checkpoints.newest(folder, lambda _: None)
        assert checkpoints.step_of(whole) in ((1, 2) if again else (2, 3))
        assert checkpoints.load(whole)[1]["step"] == checkpoints.step_of(whole)
        assert not list(folder.glob(".step-*"))
    assert reached or name == "open"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), min_size=1, max_size=9))
def test_pruning_keeps_the_last_three_whole_the_best_and_step_0(tmp_path_factory, history) -> None:
    folder = tmp_path_factory.mktemp("prune")
    save(folder, 0)
    whole, best, lowest = [0], None, 2.0
    for number, (damaged, measured, loss) in enumerate(history, 1):
        path = save(folder, number)
        if measured and loss < lowest:
            best, lowest = number, loss
        if damaged:
            (path / checkpoints.STATE).write_text("rot")
        else:
            whole.append(number)
        checkpoints.prune(folder, best)
        left = {checkpoints.step_of(p) for p in checkpoints.listed(folder)}
        assert 0 in left
        assert best is None or best in left
        assert set(whole[-3:]) <= left
        undamaged = {n for n in left if n in whole}
        assert len(undamaged - {0, best}) <= 3


def test_there_is_no_pickle(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    assert {p.name for p in path.iterdir()} == {checkpoints.TENSORS, checkpoints.STATE, checkpoints.MANIFEST}
    for file in (Path(checkpoints.__file__).parent).rglob("*.py"):
        text = file.read_text()
        assert "import pickle" not in text, file
        # A weights file that the user brings in torch's own form is read without running code; nothing else is.
        expected = 1 if file.name == "inception.py" else 0
        assert (text.count("torch.load("), text.count("weights_only=True")) == (expected, expected), file
