"""How evenly samples fall on the classes, as a classifier sees them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal
from latentlab.metrics.intervals import Estimate, around, half_width

Doubles = NDArray[np.float64]


def shares(labels: NDArray[Any], classes: int) -> Doubles:
    """The share of each class among labels [N]: float64 [classes], summing to 1."""
    return np.bincount(labels, minlength=classes) / max(len(labels), 1)


def entropy_nats(p: Doubles) -> float:
    """−Σ p log p; log(classes) when balanced, 0 when collapsed to one class."""
    held = p[p > 0]
    return float(-(held * np.log(held)).sum() + 0.0)


def reverse_kl_nats(p: Doubles, real: Doubles) -> float:
    """KL(p ‖ real) = Σ p log(p / real): 0 when samples have the classes of the real images; infinite outside them."""
    held = p > 0
    with np.errstate(divide="ignore"):
        return float((p[held] * np.log(p[held] / real[held])).sum())


def entropy_estimate(labels: NDArray[Any], classes: int) -> Estimate:
    """Entropy in nats of the classes of labels [N], cut to [0, log classes]; delete-one jackknife. Raises LabError when N < 2."""
    return _jackknife(labels, classes, entropy_nats).within(0.0, math.log(classes))


def reverse_kl_estimate(labels: NDArray[Any], real_shares: Doubles) -> Estimate:
    """KL(classes of labels [N] ‖ real_shares) in nats; delete-one jackknife. Raises LabError when N < 2.

    A single sample of a class that the real images lack proves the divergence infinite: then value, low and high all are.
    """
    return _jackknife(labels, len(real_shares), lambda p: reverse_kl_nats(p, real_shares)).within(0.0, math.inf)


def _jackknife(labels: NDArray[Any], classes: int, statistic: Callable[[Doubles], float]) -> Estimate:
    """The delete-one jackknife of a statistic of the shares: without a sample of one class the value is always the same,
    so that `classes` values stand for all N.

    Where the statistic is at its extreme (all classes alike, or one class only) its slope vanishes and the jackknife sees no
    spread at all. The second-order term is there: 2N·KL of shares against their own expectation is χ² with classes − 1
    degrees of freedom (Wilks 1938), whose variance adds (classes − 1) / (2N²) to that of an entropy or a KL.
    """
    count = len(labels)
    if count < 2:
        raise refusal("labels", "at least 2 of them", count)
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    value = statistic(counts / count)
    if not math.isfinite(value):
        return Estimate(value, value, value)
    held = counts[counts > 0]
    without = np.array([statistic((counts - (np.arange(len(counts)) == c)) / (count - 1)) for c in np.flatnonzero(counts)])
    spread = held @ np.square(without - held @ without / count)
    half = half_width((count - 1) / count * float(spread) + (classes - 1) / (2 * count**2), count - 1)
    return around(value, value - half, value + half)
