"""The image files below a folder, found without following a link out of it or going round in circles.

Only files without a suffix are opened, to see whether they begin as an image does.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, printable, refusal
from latentlab.base.texts import reason

HEIF = (".heic", ".heif") if find_spec("pillow_heif") else ()  # which Pillow reads with that package
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", *HEIF)
FOREIGN = (  # images too, of formats that are not read: a folder of them is no folder of nothing
    ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".tga", ".ppm", ".pgm", ".pbm", ".exr", ".hdr", ".pdf", ".eps",
    ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
)  # fmt: skip
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")  # of files without a suffix


class Entry(NamedTuple):
    """A file with an image's suffix, or with none and an image's first bytes: path with slashes, size in bytes, time of change in ns."""

    path: str
    size: int
    mtime_ns: int


class Listing(NamedTuple):
    """The files in order of their paths; "path", "reason" for each thing that looked like an image or a folder but is not read;
    each folder and when it last got or lost a file, in ns."""

    entries: list[Entry]
    odd: list[tuple[str, str]]
    folders: list[tuple[str, int]]

    def stamp(self) -> str:
        """A sha256 of the files' paths, sizes and times."""
        digest = hashlib.sha256(b"\0".join(os.fsencode(entry.path) for entry in self.entries))
        for numbers in ([entry.size for entry in self.entries], [entry.mtime_ns for entry in self.entries]):
            digest.update(np.array(numbers, "<i8").tobytes())
        return digest.hexdigest()


def walk(root: Path) -> Listing:
    """List a folder and the folders in it, in order of their names. Raises LabError when there is no such folder.

    Names that begin with a dot are left out. A link to a file inside the folder counts as a file; a link to a folder is
    not followed (what it shows is found in its own place, or lies outside); pipes and devices are never opened.
    """
    if not root.is_dir():
        remedy = reason(f"remedy.{'file' if root.exists() else 'absent'}")
        raise refusal("data.spec", reason("must.folder"), f"folder:{root}", remedy)
    listing = Listing([], [], [])
    real = root.resolve()
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            changed = os.stat(root / below).st_mtime_ns
            with os.scandir(root / below) as entries:
                items = sorted(entries, key=lambda item: item.name)
            listing.folders.append((below, changed))
        except OSError as error:
            if not below:
                raise LabError(reason("folder.closed", root=root, why=error.strerror)) from None
            listing.odd.append((below, _words(error)))
            continue
        folders = [path for item in items if (path := _look(item, below, real, listing)) is not None]
        waiting += reversed(folders)
    listing.entries.sort()
    return listing


def _look(item: os.DirEntry[str], below: str, real: Path, listing: Listing) -> str | None:
    """Put one item where it belongs; the path of a folder that is still to be listed."""
    if item.name.startswith("."):
        return None
    path = f"{below}/{item.name}" if below else item.name
    try:
        if item.is_dir(follow_symlinks=False):
            return path
        if item.is_symlink():
            inside = Path(item.path).resolve().is_relative_to(real)
            if not inside and (item.is_dir() or _is_image(item.name)):
                listing.odd.append((path, reason("file.link")))
            if not inside or item.is_dir():
                return None
        about = item.stat()
        if item.name.lower().endswith(FOREIGN) and not _is_image(item.name):
            listing.odd.append((path, reason("file.format", format=Path(item.name).suffix[1:].upper())))
            return None
        if not _is_image(item.name) and not ("." not in item.name and stat.S_ISREG(about.st_mode) and _is_signed(item.path)):
            return None
    except (OSError, RuntimeError) as error:  # RuntimeError: Path.resolve in a loop of links, before Python 3.13
        if _is_image(item.name):
            listing.odd.append((path, _words(error)))
        return None
    if stat.S_ISREG(about.st_mode):
        listing.entries.append(Entry(path, about.st_size, about.st_mtime_ns))
    else:
        listing.odd.append((path, reason("file.irregular")))
    return None


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_signed(path: str) -> bool:
    """Whether a file without a suffix begins as an image does."""
    with open(path, "rb") as file:
        return file.read(8).startswith(SIGNATURES)


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "a link that leads nowhere").lower()


class Classes(NamedTuple):
    """Labels [N] and sorted class names; None twice where there are none. `beside`: the images for whose sake that is so."""

    labels: NDArray[np.int64] | None
    names: tuple[str, ...] | None
    beside: list[str]


def label_of(path: str) -> str | None:
    """The first folder of a path."""
    first, slash, _ = path.partition("/")
    return first if slash else None


def classes(paths: Sequence[str], named: Sequence[str | None] | None = None) -> Classes:
    """The classes are the first folders of the paths, or as `named`, where there are at least two and every path has one."""
    named = [label_of(path) for path in paths] if named is None else named
    names = sorted({name for name in named if name is not None})
    beside = [printable(path) for path, name in zip(paths, named, strict=True) if name is None] if len(names) > 1 else []
    if beside or len(names) < 2:
        return Classes(None, None, beside)
    number = {name: label for label, name in enumerate(names)}
    labels = np.array([number[name] for name in named if name is not None], np.int64)
    return Classes(labels, tuple(printable(name) for name in names), [])
