"""Values with their 95 % confidence intervals.

n: samples, g: groups of samples. What an interval is meant to cover is the mean of the statistic over repeated draws of
the same size: a Frechet distance of 1,000 samples is larger than one of 10,000, and no interval here hides that bias.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentlab.base.errors import refusal
from latentlab.base.seeding import numpy_generator

Doubles = NDArray[np.float64]
Indices = NDArray[np.int64]

CONFIDENCE = 0.95
Z = 1.959963984540054  # the normal quantile of (1 + CONFIDENCE) / 2


class Estimate(NamedTuple):
    """A value and the 95 % confidence interval that holds it: low ≤ value ≤ high."""

    value: float
    low: float
    high: float

    @property
    def stderr(self) -> float:
        """The standard error that a normal interval of this width would have."""
        return (self.high - self.low) / (2.0 * Z) if math.isfinite(self.value) else 0.0

    def within(self, low: float, high: float) -> Estimate:
        """The same value with its interval cut to what the statistic can be at all."""
        return around(self.value, max(self.low, low), min(self.high, high))


def around(value: float, low: float, high: float) -> Estimate:
    """An interval, widened by the rounding error that would leave its value outside."""
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def delete_groups(count: int, groups: int = 20) -> list[Indices]:
    """0 … count − 1 dealt into at most `groups` groups whose sizes differ by one at most: always the same groups.

    The order is shuffled first: labels that run 0, 1 … 9, 0, 1 … would otherwise give groups of one class each.
    Raises LabError when count or groups < 2.
    """
    if count < 2 or groups < 2:
        raise refusal("samples", "at least 2, in at least 2 groups", [count, groups])
    order = numpy_generator(0, "groups", count).permutation(count)
    return [np.sort(order[first :: min(groups, count)]) for first in range(min(groups, count))]


def half_width(variance: float, freedom: float) -> float:
    """Student's t quantile with `freedom` degrees of freedom times the standard error."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1.0 + CONFIDENCE) / 2.0)) * math.sqrt(max(variance, 0.0))


def jackknife2(value: float, left_out_a: ArrayLike, left_out_b: ArrayLike) -> Estimate:
    """The delete-a-group jackknife (Shao & Wu 1989) of two independent samples: the values without each group of one in turn, [g] each.

    Variances (g − 1)/g Σ (θ₋ᵢ − mean)² add (Arvesen 1969), Student t around the value of all samples. The degrees of freedom are those
    of the smaller number of groups, less one, which can only widen the interval.
    """
    a, b = np.asarray(left_out_a, np.float64), np.asarray(left_out_b, np.float64)
    half = half_width(jackknife_variance(a) + jackknife_variance(b), min(len(a), len(b)) - 1)
    return around(value, value - half, value + half)


def jackknife_variance(left_out: Doubles) -> float:
    """(g − 1)/g Σ (θ₋ᵢ − mean)² of left_out [g]."""
    return float((len(left_out) - 1) * left_out.var())


def mean_estimate(values: NDArray[Any]) -> Estimate:
    """The mean of independent values [n] with Student's interval. Raises LabError when n < 2."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or len(numbers) < 2:
        raise refusal("values", "at least 2 numbers of shape [N]", list(numbers.shape))
    mean, half = float(numbers.mean()), half_width(float(numbers.var(ddof=1)) / len(numbers), len(numbers) - 1)
    return around(mean, mean - half, mean + half)


def share_estimate(successes: int, n: int) -> Estimate:
    """successes / n with Wilson's score interval (1927), which stays inside [0, 1] and has a width at 0 and at 1."""
    if n < 1 or not 0 <= successes <= n:
        raise refusal("successes", "between 0 and n, with n of at least 1", [successes, n])
    return wilson(successes / n, n)


def wilson(share: float, n: float) -> Estimate:
    """Wilson's score interval of a share of n samples; n need not be whole where it stands for an effective number."""
    centre = share + Z**2 / (2 * n)
    half = Z * math.sqrt(share * (1.0 - share) / n + Z**2 / (4 * n**2))
    scale = 1.0 + Z**2 / n
    return around(share, max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0))
