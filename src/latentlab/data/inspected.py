"""What becomes of each file of an image source: used, converted, enlarged, double, skipped or left aside; and the splits and classes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentlab.base.images import Images
from latentlab.config.parts import DataConfig
from latentlab.config.sources import parse
from latentlab.data.decode import FORMATS, ORIENTATION
from latentlab.data.decoded import open_decoded, settings_of
from latentlab.data.folder import FOREIGN, SUFFIXES
from latentlab.data.sets import Data, ImageSet


@dataclass
class Used:
    """An image that is used: what it was before, what was done to it (keys of texts), and the first one with the same pixels."""

    path: str  # of a named set the number of its row
    split: str
    label: str | None
    width: int | None = None
    height: int | None = None
    how: list[str] = field(default_factory=list)
    double_of: str | None = None


@dataclass
class Inspection:
    """All that is known of a source."""

    data: Data
    used: list[Used]
    skipped: list[tuple[str, str]]  # path, reason
    aside: dict[str, int]  # files that are no images, by suffix

    def counted(self) -> dict[str, int]:
        """How many files of each kind."""
        how = Counter(kind for used in self.used for kind in used.how)
        doubles = sum(used.double_of is not None for used in self.used)
        return {"used": len(self.used), "double": doubles, "skipped": len(self.skipped), "aside": sum(self.aside.values()), **how}

    def splits(self) -> dict[str, int]:
        return dict(Counter(used.split for used in self.used))

    def classes(self) -> dict[str, int]:
        """Images by class; of images without labels nothing."""
        return dict(sorted(Counter(used.label for used in self.used if used.label is not None).items()))

    def sizes(self) -> dict[str, list[int]]:
        """Width and height of the smallest, the median and the largest image before it was resized, by area; {} where that is not known."""
        known = sorted((used.width * used.height, used.width, used.height) for used in self.used if used.width and used.height)
        ends = {"smallest": 0, "median": len(known) // 2, "largest": -1}
        return {name: list(known[at][1:]) for name, at in ends.items()} if known else {}

    def as_json(self) -> dict[str, Any]:
        """Everything, file by file."""
        return {
            "spec": self.data.spec,
            "shape": list(self.data.shape),
            "fingerprint": self.data.fingerprint,
            "counts": self.counted(),
            "splits": self.splits(),
            "classes": self.classes(),
            "sizes": self.sizes(),
            "files": [asdict(used) for used in self.used],
            "skipped": [{"path": path, "why": why} for path, why in self.skipped],
            "aside": self.aside,
            "notes": list(self.data.notes),
        }


def inspect(config: DataConfig, data: Data) -> Inspection:
    """What became of the files of `data`, which was loaded as `config` says. A folder's files are opened once more, not decoded."""
    source = parse(config.spec)
    used = [entry for part in ("train", "val", "test") for entry in _rows(part, getattr(data, part), data.class_names)]
    seen: dict[bytes, Used] = {}
    pixels = (image for part in (data.train, data.val, data.test) for chunk in part.chunks() for image in chunk)
    for entry, image in zip(used, pixels, strict=True):
        first = seen.setdefault(hashlib.sha256(image.tobytes()).digest(), entry)
        entry.double_of = first.path if first is not entry else None
    if source.path is None or source.source.kind != "folder":
        return Inspection(data, used, [_pair(line) for line in data.skipped], {})
    settings = settings_of(config)
    decoded = open_decoded(source.path, settings)
    paths = decoded.paths
    for entry in used:
        row = int(entry.path.rpartition(" ")[2])
        entry.path = paths[row]
        entry.double_of = None if entry.double_of is None else paths[int(entry.double_of.rpartition(" ")[2])]
        entry.width, entry.height, entry.how = _before(source.path / entry.path, settings.size, settings.fit, data.shape[2])
    return Inspection(data, sorted(used, key=lambda entry: entry.path), list(decoded.skipped), _aside(source.path))


def _rows(split: str, part: ImageSet, names: tuple[str, ...] | None) -> Iterator[Used]:
    source = "test" if split == "test" and part.source.shape[0] == len(part) else "row"  # a published test set has a source of its own
    for at, row in enumerate(part.indices):
        label = None if part.labels is None or names is None else names[int(part.labels[at])]
        yield Used(f"{source} {row}", split, label)


def _pair(line: str) -> tuple[str, str]:
    path, _, why = line.partition(": ")
    return path, why


def _before(path: Path, size: int, fit: str, channels: int) -> tuple[int | None, int | None, list[str]]:
    """An image's width and height upright, and what `decode` does to it."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            turned = image.getexif().get(ORIENTATION, 1)
            width, height = image.size[::-1] if turned in (5, 6, 7, 8) else image.size
            deep = image.mode == "F" or image.mode.startswith("I")
            grey = deep or image.mode in ("1", "L", "LA", "La")
            kinds = {
                "turned": turned not in (0, 1),
                "transparent": image.has_transparency_data,
                "palette": image.mode == "P",
                "cmyk": image.mode in ("CMYK", "YCCK"),
                "deep": deep,
                "coloured": grey and channels == 3,
                "greyed": not grey and image.mode != "P" and channels == 1,
                "frames": getattr(image, "n_frames", 1) > 1,
                "cropped": width != height and fit == "crop",
                "padded": width != height and fit == "pad",
                "enlarged": (min if fit == "crop" else max)(width, height) < size,
            }
            return width, height, [kind for kind, is_so in kinds.items() if is_so]
    except Exception:  # a header that Pillow reads only in part: it was decoded all the same
        return None, None, []


def _aside(root: Path) -> dict[str, int]:
    """How many files below a folder are no images, by suffix; hidden ones and those of hidden folders apart."""
    found = Counter[str]()
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        suffixes = (Path(name).suffix.lower() for name in files if not name.startswith("."))
        found.update(suffix for suffix in suffixes if suffix not in (*SUFFIXES, *FOREIGN, ""))
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def contact_sheet(inspection: Inspection, most: int = 100) -> Images:
    """Images spread over the training set, uint8 [N, H, W, C], at most so many."""
    train = inspection.data.train
    return train.take(np.unique(np.linspace(0, len(train) - 1, min(most, len(train))).astype(np.int64)))
