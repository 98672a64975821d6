"""The Frechet distance between two Gaussians fitted to features (Heusel et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.measure.metrics import Estimate, delete_groups, jackknife2

Doubles = NDArray[np.float64]


class Moments(NamedTuple):
    """The Gaussian fitted to features."""

    mean: Doubles  # [D]
    covariance: Doubles  # [D, D]


def moments(features: NDArray[Any]) -> Moments:
    """Mean and unbiased covariance of features [N, D]. Raises LabError when N < 2 or a feature is not finite."""
    values = _checked(features)
    return Moments(values.mean(0), np.atleast_2d(np.cov(values, rowvar=False)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), without a matrix square root.

    tr (Σ₁Σ₂)^½ is the sum of the singular values of Σ₁^½ Σ₂^½: real and not negative by construction, where an
    eigenvalue or square-root routine applied to Σ₁Σ₂ returns imaginary parts to be thrown away.
    """
    roots = [_square_root(m.covariance) for m in (a, b)]
    cross = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    gap = a.mean - b.mean
    return float(max(gap @ gap + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * cross, 0.0))


def frechet_estimate(fake: NDArray[Any], real: NDArray[Any], groups: int = 20) -> Estimate:
    """The Frechet distance of fake [N, D] to real [M, D] and its interval: delete-a-group jackknife on both sides.

    A set without one group has the moments of all less those of the group, so no pass over the data is repeated; and
    tr (Σ₁Σ₂)^½ is then the sum of the square roots of the eigenvalues of Σ₂^½ Σ₁ Σ₂^½, with Σ₂^½ taken once: good to
    about 1e-8 of the scale, which the spread between groups dwarfs. The value itself is `frechet_distance`.

    Each of the 2 · groups left-out values costs the eigenvalues of a D × D matrix: D = 128 takes milliseconds, D = 2,048
    seconds. The interval is that of the distance at this N and M, whose upward bias (about 1/N) it leaves alone. Raises
    LabError where `moments` does, and when a set has fewer than 4 samples.
    """
    sides = [np.asarray(side, np.float64) for side in (fake, real)]
    whole = [moments(side) for side in sides]
    left_out = []
    for side, own, other in zip(sides, whole, reversed(whole), strict=True):
        root = _square_root(other.covariance)
        left_out.append([_distance_to_root(m, other, root) for m in _without_groups(side, own, groups)])
    return jackknife2(frechet_distance(*whole), *left_out).within(0.0, np.inf)


def _without_groups(features: Doubles, whole: Moments, groups: int) -> Iterator[Moments]:
    """The moments of features [N, D] without each group in turn."""
    count = len(features)
    if count < 4:
        raise refusal("features", "at least 4 samples for a confidence interval", count)
    scatter = whole.covariance * (count - 1)  # Σ (x − μ)(x − μ)ᵀ about the mean of all: no large numbers are subtracted
    for group in delete_groups(count, groups):
        gap = features[group] - whole.mean
        rest = count - len(group)
        shift = -gap.sum(0) / rest
        yield Moments(whole.mean + shift, (scatter - gap.T @ gap - rest * np.outer(shift, shift)) / (rest - 1))


def _distance_to_root(m: Moments, other: Moments, root: Doubles) -> float:
    """`frechet_distance(m, other)` with root = Σ₂^½ of the other, at about half of float64's digits."""
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ m.covariance @ root), 0.0)).sum()
    gap = m.mean - other.mean
    return float(gap @ gap + np.trace(m.covariance) + np.trace(other.covariance) - 2.0 * cross)


def _square_root(covariance: Doubles) -> Doubles:
    values, vectors = np.linalg.eigh(covariance)
    root: Doubles = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return root


# The kernel distance between two sets of features: unbiased MMD² (Gretton et al. 2012; Binkowski et al. 2018, KID).
#
# Axes: N and M samples, D features, g groups of samples.

BLOCK = 512  # rows of the kernel matrix held at once
KID_TIMES = 1_000.0  # KID is told in thousandths, as papers tell it


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


def root_mean_square(features: NDArray[Any]) -> float:
    """Of all features of all images [N, D]; 1 where all are 0, so that it can be divided by."""
    return float(np.sqrt(np.mean(np.square(features, dtype=np.float64)))) or 1.0


def kid(fake: NDArray[Any], real: NDArray[Any], unit: float) -> float:
    """1,000 times the `kernel_distance` of features [N, D] and [M, D], both in units of `unit`."""
    return KID_TIMES * kernel_distance(fake / unit, real / unit)


def kid_estimate(fake: NDArray[Any], real: NDArray[Any], unit: float) -> Estimate:
    """`kid` and its interval, see `kernel_estimate`."""
    value, low, high = kernel_estimate(fake / unit, real / unit)
    return Estimate(KID_TIMES * value, None if low is None else KID_TIMES * low, None if high is None else KID_TIMES * high)


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
