"""What may be said of runs repeated with several seeds: means, intervals, paired differences, claims, and the panels that show them.

Axes: S seeds, X settings, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase
from latentlab.measure.compare.groups import student_interval
from latentlab.measure.metrics import mean_estimate
from latentlab.measure.table import finite
from latentlab.show.card import Claim, Verdict, judged
from latentlab.show.charts.panels import Bars, Lines, Pictures, Series

Doubles = NDArray[np.float64]
Values = Sequence[float] | Doubles  # [S]
Sign = Literal["lower", "higher", "unclear"]


class Mean(NamedTuple):
    """A mean over seeds with Student's 95 % interval; a single seed has no interval, and what is infinite is None."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Values) -> Mean:
        """The mean of one value for each seed."""
        seeds = np.asarray(values, np.float64)
        mean = finite(float(seeds.mean()))
        return cls(mean, None, None) if mean is None or len(seeds) < 2 else cls(*mean_estimate(seeds))


class Summary(NamedTuple):
    """The `Mean` of each row of a table, part by part, each [X]."""

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


def summary(table: Sequence[Values] | Doubles) -> Summary:
    """The means of a table [X, S] over its seeds."""
    return Summary(*zip(*map(Mean.of, table), strict=True))


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


def paired(arm: Values, reference: Values) -> Paired | None:
    """Values [S] of two arms, seed by seed: mean difference ± t₀.₉₇₅(S − 1) · sd / √S (Student 1908). None if one is infinite."""
    sides = np.asarray(arm, np.float64), np.asarray(reference, np.float64)
    if not all(np.isfinite(side).all() for side in sides):
        return None
    difference = sides[0] - sides[1]
    count, value = len(difference), float(difference.mean())
    if count < 2:
        return Paired(value, None, count)
    low, high = student_interval(value, float(difference.std(ddof=1)), count)
    return Paired(value, (low, high), count)


# Claims about paired differences.


def difference_verdict(larger: Values, smaller: Values) -> Verdict:
    """Whether `larger` lies above `smaller`, seed by seed, by the interval of the mean difference."""
    difference = paired(larger, smaller)
    return "unclear" if difference is None else judged(difference.value, *(difference.ci95 or (None, None)))


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of a claim with several parts: it holds if all hold, is contradicted if one is, else it is not settled.

    >>> together(["holds", "holds"]), together(["holds", "contradicted"]), together(["holds", "unclear"])
    ('holds', 'contradicted', 'unclear')
    """
    if "contradicted" in verdicts:
        return "contradicted"
    return "holds" if verdicts and all(verdict == "holds" for verdict in verdicts) else "unclear"


def larger(name: str, pairs: Sequence[tuple[Values, Values]], **values: Any) -> Claim:
    """The claim that the first [S] of each pair is larger than the second [S], seed by seed; `values` fill in what was measured."""
    return Claim(name, together([difference_verdict(*pair) for pair in pairs]), values)


def claim(name: str, larger: Values, smaller: Values, **values: Any) -> Claim:
    """The claim that `larger` lies above `smaller`, seed by seed.

    Its text is given `first`, `second` (the two means), `difference`, `low`, `high`, `seeds`, and what `values` add.
    """
    difference = paired(larger, smaller)
    low, high = (difference and difference.ci95) or (None, None)
    told = {"first": finite(float(np.mean(larger))), "second": finite(float(np.mean(smaller)))}
    told |= {"difference": difference and difference.value, "low": low, "high": high, "seeds": len(larger)}
    return Claim(name, difference_verdict(larger, smaller), told | values)


def ratio_claim(name: str, larger: Values, smaller: Values, **values: Any) -> Claim:
    """As `claim` for positive values of very different size: judged by the interval of the mean logarithm of their ratio.

    `difference`, `low` and `high` are then factors. KID is unbiased and can be 0 or less, where there is no ratio: then the
    claim is judged by the difference. `compared` is the sentence that says which of the two was done.
    """
    positive = bool((np.asarray([larger, smaller]) > 0).all())
    judgement = claim(name, comparable(larger), comparable(smaller)) if positive else claim(name, larger, smaller)
    told = {key: judgement.values[key] for key in ("difference", "low", "high")}
    if positive:
        told = {key: None if value is None else float(np.exp(value)) for key, value in told.items()}
    said = Phrase("card.compared.times" if positive else "card.compared.difference", told | {"seeds": len(larger)})
    means = {"first": finite(float(np.mean(larger))), "second": finite(float(np.mean(smaller))), "seeds": len(larger)}
    return Claim(name, judgement.verdict, means | told | {"compared": said} | values)


def comparable(values: Values | Sequence[Values]) -> Doubles:
    """Values of very different size on the scale on which they are compared: their logarithms, where all are above 0."""
    numbers = np.asarray(values, np.float64)
    compared: Doubles = np.log(numbers) if (numbers > 0).all() else numbers
    return compared


def tied_best(table: Doubles) -> list[int]:
    """The rows of a table [X, S] that may be the lowest: the one of least mean, and those not clearly above it."""
    best = int(np.argmin(table.mean(1)))
    return [row for row in range(len(table)) if row == best or difference_verdict(table[row], table[best]) != "holds"]


# What was measured, as tables and as card.json holds them.


def column(runs: Iterable[Mapping[str, Any]], *path: str, scale: float = 1.0) -> list[float]:
    """One number of every seed, by its keys."""
    return [scale * float(reduce(getitem, path, cast(Any, run))) for run in runs]


def mean(runs: Iterable[Mapping[str, Any]], *path: str, scale: float = 1.0) -> float:
    """The mean of that number over the seeds."""
    return scale * float(np.mean(column(runs, *path)))


def grid(rows: Iterable[Sequence[Mapping[str, Any]]], *path: str) -> Doubles:
    """The same of the runs of several settings: [X, S]."""
    return np.array([column(runs, *path) for runs in rows], np.float64)


def table(rows: Mapping[str, Values]) -> dict[str, Any]:
    """Each measure as numbers keep it: its mean, its interval and every seed's value."""
    return {name: Mean.of(values)._asdict() | {"seeds": [float(value) for value in values]} for name, values in rows.items()}


