"""What the scripts of static/ are given: a chart's numbers, which every language shares, its words in one language, the
same as a table for a reader without JavaScript or without eyes for the picture, and films of the pictures that runs kept.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from latentlab.base.texts import Phrase, number, text
from latentlab.config.sources import of_points
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.columns import Columns, Doubles
from latentlab.show.charts.panels import Bars, Lines, Series, Values, looks

FIGURES = 6  # of a number in a chart: more than a screen resolves
EXACT = 22  # powers of ten up to 10^22 are doubles
ROWS = 12  # of a table of many points
UI = ("chart.role", "chart.tools", "chart.in", "chart.out", "chart.reset", "chart.range", "chart.at", "chart.interval", "chart.none")

Number = float | int | None


def chart_data(panel: Lines | Bars) -> dict[str, Any]:
    """The numbers of a chart, without a word. `x` of a series is a list, or the index of the series that has the same."""
    series: list[dict[str, Any]] = []
    for one, look in zip(panel.series, looks(panel.series), strict=True):
        data: dict[str, Any] = {"y": rounded(one.y), "hue": look.hue, "dash": look.dash, "mark": look.mark}
        if len(one.low) and len(one.high):
            data |= {"low": rounded(one.low), "high": rounded(one.high)}
        if isinstance(panel, Lines):
            x = rounded(one.x)
            data["x"] = next((index for index, before in enumerate(series) if before["x"] == x), x)
        series.append(data)
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

    def said(phrases: Iterable[Phrase]) -> list[str]:
        return [phrase.say(lang) for phrase in phrases]

    words: dict[str, Any] = {
        "lang": lang,
        "title": capital(panel.title.say(lang)),
        "summary": panel.summary.say(lang),
        "y": y_label(panel, lang),
        "series": said(series.name for series in panel.series),
    }
    if isinstance(panel, Bars):
        words |= {"groups": said(panel.groups), "levels": said(name for _, name in panel.lines), "keys": text("chart.keys.bars", lang)}
    else:
        words |= {"x": x_label(panel, lang), "marks": said(what for _, what in panel.marks), "keys": text("chart.keys", lang)}
    return words | {"ui": {key.partition(".")[2]: text(key, lang, low="{low}", high="{high}", x="{x}") for key in UI}}


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
    """The values of a logarithmic axis with one that has no logarithm, which stand at equal distances; else None."""
    if not panel.log_x:
        return None
    values = {float(x) for series in panel.series for x in series.x if x is not None}
    return sorted(values) if any(value <= 0 for value in values) else None


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


class Cell(NamedTuple):
    """A value, and the words of its interval ("" where it has none)."""

    value: str
    interval: str


class Table(NamedTuple):
    """`name` is what to call it; each of `rows` is its x or its group, and a cell for each series. Goes to JSON as lists."""

    name: str
    caption: str
    head: list[str]
    rows: list[tuple[str, list[Cell]]]


def chart_table(panel: Lines | Bars, lang: str) -> Table:
    """The values of a panel; of many x at most ROWS rows from the first to the last."""
    names = [series.name.say(lang) for series in panel.series]
    caption = capital(y_label(panel, lang))
    if isinstance(panel, Bars):
        head = text("chart.group", lang)
        rows = [(group.say(lang), [_cell(series, at, lang) for series in panel.series]) for at, group in enumerate(panel.groups)]
        notes = [text("chart.named", lang, name=name.say(lang), value=figures(value, lang)) for value, name in panel.lines]
    else:
        head = x_label(panel, lang)
        rows, left_out = _lines_rows(panel, lang)
        caption = (caption + left_out).rstrip(".")
        notes = [text("chart.named", lang, name=figures(x, lang), value=what.say(lang)) for x, what in panel.marks]
    return Table(text("chart.numbers", lang), ". ".join([caption, *notes]), [head, *names], rows)


def _lines_rows(panel: Lines, lang: str) -> tuple[list[tuple[str, list[Cell]]], str]:
    """The rows of a table of lines, and a sentence for its caption where it has not all."""
    xs = sorted({float(x) for series in panel.series for x in series.x if x is not None and math.isfinite(x)})
    points = [_points(series) for series in panel.series]
    thinned = len(xs) > ROWS
    shown = [xs[round(row * (len(xs) - 1) / (ROWS - 1))] for row in range(ROWS)] if thinned else xs
    reach = [(after - before) / 2 if thinned else 0.0 for before, after in pairwise(shown)]  # how far a line's own x may be
    rows = []
    for x, below, above in zip(shown, [0.0, *reach], [*reach, 0.0], strict=False):
        nearest = [_nearest(measured, x, below, above) for measured in points]
        rows.append((figures(x, lang), [_cell(series, at, lang) for series, at in zip(panel.series, nearest, strict=True)]))
    return rows, ". " + text("chart.thinned", lang, shown=ROWS, all=number(len(xs), lang)) if thinned else ""


def _cell(series: Series, at: int | None, lang: str) -> Cell:
    """A value of a series with its interval."""
    if at is None or at >= len(series.y):
        return Cell("–", "")
    value = figures(series.y[at], lang)
    if len(series.low) and len(series.high) and series.low[at] is not None and series.high[at] is not None:
        return Cell(value, text("chart.interval", lang, low=figures(series.low[at], lang), high=figures(series.high[at], lang)))
    return Cell(value, "")


def _points(series: Series) -> list[tuple[float, int]]:
    """The measured points of a line by x, with their indices in it."""
    pairs = zip(series.x, series.y, strict=True)
    return sorted((float(x), at) for at, (x, y) in enumerate(pairs) if x is not None and y is not None)


def _nearest(points: Sequence[tuple[float, int]], x: float, below: float, above: float) -> int | None:
    """The index of the point nearest to x, and not further from it than `below` or `above`."""
    start = bisect.bisect_left(points, (x, -1))
    near = [(abs(own - x), at) for own, at in points[max(0, start - 1) : start + 1] if x - below <= own <= x + above]
    return min(near)[1] if near else None


Kept = Literal["samples", "reconstructions"]


class Reel(NamedTuple):
    """The pictures of one run, in order of their steps."""

    name: str  # what the host's source is asked for
    label: Phrase
    hue: str  # "ae", "vae", "gan", "gan-from-vae", a step such as "vae-3" (`palette.hues`), or "" for no family
    steps: Sequence[int]
    epochs_per_step: float | None  # None before the first step
    alt: Phrase  # with the placeholders {step} and {epoch} still in it


def reel(folder: RunFolder, columns: Columns, name: str, label: Phrase, hue: str, kept: Kept = "samples") -> Reel:
    """What a run has kept so far; `columns` are its metrics."""
    steps = [step for step, _ in folder.pictures(kept)]
    values = {"run": label, "step": "{step}", "epoch": "{epoch}"}
    points = of_points(folder.config().data.spec)
    if kept == "samples":
        alt = Phrase("viewer.alt.points" if points else "viewer.alt", values | {"n": folder.config().train.sample_count})
    else:
        alt = Phrase("film.alt.reconstructions.points" if points else "film.alt.reconstructions", values)
    return Reel(name, label, hue, steps, columns.epochs_per_step, alt)


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
            "hue": one.hue or "5",  # a grey
            "steps": list(one.steps),
            "epochs_per_step": one.epochs_per_step,
            "alt": one.alt.say(lang),
        }
        for one in reels
    ]
    return {"runs": runs, "words": words, "lang": lang}
