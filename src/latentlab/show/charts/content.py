"""What static/charts reads of a panel: its numbers, which every language shares, and its words in one language."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase, number, text
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.columns import Columns
from latentlab.show.charts.panels import Bars, Lines, Series, Values
from latentlab.show.figures.style import looks

FIGURES = 6  # of a number in a chart: more than a screen resolves
EXACT = 22  # powers of ten up to 10^22 are doubles
UI = ("chart.role", "chart.tools", "chart.in", "chart.out", "chart.reset", "chart.range", "chart.at", "chart.interval", "chart.none")

Doubles = NDArray[np.float64]
Number = float | int | None


def chart_data(panel: Lines | Bars) -> dict[str, Any]:
    """The numbers of a chart, without a word. `x` of a series is a list, or the place of the series that has the same."""
    series: list[dict[str, Any]] = []
    for one, look in zip(panel.series, looks(panel.series), strict=True):
        held: dict[str, Any] = {"y": rounded(one.y), "hue": look.hue, "dash": look.dash, "mark": look.mark}
        if len(one.low) and len(one.high):
            held |= {"low": rounded(one.low), "high": rounded(one.high)}
        if isinstance(panel, Lines):
            x = rounded(one.x)
            held["x"] = next((place for place, before in enumerate(series) if before["x"] == x), x)
        series.append(held)
    if isinstance(panel, Bars):
        return {"kind": "bars", "series": series, "log_y": panel.log_y, "levels": rounded([value for value, _ in panel.lines])}
    return {
        "kind": "lines",
        "series": series,
        "log_x": panel.log_x,
        "log_y": panel.log_y,
        "categories": categories(panel) is not None,
        "marks": rounded([x for x, _ in panel.marks]),
    }


def chart_words(panel: Lines | Bars, lang: str) -> dict[str, Any]:
    """Every word of a chart, those of series, groups and marks in the order of its data; `ui` is alike in all charts."""
    words: dict[str, Any] = {
        "lang": lang,
        "title": capital(panel.title.say(lang)),
        "summary": panel.summary.say(lang),
        "y": y_label(panel, lang),
        "series": [series.name.say(lang) for series in panel.series],
    }
    ui = {key.partition(".")[2]: text(key, lang, low="{low}", high="{high}", x="{x}") for key in UI}
    if isinstance(panel, Bars):
        return words | {
            "groups": _said(panel.groups, lang),
            "levels": _said([said for _, said in panel.lines], lang),
            "keys": text("chart.keys.bars", lang),
            "ui": ui,
        }
    marks = _said([said for _, said in panel.marks], lang)
    return words | {"x": x_label(panel, lang), "marks": marks, "keys": text("chart.keys", lang), "ui": ui}


def _said(phrases: tuple[Phrase, ...] | list[Phrase], lang: str) -> list[str]:
    return [phrase.say(lang) for phrase in phrases]


def capital(words: str) -> str:
    """A phrase as a title begins it."""
    return words[:1].upper() + words[1:]


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


def figures(value: float | None, lang: str) -> str:
    """A number of a table, as the tooltips say it: to four figures, its whole part complete."""
    if value is None or not math.isfinite(value):
        return "–"
    return number(float(f"{value:.4g}") if abs(value) < 1000 else round(value), lang)


def rounded(values: Values | Doubles) -> list[Number]:
    """Values as JSON holds them: six figures, whole numbers without a point, None for what is not finite."""
    short = to_figures(np.array([math.nan if value is None else value for value in values], np.float64))
    return [_short(value) for value in short.tolist()]


def _short(value: float) -> Number:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def to_figures(values: Doubles) -> Doubles:
    """Values [N] to six figures, each the double nearest to its decimal number; what is not finite stays."""
    result = values.copy()
    sound = np.isfinite(values) & (values != 0)
    size = np.abs(values[sound])
    shift = FIGURES - 1 - np.floor(np.log10(size)).astype(np.int64)
    easy = np.abs(shift) <= EXACT
    power = 10.0 ** np.abs(np.where(easy, shift, 0))  # exact, so that the quotient is the nearest double
    up = shift > 0
    scaled = np.rint(np.where(up, values[sound] * power, values[sound] / power))
    short = np.where(up, scaled / power, scaled * power)
    short[~easy] = [float(f"{value:.{FIGURES}g}") for value in values[sound][~easy]]
    result[sound] = short
    return result


# The numbers of a chart as a table, which a reader without JavaScript or without eyes for the picture goes through.

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


# What static/film.js shows of some runs: which pictures they kept while they trained, and its words.

Kept = Literal["samples", "reconstructions"]


class Reel(NamedTuple):
    """The pictures of one run, in order of their steps."""

    name: str  # what the host's source is asked for
    label: Phrase
    kind: str  # "ae", "vae", "gan", "gan-from-vae", or "" for no family
    steps: Sequence[int]
    epochs_per_step: float | None  # None before the first step
    alt: Phrase  # with the placeholders {step} and {epoch} still in it


def reel(folder: RunFolder, columns: Columns, name: str, label: Phrase, kind: str, kept: Kept = "samples") -> Reel:
    """What a run has kept so far; `columns` are its metrics."""
    steps = [step for step, _ in folder.pictures(kept)]
    count = folder.config().train.sample_count
    values = {"run": label, "step": "{step}", "epoch": "{epoch}"}
    alt = Phrase("viewer.alt", values | {"n": count}) if kept == "samples" else Phrase("film.alt.reconstructions", values)
    return Reel(name, label, kind, steps, columns.epochs_per_step, alt)


def film_data(reels: Sequence[Reel], lang: str) -> dict[str, Any]:
    """Runs, steps and words of a film in a language."""
    words = {
        "play": text("viewer.play", lang),
        "pause": text("viewer.pause", lang),
        "slider": text("film.slider", lang),
        "speed": text("film.speed", lang),
        "rate": text("film.rate", lang, count="{count}"),
        "at": text("film.at", lang, step="{step}", place="{place}", all="{all}"),
        "where": text("film.where", lang, step="{step}", epoch="{epoch}"),
        "none": text("film.none", lang),
        "failed": text("film.failed", lang, step="{step}"),
        "empty": text("viewer.empty", lang),
    }
    runs = [
        {
            "name": one.name,
            "label": one.label.say(lang),
            "hue": one.kind or "5",  # a grey of figures/looks.py
            "steps": list(one.steps),
            "epochs_per_step": one.epochs_per_step,
            "alt": one.alt.say(lang),
        }
        for one in reels
    ]
    return {"runs": runs, "words": words, "lang": lang}
