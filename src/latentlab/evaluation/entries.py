"""The one form of a number in scores.json: value, its error, its floor, its unit and how many images it is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.metrics.intervals import Estimate

Entry = dict[str, Any]
Doubles = NDArray[np.float64]


def mean_entry(values: Doubles, unit: str, **more: Any) -> Entry:
    """The mean of per-image values [N] with its standard error over the images."""
    if not np.isfinite(values).all():
        return {"value": None, "ci95": [None, None], "unit": unit, "n": len(values), **more}
    stderr = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return {"value": float(values.mean()), "stderr": stderr, "unit": unit, "n": len(values), **more}


def estimate_entry(estimate: Estimate, unit: str, n: int, floor: float | None = None, **more: Any) -> Entry:
    """An estimate with its 95 % interval; `floor` is what real images reach. What is infinite is null."""
    entry: Entry = {"value": finite(estimate.value), "ci95": [finite(estimate.low), finite(estimate.high)], "unit": unit, "n": n}
    if floor is not None:
        entry["floor"] = finite(floor)
    return entry | {name: value for name, value in more.items() if value is not None}


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None
