"""Random search: values drawn from lists and ranges, each trial a function of the seed and its number alone.

Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization, JMLR 13.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from latentlab.base.errors import refusal
from latentlab.base.seeding import numpy_generator
from latentlab.config.field import Field

TRIES = 1_000  # to find a trial that was not drawn before
DIGITS = 3  # of a number that is drawn: its folder is called by it


class Range(NamedTuple):
    """The numbers between two, both included: evenly on a scale of logarithms where both are above 0, else evenly."""

    low: float
    high: float
    whole: bool  # whether they are integers

    @staticmethod
    def read(field: Field, text: str) -> Range | None:
        """The range in a text such as 1e-4..1e-2; None where it is none. Raises LabError for bounds that a field cannot have."""
        first, dots, last = text.partition("..")
        if not dots or field.kind not in (int, float):
            return None
        low, high = field.read(first.strip(), field.option), field.read(last.strip(), field.option)
        if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
            raise refusal(field.option, "a range LOW..HIGH that rises", text)
        return Range(low, high, field.kind is int)

    def draw(self, random: np.random.Generator) -> float:
        """One of its numbers."""
        end = self.high + 1 if self.whole else self.high
        if self.low > 0:
            value = math.exp(random.uniform(math.log(self.low), math.log(end)))
        else:
            value = random.uniform(self.low, end)
        value = math.floor(value) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(value, self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


def drawn(choices: Mapping[str, Sequence[Any]], trials: int, seed: int) -> list[dict[str, Any]]:
    """So many unlike combinations of fields' values. More trials are the same and others. Raises LabError where there are too few."""
    found: list[dict[str, Any]] = []
    for trial in range(trials):
        for attempt in range(TRIES):
            random = numpy_generator(seed, "search", trial, attempt)
            one = {name: _one(values, random) for name, values in choices.items()}
            if one not in found:
                break
        else:
            raise refusal("--trials", "at most as many as there are combinations", trials, f"{len(found)} unlike ones were found.")
        found.append(one)
    return found


def _one(values: Sequence[Any], random: np.random.Generator) -> Any:
    return values.draw(random) if isinstance(values, Range) else values[int(random.integers(len(values)))]
