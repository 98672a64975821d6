"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) on features.

Axes: N real and M fake samples, D features. A sample's ball reaches to its k-th nearest neighbour among the others of
its own set; the balls of a set stand for the manifold it lies on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.measure.metrics import Estimate, delete_groups, jackknife2, jackknife_variance, wilson

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCK = 512  # rows of the distance matrix held at once
GROUPS = 20  # of samples, left out in turn
SPARE = 10  # neighbours held beyond the k-th, for those that leave with a group: more than 10 of 15 in one group is a chance of 1e-10
RUN = 64  # columns that are looked through for their smallest value together
ROUNDING = 1e-12  # of |x|² + |y|²: what |x − y|² = 0 can come out as in float64


class Manifold(NamedTuple):
    """Four shares of one comparison; density alone may exceed 1."""

    precision: float  # fake samples in a ball of the real ones
    recall: float  # real samples in a ball of the fake ones
    density: float  # balls of real samples around a fake one, over k
    coverage: float  # real samples with a fake one in their ball


class Balls(NamedTuple):
    """The balls around a set of points, in all of it and without each of its g groups of points."""

    squared: Doubles  # [N] squared radii
    without: Doubles  # [N, g] squared radii without a group: never smaller
    group: Indices  # [N] the group that each point belongs to

    @property
    def reach(self) -> Doubles:
        """The largest squared radius of each ball: [N]."""
        result: Doubles = self.without.max(1)
        return result


def radii(points: NDArray[Any], k: int = 5, block: int = BLOCK) -> Balls:
    """The squared distance of each of points [N, D] to its k-th nearest other point, as balls.

    Raises LabError unless 1 ≤ k < N and every feature is finite.
    """
    values = _checked(points, k)
    group = np.empty(len(values), np.int64)
    parts = delete_groups(len(values), GROUPS)
    for label, part in enumerate(parts):
        group[part] = label
    squared, without = np.empty(len(values)), np.empty((len(values), len(parts)))
    kept = min(k + SPARE, len(values) - 1)
    for rows, squares in _squared_distances(values, values, block):
        own = np.arange(len(squares))
        squares[own, rows.start + own] = np.inf
        distance, near = _smallest(squares, kept)
        distance, owner = np.maximum(distance, 0.0), group[near]
        squared[rows] = distance[:, k - 1]
        reached = (owner[:, :, None] != np.arange(len(parts))).cumsum(1) >= k  # [rows, kept, g]: k neighbours outside the group
        kth = np.where(reached.any(1), reached.argmax(1), kept - 1)
        without[rows] = np.take_along_axis(distance, kth, axis=1)
    return Balls(squared, without, group)


def manifold(
    real: NDArray[Any], fake: NDArray[Any], k: int = 5, real_radii: Balls | None = None, fake_radii: Balls | None = None, block: int = BLOCK
) -> Manifold:
    """The four shares of fake [M, D] against real [N, D]; `real_radii` and `fake_radii` spare what `radii` gave before.

    A point on the rim of a ball is inside, so that identical points are inside balls of radius 0: identical sets have
    precision, recall and coverage 1. Raises LabError unless 1 ≤ k < N and k < M.
    """
    return _shares(real, fake, k, real_radii, fake_radii, block)[0]


def manifold_estimate(
    real: NDArray[Any], fake: NDArray[Any], k: int = 5, real_radii: Balls | None = None, fake_radii: Balls | None = None, block: int = BLOCK
) -> dict[str, Estimate]:
    """`manifold` and the interval of each of its four values, by name.

    The variance is that of a delete-a-group jackknife on both sides, each value recomputed exactly without the group.
    Density has Student's interval. A share has Wilson's, with as many samples as would give a binomial share that variance
    and at most as many as there are (Korn & Graubard 1998): inside [0, 1], and of some width at 0 and at 1 too. In
    simulation they cover the mean of the value in 95 % of draws or more, at two to four of its standard deviations; not so
    where a sample sits in one spot that a few real balls hold or miss together, whose precision jumps from draw to draw.
    """
    value, without_real, without_fake = _shares(real, fake, k, real_radii, fake_radii, block)
    counts = Manifold(precision=len(fake), recall=len(real), density=len(fake), coverage=len(real))
    result = {}
    for name, v, a, b, count in zip(Manifold._fields, value, without_real.T, without_fake.T, counts, strict=True):
        variance = jackknife_variance(a) + jackknife_variance(b)
        inner = (v * count + 2.0) / (count + 4.0)  # nearer the middle: a share of 1 that falls without a group still varies
        effective = min(inner * (1.0 - inner) / variance, count) if variance > 0.0 else count
        spread = jackknife2(v, a, b).within(0.0, len(real) / k)
        if name == "density" and not v:  # none was drawn inside any ball, so few may lie there, each counting about 1 as real ones do
            spread = wilson(0.0, count)
        result[name] = spread if name == "density" else wilson(v, effective)
    return result


