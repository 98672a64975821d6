"""Panels as a PNG figure: the same numbers and looks as on a page, each one column wide, on a sheet of sensible shape."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.texts import number, text
from latentlab.show.charts.panels import Bars, Lines, Look, Panel, Pictures, Series, Values, looks
from latentlab.show.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MARGIN_INCHES = 0.08
TALLEST = 2.4  # a sheet's height, in its widths
TITLE_CHARACTERS, TICK_CHARACTERS = 58, 56  # of a line across the column
HATCHES = ("", "////", "---", "..", "xxx", "|||")
LEVELS: tuple[Any, ...] = ((0, (5, 2)), (0, (1.2, 1.8)), (0, (8, 2, 1.2, 2)))
SIDE_CHARACTERS = 24  # of a name beside bars that lie
ROW_INCHES = 0.19  # of a bar that lies
AXES_INCHES, DIGIT_INCHES = 4.5, 0.078  # width of the axes, and of a digit of a value
MANY = 12  # bars whose values are written and whose groups are all named
FEW = 40  # points that are all marked
TICKS: dict[str, Any] = {"most": 7, "fives": 10**2.5, "threes": 10**3.5}  # of a logarithmic axis

Doubles = NDArray[np.float64]
Strip = NDArray[np.uint8]  # [H, W, 3], as wide as the column


def draw_panels(panels: Sequence[Panel | Figure], path: Path, lang: str, **facts: Any) -> Path:
    """Draw panels, or figures one column wide, as a PNG in a language, and return its path; `facts` are those of `style.save`.

    Pictures are enlarged by a whole number, pixel by pixel.

    Raises ValueError where there is no panel.
    """
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("a figure needs at least one panel")
    sheet = _laid_out([np.concatenate(_strips(panel, lang)) for panel in panels])
    height, width, _ = sheet.shape
    figure = Figure(figsize=(width / style.DPI, height / style.DPI), dpi=style.DPI)
    figure.figimage(sheet, 0, 0, origin="upper")
    return style.save(figure, path, lang, **facts)


def _laid_out(blocks: Sequence[Strip]) -> Strip:
    """Panels of one width in columns of about one height, read down each, so many that the sheet is no strip."""
    tall, wide = sum(map(len, blocks)), blocks[0].shape[1]
    most, done = math.ceil(math.sqrt(tall / wide / TALLEST)), 0
    columns: list[list[Strip]] = [[]]
    for block in blocks:
        if columns[-1] and done + len(block) / 2 > len(columns) * tall / most:
            columns.append([])
        columns[-1].append(block)
        done += len(block)
    joined = [np.concatenate(column) for column in columns]
    height = max(map(len, joined))
    return np.concatenate([np.pad(column, ((0, height - len(column)), (0, 0), (0, 0)), constant_values=255) for column in joined], 1)


def _strips(panel: Panel | Figure, lang: str) -> list[Strip]:
    if not isinstance(panel, Panel):
        return [rendered(panel)]
    title = _words(panel.title.say(lang), heading=True)
    match panel:
        case Lines():
            return [title, rendered(lines_figure(panel, lang))]
        case Bars():
            return [title, rendered(bars_figure(panel, lang))]
        case Pictures():
            pairs = [(_words(caption.say(lang)), _picture(png)) for caption, png in panel.items]
            return [title, *(strip for pair in pairs for strip in pair)]


def rendered(figure: Figure) -> Strip:
    """The pixels of a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _words(words: str, heading: bool = False) -> Strip:
    """A heading or a caption as a strip of its own."""
    from matplotlib.figure import Figure

    said = wrapped(words[:1].upper() + words[1:] if heading else words)
    size = 10.5 if heading else 9.5
    height = (said.count("\n") + 1) * 1.3 * size / 72 + (0.14 if heading else 0.08)
    figure = Figure(figsize=(style.WIDTH_INCHES, height), dpi=style.DPI, facecolor="white")
    figure.text(
        MARGIN_INCHES / style.WIDTH_INCHES, 0.03 / height, said, va="bottom", ha="left", fontsize=size,
        fontweight="bold" if heading else "normal", color=style.INK, parse_math=False, linespacing=1.15,
    )  # fmt: skip
    return rendered(figure)


def _picture(png: bytes) -> Strip:
    """A picture as wide as whole pixels allow, with air under it; one that is wider than the column is made smaller."""
    width, margin = round(style.WIDTH_INCHES * style.DPI), round(MARGIN_INCHES * style.DPI)
    with Image.open(io.BytesIO(png)) as file:
        picture = file.convert("RGB")
    room = width - 2 * margin
    if picture.width > room:
        picture = picture.resize((room, max(1, round(picture.height * room / picture.width))), Image.Resampling.BOX)
    zoom = room // picture.width
    pixels = np.asarray(picture).repeat(zoom, 0).repeat(zoom, 1)
    strip = np.full((pixels.shape[0] + margin, width, 3), 255, np.uint8)
    strip[: pixels.shape[0], margin : margin + pixels.shape[1]] = pixels
    return strip


