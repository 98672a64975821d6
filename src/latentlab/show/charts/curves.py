"""The curves of a run as panels, from its metrics alone: what it minimised, what a discriminator says, how samples get better.

The report draws them of finished runs, the studio of running ones, and both of several runs on one axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from latentlab.base.errors import refusal
from latentlab.base.texts import Phrase
from latentlab.measure.table import BY_NAME, MEASURES, NATS, base, seen_by
from latentlab.show.charts.columns import MOST_POINTS, Columns, thinned
from latentlab.show.charts.panels import Lines, Panel, Series
from latentlab.show.charts.payload import rounded

Rows = Columns | Iterable[Mapping[str, Any]]


class Quantity(NamedTuple):
    """A metric on a split, and the key of its name."""

    metric: str
    split: str
    name: str


class Chart(NamedTuple):
    """Quantities of one run on one axis; `title` and `axis` are keys."""

    title: str
    axis: str
    quantities: tuple[Quantity, ...]
    log_y: bool = False


class Recorded(NamedTuple):
    """A run to lay over others: its lines, its name, its kind as `Series` has it."""

    rows: Rows
    name: Phrase
    kind: str


class Metric(NamedTuple):
    """What runs are laid over each other by; `name` and `axis` are keys."""

    name: str
    axis: str
    log_y: bool = False


LOSS = (Quantity("loss_nats", "val", "curves.loss.val"), Quantity("loss_nats", "train", "curves.loss.train"))
PARTS = (Quantity("reconstruction_nats", "val", "curves.reconstruction"), Quantity("kl_nats", "val", "curves.kl"))
KL = Chart("losses.kl", "figure.nats", (Quantity("kl_nats", "val", "figure.split.val"), Quantity("kl_nats", "train", "figure.split.train")))
HELD_OUT = Chart("figure.loss.mse", "figure.loss.mse_axis", (Quantity("mse", "val", "figure.loss.held_out"),), log_y=True)
GAME = (
    Quantity("generator_loss", "train", "figure.loss.generator"),
    Quantity("discriminator_loss", "train", "figure.loss.discriminator"),
)
LOGITS = Chart(
    "figure.loss.logits",
    "figure.loss.logit",
    (
        Quantity("real_logit", "train", "figure.loss.real"),
        Quantity("real_logit", "val", "curves.real.val"),
        Quantity("fake_logit", "train", "figure.loss.fake"),
    ),
)
BOTH_GRADIENTS = Chart(
    "curves.gradients",
    "curves.norm",
    (
        Quantity("gradient_norm", "train", "figure.loss.generator"),
        Quantity("discriminator_gradient_norm", "train", "figure.loss.discriminator"),
    ),
    log_y=True,
)
AUGMENTED = Chart("curves.augmentation", "curves.share", (Quantity("augmentation_probability", "train", "figure.split.train"),))
RATES = Chart(  # where a schedule moves them
    "curves.rates",
    "curves.rate",
    (
        Quantity("learning_rate", "train", "figure.split.train"),
        Quantity("generator_learning_rate", "train", "figure.loss.generator"),
        Quantity("discriminator_learning_rate", "train", "figure.loss.discriminator"),
    ),
)
FEATURES = Chart(
    "curves.features",
    "figure.nats",
    (Quantity("encoder_loss", "train", "curves.features.loss"), Quantity("feature_nats", "train", "curves.features.part")),
)
GRADIENT = Chart("curves.gradients", "curves.norm", (Quantity("gradient_norm", "train", "figure.split.train"),), log_y=True)

METRICS = {
    "loss_nats": Metric("chart.metric.loss", "figure.nats"),
    "reconstruction_nats": Metric("curves.reconstruction", "figure.nats"),
    "kl_nats": Metric("chart.metric.kl", "figure.nats"),
    "mse": Metric("chart.metric.mse", "figure.loss.mse_axis", log_y=True),
    "active_units": Metric("chart.metric.active", "chart.axis.units"),
    "generator_loss": Metric("chart.metric.generator", "figure.loss.axis"),
    "discriminator_loss": Metric("chart.metric.discriminator", "figure.loss.axis"),
    "real_logit": Metric("chart.metric.real", "figure.loss.logit"),
    "fake_logit": Metric("chart.metric.fake", "figure.loss.logit"),
    "augmentation_probability": Metric("curves.augmentation", "curves.share"),
    "gradient_norm": Metric("chart.metric.gradient", "curves.norm", log_y=True),
    "encoder_loss": Metric("curves.features.loss", "figure.nats"),
    "feature_nats": Metric("curves.features.part", "figure.nats"),
    "decoder_loss": Metric("curves.decoder.loss", "figure.nats"),
    "decoder_gradient_norm": Metric("curves.decoder.gradient", "curves.norm", log_y=True),
    "discriminator_gradient_norm": Metric("chart.metric.discriminator_gradient", "curves.norm", log_y=True),
} | {
    measure.name: Metric(
        f"measure.{measure.name}", "figure.nats" if measure.unit == NATS else f"measure.{measure.name}", log_y=measure.watched == "log"
    )
    for measure in MEASURES
    if measure.watched
}


def run_curves(rows: Rows, family: str, objective: str, name: Phrase, kind: str, most: int = MOST_POINTS) -> list[Panel]:
    """Everything that one run recorded while it learned, with a mark where a setting was changed; only what there is.

    `objective` is what `records.objective` says, `name` how the run is called, `kind` its colour, `most` the points of a line.
    """
    columns = as_columns(rows)
    shown = [lines(columns, chart, name, kind, most) for chart in run_charts(family, objective)]
    return [panel for panel in shown if panel is not None] + quality_curves([Recorded(columns, name, kind)], most)


def run_charts(family: str, objective: str) -> tuple[Chart, ...]:
    """What is drawn of a run of a family: what it minimised (of a VAE with its parts), its KL or a discriminator's say, gradients.

    Raises LabError for a family that there is none of.
    """
    title = f"figure.objective.{objective}"
    match family:
        case "ae":
            return (Chart(title, "figure.nats", LOSS), GRADIENT, RATES)
        case "vae":
            against = (FEATURES, Chart("figure.objective.non-saturating", "figure.loss.axis", GAME), LOGITS)  # where a discriminator is
            return (Chart(title, "figure.nats", LOSS + PARTS), KL, *against, GRADIENT, RATES)
        case "gan":
            return (Chart(title, "figure.loss.axis", GAME), LOGITS, BOTH_GRADIENTS, AUGMENTED, RATES)
    raise refusal("family", "ae, vae or gan", family)


def lines(columns: Columns, chart: Chart, name: Phrase, kind: str, most: int = MOST_POINTS) -> Lines | None:
    """Some quantities of one run over epochs, the first one on validation images in the run's colour; None without any."""
    first = chart.quantities[0].metric
    drawn = [
        line
        for metric, split, key in chart.quantities
        if (line := series(columns, metric, split, Phrase(key), kind if metric == first and split == "val" else "", most)) is not None
    ]
    if not drawn:
        return None
    marks = tuple((epoch, Phrase("curves.changed", {"field": field, "value": value})) for epoch, field, value in columns.changes)
    summary = Phrase("curves.summary", {"run": name, "each": last_values(drawn)})
    return over_epochs(Phrase(chart.title), chart.axis, drawn, summary, chart.log_y, marks)


