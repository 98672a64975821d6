"""What may be said of an experiment repeated with several seeds: means, intervals, and claims about paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.cards.card import Claim, judged
from latentlab.evaluation.entries import finite
from latentlab.experiments.paired import paired
from latentlab.metrics.intervals import half_width
from latentlab.panels import Phrase, Series

Values = Sequence[float] | NDArray[np.float64]  # one for each seed


class Mean(NamedTuple):
    """A mean over seeds with Student's 95 % interval; a single seed has no interval."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Values) -> Mean:
        """The mean of one value for each seed."""
        held = np.asarray(values, np.float64)
        mean = float(held.mean())
        if len(held) < 2:
            return cls(mean, None, None)
        half = half_width(float(held.var(ddof=1)) / len(held), len(held) - 1)
        return cls(mean, mean - half, mean + half)


def claim(name: str, larger: Values, smaller: Values, **values: Any) -> Claim:
    """The claim that `larger` lies above `smaller`, seed by seed, judged by the interval of the mean difference.

    Its text is given `first`, `second` (the two means), `difference`, `low`, `high`, `seeds`, and what `values` add.
    """
    found = paired(np.asarray(larger, np.float64), np.asarray(smaller, np.float64))
    low, high = (None, None) if found is None or found.ci95 is None else found.ci95
    difference = None if found is None else found.value
    told = {"first": finite(float(np.mean(larger))), "second": finite(float(np.mean(smaller))), "difference": difference}
    return Claim(name, judged(difference or 0.0, low, high), told | {"low": low, "high": high, "seeds": len(larger)} | values)


def ratio_claim(name: str, larger: Values, smaller: Values, **values: Any) -> Claim:
    """As `claim` for positive values of very different size: judged by the interval of the mean logarithm of their ratio.

    `difference`, `low` and `high` are then factors. KID is unbiased and can be 0 or less, where there is no ratio: then the
    claim is judged by the difference. `compared` is the sentence that says which of the two was done.
    """
    sides = [np.asarray(side, np.float64) for side in (larger, smaller)]
    positive = all((side > 0).all() for side in sides)
    found = claim(name, *map(comparable, sides)) if positive else claim(name, *sides)
    told = {key: found.values[key] for key in ("difference", "low", "high")}
    if positive:
        told = {key: None if value is None else float(np.exp(value)) for key, value in told.items()}
    way: Literal["times", "difference"] = "times" if positive else "difference"
    compared = Phrase(f"card.compared.{way}", told | {"seeds": len(sides[0])})
    means = {"first": finite(float(np.mean(larger))), "second": finite(float(np.mean(smaller))), "seeds": len(sides[0])}
    return Claim(name, found.verdict, means | told | {"compared": compared} | values)


def comparable(values: Values | Sequence[Values]) -> NDArray[np.float64]:
    """Values of very different size on the scale on which they are compared: their logarithms, where all are above 0."""
    held = np.asarray(values, np.float64)
    compared: NDArray[np.float64] = np.log(held) if (held > 0).all() else held
    return compared


def bars(name: Phrase, groups: Iterable[Values | None], kind: str = "", scale: float = 1.0) -> Series:
    """One bar for each group of seeds' values, with its interval; None where a group has no such bar."""
    means = [None if group is None else Mean.of([scale * value for value in group]) for group in groups]
    ends = [(None, None) if mean is None else (mean.low, mean.high) for mean in means]
    heights = tuple(None if mean is None else mean.value for mean in means)
    return Series(name, heights, (), tuple(low for low, _ in ends), tuple(high for _, high in ends), kind)


def range_bars(name: Phrase, groups: Iterable[Values], kind: str = "") -> Series:
    """As `bars`, from the lowest to the highest seed: for values so uneven that an interval around a mean would reach below 0."""
    held = [np.asarray(group, np.float64) for group in groups]
    low, high, means = (tuple(float(pick(group)) for group in held) for pick in (np.min, np.max, np.mean))
    return Series(name, means, (), low, high, kind)


def range_line(name: Phrase, x: Sequence[float], values: Sequence[Values], kind: str = "") -> Series:
    """A line of means over seeds of values [S, P], in a band from the lowest to the highest seed."""
    held = np.asarray(values, np.float64)
    ends = (held.min(0), held.max(0)) if len(held) > 1 else ((), ())
    y, low, high = (tuple(float(value) for value in part) for part in (held.mean(0), *ends))
    return Series(name, y, tuple(x), low, high, kind)


def table(rows: Mapping[str, Values]) -> dict[str, Any]:
    """Each measure as numbers keep it: its mean, its interval and every seed's value."""
    return {name: Mean.of(values)._asdict() | {"seeds": [float(value) for value in values]} for name, values in rows.items()}


def column(runs: Sequence[Mapping[str, Any]], *path: str) -> list[float]:
    """One number of every seed, by its keys."""
    values = []
    for run in runs:
        at: Any = run
        for name in path:
            at = at[name]
        values.append(float(at))
    return values
