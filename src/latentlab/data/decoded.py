"""A folder's images decoded once, kept as a uint8 memory map in the cache, found again by paths, sizes and times alone.

    CACHE/folders/KEY/images.npy     uint8 [N, S, S, C] in the order of the paths
                      index.json     path and sha256 of each row, path and reason of each file that could not be decoded
    CACHE/folders/starts/*.json      path, size and time of each file of one folder as last seen, and its KEY

KEY is the sha256 of every file's path and content and of the settings. Both are written beside and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import LabError, OutOfSpace
from latentlab.base.files import cache_folder, is_full, rename, replace_text, replace_with, write_durably
from latentlab.base.images import Images
from latentlab.data.decode import SUFFIXES, Entry, Undecodable, decode, walk
from latentlab.data.download import progress

_VERSION = 1  # of the pixels and of the files; a change of either makes new keys
_MAX_BYTES = 1 << 30  # of one image file
_CHUNK = 256  # files decoded before their rows are written
_STALE_SECONDS = 86_400.0


@dataclass(frozen=True)
class Settings:
    """What a decoded pixel depends on beside its file."""

    size: int
    fit: str
    channels: str


@dataclass(frozen=True, eq=False)
class Decoded:
    """A folder in memory-mapped form: row i of `images` is the file `paths[i]`, whose bytes have the sha256 `digests[i]`."""

    key: str
    images: Images  # uint8 [N, S, S, C], read-only memory map
    paths: tuple[str, ...]
    digests: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]  # path, reason


def open_decoded(root: Path, settings: Settings) -> Decoded:
    """The folder's images, from the cache where they are there, else decoded now by all cores.

    Raises LabError when there is no folder, when no file in it can be decoded, when a file changes meanwhile, and when the
    cache cannot be written; OutOfSpace when its disk is full.
    """
    listing = walk(root)
    home = cache_folder() / "folders"
    place = hashlib.sha256(f"{_VERSION} {asdict(settings)} ".encode() + os.fsencode(root)).hexdigest()
    start = home / "starts" / f"{place}.json"
    decoded = _read(home / key) if (key := _known(start, listing.entries)) else None
    if decoded is None:
        with _cache_errors(home):
            digests, unreadable = _digests(root, listing.entries)
            key = _content_key(digests, settings)
            decoded = _read(home / key)
            if decoded is None:
                _build(root, digests, settings, home / key)
                decoded = _read(home / key)
            if decoded is None:
                raise LabError(f"{home / key} was damaged as it was written. Check that disk, or set LATENTLAB_CACHE to another folder.")
            if not unreadable:  # a file that becomes readable changes neither size nor time
                replace_text(start, json.dumps({"key": key, "entries": listing.entries}))
            listing.odd.extend(unreadable)
    skipped = tuple(sorted([*listing.odd, *decoded.skipped]))
    return Decoded(decoded.key, decoded.images, decoded.paths, decoded.digests, skipped)


def _known(start: Path, entries: list[Entry]) -> str | None:
    """The key under which exactly these files were seen before."""
    try:
        seen = json.loads(start.read_text(encoding="utf-8"))
        same = seen["entries"] == [list(entry) for entry in entries]
        return str(seen["key"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):  # absent or damaged: the files are read again
        return None


def _read(target: Path) -> Decoded | None:
    """A decoded folder of the cache; None when it is absent or not what was written."""
    try:
        index: dict[str, Any] = json.loads((target / "index.json").read_text(encoding="utf-8"))
        images = np.load(target / "images.npy", mmap_mode="r", allow_pickle=False)
        paths, digests = zip(*index["rows"], strict=True)
        skipped = tuple((path, reason) for path, reason in index["skipped"])
        whole = list(images.shape) == index["shape"] and len(images) == len(paths) and images.dtype == np.uint8
        whole = whole and (target / "images.npy").stat().st_size == images.offset + images.nbytes
        return Decoded(target.name, images, paths, digests, skipped) if whole else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError):
        return None


def _digests(root: Path, entries: list[Entry]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """("path", sha256) of each file's bytes, and ("path", reason) for those that cannot be read."""

    def digest(entry: Entry) -> tuple[str, str | None, str]:
        if entry.size > _MAX_BYTES:
            return entry.path, None, "larger than 1 GiB"
        try:
            with open(root / entry.path, "rb") as file:
                return entry.path, hashlib.file_digest(file, "sha256").hexdigest(), ""
        except OSError as error:
            return entry.path, None, (error.strerror or "cannot be read").lower()

    read: list[tuple[str, str]] = []
    unreadable: list[tuple[str, str]] = []
    with ThreadPoolExecutor(_workers()) as pool, progress("reading", len(entries), "files") as advance:
        for start in range(0, len(entries), _CHUNK):
            chunk = entries[start : start + _CHUNK]
            for path, sha256, reason in pool.map(digest, chunk):
                if sha256 is None:
                    unreadable.append((path, reason))
                else:
                    read.append((path, sha256))
            advance(len(chunk))
    return read, unreadable


