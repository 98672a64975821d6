"""The curves of the page as panels: those that every surface draws, and what only finished runs have. Read from run folders."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image

from latentlab.base.texts import Phrase
from latentlab.show.charts import curves
from latentlab.show.charts.content import Cell, capital, chart_data, chart_table, chart_words
from latentlab.show.charts.curves import BOTH_GRADIENTS, KL, LOGITS, Recorded
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.show.figures.records import read_codes, unit_kl_nats
from latentlab.show.report.context import Context
from latentlab.show.report.markup import Shared, escape, small_bytes, table, tag


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


# Panels as figures of a page: the chart that the page's script draws, its summary, and its numbers as a table.


def panel_figure(panel: Panel, lang: str, shared: Shared) -> str:
    """A panel as a `<figure>` in a language; data and pictures go to `shared`, once for all languages.

    Without JavaScript it is the title, the table of numbers and the summary. `latentlabCharts.mount` draws the chart.
    """
    title = tag("p", escape(capital(panel.title.say(lang))), class_="plot-title")
    summary = tag("figcaption", escape(panel.summary.say(lang)))
    if isinstance(panel, Pictures):
        return tag("figure", title, *(_picture(said.say(lang), png, shared) for said, png in panel.items), summary, class_="plot pictures")
    words = chart_words(panel, lang)
    for said in ("title", "summary"):  # stand in the figure
        del words[said]
    words["ui"] = shared.put_json(words["ui"])
    data = shared.put_json(chart_data(panel))
    chart = tag("div", class_="plot-chart", role="img", aria_label=panel.summary.say(lang), data_shared_chart=data)
    content = json.dumps(words, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = f'<script type="application/json" class="plot-words">{content}</script>'
    return tag("figure", title, chart, summary, _numbers(panel, lang), script, class_="plot")


def _numbers(panel: Lines | Bars, lang: str) -> str:
    """The values as a table, folded where there is a script."""
    name, caption, head, rows = chart_table(panel, lang)
    body = [[escape(place), *map(_cell, cells)] for place, cells in rows]
    shown = table([*map(escape, head)], [("", body)], escape(caption))
    return tag("details", tag("summary", escape(name)), shown, class_="plot-numbers numbers", open=True)


def _cell(cell: Cell) -> str:
    return escape(cell.value) + (tag("small", escape(cell.interval)) if cell.interval else "")


def _picture(caption: str, png: bytes, shared: Shared) -> str:
    with Image.open(io.BytesIO(png)) as file:
        width, height = file.size
    shown = shared.image(small_bytes(png), caption, width=width, height=height)
    return tag("div", tag("p", escape(caption), aria_hidden="true"), shown, class_="plot-picture")