def wrapped(words: str, characters: int = TITLE_CHARACTERS) -> str:
    """Words in lines of at most so many characters."""
    return "\n".join(textwrap.wrap(words, characters, break_long_words=True)) or words


def doubles(values: Values) -> Doubles:
    """Values as an array; None is NaN."""
    return np.array(values, np.float64)


def lines_figure(panel: Lines, lang: str) -> Figure:
    """Lines over a numeric axis with their intervals as bands."""
    figure, (axes,) = style.column([3.1])
    given = [doubles(series.x) for series in panel.series]
    places = np.unique(np.concatenate([x[np.isfinite(x)] for x in given])) if given else np.empty(0)
    equal = panel.log_x and bool((places <= 0).any())  # a tick for each x at equal distances, since 0 has no logarithm

    def along(x: Any) -> Any:
        return np.searchsorted(places, x).astype(np.float64) if equal else x

    lines = [_line(axes, series, along(x), look) for series, x, look in zip(panel.series, given, looks(panel.series), strict=True)]
    heights = [value for series in panel.series for value in (*series.y, *series.low) if value is not None and math.isfinite(value)]
    if panel.log_y and heights and max(heights) > 0:
        style.logarithmic(axes, "y", **TICKS)
    elif heights and panel.y_label.key == "figure.nats":
        style.scale_from_zero(axes, lang)
    elif heights and 0 <= min(heights) < 0.3 * max(heights):
        axes.set_ylim(bottom=0)
    if panel.log_x and not equal and len(places):
        style.logarithmic(axes, "x", **TICKS)
    if not heights:
        style.say_empty(axes, text("chart.none", lang))
    x_label = style.axis_label(panel.x_label.say(lang), panel.log_x and not equal, lang)
    style.dress(axes, "", x_label, style.axis_label(panel.y_label.say(lang), panel.log_y, lang), lang, powers=True)
    _legend(figure, lines, [series.name.say(lang) for series in panel.series])
    if equal:
        every = max(1, math.ceil(sum(len(number(x, lang)) + 3 for x in places) / TICK_CHARACTERS))
        axes.set_xticks(range(0, len(places), every), [number(x, lang) for x in places[::every]])
    _marks(axes, [(float(along(x)), said.say(lang)) for x, said in panel.marks])
    return figure


