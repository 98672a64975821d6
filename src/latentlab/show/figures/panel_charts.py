"""Lines and bars of a panel as a matplotlib figure with one pair of axes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import number, text
from latentlab.show.charts.panels import Bars, Lines, Series, Values
from latentlab.show.figures import style
from latentlab.show.figures.style import HUES, Look, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


TITLE_CHARACTERS, TICK_CHARACTERS = 58, 56  # of a line across the column
DASHES: tuple[Any, ...] = ("-", (0, (4.5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (2.5, 1.5)), (0, (1.2, 1.5, 4, 1.5)))
MARKS = ("o", "s", "^", "D", "v", "P", "X", "$\\circ$")
HATCHES = ("", "////", "---", "..", "xxx", "|||")
LEVELS: tuple[Any, ...] = ((0, (5, 2)), (0, (1.2, 1.8)), (0, (8, 2, 1.2, 2)))
SIDE_CHARACTERS = 24  # of a name beside bars that lie
ROW_INCHES = 0.19  # of a bar that lies
AXES_INCHES, DIGIT_INCHES = 4.5, 0.078  # width of the axes, and of a digit of a value
MANY = 12  # bars whose values are written and whose groups are all named
FEW = 40  # points that are all marked

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Doubles = NDArray[np.float64]


def wrapped(words: str, characters: int = TITLE_CHARACTERS) -> str:
    """Words in lines of at most so many characters."""
    return "\n".join(textwrap.wrap(words, characters, break_long_words=True)) or words


def doubles(values: Values) -> Doubles:
    """Values as an array; None is NaN."""
    return np.array([math.nan if value is None else value for value in values], np.float64)


# ----------------------------------------------------------------------------------------------------------------- lines


def lines_figure(panel: Lines, lang: str) -> Figure:
    """Lines over a numeric axis with their intervals as bands."""
    figure, (axes,) = style.column([3.1])
    own = [doubles(series.x) for series in panel.series]
    places = np.unique(np.concatenate([x[np.isfinite(x)] for x in own])) if own else np.empty(0)
    equal = panel.log_x and bool((places <= 0).any())
    lines = [
        _line(axes, series, np.searchsorted(places, x).astype(np.float64) if equal else x, look)
        for series, x, look in zip(panel.series, own, looks(panel.series), strict=True)
    ]
    found = [value for series in panel.series for value in (*series.y, *series.low) if value is not None and math.isfinite(value)]
    if panel.log_y and found and max(found) > 0:
        _logarithmic(axes, "y")
    elif found and 0 <= min(found) < 0.3 * max(found):
        axes.set_ylim(bottom=0)
    if panel.log_x and not equal and len(places):
        _logarithmic(axes, "x")
    if not found:
        style.say_empty(axes, text("chart.none", lang))
    x_label = panel.x_label.say(lang) + (text("figure.log", lang) if panel.log_x and not equal else "")
    y_label = panel.y_label.say(lang) + (text("figure.log", lang) if panel.log_y else "")
    names = [series.name.say(lang) for series in panel.series]
    style.dress(axes, "", x_label, wrapped(y_label, 40), lang)
    _write_powers(axes, lang)
    _legend(figure, lines, names)
    if equal:
        every = max(1, math.ceil(sum(len(number(x, lang)) + 3 for x in places) / TICK_CHARACTERS))
        axes.set_xticks(range(0, len(places), every), [number(x, lang) for x in places[::every]])
    _marks(axes, [(float(np.searchsorted(places, x)) if equal else x, said.say(lang)) for x, said in panel.marks])
    return figure


def _line(axes: Axes, series: Series, x: Doubles, look: Look) -> Any:
    """A line, which is returned, its marks, its band; a point between two gaps and the interval of a single point are seen, too."""
    y, color = doubles(series.y), HUES[look.hue]
    (line,) = axes.plot(
        x, y, color=color, linestyle=DASHES[look.dash], linewidth=1.7 if len(y) <= 400 else 0.9, marker=MARKS[look.mark],
        markersize=4.2, markeredgewidth=0.5, markeredgecolor="white" if look.mark < 7 else color,
        markevery=1 if len(y) <= FEW else max(1, len(y) // 16), zorder=3,
    )  # fmt: skip
    if len(y) > FEW:
        padded = np.concatenate([[math.nan], y, [math.nan]])
        alone = np.isfinite(y) & ~np.isfinite(padded[:-2]) & ~np.isfinite(padded[2:])
        axes.scatter(x[alone], y[alone], s=8, color=color, zorder=3)
    if len(series.low) and len(series.high):
        low, high = doubles(series.low), doubles(series.high)
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0, zorder=2)
        if np.isfinite(low).sum() == 1:
            axes.vlines(x, low, high, color=color, linewidth=1.2, zorder=2)
    return line


def _logarithmic(axes: Axes, name: str) -> None:
    """A logarithmic axis whose ticks are round numbers, also where it spans less than a factor of five."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

    getattr(axes, f"set_{name}scale")("log")
    axis = getattr(axes, f"{name}axis")
    low, high = (math.log10(end) for end in getattr(axes, f"get_{name}lim")())
    subs = (1.0, 2.0, 5.0) if high - low < 2.5 else (1.0, 3.0) if high - low < 3.5 else (1.0,)
    axis.set_major_locator(MaxNLocator(5) if high - low < 0.7 else LogLocator(base=10, subs=subs, numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _write_powers(axes: Axes, lang: str) -> None:
    """Decades that are far from 1 are written as powers of ten. After `dress`, which sets the numbers of both axes."""
    from matplotlib.ticker import FuncFormatter

    def said(value: float, _: object) -> str:
        power = round(math.log10(value)) if value > 0 else 0
        far = not -4 <= power <= 5 and math.isclose(value, 10.0**power)
        return "10" + str(power).translate(RAISED) if far else number(value, lang)

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(said))


def _marks(axes: Axes, marks: Sequence[tuple[float, str]]) -> None:
    """What happened at a place: a line and words in as many rows as keep them apart."""
    from matplotlib.patheffects import withStroke

    taken: list[float] = []  # where the words of each row end, in shares of the width
    left, right = axes.get_xlim()
    scale = axes.xaxis.get_transform().transform
    low, high = (float(scale([end])[0]) for end in (left, right))
    for x, said in sorted(marks):
        at, width = (float(scale([x])[0]) - low) / (high - low), 0.017 * len(said)
        flip = at + width > 1 and at - width > 0
        start = at - width if flip else at
        row = next((row for row, end in enumerate(taken) if start > end + 0.01), len(taken))
        taken[row : row + 1] = [at + (0 if flip else width)]
        axes.axvline(x, color=style.SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            said, (x, 0.985 - 0.075 * row), (-4 if flip else 4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
            va="top", ha="right" if flip else "left", fontsize=9, color=style.SOFT, parse_math=False, zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------------ bars


def bars_figure(panel: Bars, lang: str) -> Figure:
    """Groups of bars with their intervals as whiskers: upright, or lying where names are long."""
    groups = [group.say(lang) for group in panel.groups]
    upright = _upright(groups) and not _cramped(panel, lang)
    tall = max((wrapped(said, SIDE_CHARACTERS).count("\n") + 1 for said in groups), default=1)
    lying = 1.0 + len(groups) * (0.14 + ROW_INCHES * max(1, len(panel.series), 0.85 * tall))
    figure, (axes,) = style.column([3.0 if upright else lying])
    if panel.log_y:
        _logarithmic_bars(axes, panel, upright)
    drawn = [_bars(axes, panel, place, look, upright, lang) for place, look in enumerate(looks(panel.series))]
    cross = axes.axhline if upright else axes.axvline
    for place, (y, _) in enumerate(panel.lines):
        drawn.append(cross(y, color=style.INK, linewidth=1.1, linestyle=LEVELS[place % len(LEVELS)], zorder=4))
    names = [*(s.name.say(lang) for s in panel.series), *(f"{said.say(lang)} {short(y, lang)}" for y, said in panel.lines)]
    label = wrapped(panel.y_label.say(lang) + (text("figure.log", lang) if panel.log_y else ""), 40 if upright else TITLE_CHARACTERS)
    style.dress(axes, "", "" if upright else label, label if upright else "", lang)
    _write_powers(axes, lang)
    _name_groups(axes, groups, upright)
    _legend(figure, drawn, names)
    return figure


def _upright(groups: Sequence[str]) -> bool:
    """Whether the names of the groups can stand beside each other, in three lines or, of short ones, some of them."""
    room = TICK_CHARACTERS // max(1, len(groups)) - 1
    words_fit = all(len(word) <= room for said in groups for word in said.split())
    return all(len(said) < 5 for said in groups) or (words_fit and all(wrapped(said, room).count("\n") < 3 for said in groups))


def _values_fit(panel: Bars, lang: str) -> bool:
    """Whether the values of all bars can stand beside each other."""
    values = [math.nan if value is None else value for series in panel.series for value in series.y]
    widest = max((len(short(value, lang)) for value in values), default=0)
    return len(values) <= MANY and widest * DIGIT_INCHES * len(values) <= 0.8 * AXES_INCHES


def _cramped(panel: Bars, lang: str) -> bool:
    """Whether bars lie so that their values can be written: few, and none below zero."""
    values = [value for series in panel.series for value in series.y]
    return len(values) <= MANY and not _values_fit(panel, lang) and all(value is None or value >= 0 for value in values)


def _bars(axes: Axes, panel: Bars, place: int, look: Look, upright: bool, lang: str) -> Any:
    """The bars of one series, for the legend."""
    from matplotlib.patheffects import withStroke

    series, count = panel.series[place], len(panel.series)
    thick = 0.8 / count
    y = doubles(series.y)
    along = np.arange(len(y)) + (place - (count - 1) / 2) * thick
    draw = axes.bar if upright else axes.barh
    bars = draw(along, np.nan_to_num(y), thick * 0.96, color=HUES[look.hue], hatch=HATCHES[place % len(HATCHES)] if count > 1 else "",
                edgecolor="white", linewidth=0.0, zorder=2)  # fmt: skip
    low, high = (doubles(ends) if len(ends) else y for ends in (series.low, series.high))
    if len(series.low) and len(series.high):
        for color, width in (("white", 2.6), (style.INK, 1.0)):
            (axes.vlines if upright else axes.hlines)(along, low, high, color=color, linewidth=width, zorder=3)
    if not upright or _values_fit(panel, lang):
        for at, value, bottom, top in zip(along, y, np.fmin(low, y), np.fmax(high, y), strict=True):
            down = upright and value < 0
            end = 0.0 if math.isnan(value) else float(bottom) if down else float(max(top, 0.0))
            axes.annotate(
                short(value, lang), (at, end) if upright else (end, at), (0, -3 if down else 3) if upright else (3, 0),
                textcoords="offset points", ha="center" if upright else "left", va="center" if not upright else "top" if down else "bottom",
                fontsize=9 if upright else 8.5, color=style.INK, zorder=5, path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )  # fmt: skip
        axes.margins(y=0.13) if upright else axes.margins(x=0.13)
    return bars


def _logarithmic_bars(axes: Axes, panel: Bars, upright: bool) -> None:
    """A logarithmic value axis that begins at a power of ten below all that is shown."""
    every = [value for series in panel.series for value in (*series.y, *series.low, *series.high)] + [y for y, _ in panel.lines]
    positive = [value for value in every if value is not None and 0 < value < math.inf]
    if positive:
        ends = 10 ** math.floor(math.log10(min(positive)) - 0.1), max(positive) * (max(positive) / min(positive)) ** 0.08 * 1.3
        (axes.set_ylim if upright else axes.set_xlim)(*ends)
        _logarithmic(axes, "y" if upright else "x")


def _name_groups(axes: Axes, groups: Sequence[str], upright: bool) -> None:
    if upright:
        every = max(1, math.ceil(sum(len(said) + 1.5 for said in groups) / TICK_CHARACTERS)) if len(groups) > MANY else 1
        room = max(4, TICK_CHARACTERS // max(1, len(groups)) - 1)
        axes.set_xticks(range(0, len(groups), every), [wrapped(said, room) for said in groups[::every]])
    else:
        axes.set_yticks(range(len(groups)), [wrapped(said, SIDE_CHARACTERS) for said in groups])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x", color=style.FAINT, linewidth=0.6)
    axis = axes.xaxis if upright else axes.yaxis
    axis.set_tick_params(length=0, labelcolor=style.INK)
    for said in axis.get_ticklabels():
        said.set_parse_math(False)
    if any(line < 0 for line in (axes.get_ylim() if upright else axes.get_xlim())):
        (axes.axhline if upright else axes.axvline)(0, color=style.SOFT, linewidth=0.6, zorder=3)


# ------------------------------------------------------------------------------------------------- numbers and the legend


def short(value: float, lang: str) -> str:
    """A value at the end of a bar: three figures, its whole part complete; "–" where there is none."""
    return number(float(f"{value:.3g}") if not abs(value) >= 100 else round(value), lang)


def _legend(figure: Figure, drawn: Sequence[Any], names: Sequence[str]) -> None:
    """What is what, above the axes, in as many columns as there is room for; the figure grows by its rows."""
    said = [wrapped(name, TICK_CHARACTERS) for name in names]
    for columns in range(len(said), 0, -1):
        rows = -(-len(said) // columns)
        order = [row * columns + column for column in range(columns) for row in range(rows)]  # matplotlib fills column by column
        order = [place for place in order if place < len(said)]
        found = figure.legend(
            [drawn[place] for place in order], [said[place] for place in order], loc="outside upper left", ncols=columns,
            frameon=False, fontsize=9.5, handlelength=2.4, handletextpad=0.5, columnspacing=1.3, borderaxespad=0.6, borderpad=0.1,
            labelspacing=0.25,
        )  # fmt: skip
        for words in found.get_texts():
            words.set_parse_math(False)
            words.set_color(style.INK)
        if columns == 1 or found.get_window_extent().width < figure.bbox.width:
            lines = rows + max((name.count("\n") for name in said), default=0)
            figure.set_figheight(figure.get_figheight() + 0.19 * lines)
            return
        found.remove()
