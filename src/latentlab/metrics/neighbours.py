"""Distances between images themselves, exact: the check for samples that repeat the training set.

Axes: N queries, m images of a chunk, P = H·W·C pixels. A distance is the root of the mean squared difference of two
images' pixels in [0, 1]: 0 for identical images, 1 for black and white.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal
from latentlab.images import Images, check

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]

BLOCK = 2048  # columns of the distance matrix held at once
EXACT = 1024  # pixels


def nearest(queries: Images, chunks: Iterable[Images]) -> tuple[Doubles, NDArray[np.int64]]:
    """The distance [N] to the nearest image of all chunks and its row [N], counted through the chunks in order.

    Of equally near images the first. Raises LabError when the chunks hold no image or images of another shape.
    """
    points, sizes = _centred(check(queries))
    best = np.full(len(points), np.inf)
    row = np.full(len(points), -1, np.int64)
    first = 0
    for chunk in chunks:
        others, squares = _centred(check(chunk, "chunk", queries.shape[1:]))
        for start in range(0, len(others), BLOCK):
            block = slice(start, start + BLOCK)
            gaps = squares[block] - 2.0 * _products(points, others[block])  # [N, m], short of the query's own |x|²
            found = gaps.argmin(1)
            gap = gaps[np.arange(len(gaps)), found] + sizes
            nearer = gap < best
            best[nearer], row[nearer] = gap[nearer], found[nearer] + first + start
        first += len(others)
    if first == 0:
        raise refusal("chunks", "at least one image", 0)
    return _distance(best, points.shape[1]), row


def mean_pair_distance(images: Images) -> float:
    """The mean distance of all pairs of distinct images [N, H, W, C]; exactly 0 when all are identical.

    N² distances: a few thousand images take seconds. Raises LabError when N < 2.
    """
    points, sizes = _centred(check(images))
    if len(points) < 2:
        raise refusal("images", "at least 2", len(points))
    total = 0.0
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        gaps = sizes[block, None] + sizes - 2.0 * _products(points[block], points)
        total += _distance(gaps, points.shape[1]).sum()
    return float(total / (len(points) * (len(points) - 1)))


def _centred(images: Images) -> tuple[Singles, Doubles]:
    """Pixels less 128 [N, P] and their squared norms [N]."""
    points = images.reshape(len(images), -1).astype(np.float32) - np.float32(128)
    return points, np.einsum("np,np->n", points, points, dtype=np.float64)


def _products(a: Singles, b: Singles) -> Doubles:
    """Inner products [N, m] of a [N, P] and b [m, P], exact although float32 multiplies.

    Pixels less 128 are integers of at most 2⁷, their products of at most 2¹⁴: 1,024 of them sum to at most 2²⁴, and up to
    there float32 holds every integer. Longer sums are put together in float64.
    """
    total = np.zeros((len(a), len(b)))
    for first in range(0, a.shape[1], EXACT):
        part = slice(first, first + EXACT)
        total += a[:, part] @ b[:, part].T
    return total


def _distance(squares: Doubles, pixels: int) -> Doubles:
    result: Doubles = np.sqrt(squares / pixels) / 255.0
    return result