def _line(axes: Axes, series: Series, x: Doubles, look: Look) -> Any:
    """A line, which is returned, its marks, its band; a point between two gaps and the interval of a single point are seen, too."""
    y, color = doubles(series.y), style.HUES[look.hue]
    (line,) = axes.plot(
        x, y, color=color, linestyle=style.DASHES[look.dash], linewidth=1.7 if len(y) <= 400 else 0.9, marker=style.MARKS[look.mark],
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


def _marks(axes: Axes, marks: Sequence[tuple[float, str]]) -> None:
    """What happened at a place: a line and words in as many rows as keep them apart."""
    from matplotlib.patheffects import withStroke

    row_ends: list[float] = []  # where the words of each row end, in shares of the width
    scale = axes.xaxis.get_transform().transform
    low, high = (float(scale([end])[0]) for end in axes.get_xlim())
    for x, said in sorted(marks):
        at, width = (float(scale([x])[0]) - low) / (high - low), 0.017 * len(said)
        flip = at + width > 1 and at - width > 0
        start = at - width if flip else at
        row = next((row for row, end in enumerate(row_ends) if start > end + 0.01), len(row_ends))
        row_ends[row : row + 1] = [at + (0 if flip else width)]
        axes.axvline(x, color=style.SOFT, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            said, (x, 0.985 - 0.075 * row), (-4 if flip else 4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
            va="top", ha="right" if flip else "left", fontsize=9, color=style.SOFT, parse_math=False, zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def bars_figure(panel: Bars, lang: str) -> Figure:
    """Groups of bars with their intervals as whiskers: upright, or lying where names or the values of a few bars are long."""
    groups = [group.say(lang) for group in panel.groups]
    values = [value for series in panel.series for value in series.y]
    widest = max((len(short(value, lang)) for value in doubles(values)), default=0)
    fit = widest * DIGIT_INCHES * len(values) <= 0.8 * AXES_INCHES  # the values beside each other
    lie_for_values = len(values) <= MANY and not fit and all(value is None or value >= 0 for value in values)
    upright = _stand(groups) and not lie_for_values
    tall = max((wrapped(said, SIDE_CHARACTERS).count("\n") + 1 for said in groups), default=1)
    lying = 1.0 + len(groups) * (0.14 + ROW_INCHES * max(1, len(panel.series), 0.85 * tall))
    figure, (axes,) = style.column([3.0 if upright else lying])
    if panel.log_y:
        _logarithmic_bars(axes, panel, upright)
    written = not upright or (fit and len(values) <= MANY)
    drawn = [_bars(axes, panel, index, look, upright, written, lang) for index, look in enumerate(looks(panel.series))]
    across = axes.axhline if upright else axes.axvline
    for index, (y, _) in enumerate(panel.lines):
        drawn.append(across(y, color=style.INK, linewidth=1.1, linestyle=LEVELS[index % len(LEVELS)], zorder=4))
    names = [*(s.name.say(lang) for s in panel.series), *(f"{said.say(lang)} {short(y, lang)}" for y, said in panel.lines)]
    label = wrapped(style.axis_label(panel.y_label.say(lang), panel.log_y, lang))
    style.dress(axes, "", "" if upright else label, label if upright else "", lang, powers=True)
    _name_groups(axes, groups, upright)
    if any(end < 0 for end in (axes.get_ylim() if upright else axes.get_xlim())):
        across(0, color=style.SOFT, linewidth=0.6, zorder=3)
    _legend(figure, drawn, names)
    return figure


def _stand(groups: Sequence[str]) -> bool:
    """Whether the names of the groups can stand beside each other, in three lines or, of short ones, some of them."""
    room = TICK_CHARACTERS // max(1, len(groups)) - 1
    words_fit = all(len(word) <= room for said in groups for word in said.split())
    return all(len(said) < 5 for said in groups) or (words_fit and all(wrapped(said, room).count("\n") < 3 for said in groups))


def _bars(axes: Axes, panel: Bars, index: int, look: Look, upright: bool, written: bool, lang: str) -> Any:
    """The bars, or dots on a logarithmic axis, of one series, for the legend; `written` with their values at their ends."""
    from matplotlib.patheffects import withStroke

    series, count = panel.series[index], len(panel.series)
    thick = 0.8 / count
    y = doubles(series.y)
    along = np.arange(len(y)) + (index - (count - 1) / 2) * thick
    draw, whiskers = (axes.bar, axes.vlines) if upright else (axes.barh, axes.hlines)
    bars: Any
    if panel.log_y:  # dots: the length of a bar says nothing where its base is arbitrary
        mark: dict[str, Any] = {"marker": style.MARKS[look.mark], "markersize": 7, "markeredgecolor": "white", "markeredgewidth": 0.7}
        [bars] = axes.plot(*((along, y) if upright else (y, along)), linestyle="", color=style.HUES[look.hue], zorder=4, **mark)
    else:
        bars = draw(along, np.nan_to_num(y), thick * 0.96, color=style.HUES[look.hue], linewidth=0.0, zorder=2, edgecolor="white",
                    hatch=HATCHES[index % len(HATCHES)] if count > 1 else "")  # fmt: skip
    low, high = (doubles(ends) if len(ends) else y for ends in (series.low, series.high))
    if len(series.low) and len(series.high):
        for color, width in (("white", 2.6), (style.INK, 1.0)):
            whiskers(along, low, high, color=color, linewidth=width, zorder=3)
    away = 6 if panel.log_y else 3  # points between a value and what it stands at
    if written:
        for at, value, bottom, top in zip(along, y, np.fmin(low, y), np.fmax(high, y), strict=True):
            down = upright and value < 0
            end = 0.0 if math.isnan(value) else float(bottom) if down else float(max(top, 0.0))
            axes.annotate(
                short(value, lang), (at, end) if upright else (end, at), (0, -away if down else away) if upright else (away, 0),
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
        style.logarithmic(axes, "y" if upright else "x", **TICKS)


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
    style.verbatim(axis.get_ticklabels())


def short(value: float, lang: str) -> str:
    """A value at the end of a bar: three figures, its whole part complete; "–" where there is none."""
    return number(float(f"{value:.3g}") if not abs(value) >= 100 else round(value), lang)


def _legend(figure: Figure, drawn: Sequence[Any], names: Sequence[str]) -> None:
    """What is what, above the axes, in as many columns as there is room for; the figure grows by its rows."""
    said = [wrapped(name, TICK_CHARACTERS) for name in names]
    placed = {"loc": "outside upper left", "handlelength": 2.4, "borderaxespad": 0.6, "borderpad": 0.1, **style.NARROW}
    for columns in range(len(said), 0, -1):
        legend = style.legend(figure, drawn, said, columns, **placed)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            lines = -(-len(said) // columns) + max(name.count("\n") for name in said)
            figure.set_figheight(figure.get_figheight() + 0.19 * lines)
            return
        legend.remove()
