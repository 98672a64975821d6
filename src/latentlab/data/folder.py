"""The image files below a folder, found without following a link out of it, going round in circles, or opening anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, refusal

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class Entry(NamedTuple):
    """A file with an image's suffix: its path below the folder with slashes, size in bytes, time of change in ns."""

    path: str
    size: int
    mtime_ns: int


class Listing(NamedTuple):
    """The files in order of their paths, and "path", "reason" for each thing that looked like an image or a folder but is not read."""

    entries: list[Entry]
    odd: list[tuple[str, str]]


def walk(root: Path) -> Listing:
    """List a folder and the folders in it, in order of their names. Raises LabError when there is no such folder.

    Names that begin with a dot are left out. A link to a file inside the folder counts as a file; a link to a folder is
    not followed (what it shows is found in its own place, or lies outside); pipes and devices are never opened.
    """
    if not root.is_dir():
        what = "a file" if root.exists() else "not there"
        raise refusal("data.spec", "folder: and the path of a folder of images", f"folder:{root}", f"It is {what}.")
    listing = Listing([], [])
    real = root.resolve()
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(root / below) as entries:
                items = sorted(entries, key=lambda item: item.name)
        except OSError as error:
            if not below:
                raise LabError(f"{root} cannot be read: {error.strerror}. Give yourself the right to read it.") from None
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
                listing.odd.append((path, "a link out of the folder"))
            if not inside or item.is_dir():
                return None
        if not _is_image(item.name):
            return None
        about = item.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: Path.resolve in a loop of links, before Python 3.13
        if _is_image(item.name):
            listing.odd.append((path, _words(error)))
        return None
    if stat.S_ISREG(about.st_mode):
        listing.entries.append(Entry(path, about.st_size, about.st_mtime_ns))
    else:
        listing.odd.append((path, "not a regular file"))
    return None


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "a link that leads nowhere").lower()


def classes(paths: tuple[str, ...]) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels [N] and sorted class names from the first folder of each path; (None, None) unless all have one of at least two."""
    heads = [path.partition("/")[0] if "/" in path else None for path in paths]
    names = sorted({head for head in heads if head is not None})
    if None in heads or len(names) < 2:
        return None, None
    number = {name: label for label, name in enumerate(names)}
    labels = np.array([number[head] for head in heads if head is not None], np.int64)
    return labels, tuple(printable(name) for name in names)


def printable(name: str) -> str:
    """A file's name as it can be shown in one line of any encoding that has Unicode."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
