"""Checkpoints: tensors.safetensors + state.json + MANIFEST.json. No pickle, in or out.

A checkpoint is written into a hidden folder beside its final place, each file and the folder synced, and renamed: a
kill -9 leaves the old checkpoints or the old ones and the new one, never half of one. The manifest, written last, holds
the size and sha256 of the other files and ends with the sha256 of its own text up to there, so that a flipped bit
anywhere is found. (safetensors alone finds none of them.)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import Damaged, LabError, is_out_of_memory, refusal
from latentlab.base.files import read_json, rename, sync_folder, write_durably
from latentlab.base.shapes import Each, fits, is_count, misfit, parse
from latentlab.base.texts import reason
from latentlab.runs.forms import is_image_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latentlab.runs.folder import RunFolder


TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "MANIFEST.json"
EXPORTED = "exported"  # in the state of a checkpoint that holds but the weights that are sampled from
WINDOW = "window."  # what the names begin with of the sums of the log window that is open, which no network has
KEPT = 3


def folder_name(step: int) -> str:
    """The name of the checkpoint of a step: step-00000469."""
    return f"step-{step:08d}"


def step_of(path: Path) -> int | None:
    """The step in a checkpoint's name, or None for any other name."""
    match = re.fullmatch(r"step-(\d{8,})", path.name)
    return int(match[1]) if match else None


def listed(folder: Path) -> list[Path]:
    """The checkpoints under `folder`, lowest step first, whole or not."""
    return sorted((p for p in folder.glob("step-*") if step_of(p) is not None), key=lambda p: step_of(p) or 0)


def stamp(folder: Path) -> tuple[str, int, int]:
    """Which checkpoint is the newest: its name, and its manifest's inode and time, since names come again; ("", 0, 0) for none."""
    for path in reversed(listed(folder)):
        try:
            about = (path / MANIFEST).stat()
        except OSError:
            continue
        return path.name, about.st_ino, about.st_mtime_ns
    return "", 0, 0


def _manifest_text(files: Mapping[str, Mapping[str, Any]]) -> str:
    body = '{\n  "files": ' + json.dumps(files, sort_keys=True) + ',\n  "sha256": "'
    return body + hashlib.sha256(body.encode()).hexdigest() + '"\n}\n'


def save(folder: Path, step: int, tensors: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> Path:
    """Write the checkpoint of `step` under `folder` and return its path. On OSError nothing of it is left."""
    import numpy as np
    from safetensors.numpy import save as to_bytes

    contents = {
        TENSORS: to_bytes({name: np.require(values, requirements="C") for name, values in tensors.items()}),
        STATE: (json.dumps(state, indent=2, sort_keys=True, allow_nan=False) + "\n").encode(),
    }
    files = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()}
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / folder_name(step)
    beside = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        for name, data in contents.items():
            write_durably(beside / name, data)
        write_durably(beside / MANIFEST, _manifest_text(files).encode())
        sync_folder(beside)
        if final.exists():  # a damaged one, or the same step written again by a resumed run
            shutil.rmtree(final)
        rename(beside, final)
        sync_folder(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return final


def verify(path: Path) -> None:
    """Compare every byte of a checkpoint with its manifest. Raises Damaged, naming the file."""
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
        files = parse(text)["files"]
        whole = text == _manifest_text(files) and set(files) == {TENSORS, STATE}
        whole = whole and fits(files, Each({"bytes": int, "sha256": str}))
    except (OSError, ValueError, KeyError, TypeError):
        whole, files = False, {}
    if not whole:
        raise Damaged(f"checkpoint {path} is damaged: its {MANIFEST} is missing or not as it was written.")
    for name, entry in files.items():
        try:
            data = (path / name).read_bytes()
        except OSError:
            raise Damaged(f"checkpoint {path} is damaged: {name} cannot be read.") from None
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise Damaged(f"checkpoint {path} is damaged: {name} does not match its sha256.")


def read_state(path: Path) -> dict[str, Any]:
    """The state.json of a checkpoint that was verified. Raises ValueError for one of another form."""
    state = read_json(path / STATE)
    if wrong := misfit(state, {"step": is_count, "image_shape?": is_image_shape, "config_sha256?": str}):
        raise ValueError(wrong[0])
    return state


def load(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors and the state of a checkpoint, after `verify`. Raises Damaged."""
    from safetensors.numpy import load as from_bytes

    verify(path)
    with opening(path):
        return from_bytes((path / TENSORS).read_bytes()), read_state(path)


def without_window(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A checkpoint's tensors without the sums of the log window that was open: what an engine holds."""
    return {name: values for name, values in tensors.items() if not name.startswith(WINDOW)}


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Whatever fails while a checkpoint is put to use makes it damaged, whatever its manifest says. Raises Damaged.

    A lack of memory says nothing of the checkpoint.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:  # a file that holds something else can make its readers raise anything
        if is_out_of_memory(error):
            raise
        raise Damaged(f"checkpoint {path} is damaged: it holds something else than this run ({type(error).__name__}).") from None


def foreign(path: Path) -> LabError:
    """What is said of a checkpoint that was written under another configuration."""
    return LabError(f"{path} was written under another configuration than {path.parents[1] / 'config.json'}. Restore that file.")


def newest(folder: Path, report: Callable[[str], None], use: Callable[[Path], object] = verify, step: int | None = None) -> Path:
    """The checkpoint with the highest step that can be used, or that of a step; each damaged one met on the way is reported.

    `use` raises Damaged for one that cannot. Raises LabError when there is none.
    """
    candidates = [path for path in listed(folder) if step in (None, step_of(path))]
    if step is not None and not candidates:
        raise refusal("from_step", "one of " + ", ".join(str(step_of(path)) for path in listed(folder)), step)
    for path in reversed(candidates):
        try:
            use(path)
        except Damaged as error:
            report(f"{error} The one before it is used.")
        else:
            return path
    raise LabError(reason("checkpoints", path=folder.parent, damaged=len(candidates)))


def sampled(run: RunFolder, report: Callable[[str], None], use: Callable[[Path], object] = verify) -> Path:
    """The checkpoint that a run is sampled from: the newest, and of one that stopped early the best, where that one can be used."""
    step = run.status().get("sampled")
    if step is not None and (best := run.checkpoints / folder_name(step)).is_dir():
        try:
            use(best)
        except Damaged as error:
            report(f"{error} The newest one is used.")
        else:
            return best
    return newest(run.checkpoints, report, use)


def forget(folder: Path, step: int) -> None:
    """Remove the checkpoints after a step, from which a run goes on."""
    for path in listed(folder):
        if (step_of(path) or 0) > step:
            shutil.rmtree(path, ignore_errors=True)


def prune(folder: Path, best: int | None) -> None:
    """Keep the last three whole checkpoints, the best and step 0; a damaged one never counts as one of the three."""
    kept = 0
    for path in reversed(listed(folder)):
        step = step_of(path)
        if kept < KEPT:
            try:
                verify(path)
                kept += 1
            except Damaged:
                pass
        elif step not in (0, best):
            shutil.rmtree(path, ignore_errors=True)