def _content_key(digests: list[tuple[str, str]], settings: Settings) -> str:
    return hashlib.sha256(json.dumps([_VERSION, asdict(settings), digests]).encode()).hexdigest()


def _build(root: Path, digests: list[tuple[str, str]], settings: Settings, target: Path) -> None:
    """Decode every file into a new folder beside `target`, then rename it there. Another process may do the same."""
    _remove_stale(target.parent)
    beside, aside = (target.parent / f".building-{uuid.uuid4().hex}" for _ in range(2))
    beside.mkdir(parents=True)
    try:
        index = _decode_all(root, digests, settings, beside / "images.npy")
        write_durably(beside / "index.json", json.dumps(index).encode())
        if target.exists() and _read(target) is None:
            with contextlib.suppress(OSError):
                rename(target, aside)
        try:
            rename(beside, target)
        except OSError:
            if _read(target) is None:
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _decode_all(root: Path, digests: list[tuple[str, str]], settings: Settings, file: Path) -> dict[str, Any]:
    """Write the rows of images.npy, a chunk at a time, and return what goes into index.json."""
    depth = 1 if settings.channels == "grey" else 3
    rows: list[tuple[str, str]] = []
    skipped: list[tuple[str, str]] = []
    grey = True

    def one(item: tuple[str, str]) -> NDArray[np.uint8] | str:
        return _decode_file(root / item[0], item[1], settings)

    Image.init()  # once, before several threads look for a reader
    with RowFile(file, settings.size, depth) as out, _strict_pillow():
        with ThreadPoolExecutor(_workers()) as pool, progress("decoding", len(digests), "files") as advance:
            for start in range(0, len(digests), _CHUNK):
                chunk = digests[start : start + _CHUNK]
                for item, result in zip(chunk, pool.map(one, chunk), strict=True):
                    if isinstance(result, str):
                        skipped.append((item[0], result))
                    else:
                        grey = grey and result.shape[2] == 1
                        out.append(result)
                        rows.append(item)
                advance(len(chunk))
    if not rows:
        named = "; ".join(f"{path} ({reason})" for path, reason in skipped[:3]) or f"no file in it is called {', '.join(SUFFIXES)}"
        raise LabError(f"{root} must hold images that can be decoded. {named}. Choose another folder.")
    if grey and settings.channels == "auto":
        depth = first_channel(file)
    return {"shape": [len(rows), settings.size, settings.size, depth], "rows": rows, "skipped": skipped}


def _decode_file(path: Path, sha256: str, settings: Settings) -> NDArray[np.uint8] | str:
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise LabError(f"{path} changed while its folder was read. Run again when nothing writes there.")
        return decode(content, settings.size, settings.fit, settings.channels)
    except Undecodable as reason:
        return str(reason)
    except OSError as error:
        raise LabError(f"{path} vanished while its folder was read ({error.strerror}). Run again when nothing writes there.") from None


@contextlib.contextmanager
def _strict_pillow() -> Iterator[None]:
    """A decompression bomb is an error; what Pillow remarks on odd metadata is not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextlib.contextmanager
def _cache_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise OutOfSpace(f"the disk of {home} is full, where decoded images are kept. Make room, or set LATENTLAB_CACHE.") from None
        raise LabError(f"{home} must be a folder that can be written. {error.strerror or error}. Set LATENTLAB_CACHE to another.") from None


def _remove_stale(home: Path) -> None:
    """Take away what a killed process left behind more than a day ago."""
    for left in home.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Writing an .npy file of images row by row, when the number of rows is known only at the end.
#
# Rows are written, not stored through a memory map: on a full disk a write is an OSError, a store would kill the process.

_ROWS = 1024


class RowFile:
    """uint8 [N, S, S, C] in an .npy file; N grows with `append`. Leaving the context writes the header's final form."""

    def __init__(self, path: Path, size: int, channels: int) -> None:
        self.shape = (size, size, channels)
        self.count = 0
        self._file = open(path, "wb")  # noqa: SIM115 (closed on leaving the context)
        self._file.write(_header(0, self.shape))

    def append(self, row: NDArray[np.uint8]) -> None:
        """Write one image uint8 [S, S, 1 or C]; one channel stands for all."""
        self._file.write(np.ascontiguousarray(np.broadcast_to(row, self.shape)).data)
        self.count += 1

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._file.write(_header(self.count, self.shape))
                self._file.flush()
                os.fsync(self._file.fileno())  # else a power cut could leave zeros of the right size


def _header(count: int, shape: tuple[int, int, int]) -> bytes:
    """NumPy leaves room for the first axis to grow, so the header's length does not depend on `count`."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)})
    return buffer.getvalue()


def first_channel(path: Path) -> int:
    """Rewrite images uint8 [N, S, S, 3] of three equal channels as [N, S, S, 1]; returns 1, the number of channels."""
    images = np.load(path, mmap_mode="r", allow_pickle=False)

    def write(beside: Path) -> None:
        with RowFile(beside, images.shape[1], 1) as out:
            for start in range(0, len(images), _ROWS):
                for row in np.asarray(images[start : start + _ROWS]):
                    out.append(row[:, :, :1])

    replace_with(path, write)
    return 1
