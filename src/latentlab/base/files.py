"""Files: where latentlab keeps them; written so that a reader, a kill -9 or a full disk never meets half of one; read; locked."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import json
import os
import stat
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import platformdirs

from latentlab.base.errors import Busy, refusal
from latentlab.base.shapes import fits, parse

PAUSE_SECONDS = 0.02  # between two tries to lock a file


def cache_folder() -> Path:
    """LATENTLAB_CACHE, else the platform's cache folder for latentlab. Not created here."""
    given = os.environ.get("LATENTLAB_CACHE")
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("latentlab", appauthor=False))


def data_root(root: str | Path | None = None) -> Path:
    """The folder that holds `mnist/train-images-idx3-ubyte.gz` and so on: `root`, else LATENTLAB_DATA, else in the cache folder."""
    given = root or os.environ.get("LATENTLAB_DATA")
    return Path(given).expanduser().absolute() if given else cache_folder() / "data"


@functools.cache
def _installed() -> tuple[Path, ...]:
    places = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    spec = importlib.util.find_spec("torch")  # whose place may be another one
    beside = [Path(spec.origin).parents[1]] if spec and spec.origin else []
    return (*(Path(place).resolve() for place in places), *beside, Path(__file__).resolve().parents[1])


def is_installed(file: str) -> bool:
    """Whether a source file is Python's, latentlab's or an installed package's: nobody's own."""
    return file.startswith("<frozen") or any(map(Path(file).resolve().is_relative_to, _installed()))


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


def check_writable(path: Path, name: str = "out") -> None:
    """Raise LabError where no file can be written in the place of `path`, before there is anything to lose."""
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        why = f"{error.strerror}." if nearest.is_dir() else f"{nearest} is no folder."
        raise refusal(name, "a file in a folder that can be written to", str(path), why) from None


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


def make_folder(path: Path) -> None:
    """`mkdir` of a folder that another process may clear away at the same moment, for which `exist_ok` alone raises."""
    while True:
        try:
            return path.mkdir(parents=True)
        except FileExistsError:
            with suppress(FileNotFoundError):  # it was there a moment ago
                if stat.S_ISDIR(path.stat().st_mode):
                    return
                raise
            if path.is_symlink():  # to nothing
                raise


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then rename it there; on failure nothing is left behind."""
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        rename(beside, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # what the user named, not what stands beside it
        raise
    finally:
        beside.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    replace_with(path, lambda beside: beside.write_bytes(content))


def replace_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    replace_bytes(path, text.encode())


def replace_json(path: Path, value: Mapping[str, Any], sealed: bool = True) -> None:
    """Replace a JSON file in one step. Non-finite numbers are refused: they are no JSON.

    It ends with the sha256 of its own text up to there, so that a digit that changed on the disk is found by `read_json`; but for
    a file that others write too.
    """
    body = json.dumps(value, indent=2, allow_nan=False)
    if sealed:
        body = body.removesuffix("\n}") + _SEAL.format(hashlib.sha256(body.removesuffix("\n}").encode()).hexdigest())
    replace_text(path, body + "\n")


_SEAL = ',\n  "checksum": "{}"\n}}'


def read_json(path: Path, shape: Any = dict) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError where it cannot be read; ValueError for one that is broken or has another shape."""
    text = path.read_text(encoding="utf-8")
    value = parse(text)
    if not isinstance(value, dict):
        raise ValueError(f"{path} must be a JSON object. Got {type(value).__name__!r}.")
    checksum = value.pop("checksum", None)
    if checksum is not None:
        body = text.rstrip().removesuffix(_SEAL.format(checksum))
        if hashlib.sha256(body.encode()).hexdigest() != checksum:
            raise ValueError(f"{path} is not as it was written: it does not match its checksum.")
    if not fits(value, shape):
        raise ValueError(f"{path} holds something else than it must.")
    return value


def read_json_or_nothing(path: Path, shape: Any = dict) -> dict[str, Any]:
    """The JSON object in a file that can be made again: {} where there is none, a damaged one, or one of another shape."""
    try:
        return read_json(path, shape)
    except (OSError, ValueError):
        return {}


@contextmanager
def lock(path: Path, patience: float, busy: str, shared: bool = False, without: bool = False) -> Iterator[None]:
    """Hold the lock on a file that stays where it is; the system frees it when the process dies, however it dies.

    It keeps out other processes, and other threads of this one. Raises Busy with the text `busy` when another holds it for
    longer than `patience` seconds. Any number may hold it `shared` while nobody holds it alone (on Windows, which has no such
    lock here, each holds it alone); for that the file must exist, and only be readable. With `without`, nobody is kept out where
    the file system has no locks.
    """
    with open(path, "rb" if shared else "a+b") as file:
        until = time.monotonic() + patience
        while not (taken := try_lock(file, shared, without)) and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        if not taken:
            raise Busy(busy)
        try:
            yield
        finally:
            with suppress(OSError):  # there are none, or it is closed, which frees it too
                _unlock(file)


NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # what a file system without them says


def try_lock(file: IO[bytes], shared: bool = False, without: bool = False) -> bool:
    """Lock an open file until it is closed; False where another holds it. Where the file system has no locks: `without`."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return without and error.errno in NO_LOCKS
    return True


def _unlock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
