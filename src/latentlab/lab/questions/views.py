"""How a question about generators looks at images: real ones that no network has learned from, and one extractor for all."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.images import Images, grid, to_pil
from latentlab.config.presets import preset
from latentlab.data import Data, ImageSet, load_data
from latentlab.measure.extractors import Extractor, Seen, extractors_for
from latentlab.measure.metrics.classes import entropy_nats, shares
from latentlab.measure.metrics.features import kernel_distance
from latentlab.measure.metrics.manifold import manifold

REAL = 1_000  # real images, at most; `digits` holds out fewer
FITTED = 2_000  # training images that probes learn from, at most
NEIGHBOURS = 5


@dataclass(frozen=True)
class View:
    """The data of an experiment, its extractor, and what that sees of held-out images (half of val, half of test)."""

    data: Data
    extractor: Extractor
    held_out: Images  # [N, H, W, C]
    labels: NDArray[np.int64] | None  # [N]
    seen: Seen

    @property
    def classes(self) -> int:
        """How many classes the images have; 0 without labels."""
        return len(self.data.class_names or ())

    def quality(self, fakes: Images) -> dict[str, float]:
        """Samples uint8 [M, H, W, C] against the held-out images: kid, precision, recall and, with classes, their entropy."""
        found = self.extractor(fakes)
        near = manifold(self.seen.features, found.features, NEIGHBOURS)
        values = {"kid": kernel_distance(found.features, self.seen.features), "precision": near.precision, "recall": near.recall}
        if found.labels is not None and self.classes:
            values["class_entropy_nats"] = entropy_nats(shares(found.labels, self.classes))
        return values

    def floor(self) -> dict[str, float]:
        """What as many real training images reach by the same measures."""
        return self.quality(first(self.data.train, len(self.held_out)).images)


def view(settings: Mapping[str, Any]) -> View:
    """The view of a task: `settings["shared"]` are the fields of every run, among them those of the data."""
    return _view(json.dumps({k: v for k, v in settings["shared"].items() if k.startswith("data.")}, sort_keys=True))


@functools.lru_cache(maxsize=1)
def _view(fields: str) -> View:
    data = load_data(preset("conv-vae", **json.loads(fields)).data)
    parts = [first(split, REAL // 2) for split in (data.val, data.test)]
    images = np.concatenate([part.images for part in parts])
    labels = None if not data.labelled else np.concatenate([part.labels for part in parts if part.labels is not None])
    extractor = extractors_for(data)[0]
    return View(data, extractor, images, labels, extractor(images))


def first(images: ImageSet, most: int) -> ImageSet:
    """The first images of a split, at most so many."""
    labels = None if images.labels is None else images.labels[:most]
    return ImageSet(images.source, images.indices[:most], labels)


def exceeds(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The share of pairs in which a value of a [N] is above one of b [M], ties counted half: the area under the ROC curve.

    1: a threshold tells them apart without error; ½: it is a guess (Mann & Whitney 1947).
    """
    gaps = a[:, None] - b
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())


# Small pictures of images side by side, as PNG bytes without text.

SHADES = 16
COLORS = 64


def sheet(images: Images, columns: int) -> bytes:
    """Images uint8 [N, H, W, C] row by row: 16 shades of grey in 4 bits a pixel, or 64 colours."""
    picture, buffer = to_pil(grid(images, columns)), io.BytesIO()
    if picture.mode == "L":
        last = SHADES - 1
        levels = Image.frombytes("P", picture.size, picture.point([round(value * last / 255) for value in range(256)]).tobytes())
        levels.putpalette([round(shade * 255 / last) for shade in range(SHADES) for _ in range(3)])
        levels.save(buffer, "PNG", bits=4, optimize=True)
    else:
        picture.quantize(COLORS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


# Rows of images as one small PNG without text, for a panel.


def strip(images: Images, columns: int, zoom: int = 2) -> bytes:
    """Images uint8 [N, H, W, C], `columns` in a row, as PNG bytes: grey in 16 shades, colours in 64."""
    picture = to_pil(grid(images, columns), zoom)
    buffer = io.BytesIO()
    if picture.mode != "L":
        picture.quantize(64).save(buffer, "PNG")
        return buffer.getvalue()
    last = SHADES - 1
    shades = Image.frombytes("P", picture.size, picture.point([round(value * last / 255) for value in range(256)]).tobytes())
    shades.putpalette([round(shade * 255 / last) for shade in range(SHADES) for _ in range(3)])
    shades.save(buffer, "PNG", bits=4)
    return buffer.getvalue()
