"""The curves of the page as panels: those that every surface draws, and what only finished runs have. Read from run folders."""

from __future__ import annotations

import numpy as np

from latentlab.charts import curves
from latentlab.charts.curves import BOTH_GRADIENTS, KL, LOGITS, Recorded
from latentlab.figures.records import read_codes, unit_kl_nats
from latentlab.panels import Bars, Lines, Panel, Phrase, Series
from latentlab.report.context import Context


def own_curves(c: Context, name: str) -> list[Panel]:
    """What one run minimised, and what else it recorded while it learned."""
    family = c.facts[name].family
    loss = curves.objective_chart(family, curves.run_objective(c.runs[name]))
    charts = {"ae": (loss,), "vae": (loss, KL)}.get(family, (loss, LOGITS, BOTH_GRADIENTS))
    shown: list[Panel | None] = [curves.lines(c.columns(name), chart, c.phrase(name), c.kind(name)) for chart in charts]
    if family == "vae":
        shown.append(_kl_by_unit(c, name))
    return [panel for panel in shown if panel is not None]


def compared_errors(c: Context) -> Panel | None:
    """The held-out squared error of every run that copies images, on one axis; None for fewer than two."""
    series = curves.each_run(_recorded(c), "mse", "val")
    if len(series) < 2:
        return None
    summary = Phrase("curves.compared.summary", {"each": curves.last_values(series)})
    return Lines(
        Phrase("figure.compare.shared"), Phrase("figure.epoch"), Phrase("figure.loss.mse_axis"), tuple(series), summary, log_y=True
    )


def sample_quality(c: Context) -> list[Panel]:
    """How a GAN's samples came nearer to real images while it trained, by what was looked at during training."""
    return curves.quality_curves(_recorded(c))


def _recorded(c: Context) -> list[Recorded]:
    return [Recorded(c.columns(name), c.phrase(name), c.kind(name)) for name in c.runs]


def _kl_by_unit(c: Context, name: str) -> Bars | None:
    """KL(q(z_j|x) ‖ p(z_j)) of each latent unit, largest first."""
    codes = read_codes(c.runs[name])
    per_unit = None if codes is None else unit_kl_nats(codes)
    if per_unit is None:
        return None
    order = np.argsort(-per_unit)
    units = tuple(Phrase("page.verbatim", {"words": str(int(unit))}) for unit in order)
    active = c.facts[name].active
    summary = Phrase(
        "curves.units.summary",
        {"run": c.phrase(name), "active": active if active is not None else "–", "all": len(per_unit), "most": float(per_unit.max())},
    )
    bars = (Series(c.phrase(name), curves.values(per_unit[order]), kind=c.kind(name)),)
    return Bars(Phrase("curves.units"), Phrase("figure.nats"), units, bars, summary)
