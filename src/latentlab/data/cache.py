"""Decoded images in the cache, found again.

    CACHE/folders/KEY/images.npy     uint8 [N, S, S, C] in the order of the paths, a memory map when it is read
                      files.npz      path, sha256 and label of each row
                      index.json     path and reason of each file that could not be decoded, and the sha256 of the other two, which
                                     are compared each time: what was overwritten is decoded anew
    CACHE/folders/starts/*.json      as what a place was last seen, and its KEY
    CACHE/folders/.building-*/       of `building.py`

A KEY is made of the settings and of what is read. All is written beside and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.base import core_count
from latentlab.base.errors import LabError, OutOfSpace
from latentlab.base.files import is_full, read_json
from latentlab.base.images import Images

MAX_BYTES = 1 << 30  # of one image file
_BLOCK = 1 << 26  # bytes of pixels that have one sha256, so that all cores can check them


@dataclass(frozen=True)
class Settings:
    """What a decoded pixel depends on beside its file."""

    size: int
    fit: str
    channels: str


@dataclass(frozen=True)
class Item:
    """An image file of about `size` bytes: `label` is its class, `sha256` what its content must have, where that is known."""

    path: str
    size: int
    read: Callable[[], bytes]
    label: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the cache holds of one place: row i of `images` is a file whose bytes have the sha256 `digests[i]`."""

    key: str
    images: Images  # uint8 [N, S, S, C], read-only memory map
    digests: NDArray[np.bytes_]  # [N], 32 bytes each
    labels: NDArray[np.int64] | None  # [N]
    class_names: tuple[str, ...] | None
    beside: tuple[str, ...]  # images for whose sake there are no labels
    skipped: tuple[tuple[str, str], ...]  # path, reason
    names: Path

    @property
    def paths(self) -> tuple[str, ...]:
        """The file of each row."""
        with np.load(self.names) as files:
            return tuple(map(os.fsdecode, bytes(files["paths"]).split(b"\0")))


def read(target: Path) -> Decoded | None:
    """What lies under a key; None when it is absent or not what was written."""
    try:
        index = read_json(target / "index.json")
        names = target / "files.npz"
        if file_sum(names) != index["files"]:
            return None
        with np.load(names) as files:
            digests, labels = files["sha256"].view("S32")[:, 0], files.get("labels")
        images = np.load(target / "images.npy", mmap_mode="r", allow_pickle=False)
        if list(images.shape) != index["shape"] or images.dtype != np.uint8 or len(digests) != len(images):
            return None
        if block_sums(images) != index["sha256"]:
            return None
        class_names = None if index["class_names"] is None else tuple(index["class_names"])
        skipped = tuple((path, why) for path, why in index["skipped"])
        return Decoded(target.name, images, digests, labels, class_names, tuple(index["beside"]), skipped, names)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile):
        return None


def file_sum(path: Path) -> str:
    """The sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def block_sums(images: Images) -> list[str]:
    """The sha256 of each block of the pixels, by all cores."""
    pixels = memoryview(images.reshape(-1))  # type: ignore[arg-type]
    with ThreadPoolExecutor(core_count()) as pool:
        return list(pool.map(lambda at: hashlib.sha256(pixels[at : at + _BLOCK]).hexdigest(), range(0, len(pixels), _BLOCK)))


@contextlib.contextmanager
def errors_of(home: Path) -> Iterator[None]:
    """Say in one line what is wrong with the cache. Raises LabError, and OutOfSpace when its disk is full."""
    try:
        yield
    except FileNotFoundError:  # another process has finished and cleared away
        raise
    except OSError as error:
        if is_full(error):
            raise OutOfSpace(f"the disk of {home} is full, where decoded images are kept. Make room, or set LATENTLAB_CACHE.") from None
        raise LabError(f"{home} must be a folder that can be written. {error.strerror or error}. Set LATENTLAB_CACHE to another.") from None
