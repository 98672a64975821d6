"""The numbers of a chart as a table, which a reader without JavaScript or without eyes for the picture goes through."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

from latentlab.charts.content import capital, figures, x_label, y_label
from latentlab.panels import Bars, Lines, Series
from latentlab.texts import number, text

ROWS = 12  # of a table of many points


class Cell(NamedTuple):
    """A value, and the words of its interval ("" where it has none)."""

    value: str
    interval: str


class Table(NamedTuple):
    """`name` is what to call it; each of `rows` is its place and a cell for each series. Goes to JSON as lists."""

    name: str
    caption: str
    head: list[str]
    rows: list[tuple[str, list[Cell]]]


def chart_table(panel: Lines | Bars, lang: str) -> Table:
    """The values of a panel; of many places at most ROWS rows from the first to the last."""
    return _lines_table(panel, lang) if isinstance(panel, Lines) else _bars_table(panel, lang)


def _bars_table(panel: Bars, lang: str) -> Table:
    head = [text("chart.group", lang), *(series.name.say(lang) for series in panel.series)]
    rows = [(group.say(lang), [_cell(series, place, lang) for series in panel.series]) for place, group in enumerate(panel.groups)]
    levels = [text("chart.named", lang, name=said.say(lang), value=figures(value, lang)) for value, said in panel.lines]
    return Table(text("chart.numbers", lang), ". ".join([capital(y_label(panel, lang)), *levels]), head, rows)


def _lines_table(panel: Lines, lang: str) -> Table:
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
        rows.append((figures(x, lang), cells))
    head = [x_label(panel, lang), *(series.name.say(lang) for series in panel.series)]
    caption = capital(y_label(panel, lang))
    if len(places) > ROWS:
        caption += ". " + text("chart.thinned", lang, shown=ROWS, all=number(len(places), lang))
    marks = [text("chart.named", lang, name=figures(x, lang), value=said.say(lang)) for x, said in panel.marks]
    return Table(text("chart.numbers", lang), ". ".join([caption.rstrip("."), *marks]), head, rows)


def _cell(series: Series, place: int | None, lang: str) -> Cell:
    """A value of a series with its interval."""
    if place is None or place >= len(series.y):
        return Cell("–", "")
    said = figures(series.y[place], lang)
    if len(series.low) and len(series.high) and series.low[place] is not None and series.high[place] is not None:
        low, high = figures(series.low[place], lang), figures(series.high[place], lang)
        return Cell(said, text("chart.interval", lang, low=low, high=high))
    return Cell(said, "")


def _placed(series: Series) -> list[tuple[float, int]]:
    """The measured points of a line by x, with their places in it."""
    pairs = zip(series.x, series.y, strict=True)
    return sorted((float(x), place) for place, (x, y) in enumerate(pairs) if x is not None and y is not None)


def _nearest(placed: Sequence[tuple[float, int]], x: float, reach: tuple[float, float]) -> int | None:
    """The place of the point nearest to x within reach below and above it."""
    at = bisect.bisect_left(placed, (x, -1))
    near = [(abs(own - x), place) for own, place in placed[max(0, at - 1) : at + 1] if x - reach[0] <= own <= x + reach[1]]
    return min(near)[1] if near else None