def listed(table: Doubles) -> dict[str, Any]:
    """A table [X, S] as card.json holds it: mean, low and high by setting, and every seed's value."""
    parts = {name: list(values) for name, values in summary(table)._asdict().items()}
    return parts | {"seeds": [[finite(float(value)) for value in row] for row in table]}


def plain(value: float, digits: int = 1) -> float | int:
    """A mean of counts as a sentence says it: 64 and not 64.0, else so many digits after the mark."""
    return int(value) if float(value).is_integer() else round(value, digits)


# Series over seeds: lines and bars, with an interval or from the lowest to the highest seed.


def series(name: Phrase, x: Sequence[float], table: Sequence[Values] | Doubles, kind: str = "") -> Series:
    """A line through the means of a table [X, S], with its interval."""
    means = summary(table)
    return Series(name, means.mean, tuple(float(value) for value in x), means.low, means.high, kind)


def bars(name: Phrase, groups: Iterable[Values | None], kind: str = "", scale: float = 1.0) -> Series:
    """One bar for each group of seeds' values, with its interval; None where a group has no such bar."""
    means = [Mean(None, None, None) if group is None else Mean.of([scale * value for value in group]) for group in groups]
    heights, low, high = zip(*means, strict=True)
    return Series(name, heights, (), low, high, kind)


def range_bars(name: Phrase, groups: Iterable[Values], kind: str = "") -> Series:
    """As `bars`, from the lowest to the highest seed: for values so uneven that an interval around a mean would reach below 0."""
    seeds = [np.asarray(group, np.float64) for group in groups]
    low, high, means = (tuple(float(pick(group)) for group in seeds) for pick in (np.min, np.max, np.mean))
    return Series(name, means, (), low, high, kind)


def range_line(name: Phrase, x: Sequence[float], values: Sequence[Values] | Doubles, kind: str = "") -> Series:
    """A line of means over seeds of values [S, P], in a band from the lowest to the highest seed."""
    seeds = np.asarray(values, np.float64)
    ends = (seeds.min(0), seeds.max(0)) if len(seeds) > 1 else ((), ())
    y, low, high = (tuple(float(value) for value in part) for part in (seeds.mean(0), *ends))
    return Series(name, y, tuple(x), low, high, kind)


@dataclass(frozen=True)
class Painter:
    """The panels of a question. The texts of the panel "course." are question.NAME.panel.course.title, .summary and so on.

    Axes, groups, captions and levels are told by their own keys; `told` fills in the summary, which ends with what the bands are:
    `card.spread.SPREAD`, for a panel that has some.
    """

    question: str

    def say(self, key: str, **values: Any) -> Phrase:
        """A text of the question's panels."""
        return Phrase(f"question.{self.question}.panel.{key}", values)

    def lines(
        self, panel: str, x: str, y: str, series: Sequence[Series], told: Mapping[str, Any], spread: str = "interval", **options: Any
    ) -> Lines:
        """Lines over an axis; `options` are those of `Lines`."""
        title, summary = self._told(panel, told, series, spread)
        return Lines(title, self.say(x), self.say(y), tuple(series), summary, **options)

    def bars(
        self, panel: str, y: str, groups: Iterable[Phrase], series: Sequence[Series], told: Mapping[str, Any], spread: str = "interval",
        **options: Any,
    ) -> Bars:  # fmt: skip
        """Groups of bars; `options` are those of `Bars`."""
        title, summary = self._told(panel, told, series, spread)
        return Bars(title, self.say(y), tuple(groups), tuple(series), summary, **options)

    def pictures(self, panel: str, items: Iterable[tuple[Phrase, bytes]], told: Mapping[str, Any]) -> Pictures:
        """Pictures under each other, each with its caption."""
        title, summary = self._told(panel, told)
        return Pictures(title, tuple(items), summary)

    def _told(self, panel: str, told: Mapping[str, Any], series: Sequence[Series] = (), spread: str = "") -> tuple[Phrase, Phrase]:
        summary = self.say(f"{panel}summary", **told)
        if any(end is not None for one in series for end in one.low):
            summary = Phrase(f"card.spread.{spread}", {"summary": summary})
        return self.say(f"{panel}title"), summary
