"""What a swept field does: a panel a measure, the field's values along x, mean and standard deviation over seeds.

Where more than one field was swept, each combination of the others is a line of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from latentlab.base.texts import number, text
from latentlab.measure.table import panels, reach, score_of
from latentlab.show.figures import style
from latentlab.show.figures.comparison import below, key, plain_log_ticks, shortened, title_in_panel, wide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform


COLUMNS = 3
WIDTH, HEIGHT = 9.2, 2.35  # inches of the figure, of a panel
MARKS, DASHES = "osD^vPX*", ("-", (0, (5, 2)), (0, (1.5, 1.5)))
APART, SPREAD = 4.5, 12.0  # points between the marks of two lines at one value, and of all of them at most

Value = Any


class Line(NamedTuple):
    """The groups that share all but the field on x."""

    name: str
    points: list[tuple[Value, Mapping[str, Any]]]  # (the field's value, the group), in the order of the values


def draw_swept(compared: Mapping[str, Any], field: str, path: Path, lang: str = "en", caption: str = "") -> Path | None:
    """by-FIELD.png from a comparison whose "swept" names each field's values and whose groups have them as "settings"."""
    from matplotlib.figure import Figure

    groups = list(compared["groups"].values())
    shown = panels(groups)
    if not shown:
        return None
    values = [value for value in compared["swept"][field] if any(group["settings"].get(field) == value for group in groups)]
    drawn = lines(compared, field)
    rows = -(-len(shown) // COLUMNS)
    legend_rows = -(-len(drawn) // 3) if len(drawn) > 1 else 0
    top = 0.42 + 0.24 * legend_rows
    height = rows * HEIGHT + top + 0.25
    figure = Figure(figsize=(WIDTH, height), dpi=style.DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08, rect=(0, 0, 1, 1 - top / height))  # type: ignore[union-attr,call-arg]
    for place, panel in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).flat):
        if place >= len(shown):
            panel.set_axis_off()
            continue
        last_of_column = place + COLUMNS >= len(shown)
        draw_panel(panel, drawn, values, shown[place], field.rpartition(".")[2] if last_of_column else "", lang)
    key(figure, groups, shown, lang)
    if len(drawn) > 1:
        _lines_key(figure, drawn, 1 - 0.34 / height)
    below(figure, caption)
    return style.save(figure, path, lang)


def lines(compared: Mapping[str, Any], field: str) -> list[Line]:
    """The groups as lines along a field, named by what else was swept."""
    others = [name for name in compared["swept"] if name != field]
    found: dict[str, Line] = {}
    for group in compared["groups"].values():
        name = ", ".join(f"{other.rpartition('.')[2]} {spelled(group['settings'].get(other))}" for other in others)
        found.setdefault(name, Line(name, [])).points.append((group["settings"].get(field), group))
    order = compared["swept"][field]
    return [Line(line.name, sorted(line.points, key=lambda point: order.index(point[0]))) for line in found.values()]


def spelled(value: Value) -> str:
    """A field's value as the command line writes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else Path(value).name if isinstance(value, str) and "/" in value else str(value)


def draw_panel(panel: Axes, drawn: Sequence[Line], values: Sequence[Value], measure: str, field: str, lang: str) -> None:
    """One measure along the field."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    places = {spelled(value): float(value) if numeric else float(place) for place, value in enumerate(values)}
    scores = []
    for number_, line in enumerate(drawn):
        held = [(places[spelled(value)], score) for value, group in line.points if (score := score_of(group, measure)) is not None]
        draw_line(panel, held, number_, len(drawn), numeric)
        scores += [score for _, score in held]
    floors = sorted({score["floor"] for score in scores if score.get("floor") is not None})
    for floor in floors[:1] + floors[1:][-1:]:
        panel.axhline(floor, color=style.SOFT, linewidth=1.1, linestyle=(0, (4, 2.4)), zorder=1)
    way = next((score["better"] for score in scores if "better" in score), None)
    _dress(panel, measure, field, text(f"compare.axis.up.{way}", lang) if way else "", lang)
    _scale(panel, [end for score in scores for end in ends(score)] + floors, way != "higher", lang)
    _places(panel, places, numeric, lang)


def draw_line(panel: Axes, held: Sequence[tuple[float, Mapping[str, Any]]], number_: int, count: int, numeric: bool) -> None:
    """One of `count` lines through (x, score): means with bars, single seeds behind; an infinite mean by its sign at the top."""
    apart = min(APART, SPREAD / max(1, count - 1))
    shift = _shifted(panel, apart * (number_ - (count - 1) / 2))
    color, mark, dash = look(number_)
    for x, score in held:
        seeds = _seeds(score)
        panel.plot(
            [x] * len(seeds), seeds, linestyle="", marker=mark, color=color, markersize=3.2, alpha=0.4, markeredgewidth=0, transform=shift
        )
        if score["value"] is None:
            panel.text(x, 0.97, "∞", transform=panel.get_xaxis_transform(), ha="center", va="top", fontsize=10, color=color)
    finite = [(x, score) for x, score in held if score["value"] is not None]
    below_, above = [reach(score)[0] for _, score in finite], [reach(score)[1] for _, score in finite]
    panel.errorbar(
        [x for x, _ in finite], [score["value"] for _, score in finite], yerr=[below_, above], color=color, marker=mark, markersize=5.5,
        linestyle=dash if numeric else ":", linewidth=1.3, elinewidth=1.4, capsize=2.6, markeredgecolor="white", markeredgewidth=0.6,
        zorder=3, transform=shift,
    )  # fmt: skip


