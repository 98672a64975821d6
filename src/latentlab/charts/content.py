"""What static/charts reads of a panel: its numbers, which every language shares, and its words in one language."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.figures.looks import looks
from latentlab.panels import Bars, Lines, Phrase, Values
from latentlab.texts import number, text

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
