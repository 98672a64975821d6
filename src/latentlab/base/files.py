"""Files: where latentlab keeps them; written so that a reader, a kill -9 or a full disk never meets half of one; read; locked."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import platformdirs

from latentlab.base.errors import Busy

PAUSE_SECONDS = 0.02  # between two tries to lock a file


def cache_folder() -> Path:
    """LATENTLAB_CACHE, else the platform's cache folder for latentlab. Not created here."""
    given = os.environ.get("LATENTLAB_CACHE")
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("latentlab", appauthor=False))


def data_root(root: str | Path | None = None) -> Path:
    """The folder that holds `mnist/train-images-idx3-ubyte.gz` and so on: `root`, else LATENTLAB_DATA, else in the cache folder."""
    given = root or os.environ.get("LATENTLAB_DATA")
    return Path(given).expanduser().absolute() if given else cache_folder() / "data"


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, the quota or the file-size limit is exhausted."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """`os.replace`, patient with the virus scanners that hold files open on Windows."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(pause)
    os.replace(source, target)


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then rename it there; on failure nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        rename(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    replace_with(path, lambda beside: beside.write_bytes(content))


def replace_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    replace_bytes(path, text.encode())


def replace_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step. Non-finite numbers are refused: they are no JSON."""
    replace_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError where it cannot be read, ValueError for anything else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path} is too deep.") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must be a JSON object. Got {type(value).__name__!r}.")
    return value


def read_json_or_nothing(path: Path) -> dict[str, Any]:
    """The JSON object in a file that can be made again: {} where there is none, or a damaged one."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}


@dataclass(frozen=True)
class Each:
    """In a shape: an object with any keys, whose values have one shape."""

    shape: Any


def fits(value: Any, shape: Any) -> bool:
    """Whether a value read from JSON has a shape.

    A shape is a type (bool is no int), None, a tuple of shapes one of which fits, a list of one shape for all its elements,
    a dictionary of the keys that there must be, `Each`, or a function that says so.
    """
    match shape:
        case tuple():
            return any(fits(value, option) for option in shape)
        case dict():
            return isinstance(value, dict) and all(key in value and fits(value[key], inner) for key, inner in shape.items())
        case list():
            return isinstance(value, list) and all(fits(inner, shape[0]) for inner in value)
        case Each():
            return isinstance(value, dict) and all(fits(inner, shape.shape) for inner in value.values())
        case None:
            return value is None
        case type():
            return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return bool(shape(value))


@contextmanager
def lock(path: Path, patience: float, busy: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock on a file that stays where it is; the system frees it when the process dies, however it dies.

    It keeps out other processes, and other threads of this one. Raises Busy with the text `busy` when another holds it for
    longer than `patience` seconds. Any number may hold it `shared` while nobody holds it alone (on Windows, which has no such
    lock here, each holds it alone).
    """
    with open(path, "a+b") as file:
        until = time.monotonic() + patience
        while not (taken := try_lock(file, shared)) and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        if not taken:
            raise Busy(busy)
        try:
            yield
        finally:
            _unlock(file)


def try_lock(file: IO[bytes], shared: bool = False) -> bool:
    """Lock an open file until it is closed; False where another holds it, or the file system has no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