def own_curves(rows: Rows, chart: Chart, name: Phrase, kind: str) -> Lines:
    """The same, with empty axes where nothing was recorded yet."""
    return lines(as_columns(rows), chart, name, kind) or over_epochs(Phrase(chart.title), chart.axis, (), Phrase("chart.none"), chart.log_y)


def compared_errors(runs: Sequence[Recorded]) -> Lines:
    """The held-out squared error of each run that reconstructs, on one axis."""
    drawn = each_run(runs, "mse", "val")
    summary = Phrase("curves.compared.summary", {"each": last_values(drawn)}) if drawn else Phrase("chart.none")
    return over_epochs(Phrase("figure.compare.shared"), "figure.loss.mse_axis", drawn, summary, log_y=True)


def over_epochs(
    title: Phrase, axis: str, drawn: Sequence[Series], summary: Phrase, log_y: bool, marks: tuple[tuple[float, Phrase], ...] = ()
) -> Lines:
    """Lines over epochs; `axis` is the key of the vertical axis."""
    return Lines(title, Phrase("figure.epoch"), Phrase(axis), tuple(drawn), summary, log_y=log_y, marks=marks)


def quality_curves(runs: Sequence[Recorded], most: int = MOST_POINTS) -> list[Panel]:
    """How samples came nearer to real images while runs trained: by measure and extractor; KID where there is no Frechet distance."""
    shown: dict[tuple[str, str], Panel] = {}
    for metric, split in overlays(run.rows for run in runs):
        measure = BY_NAME.get(base(metric)[0])
        if split != "val" or measure is None or not measure.headline or not measure.watched:
            continue
        drawn, extractor = each_run(runs, metric, split, most), base(metric)[1]
        if drawn and not (measure.name == "kid" and ("frechet", extractor) in shown):
            said = {"measure": called(metric)}
            summary = Phrase("curves.quality.summary", said | {"each": last_values(drawn)})
            _, axis, log_y = METRICS[measure.name]
            shown[measure.name, extractor] = over_epochs(Phrase("curves.quality", said), axis, drawn, summary, log_y)
    return list(shown.values())


