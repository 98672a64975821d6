"""`folder:PATH`: a folder's images decoded once, kept as a memory map in the cache, found again by paths, sizes and times alone.

    CACHE/folders/KEY/images.npy     uint8 [N, S, S, C] in the order of the paths
                      index.json     path and sha256 of each row, path and reason of each file that could not be decoded, and the
                                     sha256 of images.npy, which is compared each time: what was overwritten is decoded anew
    CACHE/folders/starts/*.json      path, size and time of each file of one folder as last seen, and its KEY

KEY is the sha256 of every file's path and content and of the settings. Both are written beside and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base import core_count
from latentlab.base.errors import LabError, OutOfSpace, printable
from latentlab.base.files import cache_folder, is_full, read_json, read_json_or_nothing, rename, replace_json, replace_with
from latentlab.base.images import Images
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.sources import SOURCES, parse
from latentlab.data.decode import Undecodable, decode
from latentlab.data.download import progress
from latentlab.data.folder import SUFFIXES, Entry, classes, walk
from latentlab.data.sets import Data, cut_by_content

Item = TypeVar("Item")
Result = TypeVar("Result")

_NAMED = 5  # files that the note on skipped ones names
_VERSION = 1  # of the pixels and of the files; a change of either makes new keys
_MAX_BYTES = 1 << 30  # of one image file
_CHUNK = 256  # files decoded before their rows are written
_STALE_SECONDS = 86_400.0


def load_folder(config: DataConfig) -> Data:
    """A folder's images, split by the content of the files. The source is a read-only memory map in the cache.

    Where every image lies in one of several sub-folders, these are the labels. Rows are in the order of the paths. Raises
    LabError for a missing folder and for fewer than 3 usable images.
    """
    path = parse(config.spec).path
    assert path is not None, config.spec  # noqa: S101 - a fault of ours, not the user's
    decoded = open_decoded(path, Settings(config.image_size or SOURCES["folder"].size, config.fit, config.channels))
    unread, read = decoded.skipped, len(decoded.paths)
    if len(unread) > read:
        raise LabError(reason("folder.mostly", spec=config.spec, **_unread(unread, read)))
    labels, class_names, beside = classes(decoded.paths)
    data = cut_by_content(config, decoded.images, labels, class_names, decoded.digests, f"folder {decoded.key}")
    skipped = tuple(f"{printable(name)}: {why}" for name, why in unread)
    return replace(data, skipped=skipped, notes=(*data.notes, *folder_notes(unread, read, beside)))


def folder_notes(unread: Sequence[tuple[str, str]], read: int, beside: Sequence[str]) -> list[str]:
    """What is to be said of a folder: the files that are not read, each with its reason, and images beside class folders."""
    notes = [reason("note.files", **_unread(unread, read))] if unread else []
    return [*notes, reason("note.classes", count=len(beside), named=some(beside))] if beside else notes


def _unread(unread: Sequence[tuple[str, str]], read: int) -> dict[str, Any]:
    named = some([f"{printable(name)} ({why})" for name, why in unread])
    return {"unread": len(unread), "count": len(unread) + read, "named": named}


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


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
    asked = hashlib.sha256(f"{_VERSION} {asdict(settings)} ".encode() + os.fsencode(root)).hexdigest()
    start = home / "starts" / f"{asked}.json"
    decoded = _read(home / key) if (key := _known(start, listing.entries)) else None
    if decoded is None:
        with _cache_errors(home):
            digests, unreadable = _digests(root, listing.entries)
            key = hashlib.sha256(json.dumps([_VERSION, asdict(settings), digests]).encode()).hexdigest()
            decoded = _read(home / key)
            if decoded is None:
                _build(root, digests, settings, home / key)
                decoded = _read(home / key)
            if decoded is None:
                raise LabError(f"{home / key} was damaged as it was written. Check that disk, or set LATENTLAB_CACHE to another folder.")
            if not unreadable:  # a file that becomes readable changes neither size nor time
                replace_json(start, {"key": key, "entries": listing.entries})
            listing.odd.extend(unreadable)
    return replace(decoded, skipped=tuple(sorted([*listing.odd, *decoded.skipped])))


def _known(start: Path, entries: list[Entry]) -> str | None:
    """The key under which exactly these files were seen before."""
    seen = read_json_or_nothing(start, {"key": str, "entries": list})
    return seen["key"] if seen.get("entries") == [list(entry) for entry in entries] else None


def _read(target: Path) -> Decoded | None:
    """A decoded folder of the cache; None when it is absent or not what was written."""
    try:
        index = read_json(target / "index.json")
        images = np.load(target / "images.npy", mmap_mode="r", allow_pickle=False)
        paths, digests = zip(*index["rows"], strict=True)
        skipped = tuple((path, why) for path, why in index["skipped"])
        whole = list(images.shape) == index["shape"] and len(images) == len(paths) and images.dtype == np.uint8
        with open(target / "images.npy", "rb") as file:
            whole = whole and hashlib.file_digest(file, "sha256").hexdigest() == index["sha256"]
        return Decoded(target.name, images, paths, digests, skipped) if whole else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError):
        return None


def _digests(root: Path, entries: list[Entry]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """("path", sha256) of each file's bytes, and ("path", reason) for those that cannot be read."""

    def digest(entry: Entry) -> tuple[str | None, str]:
        if entry.size > _MAX_BYTES:
            return None, "larger than 1 GiB"
        try:
            with open(root / entry.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest(), ""
        except OSError as error:
            return None, (error.strerror or "cannot be read").lower()

    digests: list[tuple[str, str]] = []
    unreadable: list[tuple[str, str]] = []
    for entry, (sha256, why) in _by_all_cores("reading", digest, entries):
        if sha256 is None:
            unreadable.append((entry.path, why))
        else:
            digests.append((entry.path, sha256))
    return digests, unreadable


def _by_all_cores(text: str, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    """Each item, in order, with what `function` makes of it; at most a chunk of results waits in memory."""
    with ThreadPoolExecutor(core_count()) as pool, progress(text, len(items), "files") as advance:
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            yield from zip(chunk, pool.map(function, chunk), strict=True)
            advance(len(chunk))


def _build(root: Path, digests: list[tuple[str, str]], settings: Settings, target: Path) -> None:
    """Decode every file into a new folder beside `target`, then rename it there. Another process may do the same."""
    _remove_stale(target.parent)
    beside, aside = (target.parent / f".building-{uuid.uuid4().hex}" for _ in range(2))
    beside.mkdir(parents=True)
    try:
        index = _decode_all(root, digests, settings, beside / "images.npy")
        replace_json(beside / "index.json", index)
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

    def pixels(item: tuple[str, str]) -> NDArray[np.uint8] | Undecodable:
        path = root / item[0]
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != item[1]:
                raise LabError(f"{path} changed while its folder was read. Run again when nothing writes there.")
            return decode(content, settings.size, settings.fit, settings.channels)
        except Undecodable as reason:
            return reason
        except OSError as error:
            raise LabError(f"{path} vanished while its folder was read ({error.strerror}). Run again when nothing writes there.") from None

    Image.init()  # once, before several threads look for a reader
    with _image_file(file, (settings.size, settings.size, depth)) as append, _strict_pillow():
        for item, result in _by_all_cores("decoding", pixels, digests):
            if isinstance(result, Undecodable):
                skipped.append((item[0], str(result)))
            else:
                grey = grey and result.shape[2] == 1
                append(result)
                rows.append(item)
    if not rows:
        named = "; ".join(f"{path} ({why})" for path, why in skipped[:3]) or f"no file in it is called {', '.join(SUFFIXES)}"
        raise LabError(reason("folder.none", root=root, named=named))
    if grey and settings.channels == "auto":
        depth = _to_one_channel(file)
    with open(file, "rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return {"shape": [len(rows), settings.size, settings.size, depth], "rows": rows, "skipped": skipped, "sha256": digest}


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


@contextlib.contextmanager
def _image_file(path: Path, shape: tuple[int, int, int]) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """A function that writes one image uint8 [S, S, 1 or C] of an .npy file; one channel stands for all of `shape` (S, S, C).

    The number of rows is known only at the end, when the header gets it. Rows are written, not stored through a memory
    map: on a full disk a write is an OSError, a store would kill the process.
    """
    count = 0

    def append(image: NDArray[np.uint8]) -> None:
        nonlocal count
        file.write(np.ascontiguousarray(np.broadcast_to(image, shape)).data)
        count += 1

    def header() -> None:  # as long for any count: NumPy leaves room for the first axis to grow
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)})

    with open(path, "wb") as file:
        header()
        yield append
        file.seek(0)
        header()
        file.flush()
        os.fsync(file.fileno())  # else a power cut could leave zeros of the right size


def _to_one_channel(path: Path) -> int:
    """Rewrite images uint8 [N, S, S, 3] of three equal channels as [N, S, S, 1]; returns 1, the number of channels."""
    images = np.load(path, mmap_mode="r", allow_pickle=False)

    def write(beside: Path) -> None:
        with _image_file(beside, (*images.shape[1:3], 1)) as append:
            for image in images:
                append(np.asarray(image[:, :, :1]))

    replace_with(path, write)
    return 1
