"""What the rest of latentlab sees of a data set: three `ImageSet`s and what is known of them.

Letters: M rows of a source, N images of a set, H height, W width, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentlab.data.splits import Splits
from latentlab.errors import refusal
from latentlab.images import Images


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one split: rows of a source that may be a read-only memory map larger than memory."""

    source: Images  # uint8 [M, H, W, C]
    indices: NDArray[np.int64]  # [N], rows of the source: each image's stable number
    labels: NDArray[np.int64] | None = None  # [N]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        _, height, width, channels = self.source.shape
        return height, width, channels

    @property
    def images(self) -> Images:
        """All images, uint8 [N, H, W, C]: a read-only view where the rows are contiguous, else a copy in memory."""
        first = int(self.indices[0]) if len(self) else 0
        if np.array_equal(self.indices, np.arange(first, first + len(self))):
            return np.asarray(self.source)[first : first + len(self)]
        return self.take(slice(None))

    def take(self, rows: ArrayLike | slice) -> Images:
        """A copy of the images at `rows` of this set (0 to N - 1): uint8 [len(rows), H, W, C]."""
        picked = self.indices[rows] if isinstance(rows, slice) else self.indices[np.asarray(rows, np.int64)]
        return np.asarray(self.source)[picked]

    def chunks(self, count: int = 1024) -> Iterator[Images]:
        """The images in order, `count` at a time, so that a set larger than memory can be read through."""
        for start in range(0, len(self), count):
            yield self.take(slice(start, start + count))


@dataclass(frozen=True, eq=False)
class Data:
    """A data set cut into train, val and test.

    `fingerprint` is a sha256 that depends on pixels, labels and splits. `skipped` names each file that is not used, as
    "path: reason"; `notes` are lines that the user should be told.
    """

    spec: str
    train: ImageSet
    val: ImageSet
    test: ImageSet
    class_names: tuple[str, ...] | None
    fingerprint: str
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.train.shape

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return self.train.labels is not None


def fingerprint(content: str, *splits: ImageSet) -> str:
    """sha256 of a text that identifies pixels and labels (itself made of digests) and of the rows of each split."""
    digest = hashlib.sha256(f"latentlab data 1\n{content}\n".encode())
    for split in splits:
        digest.update(f"{len(split)}\n".encode())
        digest.update(np.ascontiguousarray(split.indices, "<i8").tobytes())
    return digest.hexdigest()


def first_images(train: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """The first `limit` training rows. Raises LabError when there are fewer."""
    if limit is not None and limit > len(train):
        raise refusal("data.train_images", f"at most {len(train)}, the number of training images", limit, "Leave it out to use all.")
    return train[:limit]


def cut(source: Images, labels: NDArray[np.int64] | None, splits: Splits, train_images: int | None) -> tuple[ImageSet, ImageSet, ImageSet]:
    """Train, val and test as rows of one source [M, H, W, C] with labels [M] or None."""

    def part(rows: NDArray[np.int64]) -> ImageSet:
        return ImageSet(source, rows, None if labels is None else labels[rows])

    return part(first_images(splits.train, train_images)), part(splits.val), part(splits.test)
