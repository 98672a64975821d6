"""The kernel distance between two sets of features: unbiased MMD² (Gretton et al. 2012; Binkowski et al. 2018, KID).

Axes: N and M samples, D features, g groups of samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal
from latentlab.metrics.intervals import Estimate, delete_groups, jackknife2

Doubles = NDArray[np.float64]

BLOCK = 512  # rows of the kernel matrix held at once


def kernel_distance(a: NDArray[Any], b: NDArray[Any], block: int = BLOCK) -> float:
    """MMD² of a [N, D] and b [M, D] under the kernel (x·y / D + 1)³, over all pairs; 0 on average for equal distributions.

    The U-statistic of all samples, where the usual 100 subsets of 1,000 only estimate it. It may be negative.
    Raises LabError when N or M < 2 or a feature is not finite.
    """
    return _value(*_sums(_checked(a), _checked(b), 2, block))


def kernel_estimate(a: NDArray[Any], b: NDArray[Any], groups: int = 20, block: int = BLOCK) -> Estimate:
    """`kernel_distance` and its interval: delete-a-group jackknife on both sides.

    The kernel is summed per pair of groups, and a left-out value is made of those sums: exact and free.
    Under equal distributions the interval is too wide rather than too narrow (Efron & Stein 1981). MMD² itself is never
    negative, so an interval always reaches 0: a set against itself has a value below 0, about −2/N of the kernel's spread.
    Raises LabError where `kernel_distance` does, and when a set has fewer than 4 samples.
    """
    left, right = _checked(a, 4), _checked(b, 4)
    aa, bb, ab, na, nb = _sums(left, right, groups, block)
    without_a, without_b = [], []
    for i in range(len(na)):
        keep = np.arange(len(na)) != i
        without_a.append(_value(aa[np.ix_(keep, keep)], bb, ab[keep], na[keep], nb))
    for i in range(len(nb)):
        keep = np.arange(len(nb)) != i
        without_b.append(_value(aa, bb[np.ix_(keep, keep)], ab[:, keep], na, nb[keep]))
    value, low, high = jackknife2(_value(aa, bb, ab, na, nb), without_a, without_b)
    return Estimate(value, low, max(high, 0.0))


def _value(aa: Doubles, bb: Doubles, ab: Doubles, na: Doubles, nb: Doubles) -> float:
    """E k(x, x′) + E k(y, y′) − 2 E k(x, y) from sums per pair of groups and the sizes of the groups."""
    n, m = na.sum(), nb.sum()
    return float(aa.sum() / (n * (n - 1)) + bb.sum() / (m * (m - 1)) - 2.0 * ab.sum() / (n * m))


def _sums(a: Doubles, b: Doubles, groups: int, block: int) -> tuple[Doubles, Doubles, Doubles, Doubles, Doubles]:
    """Kernel sums per pair of groups: within a [g, g], within b, a with b; and the sizes of a's and b's groups."""
    parts = [delete_groups(len(side), groups) for side in (a, b)]
    left, right = (side[np.concatenate(part)] for side, part in zip((a, b), parts, strict=True))  # each group's rows together
    na, nb = (np.array([len(group) for group in part], np.float64) for part in parts)
    return _within(left, na, block), _within(right, nb, block), _between(left, right, na, nb, block), na, nb


def _within(x: Doubles, sizes: Doubles, block: int) -> Doubles:
    """Sums over the pairs of distinct samples of x [N, D], per pair of groups: [g, g], both orders of a pair counted."""
    sums = np.zeros((len(sizes), len(sizes)))
    ends = np.cumsum(sizes).astype(np.int64)
    starts = ends - sizes.astype(np.int64)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        rows = x[start:end]
        tail = _rows_by_group(rows, x[start:], starts[i:] - start, block)  # the upper triangle is enough
        sums[i, i:] = tail
        sums[i, i] -= _kernel(np.einsum("nd,nd->n", rows, rows), x.shape[1]).sum()
        sums[i:, i] = sums[i, i:]
    return sums


def _between(x: Doubles, y: Doubles, nx: Doubles, ny: Doubles, block: int) -> Doubles:
    """Sums over the pairs of a sample of x and one of y, per pair of groups: [gx, gy]."""
    ends = np.cumsum(nx).astype(np.int64)
    starts = np.cumsum(ny).astype(np.int64) - ny.astype(np.int64)
    parts = np.split(x, ends[:-1])
    return np.stack([_rows_by_group(rows, y, starts, block) for rows in parts])


def _rows_by_group(rows: Doubles, columns: Doubles, starts: NDArray[np.int64], block: int) -> Doubles:
    """Σ k(row, column) over rows [n, D], per group of columns [m, D] that begins at `starts`: [g]."""
    sums = np.zeros(len(starts))
    for first in range(0, len(rows), block):
        kernel = _kernel(rows[first : first + block] @ columns.T, rows.shape[1])
        sums += np.add.reduceat(kernel.sum(0), starts)
    return sums


def _kernel(products: Doubles, features: int) -> Doubles:
    """(x·y / D + 1)³ of inner products x·y, in their place."""
    products /= features
    products += 1.0
    squares = products * products
    squares *= products
    return squares


def _checked(features: NDArray[Any], least: int = 2) -> Doubles:
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or len(values) < least or not np.isfinite(values).all():
        raise refusal("features", f"finite numbers of shape [N, D] with N of at least {least}", list(values.shape))
    return values