def _shares(
    real: NDArray[Any], fake: NDArray[Any], k: int, real_radii: Balls | None, fake_radii: Balls | None, block: int
) -> tuple[Manifold, Doubles, Doubles]:
    """The four shares of all samples, without each group of real ones [g, 4], and without each group of fake ones [g, 4]."""
    real, fake = _checked(real, k), _checked(fake, k)
    around_real = radii(real, k, block) if real_radii is None else real_radii
    around_fake = radii(fake, k, block) if fake_radii is None else fake_radii
    in_real, in_fake = _Members(around_real, around_fake.group), _Members(around_fake, around_real.group)
    reach_real, reach_fake = around_real.reach, around_fake.reach
    for rows, squares in _squared_distances(real, fake, block, ROUNDING):
        i, j = np.nonzero(squares <= reach_real[rows, None])
        in_real.add(i + rows.start, j, squares[i, j])
        i, j = np.nonzero(squares <= reach_fake)
        in_fake.add(j, i + rows.start, squares[i, j])
    precision, density, coverage = in_real.held_share(), in_real.density(k), in_real.holding_share()
    recall_all, recall_without_fake, recall_without_real = in_fake.held_share()
    return (
        Manifold(precision[0], recall_all, density[0], coverage[0]),
        np.stack([precision[1], recall_without_real, density[1], coverage[1]], axis=1),
        np.stack([precision[2], recall_without_fake, density[2], coverage[2]], axis=1),
    )


class _Members:
    """How many points are in how many balls: with all samples, without each group of balls, without each group of points.

    Hardly any pair of a ball and a point is near enough to count, and only those near enough without some group of balls
    are looked at again; so the left-out values cost little more than the value.
    """

    def __init__(self, balls: Balls, point_group: Indices) -> None:
        self.balls, self.point_group = balls, point_group
        self.n, self.m, self.g, self.h = len(balls.group), len(point_group), balls.without.shape[1], int(point_group.max()) + 1
        self.held = np.zeros((self.m, self.g), np.int64)  # balls around each point, by the group of the ball
        self.holds = np.zeros((self.n, self.h), np.int64)  # points in each ball, by the group of the point
        self.newly_held = np.zeros((self.m, self.g), np.int64)  # balls that come to hold each point without a group of balls
        self.newly_holds = np.zeros((self.n, self.g), np.int64)  # points that each ball comes to hold without a group of balls

    def add(self, ball: Indices, point: Indices, squares: Doubles) -> None:
        """Count pairs [P] of a ball and a point whose squared distance is within the ball's reach."""
        inside = squares <= self.balls.squared[ball]
        self.held += _tally(point[inside], self.balls.group[ball[inside]], self.held)
        self.holds += _tally(ball[inside], self.point_group[point[inside]], self.holds)
        ball, point, squares = ball[~inside], point[~inside], squares[~inside]
        others = self.balls.group[ball, None] != np.arange(self.g)
        pair, left_out = np.nonzero((squares[:, None] <= self.balls.without[ball]) & others)
        self.newly_held += _tally(point[pair], left_out, self.newly_held)
        self.newly_holds += _tally(ball[pair], left_out, self.newly_holds)

    def held_share(self) -> tuple[float, Doubles, Doubles]:
        """The share of points in some ball: of all, without each group of balls, without each group of points."""
        held = self.held.sum(1, keepdims=True)
        without_balls = (held - self.held + self.newly_held > 0).mean(0)
        return float((held > 0).mean()), without_balls, _means_without(held[:, 0] > 0, self.point_group, self.h)

    def density(self, k: int) -> tuple[float, Doubles, Doubles]:
        """Balls around a point over k, in the same three ways."""
        held = self.held.sum(1, keepdims=True) / k
        without_balls = held.mean() + (self.newly_held - self.held).mean(0) / k
        return float(held.mean()), without_balls, _means_without(held[:, 0], self.point_group, self.h)

    def holding_share(self) -> tuple[float, Doubles, Doubles]:
        """The share of balls that hold some point, in the same three ways."""
        holds = self.holds.sum(1, keepdims=True)
        staying = self.balls.group[:, None] != np.arange(self.g)
        without_balls = ((holds + self.newly_holds > 0) & staying).sum(0) / staying.sum(0)
        return float((holds > 0).mean()), without_balls, (holds - self.holds > 0).mean(0)