def look(number_: int) -> tuple[str, str, Any]:
    """Colour, mark and dashes of the lines in turn."""
    return style.CLASSES[number_ % len(style.CLASSES)], MARKS[number_ % len(MARKS)], DASHES[number_ // len(MARKS) % len(DASHES)]


def _seeds(score: Mapping[str, Any]) -> list[float]:
    return [value for value in score["values"] if value is not None] if score["seeds"] > 1 else []


def ends(score: Mapping[str, Any]) -> list[float]:
    """Every height that a score is drawn at: its bar's ends and its seeds."""
    if score["value"] is None:
        return _seeds(score)
    low, high = reach(score)
    return [score["value"] - low, score["value"] + high, *_seeds(score)]


def _shifted(panel: Axes, points: float) -> Transform:
    from matplotlib.transforms import ScaledTranslation

    return panel.transData + ScaledTranslation(points / 72, 0, panel.figure.dpi_scale_trans)


def _dress(panel: Axes, measure: str, field: str, better: str, lang: str) -> None:
    style.dress(panel, "", field, better, lang)
    title_in_panel(panel, measure, lang)
    panel.xaxis.label.set_fontsize(9.3)
    panel.yaxis.label.set_fontsize(8.6)
    panel.yaxis.label.set_color(style.SOFT)
    panel.tick_params(labelsize=8.8)


def _scale(panel: Axes, drawn: Sequence[float], may_be_log: bool, lang: str) -> None:
    """A y axis that holds everything drawn; logarithmic over more than a decade of positive values, but never for shares."""
    from matplotlib.ticker import MaxNLocator

    if not drawn:
        return
    low, high = min(drawn), max(drawn)
    if may_be_log and wide(drawn):
        air = (high / low) ** 0.08
        panel.set_ylim(low / air, high * air)
        plain_log_ticks(panel, "y", lang)
        return
    air = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    panel.set_ylim(-0.03 * high if 0 <= low < 0.35 * high else low - air, high + air)
    panel.yaxis.set_major_locator(MaxNLocator(5))


def _places(panel: Axes, places: Mapping[str, float], numeric: bool, lang: str) -> None:
    """A tick at each value: on an axis of numbers (logarithmic over more than a decade), else side by side by name."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    at = list(places.values())
    names = [number(x, lang) for x in at] if numeric else [shortened(name, max(6, 30 // len(places))) for name in places]
    if numeric and wide(at):
        panel.set_xscale("log")
        reach_ = (max(at) / min(at)) ** 0.09
        panel.set_xlim(min(at) / reach_, max(at) * reach_)
        gaps = [math.log(b / a) / math.log(max(at) / min(at)) for a, b in itertools.pairwise(at)]
    else:
        span = max(at) - min(at)
        air = 0.09 * span if numeric and span else 0.5
        panel.set_xlim(min(at) - air, max(at) + air)
        gaps = [(b - a) / (span or 1.0) for a, b in itertools.pairwise(at)]
    if numeric:  # a name that would touch the one before it is left out
        clear = [True]
        room = 0.0
        for gap, name in zip(gaps, names[1:], strict=True):
            room += gap
            clear.append(room > 0.045 * (1 + len(name)))
            room = 0.0 if clear[-1] else room
        names = [name if keep else "" for name, keep in zip(names, clear, strict=True)]
    panel.xaxis.set_major_locator(FixedLocator(at))
    panel.xaxis.set_major_formatter(FixedFormatter(names))
    panel.xaxis.set_minor_locator(NullLocator())
    for words in panel.get_xticklabels():
        words.set_parse_math(False)


def _lines_key(figure: Figure, drawn: Sequence[Line], top: float) -> None:
    """Which line is which combination of the other fields."""
    from matplotlib.lines import Line2D

    looks = [look(number_) for number_ in range(len(drawn))]
    handles = [Line2D([], [], color=color, marker=mark, linestyle=dash, markersize=5.5, linewidth=1.3) for color, mark, dash in looks]
    found = figure.legend(
        handles, [shortened(line.name, 44) for line in drawn], loc="upper left", bbox_to_anchor=(0, top), ncols=3, frameon=False,
        fontsize=9, handlelength=2.2, columnspacing=1.8, borderaxespad=0.5,
    )  # fmt: skip
    for words in found.get_texts():
        words.set_parse_math(False)
        words.set_color(style.INK)
