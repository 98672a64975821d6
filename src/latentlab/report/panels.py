"""Panels as figures of a page: the chart that the page's script draws, its summary, and its numbers as a table."""

from __future__ import annotations

import io
import json

from PIL import Image

from latentlab.charts.content import capital, chart_data, chart_words
from latentlab.charts.tables import Cell, chart_table
from latentlab.panels import Bars, Lines, Panel, Pictures
from latentlab.report.markup import escape, small_bytes, table, tag
from latentlab.report.shared import Shared


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
