"""Images decoded into the cache piece by piece, by as many processes as ask for them at once.

    CACHE/folders/.building-*/       pieces in the making: whoever locks one makes it; what a killed process left is gone on with

What comes of them is `cache.py`'s. All is written beside and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import sys
import time
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base import core_count
from latentlab.base.errors import LabError, Unreachable, printable
from latentlab.base.files import PAUSE_SECONDS, lock, make_folder, read_json, rename, replace_json, try_lock
from latentlab.base.processes import place
from latentlab.data.cache import Decoded, Item, Settings, block_sums, file_sum, read
from latentlab.data.decode import Undecodable, decode
from latentlab.data.download import progress
from latentlab.data.folder import classes

Read = TypeVar("Read")
Result = TypeVar("Result")

CHUNK = 256  # files that one process takes at once
SMALL = 1 << 15  # bytes of a file below which threads do not help: other processes do
_TRIES = 3  # at one piece, when a connection breaks
_BREATH_SECONDS = 1.0  # before another try
_ROWS = 1024  # of a piece that are moved at once
_PATIENCE = 3600.0  # with another process that puts the pieces together
_STALE_SECONDS = 86_400.0


class Building:
    """The pieces of one place, in a folder that every process that reads the same place finds."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.folder = home, home / f".building-{name}"
        for left in home.glob(".building-*"):  # by a killed process, more than a day ago
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

    def __enter__(self) -> Building:
        make_folder(self.folder)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyboardInterrupt | Unreachable):  # after which it is gone on with
            return
        gone = self.folder.with_name(f"{self.folder.name}-{os.getpid()}")
        try:
            self.folder.rename(gone)  # at once: in one that is half removed, a slower process would make pieces anew
        except OSError:
            gone = self.folder
        shutil.rmtree(gone, ignore_errors=True)

    def path(self, text: str, number: int) -> Path:
        """Where a piece lies, without a suffix."""
        return self.folder / f"{text}-{number:06d}"

    def pieces(self, text: str, sizes: Sequence[int], make: Callable[[int, Path], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """What is told of each piece of so many files, in order, when all are there: `make` tells it, given its number and path."""
        (rank, processes), count = place(), len(sizes)
        first = rank * count // processes
        waiting = deque([*range(first, count), *range(first)])
        with progress(text, sum(sizes), "files") as advance:
            while waiting:
                number = waiting.popleft()
                if self._made(number, self.path(text, number), make):
                    advance(sizes[number])
                else:  # another process is at it, and may die
                    waiting.append(number)
                    time.sleep(PAUSE_SECONDS)
        return (self.told(text, number) for number in range(count))

    def told(self, text: str, number: int) -> dict[str, Any]:
        """What was told of a piece."""
        return read_json(self.path(text, number).with_suffix(".json"))

    def _made(self, number: int, piece: Path, make: Callable[[int, Path], dict[str, Any]]) -> bool:
        """Whether a piece is there, made now if nobody else makes it."""
        told = piece.with_suffix(".json")
        if told.exists():
            return True
        with open(piece.with_suffix(".lock"), "a+b") as file:
            if not try_lock(file, without=True):
                return False
            if not told.exists():
                replace_json(told, make(number, piece))
        return True

    def decode(
        self, sizes: Sequence[int], items: Callable[[int], Iterable[Item]], settings: Settings, key: str, nothing: Callable[[str], str]
    ) -> Decoded:
        """What lies under a key, or the items of each piece decoded and put together there.

        Raises LabError: `nothing` says that none is an image.
        """
        Image.init()  # once, before several threads look for a reader
        target = self.home / key
        if (found := read(target)) is not None:
            return found
        damaged = target.exists()

        def make(number: int, piece: Path) -> dict[str, Any]:
            if not damaged and target.exists():  # another process has finished; the folder is that of a third, which looks for it
                raise FileNotFoundError(target)
            return _patiently(lambda: _decode(items(number), settings, piece))

        rows = _Rows(self.pieces("decoding", sizes, make))
        busy = f"{target} is being made by another process. Try again later."
        with lock(self.folder / "assembling.lock", _PATIENCE, busy, without=True):
            if (found := read(target)) is None:
                if not rows.paths:
                    raise LabError(nothing("; ".join(f"{printable(path)} ({why})" for path, why in rows.skipped[:3])))
                self._assemble(rows, settings, target)
                found = read(target)
        if found is None:
            raise LabError(f"{target} was damaged as it was written. Check that disk, or set LATENTLAB_CACHE to another folder.")
        return found

    def _assemble(self, rows: _Rows, settings: Settings, target: Path) -> None:
        """Write what lies under a key: the pieces' pixels one after the other, and what is known of them."""
        made = self.folder / "made"
        shutil.rmtree(made, ignore_errors=True)  # of a process that was killed here
        made.mkdir()
        stored = _channels(settings)
        depth = 1 if settings.channels == "auto" and rows.grey else stored
        shape = len(rows.paths), settings.size, settings.size, depth
        with open(made / "images.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for number, wanted in enumerate(rows.crcs):
                crc = 0
                with open(raw := self.path("decoding", number).with_suffix(".raw"), "rb") as pixels:
                    while block := pixels.read(_ROWS * settings.size**2 * stored):
                        crc = zlib.crc32(block, crc)
                        file.write(np.ascontiguousarray(np.frombuffer(block, np.uint8).reshape(-1, stored)[:, :depth]).data)
                if crc != wanted:
                    raise LabError(f"{raw} is not as it was written. Check that disk, or set LATENTLAB_CACHE to another folder.")
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave zeros of the right size
        found = classes([os.fsdecode(path) for path in rows.paths], rows.labels)
        arrays: dict[str, Any] = {
            "paths": np.frombuffer(b"\0".join(rows.paths), np.uint8),
            "sha256": np.frombuffer(rows.sha256, np.uint8).reshape(-1, 32),
        }
        np.savez(made / "files.npz", **arrays, **({} if found.labels is None else {"labels": found.labels}))  # type: ignore[arg-type]
        index = {
            "shape": list(shape),
            "sha256": block_sums(np.load(made / "images.npy", mmap_mode="r")),
            "files": file_sum(made / "files.npz"),
            "class_names": found.names,
            "beside": found.beside,
            "skipped": rows.skipped,
        }
        replace_json(made / "index.json", index)
        if target.exists():
            rename(target, self.folder / "damaged")
        rename(made, target)


class _Rows:
    """What the pieces tell of their rows, as compact as a million of them need it."""

    def __init__(self, told: Iterable[dict[str, Any]]) -> None:
        self.paths, self.sha256, self.crcs = list[bytes](), bytearray(), list[int]()
        self.labels, self.skipped, self.grey = list[str | None](), list[tuple[str, str]](), True
        for piece in told:
            for path, sha256, label in piece["rows"]:
                self.paths.append(os.fsencode(path))
                self.sha256 += bytes.fromhex(sha256)
                self.labels.append(label and sys.intern(label))
            self.skipped += [(path, why) for path, why in piece["skipped"]]
            self.crcs.append(piece["crc"])
            self.grey = self.grey and piece["grey"]


def _channels(settings: Settings) -> int:
    """Of the pixels of a piece."""
    return 1 if settings.channels == "grey" else 3


def _decode(items: Iterable[Item], settings: Settings, piece: Path) -> dict[str, Any]:
    """Write the pixels of the items to PIECE.raw and tell what they are; the next ones are read while others are decoded."""
    depth = _channels(settings)
    rows: list[tuple[str, str, str | None]] = []
    skipped: list[tuple[str, str]] = []
    grey, crc = True, 0

    def pixels(item: Item) -> tuple[str, NDArray[np.uint8] | Undecodable]:
        content = item.read()
        sha256 = hashlib.sha256(content).hexdigest()
        if item.sha256 not in (None, sha256):
            raise LabError(f"{item.path} changed while its folder was read. Run again when nothing writes there.")
        try:
            return sha256, decode(content, settings.size, settings.fit, settings.channels)
        except Undecodable as reason:
            return sha256, reason

    first = next(rest := iter(items), None)
    all_items = itertools.chain([first] if first else [], rest)
    with open(piece.with_suffix(".raw"), "wb") as file, _strict_pillow():
        for item, (sha256, image) in by_threads(first.size if first else 0, pixels, all_items):
            if isinstance(image, Undecodable):
                skipped.append((item.path, str(image)))
                continue
            grey = grey and image.shape[2] == 1
            whole = np.ascontiguousarray(np.broadcast_to(image, (settings.size, settings.size, depth))).data
            file.write(whole)
            crc = zlib.crc32(whole, crc)
            rows.append((item.path, sha256, item.label))
    return {"rows": rows, "skipped": skipped, "grey": grey, "crc": crc}


def _patiently(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    for _ in range(_TRIES - 1):
        try:
            return make()
        except Unreachable:
            time.sleep(_BREATH_SECONDS)
    return make()


def by_threads(size: int, function: Callable[[Read], Result], items: Iterable[Read]) -> Iterator[tuple[Read, Result]]:
    """Each item, in order, with what `function` makes of it, which reads a file of about `size` bytes; at most a chunk waits in memory.

    By as many threads as there are cores for this process of its machine's; small files by none, for Pillow is Python for the most
    part of them, and a second thread would wait for the first.
    """
    if size < SMALL:
        yield from ((item, function(item)) for item in items)
        return
    waiting = deque[tuple[Read, Future[Result]]]()
    with ThreadPoolExecutor(max(1, core_count() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))) as pool:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) == CHUNK:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


@contextlib.contextmanager
def _strict_pillow() -> Iterator[None]:
    """A decompression bomb is an error; what Pillow remarks on odd metadata is not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