def _smallest(squares: Doubles, count: int) -> tuple[Doubles, Indices]:
    """The `count` smallest of each row of squares [n, N], in order, and their columns: [n, count] twice.

    The `count` runs of columns that have the smallest minima hold the `count` smallest values, so only those are sorted: faster
    than to partition whole rows, most of all where many values are equal (a generator with one output).
    """
    runs = squares.shape[1] // RUN
    if runs <= 2 * count:
        columns = np.broadcast_to(np.arange(squares.shape[1]), squares.shape)
    else:
        minima = squares[:, : runs * RUN].reshape(-1, runs, RUN).min(2)
        chosen = np.argpartition(minima, count - 1, axis=1)[:, :count, None] * RUN + np.arange(RUN)
        rest = np.broadcast_to(np.arange(runs * RUN, squares.shape[1]), (len(squares), squares.shape[1] - runs * RUN))
        columns = np.concatenate([chosen.reshape(len(squares), -1), rest], axis=1)
    values = np.take_along_axis(squares, columns, axis=1)
    smallest = np.argpartition(values, count - 1, axis=1)[:, :count]
    order = np.take_along_axis(values, smallest, axis=1).argsort(axis=1, kind="stable")
    smallest = np.take_along_axis(smallest, order, axis=1)
    return np.take_along_axis(values, smallest, axis=1), np.take_along_axis(columns, smallest, axis=1)


def _tally(rows: Indices, columns: Indices, like: Indices) -> Indices:
    """How often each pair (row, column) occurs, in the shape of `like`."""
    counts: Indices = np.bincount(rows * like.shape[1] + columns, minlength=like.size).reshape(like.shape)
    return counts


def _means_without(values: NDArray[Any], group: Indices, groups: int) -> Doubles:
    """The mean of values [N] without each group: [g]."""
    sums, counts = np.bincount(group, values, groups), np.bincount(group, minlength=groups)
    means: Doubles = (values.sum() - sums) / (len(values) - counts)
    return means


def _squared_distances(x: Doubles, y: Doubles, block: int, slack: float = 0.0) -> Iterator[tuple[slice, Doubles]]:
    """|x − y|² − slack (|x|² + |y|²) for all pairs, in blocks of rows of x."""
    centre = y.mean(0)  # nearer the origin the three terms below are smaller, and so is what rounding leaves of their sum
    x, y = x - centre, y - centre
    xx, yy = (np.einsum("nd,nd->n", side, side) * (1.0 - slack) for side in (x, y))
    for first in range(0, len(x), block):
        rows = slice(first, min(first + block, len(x)))
        squares = x[rows] @ (-2.0 * y.T)
        squares += xx[rows, None]
        squares += yy
        yield rows, squares


def _checked(points: NDArray[Any], k: int) -> Doubles:
    values = np.asarray(points, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise refusal("features", "finite numbers of shape [N, D]", list(values.shape))
    if not 1 <= k < len(values):
        raise refusal("samples", f"more than k = {k}", len(values), "Take more samples.")
    return values
