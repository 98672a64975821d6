"""Panels as figures of a page: the chart that `static/charts.js` draws, its summary, and its numbers as a table."""

from __future__ import annotations

import bisect
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image

from latentlab.figures.looks import looks
from latentlab.panels import Bars, Lines, Panel, Pictures, Series, Values
from latentlab.report.markup import escape, small_bytes, table, tag
from latentlab.report.shared import Shared
from latentlab.texts import number, text

ROWS = 12  # of a table of many points
FIGURES = 6  # of a number in a chart: more than a screen resolves
UI = ("chart.role", "chart.tools", "chart.in", "chart.out", "chart.reset", "chart.range", "chart.at", "chart.interval", "chart.none")


def panel_figure(panel: Panel, lang: str, shared: Shared) -> str:
    """A panel as a `<figure>` in a language; data and pictures go to `shared`, once for all languages.

    Without JavaScript it is the title, the table of numbers and the summary. `latentlabCharts.mount` draws the chart.
    """
    title = tag("p", escape(capital(panel.title.say(lang))), class_="plot-title")
    summary = tag("figcaption", escape(panel.summary.say(lang)))
    if isinstance(panel, Pictures):
        return tag("figure", title, *(_picture(said.say(lang), png, shared) for said, png in panel.items), summary, class_="plot pictures")
    ui = {key.partition(".")[2]: text(key, lang, low="{low}", high="{high}", x="{x}") for key in UI}
    words = _words(panel, lang) | {"ui": shared.put_json(ui)}
    data = _data(panel)
    chart = tag("div", class_="plot-chart", role="img", aria_label=panel.summary.say(lang), data_shared_chart=shared.put_json(data))
    content = json.dumps(words, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = f'<script type="application/json" class="plot-words">{content}</script>'
    numbers = _lines_table(panel, lang) if isinstance(panel, Lines) else _bars_table(panel, lang)
    details = tag("details", tag("summary", escape(text("chart.numbers", lang))), numbers, class_="plot-numbers numbers", open=True)
    return tag("figure", title, chart, summary, details, script, class_="plot")


def capital(words: str) -> str:
    """A phrase as a title begins it."""
    return words[:1].upper() + words[1:]


def _picture(caption: str, png: bytes, shared: Shared) -> str:
    with Image.open(io.BytesIO(png)) as file:
        width, height = file.size
    shown = shared.image(small_bytes(png), caption, width=width, height=height)
    return tag("div", tag("p", escape(caption), aria_hidden="true"), shown, class_="plot-picture")


# ------------------------------------------------------------------------------------------------- what charts.js reads


def _words(panel: Lines | Bars, lang: str) -> dict[str, Any]:
    """Every word of the chart, in the order of its data."""
    words: dict[str, Any] = {"lang": lang, "y": y_label(panel, lang), "series": [series.name.say(lang) for series in panel.series]}
    if isinstance(panel, Bars):
        return words | {
            "groups": [group.say(lang) for group in panel.groups],
            "levels": [said.say(lang) for _, said in panel.lines],
            "keys": text("chart.keys.bars", lang),
        }
    marks = [said.say(lang) for _, said in panel.marks]
    return words | {"x": x_label(panel, lang), "marks": marks, "keys": text("chart.keys", lang)}


def x_label(panel: Lines, lang: str) -> str:
    """The label of the horizontal axis, which says when it is logarithmic."""
    return panel.x_label.say(lang) + (text("figure.log", lang) if panel.log_x and categories(panel) is None else "")


def y_label(panel: Lines | Bars, lang: str) -> str:
    """The label of the value axis, which says when it is logarithmic."""
    return panel.y_label.say(lang) + (text("figure.log", lang) if panel.log_y else "")


def categories(panel: Lines) -> list[float] | None:
    """The places of a logarithmic axis with a value that has no logarithm, which stand at equal distances; else None."""
    if not panel.log_x:
        return None
    places = {float(x) for series in panel.series for x in series.x if x is not None}
    return sorted(places) if any(place <= 0 for place in places) else None


def _data(panel: Lines | Bars) -> dict[str, Any]:
    """The numbers of a chart, without a word. `x` of a series is a list, or the place of the series that has the same."""
    series: list[dict[str, Any]] = []
    for one, look in zip(panel.series, looks(panel.series), strict=True):
        held: dict[str, Any] = {"y": _rounded(one.y), "hue": look.hue, "dash": look.dash, "mark": look.mark}
        if len(one.low) and len(one.high):
            held |= {"low": _rounded(one.low), "high": _rounded(one.high)}
        if isinstance(panel, Lines):
            x = _rounded(one.x)
            held["x"] = next((place for place, before in enumerate(series) if before["x"] == x), x)
        series.append(held)
    if isinstance(panel, Bars):
        return {"kind": "bars", "series": series, "log_y": panel.log_y, "levels": [_round(value) for value, _ in panel.lines]}
    return {
        "kind": "lines",
        "series": series,
        "log_x": panel.log_x,
        "log_y": panel.log_y,
        "categories": categories(panel) is not None,
        "marks": [_round(x) for x, _ in panel.marks],
    }


def _round(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{FIGURES}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _rounded(values: Values) -> list[float | int | None]:
    return [_round(value) for value in values]


# --------------------------------------------------------------------------------------------------- the numbers, read


def figures(value: float | None, lang: str) -> str:
    """A number of a table, as the tooltips say it: to four figures, its whole part complete."""
    if value is None or not math.isfinite(value):
        return "–"
    return number(float(f"{value:.4g}") if abs(value) < 1000 else round(value), lang)


def _cell(series: Series, place: int | None, lang: str) -> str:
    """A value of a series with its interval."""
    if place is None or place >= len(series.y):
        return "–"
    said = escape(figures(series.y[place], lang))
    if len(series.low) and len(series.high) and series.low[place] is not None and series.high[place] is not None:
        low, high = figures(series.low[place], lang), figures(series.high[place], lang)
        said += tag("small", escape(text("chart.interval", lang, low=low, high=high)))
    return said


def _bars_table(panel: Bars, lang: str) -> str:
    head = [escape(text("chart.group", lang)), *(escape(series.name.say(lang)) for series in panel.series)]
    rows = [[escape(group.say(lang)), *(_cell(series, place, lang) for series in panel.series)] for place, group in enumerate(panel.groups)]
    levels = [text("chart.named", lang, name=said.say(lang), value=figures(value, lang)) for value, said in panel.lines]
    caption = ". ".join([capital(y_label(panel, lang)), *levels])
    return table(head, [("", rows)], escape(caption))


def _lines_table(panel: Lines, lang: str) -> str:
    """At most ROWS rows: the places of all lines when there are few, else some from the first to the last."""
    places = sorted({float(x) for series in panel.series for x in series.x if x is not None and math.isfinite(x)})
    chosen = places
    if len(places) > ROWS:
        chosen = [places[round(row * (len(places) - 1) / (ROWS - 1))] for row in range(ROWS)]
    found = [_placed(series) for series in panel.series]
    rows = []
    for row, x in enumerate(chosen):
        reach = (0.0, 0.0)  # how far a line's own place may be
        if len(places) > ROWS:
            before, after = chosen[max(0, row - 1)], chosen[min(len(chosen) - 1, row + 1)]
            reach = ((x - before) / 2, (after - x) / 2)
        cells = [_cell(series, _nearest(placed, x, reach), lang) for series, placed in zip(panel.series, found, strict=True)]
        rows.append([escape(figures(x, lang)), *cells])
    head = [escape(x_label(panel, lang)), *(escape(series.name.say(lang)) for series in panel.series)]
    caption = capital(y_label(panel, lang))
    if len(places) > ROWS:
        caption += ". " + text("chart.thinned", lang, shown=ROWS, all=number(len(places), lang))
    marks = [text("chart.named", lang, name=figures(x, lang), value=said.say(lang)) for x, said in panel.marks]
    return table(head, [("", rows)], escape(". ".join([caption.rstrip("."), *marks])))


def _placed(series: Series) -> list[tuple[float, int]]:
    """The measured points of a line by x, with their places in it."""
    pairs = zip(series.x, series.y, strict=True)
    return sorted((float(x), place) for place, (x, y) in enumerate(pairs) if x is not None and y is not None)


def _nearest(placed: Sequence[tuple[float, int]], x: float, reach: tuple[float, float]) -> int | None:
    """The place of the point nearest to x within reach below and above it."""
    at = bisect.bisect_left(placed, (x, -1))
    near = [(abs(own - x), place) for own, place in placed[max(0, at - 1) : at + 1] if x - reach[0] <= own <= x + reach[1]]
    return min(near)[1] if near else None
