"""What the rest of latentlab sees of a data set: three `ImageSet`s and what is known of them.

Letters: M rows of a source, N images of a set, H height, W width, C channels (1 grey, 3 RGB).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentlab.base.errors import refusal
from latentlab.base.images import Images
from latentlab.base.seeding import numpy_generator
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig, TrainConfig

CHUNK_BYTES = 2**26  # of images that are held at once, four times as many as floats


@dataclass(frozen=True, eq=False)
class Stacked:
    """Images whose channels are grey images, put together when they are asked for: as an array uint8 [M, H, W, C] to be read by rows."""

    grey: Images  # uint8 [G, H, W, 1]
    rows: NDArray[np.int64]  # [M, C], of `grey`

    @property
    def shape(self) -> tuple[int, ...]:
        """(M, H, W, C)."""
        (_, height, width, _), (count, channels) = self.grey.shape, self.rows.shape
        return count, height, width, channels

    def __getitem__(self, picked: NDArray[np.int64] | slice) -> Images:
        return np.ascontiguousarray(np.moveaxis(self.grey[self.rows[picked], :, :, 0], 1, 3))


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one split: rows of a source that may be a read-only memory map larger than memory."""

    source: Images | Stacked  # uint8 [M, H, W, C]
    indices: NDArray[np.int64]  # [N], rows of the source: each image's stable number
    labels: NDArray[np.int64] | None = None  # [N]

    def __repr__(self) -> str:
        return f"ImageSet({len(self):,} images of {' x '.join(map(str, self.shape))}, {'un' if self.labels is None else ''}labelled)"

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
            return self._source[first : first + len(self)]
        return self.take(slice(None))

    def take(self, rows: ArrayLike | slice) -> Images:
        """A copy of the images at `rows` of this set (0 to N - 1): uint8 [len(rows), H, W, C]."""
        picked = self.indices[rows] if isinstance(rows, slice) else self.indices[np.asarray(rows, np.int64)]
        return self._source[picked]

    @property
    def _source(self) -> Images | Stacked:
        return self.source if isinstance(self.source, Stacked) else np.asarray(self.source)

    def chunks(self, count: int = 1024) -> Iterator[Images]:
        """The images in order, `count` at a time or fewer large ones, so that a set larger than memory can be read through."""
        count = max(1, min(count, CHUNK_BYTES // math.prod(self.shape)))
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
    stacked: Data | None = None  # the grey set whose images are the channels of these; a label has the digit of each

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in ("train", "val", "test"))
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        return f"Data({self.spec!r}: {counts} images of {' x '.join(map(str, self.shape))}{classes})"

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
        raise refusal("data.train_images", reason("must.train_images", count=len(train)), limit, reason("remedy.all"))
    return train[:limit]


class Splits(NamedTuple):
    """Rows of the source that make up each split, and a line for the user where one is due."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    note: str | None = None


def by_content(digests: ArrayLike, val_share: float, test_share: float, name: str) -> Splits:
    """Splits of M images whose contents have the given sha256 [M], all as bytes or all as text.

    The U different contents are ranked by their digest. The first round(test_share U) are test, the next round(val_share U)
    val, each at least 1, the rest train; within a split the images keep that order, which is as good as shuffled. So the
    splits do not depend on file names, and k more images move at most k of the others over each of the two borders.

    With fewer than 3 different contents there is nothing to hold out: then the images are cut by position, and a note says so.
    Raises LabError for fewer than 3 images and for shares that leave no training image; `name` is the set's name in it.
    """
    contents = np.asarray(digests)
    if len(contents) < 3:
        raise refusal(name, reason("must.three"), len(contents), reason("remedy.three"))
    note = None
    rows = np.argsort(contents, kind="stable")  # those of one content stay in their order
    first = np.flatnonzero(np.r_[True, contents[rows[1:]] != contents[rows[:-1]]])  # of each content
    if len(first) < 3:
        count = "one content" if len(first) == 1 else "two contents"
        note = f"{name} holds {len(contents)} images of only {count}: train, val and test share contents, so held-out scores mean nothing."
        rows = first = np.arange(len(contents))
    test = max(1, round(test_share * len(first)))
    val = max(1, round(val_share * len(first)))
    if test + val >= len(first):
        raise refusal(
            "data.val_share and data.test_share",
            reason("must.shares", count=len(first)),
            (val_share, test_share),
            reason("remedy.shares"),
        )
    ends = first[[test, test + val]]
    return Splits(rows[ends[1] :], rows[ends[0] : ends[1]], rows[: ends[0]], note)


def cut_by_content(
    config: DataConfig,
    source: Images,
    labels: NDArray[np.int64] | None,
    class_names: tuple[str, ...] | None,
    digests: ArrayLike,
    content: str,
) -> Data:
    """Train, val and test as rows of one source [M, H, W, C], with labels [M] or None and the sha256 of what was read [M].

    `content` identifies pixels and labels. Raises what `by_content` raises, and LabError for too many `train_images`.
    """
    splits = by_content(digests, config.val_share, config.test_share, config.spec)
    parts = first_images(splits.train, config.train_images), splits.val, splits.test
    train, val, test = (ImageSet(source, part, None if labels is None else labels[part]) for part in parts)
    notes = () if splits.note is None else (splits.note,)
    return Data(config.spec, train, val, test, class_names, fingerprint(content, train, val, test), notes=notes)


@lru_cache(maxsize=4)  # the current epoch and the next, for two sizes at once
def _permutations(seed: int, epoch: int, size: int, shards: int) -> list[NDArray[np.int64]]:
    """Of the rows of each shard; whose key is the epoch's own where there is one shard."""
    orders = []
    for shard in range(shards):
        rows = numpy_generator(seed, "order", epoch, *([shard] if shards > 1 else [])).permutation(len(range(shard, size, shards)))
        orders.append(shard + shards * rows.astype(np.int64, copy=False))
        orders[-1].setflags(write=False)
    return orders


def batch_indices(seed: int, position: int, count: int, size: int, shards: int = 1) -> NDArray[np.int64]:
    """Rows [position, position + count) of the endless sequence made of one permutation of range(size) per epoch: int64 [count].

    The permutation of epoch e is drawn from (seed, "order", e). A batch may reach over an epoch's end, and may be
    larger than the set. With S `shards`, which divide position and count, shard s has the rows s, s + S, s + 2 S … to itself, a sequence
    and epochs of its own (permutations from (seed, "order", e, s)), and count / S rows of the batch, the s-th ones. Raises LabError
    for a negative position or count and for a set that leaves a shard without images.
    """
    for name, value, least in (("position", position, 0), ("count", count, 0), ("size", size, shards)):
        if value < least or (value % shards and name != "size"):
            raise refusal(f"{name} of batch_indices", f"at least {least}" + (f" and a multiple of {shards}" if shards > 1 else ""), value)
    return np.concatenate([_sequence(seed, position // shards, count // shards, size, shards, shard) for shard in range(shards)])


def step_indices(train: TrainConfig, position: int, count: int, size: int) -> NDArray[np.int64]:
    """The training rows of a step that reads so many images, one batch or several, in the order that the configuration asks for."""
    if train.order == "all" or train.shards == 1:
        return batch_indices(train.seed, position, count, size)
    starts = range(position, position + count, train.batch_size)
    return np.concatenate([batch_indices(train.seed, start, train.batch_size, size, train.shards) for start in starts])


def _sequence(seed: int, position: int, count: int, size: int, shards: int, shard: int) -> NDArray[np.int64]:
    """Rows [position, position + count) of a shard's own sequence."""
    rows, own = np.empty(count, np.int64), len(range(shard, size, shards))
    done = 0
    while done < count:
        epoch, offset = divmod(position + done, own)
        piece = _permutations(seed, epoch, size, shards)[shard][offset : offset + count - done]
        rows[done : done + len(piece)] = piece
        done += len(piece)
    return rows


def entropy_floor_nats(images: Images | ImageSet) -> float:
    """The least binary cross-entropy that any model can reach on these images as targets, in nats per image.

    Mean over the images of the sum over pixels of h(x / 255), h(p) = -p ln p - (1 - p) ln(1 - p): the cross-entropy is
    least where the prediction equals the target, and is then h. 0 for black and white pixels; 45.53 for MNIST's test set.
    Takes uint8 [N, H, W, C]; computed from a histogram, in chunks, since bincount copies bytes as int64. Raises LabError
    without images.
    """
    count = len(images)
    if count == 0:
        raise refusal("images", "at least one image", count)
    histogram = np.zeros(256, np.int64)
    for chunk in _chunks(images):
        histogram += np.bincount(chunk.reshape(-1), minlength=256)
    return float(histogram @ _entropy_of_bytes() / count)


def is_binary(images: Images | ImageSet) -> bool:
    """Whether every pixel is 0 or 255."""
    return all(bool(np.isin(chunk, (0, 255)).all()) for chunk in _chunks(images))


def _entropy_of_bytes() -> NDArray[np.float64]:
    p = np.arange(1, 255) / 255
    return np.concatenate([[0.0], -p * np.log(p) - (1 - p) * np.log1p(-p), [0.0]])


def _chunks(images: Images | ImageSet) -> Iterator[Images]:
    return (images if isinstance(images, ImageSet) else ImageSet(images, np.arange(len(images)))).chunks()
