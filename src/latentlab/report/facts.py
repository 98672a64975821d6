"""The numbers that the page's sentences are made from, each with its standard error where it has one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.figures.records import Codes, active_units, edge_steps, last_samples, read_codes, reconstructed, unit_kl_nats
from latentlab.runs import RunFolder

NEIGHBOUR_POINTS = 2_000
QUIET_NATS = 0.1  # a unit that says less than this of an image is called nearly silent
NORMAL_975 = 1.959963984540054  # half a 95 % interval in standard errors


class Score(NamedTuple):
    """A measured value."""

    value: float
    stderr: float | None
    floor: float | None = None
    note: str | None = None
    ci95: tuple[float, float] | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval: as it was measured, else from the standard error."""
        if self.ci95 is not None or self.stderr is None or not self.stderr > 0:
            return self.ci95
        reach = NORMAL_975 * self.stderr
        return self.value - reach, self.value + reach


Verdict = Literal["lower", "higher", "unclear"]


def verdict(a: Score, b: Score) -> Verdict:
    """Whether a is lower or higher than b by more than two standard errors of their difference."""
    error = math.hypot(a.stderr or 0.0, b.stderr or 0.0)
    if abs(a.value - b.value) <= 2 * error:
        return "unclear"
    return "lower" if a.value < b.value else "higher"


class Shares(NamedTuple):
    """How samples fall on the classes, beside the held-out images."""

    names: list[str]
    samples: NDArray[np.float64]  # [K]
    real: NDArray[np.float64]  # [K]
    drawn: int  # samples that were judged


@dataclass(frozen=True)
class Facts:
    """What is known of one run."""

    family: str
    preset: str
    latent_dim: int
    steps: int
    epochs: float
    images_seen: int
    seconds: float
    parameters: dict[str, int]
    scores: dict[str, Score]
    shares: Shares | None
    classifier_accuracy: float | None
    active: int | None
    quiet: int | None  # latent units that carry less than QUIET_NATS
    nearest_same_class: float | None
    code_count: int

    def score(self, name: str) -> Score | None:
        """A score by its name; None where it is not defined for the run."""
        return self.scores.get(name)


def read_facts(folder: RunFolder, entry: Mapping[str, Any]) -> Facts:
    """A run's facts from its entry in comparison.json and what its folder adds."""
    config = folder.config()
    codes = read_codes(folder)
    per_unit = None if codes is None else unit_kl_nats(codes)
    scores = {name: found for name, value in (entry.get("scores") or {}).items() if (found := _score(value))}
    shares = _shares(entry.get("class_shares"))
    if (edges := sample_edges(folder)) is not None:
        scores["edge_step"] = edges
    accuracies = [found.get("accuracy") for found in (entry.get("extractors") or {}).values()]
    return Facts(
        family=config.family,
        preset=config.preset,
        latent_dim=config.model.latent_dim,
        steps=int(entry.get("steps") or 0),
        epochs=float(entry.get("epochs") or 0.0),
        images_seen=int(entry.get("images_seen") or 0),
        seconds=float(entry.get("seconds") or 0.0),
        parameters=dict(entry.get("parameters") or {}),
        scores=scores,
        shares=shares,
        classifier_accuracy=next((float(a) for a in accuracies if a is not None), None),
        active=None if codes is None or per_unit is None else active_units(codes),
        quiet=None if per_unit is None else int((per_unit < QUIET_NATS).sum()),
        nearest_same_class=None if codes is None else nearest_same_class(codes),
        code_count=0 if codes is None else len(codes.mean),
    )


def _score(value: Any) -> Score | None:
    if not isinstance(value, Mapping) or value.get("value") is None:
        return None
    stderr, interval = value.get("stderr"), value.get("ci95")
    known = (float(interval[0]), float(interval[1])) if interval and None not in interval else None
    if stderr is None and known is not None:
        stderr = (known[1] - known[0]) / (2 * NORMAL_975)
    return Score(float(value["value"]), stderr, value.get("floor"), value.get("note"), known)


def _shares(value: Any) -> Shares | None:
    if not value:
        return None
    samples, real = np.asarray(value["samples"], np.float64), np.asarray(value["real"], np.float64)
    return Shares([str(name) for name in value["names"]], samples, real, int(value["n"]))


def sample_edges(folder: RunFolder) -> Score | None:
    """How steep the edges of the last sample grid are, see `edge_steps`."""
    samples = last_samples(folder)
    if not len(samples):
        return None
    steps = edge_steps(samples)
    return Score(float(steps.mean()), float(steps.std(ddof=1) / math.sqrt(len(steps))) if len(steps) > 1 else None)


def real_edges(folders: list[RunFolder]) -> Score | None:
    """How steep the edges of held-out images are, from the first run that keeps some."""
    for folder in folders:
        originals, _ = reconstructed(folder)
        if len(originals) > 1:
            steps = edge_steps(originals)
            return Score(float(steps.mean()), float(steps.std(ddof=1) / math.sqrt(len(steps))))
    return None


def nearest_same_class(codes: Codes) -> float | None:
    """The share of codes whose nearest other code is of the same class; None without classes or with hardly a code."""
    if codes.label is None or len(codes.mean) < 10:
        return None
    points, label = codes.mean[:NEIGHBOUR_POINTS], codes.label[:NEIGHBOUR_POINTS]
    squares = (points**2).sum(1)
    distances = squares[:, None] + squares[None] - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    return float((label[distances.argmin(1)] == label).mean())
