"""The image sets that a reader may choose from, and some real images of each. A folder is chosen by its name below the data root."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.base.files import data_root
from latentlab.base.images import Images, is_point
from latentlab.config.parts import DataConfig
from latentlab.config.sources import PUBLISHED, SOURCES, of_points, parse
from latentlab.data import is_at_hand, load_data
from latentlab.data.decode import Undecodable, decode
from latentlab.data.decoded import folder_notes
from latentlab.data.folder import SUFFIXES, classes, walk

FOLDER = "folder:"
DEEPEST = 2  # folders below the data root
MOST_BELOW = 50  # folders of one that are looked into
REMEMBERED_SECONDS = 20.0  # that a folder two levels down may get its first image unseen
SHOWN, POINTS = 36, 2_000  # images of a preview, and points


@dataclass(frozen=True)
class Preview:
    """Some images of a set, as training will see them: uint8 [N, H, W, C] with labels [N] or None; `count` are all of it."""

    images: Images
    labels: tuple[str, ...] | None
    count: int
    class_names: tuple[str, ...] | None
    shape: tuple[int, int, int]
    odd: int = 0  # of the images shown, those that could not be read
    notes: tuple[str, ...] = ()  # what else is to be known of the folder, as `reason` says it
    train_images: int = 0  # about how many of all are trained on


def choices(root: str | None) -> list[str]:
    """The sets by the names that a browser uses: those that have one, folder:NAME for each folder of images below the data root."""
    return [name for name, source in SOURCES.items() if not source.placed] + [FOLDER + name for name in folders(root)]


def choices_for(config: DataConfig, root: str | None) -> list[str]:
    """Those for a preset: points where it is for points, images for the others."""
    return [choice for choice in choices(root) if of_points(choice) == of_points(config.spec)]


def folders(root: str | None) -> list[str]:
    """The folders below the data root that hold images, in them or in folders of theirs; looked through again when the root changes."""
    base = data_root(root)
    return list(_folders(base, base.stat().st_mtime_ns, round(time.monotonic() / REMEMBERED_SECONDS))) if base.is_dir() else []


@lru_cache(maxsize=4)
def _folders(base: Path, changed: int, moment: int) -> tuple[str, ...]:
    below = (path for path in sorted(base.iterdir()) if path.is_dir() and not path.name.startswith(".") and path.name not in PUBLISHED)
    return tuple(path.name for path in below if _holds_images(path, DEEPEST))


def _holds_images(path: Path, deep: int) -> bool:
    """Whether some file with an image's suffix lies in a folder; it is not opened, and the first one is enough."""
    below = []
    try:
        with os.scandir(path) as items:
            for item in items:
                if item.name.startswith("."):
                    continue
                if item.is_dir(follow_symlinks=False):
                    below.append(Path(item.path))
                elif item.name.lower().endswith(SUFFIXES) and item.is_file():
                    return True
    except OSError:
        return False
    return deep > 0 and any(_holds_images(one, deep - 1) for one in sorted(below)[:MOST_BELOW])


def spec_of(choice: str, root: str | None) -> str:
    """The SPEC of a choice. Raises LabError for one that there is not, such as a path."""
    names = choices(root)
    if choice not in names:
        raise refusal("data", "one of " + ", ".join(names), choice)
    if not choice.startswith(FOLDER):
        return choice
    return FOLDER + str(data_root(root) / choice.removeprefix(FOLDER))


def choice_of(spec: str, root: str | None) -> str:
    """The reverse of `spec_of`; the SPEC itself where it is none of the choices."""
    return next((choice for choice in choices(root) if spec_of(choice, root) == spec), spec)


def missing_bytes(config: DataConfig) -> int:
    """The size of the download that training would begin with; 0 where none is needed."""
    source = parse(config.spec).source
    return 0 if is_at_hand(source, config.root) else source.download_bytes


def preview(config: DataConfig) -> Preview:
    """Images spread over the whole set; of a folder only these are decoded. Raises LabError when it cannot be read.

    What was seen is kept until a folder changes.
    """
    return _seen(config, _stamp(config))


def _stamp(config: DataConfig) -> tuple[int, ...]:
    """When a folder and those directly in it last got or lost a file; () of a set that does not change."""
    if not config.spec.startswith(FOLDER):
        return ()
    root = Path(config.spec.removeprefix(FOLDER))
    try:
        return tuple(path.stat().st_mtime_ns for path in (root, *sorted(item for item in root.iterdir() if item.is_dir())))
    except OSError:
        return ()  # what is wrong is said when it is read


@lru_cache(maxsize=8)
def _seen(config: DataConfig, stamp: tuple[int, ...]) -> Preview:
    if config.spec.startswith(FOLDER):
        return _folder_preview(config)
    data = load_data(config)
    most = POINTS if is_point(data.shape) else SHOWN
    rows = np.linspace(0, len(data.train) - 1, min(most, len(data.train))).astype(np.int64)
    labels = None if data.train.labels is None or not data.class_names else _named(data.train.labels[rows], data.class_names)
    count = len(data.train) + len(data.val) + len(data.test)
    return Preview(data.train.take(rows), labels, count, data.class_names, data.shape, train_images=len(data.train))


def _folder_preview(config: DataConfig) -> Preview:
    root, size = Path(config.spec.removeprefix(FOLDER)), config.image_size or SOURCES["folder"].size
    entries, odd, _ = walk(root)
    labels, names, beside = classes(tuple(entry.path for entry in entries))
    notes = folder_notes(odd, len(entries), beside)
    rows = np.unique(np.linspace(0, len(entries) - 1, min(SHOWN, len(entries))).astype(np.int64)) if entries else np.zeros(0, np.int64)
    decoded, kept = [], []
    for row in rows:
        try:
            decoded.append(decode((root / entries[row].path).read_bytes(), size, config.fit, "rgb"))
            kept.append(int(row))
        except (Undecodable, OSError):
            pass
    if not decoded:
        raise refusal("a folder of images", "one with images that can be read", root.name)
    images = np.stack(decoded)
    grey = config.channels == "grey" or (config.channels == "auto" and bool((images[..., :1] == images).all()))
    images = images[..., :1] if grey else images
    named = None if labels is None or names is None else _named(labels[kept], names)
    trained = min(round(len(entries) * (1 - config.val_share - config.test_share)), config.train_images or len(entries))
    return Preview(images, named, len(entries), names, (size, size, images.shape[3]), len(rows) - len(kept), tuple(notes), trained)


def _named(labels: NDArray[np.int64], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[int(label)] for label in labels)


def shape_of(config: DataConfig, seen: Preview | None) -> tuple[int, int, int]:
    """(H, W, C) that training will see: the preview's, or what is known without one."""
    if seen is not None:
        return seen.shape
    source = parse(config.spec).source
    size = config.image_size or source.size
    return size, size, {"rgb": 3, "grey": 1, "auto": source.channels}[config.channels]
