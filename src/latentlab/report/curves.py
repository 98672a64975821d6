"""The curves of the page as panels: losses, KL, what a discriminator says, how samples get better. Read from metrics.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.figures.records import line, objective, read_codes, unit_kl_nats
from latentlab.panels import Bars, Lines, Panel, Phrase, Series
from latentlab.report.context import Context

MOST_POINTS = 1_200  # of one line on the page; longer ones keep the lowest and highest value of each stretch

Doubles = NDArray[np.float64]
Quantity = tuple[str, str, str]  # metric, split, key of its name


def own_curves(c: Context, name: str) -> list[Panel]:
    """What one run minimised, and what else it recorded while it learned."""
    shown: list[Panel | None]
    match c.facts[name].family:
        case "ae":
            shown = [_lines(c, name, f"figure.objective.{objective(c.runs[name])}", "figure.nats", LOSS)]
        case "vae":
            key = f"figure.objective.{objective(c.runs[name])}"
            shown = [_lines(c, name, key, "figure.nats", LOSS + PARTS), _kl_over_epochs(c, name), _kl_by_unit(c, name)]
        case _:
            kind = getattr(c.runs[name].config().train, "loss", "hinge")
            shown = [
                _lines(c, name, f"figure.objective.{kind}", "figure.loss.axis", GAME),
                _lines(c, name, "figure.loss.logits", "figure.loss.logit", LOGITS),
                _lines(c, name, "curves.gradients", "curves.norm", GRADIENTS, log_y=True),
            ]
    return [panel for panel in shown if panel is not None]


LOSS: tuple[Quantity, ...] = (("loss_nats", "val", "curves.loss.val"), ("loss_nats", "train", "curves.loss.train"))
PARTS: tuple[Quantity, ...] = (("reconstruction_nats", "val", "curves.reconstruction"), ("kl_nats", "val", "curves.kl"))
GAME: tuple[Quantity, ...] = (
    ("generator_loss", "train", "figure.loss.generator"),
    ("discriminator_loss", "train", "figure.loss.discriminator"),
)
LOGITS: tuple[Quantity, ...] = (("real_logit", "train", "figure.loss.real"), ("fake_logit", "train", "figure.loss.fake"))
GRADIENTS: tuple[Quantity, ...] = (
    ("gradient_norm", "train", "figure.loss.generator"),
    ("discriminator_gradient_norm", "train", "figure.loss.discriminator"),
)


def compared_errors(c: Context) -> Panel | None:
    """The held-out squared error of every run that copies images, on one axis; None for fewer than two."""
    series = [found for name in c.runs if (found := _series(c, name, "mse", "val", c.phrase(name))) is not None]
    if len(series) < 2:
        return None
    summary = Phrase("curves.compared.summary", {"each": _last_values(c, series)})
    return Lines(
        Phrase("figure.compare.shared"), Phrase("figure.epoch"), Phrase("figure.loss.mse_axis"), tuple(series), summary, log_y=True
    )


def sample_quality(c: Context) -> list[Panel]:
    """How a GAN's samples came nearer to real images while it trained, by what was looked at during training."""
    shown: list[Panel] = []
    for metric, key in (("frechet", "measure.frechet"), ("kid", "measure.kid"), ("recall", "measure.recall")):
        series = [found for name in c.runs if (found := _series(c, name, metric, "val", c.phrase(name))) is not None]
        if series and not (metric == "kid" and shown):
            summary = Phrase("curves.quality.summary", {"measure": Phrase(key), "each": _last_values(c, series)})
            title, axis = Phrase("curves.quality", {"measure": Phrase(key)}), Phrase(key)
            shown.append(Lines(title, Phrase("figure.epoch"), axis, tuple(series), summary, log_y=metric != "recall"))
    return shown


def _lines(c: Context, name: str, title: str, axis: str, quantities: Sequence[Quantity], log_y: bool = False) -> Lines | None:
    """Some quantities of one run over epochs."""
    found = [
        one
        for metric, split, key in quantities
        if (one := _series(c, name, metric, split, Phrase(key), c.kind(name) if metric == quantities[0][0] and split == "val" else ""))
    ]
    if not found:
        return None
    series = tuple(found)
    summary = Phrase("curves.summary", {"run": c.phrase(name), "each": _last_values(c, series)})
    return Lines(Phrase(title), Phrase("figure.epoch"), Phrase(axis), series, summary, log_y=log_y, marks=_marks(c, name))


def _kl_over_epochs(c: Context, name: str) -> Lines | None:
    quantities: tuple[Quantity, ...] = (("kl_nats", "val", "figure.split.val"), ("kl_nats", "train", "figure.split.train"))
    return _lines(c, name, "losses.kl", "figure.nats", quantities)


def _kl_by_unit(c: Context, name: str) -> Bars | None:
    """KL(q(z_j|x) ‖ p(z_j)) of each latent unit, largest first."""
    codes = read_codes(c.runs[name])
    per_unit = None if codes is None else unit_kl_nats(codes)
    if per_unit is None:
        return None
    order = np.argsort(-per_unit)
    units = tuple(Phrase("page.verbatim", {"words": str(int(unit))}) for unit in order)
    values = tuple(_rounded(per_unit[order]))
    active = c.facts[name].active
    summary = Phrase(
        "curves.units.summary",
        {"run": c.phrase(name), "active": active if active is not None else "–", "all": len(per_unit), "most": float(per_unit.max())},
    )
    return Bars(Phrase("curves.units"), Phrase("figure.nats"), units, (Series(c.phrase(name), values, kind=c.kind(name)),), summary)


def _series(c: Context, name: str, metric: str, split: str, label: Phrase, kind: str | None = None) -> Series | None:
    x, y = line(c.rows(name), split, metric)
    if not np.isfinite(y).any():
        return None
    x, y = thinned(x, y)
    return Series(label, tuple(_rounded(y)), tuple(_rounded(x)), kind=c.kind(name) if kind is None else kind)


def thinned(x: Doubles, y: Doubles, most: int = MOST_POINTS) -> tuple[Doubles, Doubles]:
    """A line of at most about `most` points that keeps the lowest and the highest of each stretch: no spike is lost."""
    if len(x) <= most:
        return x, y
    kept = {0, len(x) - 1}
    for stretch in np.array_split(np.arange(len(x)), most // 2):
        finite = stretch[np.isfinite(y[stretch])]
        if len(finite):
            kept |= {int(finite[y[finite].argmin()]), int(finite[y[finite].argmax()])}
    places = np.array(sorted(kept))
    return x[places], y[places]


def _rounded(values: Doubles) -> list[float | None]:
    """To six figures, as a page needs them; what is not finite is a gap."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]


def _last_values(c: Context, series: Sequence[Series]) -> Phrase:
    """The last value of each line: "training 0.5, validation 0.6"."""
    pairs = [(one.name, next(value for value in reversed(one.y) if value is not None)) for one in series]
    said = Phrase("curves.value", {"name": pairs[0][0], "value": float(pairs[0][1])})
    for name, value in pairs[1:]:
        said = Phrase("curves.and_value", {"before": said, "name": name, "value": float(value)})
    return said


def _marks(c: Context, name: str) -> tuple[tuple[float, Phrase], ...]:
    """What was changed while the run trained."""
    found: list[tuple[float, Phrase]] = []
    for row in c.rows(name):
        request: Any = row.get("request")
        if isinstance(request, dict) and request.get("action") == "set":
            for field, value in (request.get("set") or {}).items():
                found.append((float(row["epoch"]), Phrase("curves.changed", {"field": str(field), "value": float(value)})))
    return tuple(found)
