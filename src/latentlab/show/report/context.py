"""What every part of the page is made from: the runs and their comparison as numbers, and one language to say them in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.base.texts import Phrase, catalogue, measured
from latentlab.config.sources import of_points
from latentlab.measure.compare.verdict import COVERING
from latentlab.measure.metrics import Z
from latentlab.runs.diagnosis import Finding, diagnose
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.show.answers import Answers
from latentlab.show.card import Card
from latentlab.show.charts.columns import Columns
from latentlab.show.figures.records import Codes, active_units, edge_steps, last_samples, read_codes, reconstructed, unit_kl_nats
from latentlab.show.palette import hues_of
from latentlab.show.report.markup import Shared, Words, escape, tag

NEIGHBOUR_POINTS = 2_000
MOST_KL = 0.9  # of the KL: how few units have that much of it


@dataclass(frozen=True)
class Context(Words):
    """One page to be written, in one language."""

    runs: Mapping[str, RunFolder]
    comparison: Mapping[str, Any]
    lang: str
    shared: Shared
    first: bool = True  # whether this is the page's first tree, which holds the pictures
    cards: Mapping[str, Card] = field(default_factory=dict)
    answers: Answers | None = None
    model_answers: bool = True  # whether the page holds the answers that this program has to the questions

    @cached_property
    def columns(self) -> dict[str, Columns]:
        """The numbers of each run's metrics.jsonl."""
        return {name: Columns(folder.metrics()) for name, folder in self.runs.items()}

    @cached_property
    def of_points(self) -> bool:
        """Whether every run learned from points, not from images."""
        return all(of_points(folder.config().data.spec) for folder in self.runs.values())

    def fitting(self, images: str, points: str) -> str:
        """The key that is of images, or the one of points."""
        return points if self.of_points else images

    def kind(self, run: str) -> str:
        """What colour a run has: "ae", "vae", "gan", or "gan-from-vae" for a GAN that started as a decoder."""
        return self.runs[run].config().kind

    @cached_property
    def hues(self) -> dict[str, str]:
        """The hue of each run, the same in every chart."""
        return dict(zip(self.runs, hues_of([folder.config() for folder in self.runs.values()]), strict=True))

    def colored(self, run: str) -> str:
        """The classes of an element in the colour of a run."""
        kind, hue = self.kind(run), self.hues[run]
        return kind if hue == kind else f"{kind} hue-{hue}"

    def role(self, kind: str) -> str | None:
        """The first run of a kind, which sentences speak of; None where there is none."""
        return next((name for name in self.runs if self.kind(name) == kind), None)

    def phrase(self, run: str) -> Phrase:
        """How a run is called, in any language."""
        key = f"run.{run}.short"
        return Phrase(key) if key in catalogue(self.lang) else Phrase("page.verbatim", {"words": run})

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """The numbers of each run."""
        entries = self.comparison.get("runs", {})
        facts = {name: read_facts(folder, entries.get(name, {})) for name, folder in self.runs.items()}
        for each in facts.values():
            if not self.alike or not each.covers:  # how steep edges are depends on the images, and noise has the steepest
                each.scores.pop("edge_step", None)
        return facts

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """What each run's metrics say went wrong, causes first."""
        return {name: diagnose(run.metrics(), facts_of(run.config(), run.environment())) for name, run in self.runs.items()}

    @cached_property
    def alike(self) -> bool:
        """Whether every run learned from the same images."""
        return len({folder.environment().get("data_fingerprint") for folder in self.runs.values()}) < 2

    @cached_property
    def real_edges(self) -> Score | None:
        """How steep the edges of held-out images are, from the first run that keeps some."""
        kept = (reconstructed(folder)[0] for folder in self.runs.values())
        return next((_edges(originals) for originals in kept if len(originals) > 1), None)

    def own_id(self, name: str) -> str:
        """A name that no other tree of the page has."""
        return name if self.first else f"{self.lang}-{name}"

    def name(self, run: str, form: str = ".short") -> str:
        """How a run is called: by its role in the lab ("": at length, ".one": inside a sentence, "an autoencoder (AE)"), or by
        its own name.
        """
        key = f"run.{run}{form}"
        return self.plain(key) if key in catalogue(self.lang) else run

    def label(self, run: str) -> str:
        """A run's short name as HTML, with its colour."""
        return tag("span", tag("span", class_=f"swatch {self.colored(run)}", aria_hidden="true"), escape(self.name(run)), class_="run")

    def measured(self, run: str, score: str) -> str:
        """A score with its standard error; "–" where it is not defined."""
        known = self.facts[run].score(score)
        return "–" if known is None else measured(known.value, known.stderr, self.lang)


