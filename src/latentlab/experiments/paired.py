"""Paired differences between two arms, and what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.experiments.curves import HIGHER_IS_BETTER

Doubles = NDArray[np.float64]
Sign = Literal["lower", "higher", "unclear"]


class Paired(NamedTuple):
    """The mean over seeds of arm − reference, with its 95 % confidence interval; without one for a single seed."""

    value: float
    ci95: tuple[float, float] | None
    seeds: int

    @property
    def sign(self) -> Sign:
        """Whether the arm lies lower or higher than the reference: only where the interval leaves 0 out."""
        if self.ci95 is None or self.ci95[0] <= 0 <= self.ci95[1]:
            return "unclear"
        return "lower" if self.value < 0 else "higher"

    def to_json(self) -> dict[str, Any]:
        """As experiment.json holds it."""
        return {"value": self.value, "ci95": None if self.ci95 is None else list(self.ci95), "seeds": self.seeds, "sign": self.sign}


def paired(arm: Doubles, reference: Doubles) -> Paired | None:
    """Values [S] of two arms, seed by seed: mean difference ± t₀.₉₇₅(S − 1) · sd / √S (Student 1908). None if one is infinite."""
    sides = np.asarray(arm, np.float64), np.asarray(reference, np.float64)
    if not all(np.isfinite(side).all() for side in sides):
        return None
    difference = sides[0] - sides[1]
    count, value = len(difference), float(difference.mean())
    if count < 2:
        return Paired(value, None, count)
    from scipy.stats import t

    reach = float(t.ppf(0.975, count - 1) * difference.std(ddof=1) / math.sqrt(count))
    return Paired(value, (value - reach, value + reach), count)


def sign(difference: Mapping[str, Any] | None, measure: str) -> Literal["better", "worse", "unclear", "unknown"]:
    """How a paired difference out of experiment.json reads; unknown without an interval."""
    if difference is None or difference["ci95"] is None:
        return "unknown"
    if difference["sign"] == "unclear":
        return "unclear"
    return "better" if difference["sign"] == ("higher" if measure in HIGHER_IS_BETTER else "lower") else "worse"
