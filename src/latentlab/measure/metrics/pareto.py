"""How far a mean of importance weights can be trusted: the tail of the weights, fitted (Vehtari, Simpson, Gelman, Yao & Gabry 2024).

Axes: K weights, M of them in the tail.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

TRUSTED = 0.7  # shape above which the error of a mean cannot be told for any number of weights in reach (their section 3.2.4)
LEAST_TAIL = 5  # weights without which no tail can be fitted
REPEATS = 100  # means that are drawn to see how they spread


class Tail(NamedTuple):
    """What lies above a threshold: it exceeds it by a generalised Pareto variable."""

    threshold: float
    shape: float  # k̂: moments of order 1 / k̂ and above are infinite
    scale: float
    size: int  # M


def fit_tail(weights: Doubles) -> Tail | None:
    """The tail of the largest min(K / 5, 3 √K) of weights [K]; None where they are too few, or all alike."""
    count = int(min(len(weights) / 5, 3 * np.sqrt(len(weights))))
    if count < LEAST_TAIL:
        return None
    ordered = np.sort(weights)
    threshold = ordered[-count - 1]
    excess = ordered[-count:] - threshold
    if not excess[0] > 0:
        return None
    shape, scale = generalised_pareto(excess)
    return Tail(float(threshold), shape, scale, count)


def generalised_pareto(excess: Doubles) -> tuple[float, float]:
    """Shape and scale of ordered positive values [M], by the empirical Bayes estimate of Zhang & Stephens (2009).

    The shape is drawn towards ½ as if ten more values said so, which steadies it where M is small (Vehtari et al., appendix C).
    """
    count = len(excess)
    points = 30 + int(np.sqrt(count))
    steps = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    theta = 1 / excess[-1] + steps / 3 / excess[int(count / 4 + 0.5) - 1]
    shapes = np.log1p(-theta[:, None] * excess).mean(1)
    likelihood = count * (np.log(-theta / shapes) - shapes - 1)
    posterior = np.exp(likelihood - likelihood.max())
    best = float((theta * posterior).sum() / posterior.sum())
    shape = float(np.log1p(-best * excess).mean())
    return (count * shape + 10 * 0.5) / (count + 10), -shape / best


def log_mean_deviation(weights: Doubles, tail: Tail | None, random: np.random.Generator) -> float:
    """The standard deviation of log mean of K weights, were they drawn anew: of means of which the tail is drawn from its fit.

    The sum of those below the threshold is as good as normal. Without a tail the delta method: all weights are alike.
    """
    count = len(weights)
    if tail is None:
        mean = weights.mean()
        return float(weights.std(ddof=1) / mean / np.sqrt(count)) if count > 1 and mean > 0 else float("inf")
    body = np.sort(weights)[: -tail.size]
    drawn = random.binomial(count, tail.size / count, REPEATS)
    left = count - drawn
    sums = body.mean() * left + body.std() * np.sqrt(left) * random.standard_normal(REPEATS)
    uniform = 1 - random.random((REPEATS, max(int(drawn.max()), 1)))
    exceeding = np.expm1(-tail.shape * np.log(uniform)) / tail.shape if abs(tail.shape) > 1e-9 else -np.log(uniform)
    taken = np.arange(uniform.shape[1]) < drawn[:, None]
    sums = sums + ((tail.threshold + tail.scale * exceeding) * taken).sum(1)
    spread: Any = np.log(np.maximum(sums, np.finfo(np.float64).tiny)).std(ddof=1)
    return float(spread)
