"""How evenly samples fall on the classes, as a classifier sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