def overlaid(runs: Mapping[str, tuple[Rows, Phrase, str]], metric: str, split: str, most: int = MOST_POINTS) -> Panel | None:
    """One quantity of several runs on one axis, a line for each run that recorded it; None where none did.

    A run is `Recorded` or a tuple of the same. Raises LabError for a metric that is not in METRICS.
    """
    if base(metric)[0] not in METRICS:
        raise refusal("metric", f"one of {', '.join(METRICS)}", metric)
    _, axis, log_y = METRICS[base(metric)[0]]
    drawn = each_run([Recorded(*run) for run in runs.values()], metric, split, most)
    if not drawn:
        return None
    what = {"metric": called(metric), "split": Phrase("figure.split.val" if split == "val" else "figure.split.train")}
    summary = Phrase("chart.overlaid.summary", what | {"each": last_values(drawn)})
    return over_epochs(Phrase("chart.overlaid", what), axis, drawn, summary, log_y)


def overlays(runs: Iterable[Rows]) -> list[tuple[str, str]]:
    """The (metric, split) of METRICS that at least one of some runs recorded, by extractor, in the order of METRICS, validation first."""
    recorded = {(name, split) for rows in map(as_columns, runs) for split in ("val", "train") for name in rows.names(split)}
    order = list(METRICS)
    known = [(metric, split) for metric, split in recorded if base(metric)[0] in METRICS]
    return sorted(known, key=lambda one: (order.index(base(one[0])[0]), one[0], one[1] != "val"))


def called(metric: str) -> Phrase:
    """What a metric of METRICS is called; "kid@classifier" with who saw it."""
    name, extractor = base(metric)
    return seen_by(Phrase(METRICS[name].name), extractor)


def each_run(runs: Sequence[Recorded], metric: str, split: str, most: int = MOST_POINTS) -> list[Series]:
    """A line for each run that recorded a quantity."""
    drawn = [series(as_columns(run.rows), metric, split, run.name, run.kind, most) for run in runs]
    return [line for line in drawn if line is not None]


def series(columns: Columns, metric: str, split: str, name: Phrase, kind: str = "", most: int = MOST_POINTS) -> Series | None:
    """One quantity over epochs, thinned; None where no finite value was recorded."""
    x, _, y = columns.column(split, metric)
    if not np.isfinite(y).any():
        return None
    x, y = thinned(x, y, most)
    return Series(name, tuple(rounded(y)), tuple(rounded(x)), kind=kind)


def last_values(drawn: Sequence[Series]) -> Phrase:
    """The last value of each line: "training 0.5, validation 0.6"."""
    last = [(line.name, float(next(value for value in reversed(line.y) if value is not None))) for line in drawn]
    said = Phrase("curves.value", {"name": last[0][0], "value": last[0][1]})
    for name, value in last[1:]:
        said = Phrase("curves.and_value", {"before": said, "name": name, "value": value})
    return said


def as_columns(rows: Rows) -> Columns:
    """Columns as they are; lines as columns."""
    return rows if isinstance(rows, Columns) else Columns(rows)
