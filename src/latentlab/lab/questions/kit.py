"""What may be said of an experiment repeated with several seeds: means, intervals, and claims about paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase
from latentlab.lab.experiments.results import Paired, paired
from latentlab.measure.metrics import half_width
from latentlab.measure.table import finite
from latentlab.show.card import Claim, Verdict, judged
from latentlab.show.charts.panels import Series

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


# Values of an experiment that sweeps one setting over several seeds: series with intervals, and claims about them.
#
# Axes: X settings, S seeds.

Doubles = NDArray[np.float64]


class Summary(NamedTuple):
    """Mean over the seeds with its 95 % interval (Student), each [X]; None where a value is not finite or there is one seed."""

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


def summary(table: Doubles) -> Summary:
    """The means of a table [X, S] over its seeds."""
    means, lows, highs = [], [], []
    for row in np.asarray(table, np.float64):
        mean = finite(float(row.mean()))
        half = half_width(float(row.var(ddof=1)) / len(row), len(row) - 1) if mean is not None and len(row) > 1 else None
        means.append(mean)
        lows.append(None if mean is None or half is None else mean - half)
        highs.append(None if mean is None or half is None else mean + half)
    return Summary(tuple(means), tuple(lows), tuple(highs))


def series(name: Phrase, x: Sequence[float], table: Doubles, kind: str = "") -> Series:
    """A line through the means of a table [X, S], with its interval."""
    found = summary(table)
    return Series(name, found.mean, tuple(float(value) for value in x), found.low, found.high, kind)


def listed(table: Doubles) -> dict[str, Any]:
    """A table [X, S] as card.json holds it: mean, low and high by setting, and every seed's value."""
    found = summary(table)
    seeds = [[finite(float(value)) for value in row] for row in table]
    return {"mean": list(found.mean), "low": list(found.low), "high": list(found.high), "seeds": seeds}


def difference_verdict(difference: Paired | None) -> Verdict:
    """Whether a paired difference is above 0."""
    if difference is None:
        return "unclear"
    low, high = difference.ci95 or (None, None)
    return judged(difference.value, low, high)


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a claim with several parts: it holds if all hold, is contradicted if one is, else it is not settled.

    >>> together(["holds", "holds"]), together(["holds", "contradicted"]), together(["holds", "unclear"])
    ('holds', 'contradicted', 'unclear')
    """
    if "contradicted" in verdicts:
        return "contradicted"
    return "holds" if verdicts and all(verdict == "holds" for verdict in verdicts) else "unclear"


def larger(name: str, pairs: Sequence[tuple[Doubles, Doubles]], **values: Any) -> Claim:
    """The claim that the first [S] of each pair is larger than the second [S], seed by seed; `values` fill in what was measured."""
    verdicts = [difference_verdict(paired(high, low)) for high, low in pairs]
    return Claim(name, together(verdicts), values)


def plain(value: float, digits: int = 1) -> float | int:
    """A mean of counts as a sentence says it: 64 and not 64.0, else so many digits after the mark."""
    return int(value) if float(value).is_integer() else round(value, digits)


def tied_best(table: Doubles) -> list[int]:
    """The rows of a table [X, S] that may be the lowest: the one of least mean, and those not clearly above it."""
    best = int(np.argmin(table.mean(1)))
    return [row for row in range(len(table)) if row == best or difference_verdict(paired(table[row], table[best])) != "holds"]
