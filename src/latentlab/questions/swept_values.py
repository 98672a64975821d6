"""Values of an experiment that sweeps one setting over several seeds: series with intervals, and claims about them.

Axes: X settings, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.cards.card import Claim, Verdict, judged
from latentlab.evaluation.entries import finite
from latentlab.experiments.paired import Paired, paired
from latentlab.metrics.intervals import half_width
from latentlab.panels import Phrase, Series

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