class Score(NamedTuple):
    """A measured value."""

    value: float
    stderr: float | None
    floor: float | None = None
    note: str | None = None
    ci95: tuple[float, float] | None = None
    extractor: str = ""
    floor_ci95: tuple[float, float] | None = None
    importance: Mapping[str, Any] = MappingProxyType({})  # of an NLL: what its importance sampling was like

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval: as it was measured, else from the standard error."""
        if self.ci95 is not None or self.stderr is None or not self.stderr > 0:
            return self.ci95
        reach = Z * self.stderr
        return self.value - reach, self.value + reach


Difference = Literal["lower", "higher", "unclear"]


def difference(a: Score, b: Score) -> Difference:
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
    latent_dim: int
    steps: int
    epochs: float
    seconds: float
    parameters: dict[str, int]
    scores: dict[str, Score]
    shares: Shares | None
    classifier_accuracy: float | None
    active: int | None
    few: int | None  # the fewest latent units that have MOST_KL of the KL
    nearest_same_class: float | None

    def score(self, name: str) -> Score | None:
        """A score by its name; None where it is not defined for the run."""
        return self.scores.get(name)

    @property
    def covers(self) -> bool:
        """Whether its samples cover more than a few kinds of the held-out images, as far as is known."""
        recall = self.score("recall")
        return recall is None or recall.value >= COVERING


def read_facts(folder: RunFolder, entry: Mapping[str, Any]) -> Facts:
    """A run's facts from its entry in comparison.json and what its folder adds."""
    config = folder.config()
    codes = read_codes(folder)
    per_unit = None if codes is None else unit_kl_nats(codes)
    scores = {name: score for name, value in (entry.get("scores") or {}).items() if (score := _score(value))}
    samples = last_samples(folder)
    if len(samples):
        scores["edge_step"] = _edges(samples)
    accuracies = [extractor.get("accuracy") for extractor in (entry.get("extractors") or {}).values()]
    return Facts(
        family=config.family,
        latent_dim=config.model.latent_dim,
        steps=int(entry.get("steps") or 0),
        epochs=float(entry.get("epochs") or 0.0),
        seconds=float(entry.get("seconds") or 0.0),
        parameters=dict(entry.get("parameters") or {}),
        scores=scores,
        shares=_shares(entry.get("class_shares")),
        classifier_accuracy=next((float(accuracy) for accuracy in accuracies if accuracy is not None), None),
        active=None if codes is None or per_unit is None else active_units(codes),
        few=None if per_unit is None else 1 + int((np.cumsum(np.sort(per_unit)[::-1]) < MOST_KL * per_unit.sum()).sum()),
        nearest_same_class=None if codes is None else nearest_same_class(codes),
    )


def _score(value: Any) -> Score | None:
    if not isinstance(value, Mapping) or value.get("value") is None:
        return None
    stderr = value.get("stderr")
    known, about_floor = (_interval(value.get(name)) for name in ("ci95", "floor_ci95"))
    if stderr is None and known is not None:
        stderr = (known[1] - known[0]) / (2 * Z)
    return Score(
        float(value["value"]),
        stderr,
        value.get("floor"),
        value.get("note"),
        known,
        value.get("extractor", ""),
        about_floor,
        value if "effective_samples" in value else {},
    )


def _interval(ends: Any) -> tuple[float, float] | None:
    return (float(ends[0]), float(ends[1])) if ends and None not in ends else None


def _shares(value: Any) -> Shares | None:
    if not value:
        return None
    samples, real = np.asarray(value["samples"], np.float64), np.asarray(value["real"], np.float64)
    return Shares([str(name) for name in value["names"]], samples, real, int(value["n"]))


def _edges(images: Images) -> Score:
    """How steep the edges of images are, see `edge_steps`."""
    steps = edge_steps(images)
    return Score(float(steps.mean()), float(steps.std(ddof=1) / math.sqrt(len(steps))) if len(steps) > 1 else None)


def nearest_same_class(codes: Codes) -> float | None:
    """The share of codes whose nearest other code is of the same class; None without classes or with hardly a code."""
    if codes.label is None or len(codes.mean) < 10:
        return None
    points, label = codes.mean[:NEIGHBOUR_POINTS], codes.label[:NEIGHBOUR_POINTS]
    squares = (points**2).sum(1)
    distances = squares[:, None] + squares[None] - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    return float((label[distances.argmin(1)] == label).mean())
