"""Measures along a swept field.

A panel a measure. The field's values stand along x, with mean and standard deviation over seeds; where more than one
field was swept, each combination of the others is a line of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from latentlab.base.texts import number, text
from latentlab.measure.table import panels, reach, score_of
from latentlab.show.figures import comparison, style
from latentlab.show.figures.comparison import Group, Score, extent, shortened, single_seeds, wide
from latentlab.show.palette import hues

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HEIGHT = 2.35  # inches of a panel
MARKS, DASHES = "osD^vPX*", ("-", (0, (5, 2)), (0, (1.5, 1.5)))
APART, SPREAD = 4.5, 12.0  # points between the marks of two lines at one value, and of all of them at most

Value = Any


class Line(NamedTuple):
    """The groups that share all but the field on x, and how they look."""

    name: str
    points: list[tuple[Value, Group]]  # (the field's value, the group), in the order of the values
    color: str
    mark: str
    dash: Any


def draw_swept(compared: Mapping[str, Any], field: str, path: Path, lang: str = "en", caption: str = "") -> Path | None:
    """by-FIELD.png from a comparison whose "swept" names each field's values and whose groups have them as "settings"."""
    groups = list(compared["groups"].values())
    shown = panels(groups)
    if not shown:
        return None
    values = [value for value in compared["swept"][field] if any(group["settings"].get(field) == value for group in groups)]
    drawn = lines(compared, field)
    rows = -(-len(shown) // comparison.COLUMNS)
    top = 0.42 + 0.24 * (-(-len(drawn) // 3) if len(drawn) > 1 else 0)
    height = rows * HEIGHT + top + 0.25
    figure, axes = comparison.sheet(len(shown), comparison.COLUMNS, rows, height, top)
    for panel, measure in zip(axes, shown, strict=True):
        draw_panel(panel, drawn, values, measure, field.rpartition(".")[2], lang)
    comparison.key(figure, groups, shown, lang)
    if len(drawn) > 1:
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], color=o.color, marker=o.mark, linestyle=o.dash, markersize=5.5, linewidth=1.3) for o in drawn]
        names = [shortened(line.name, 44) for line in drawn]
        style.legend(figure, handles, names, 3, by_row=False, bbox_to_anchor=(0, 1 - 0.34 / height), **comparison.KEY)
    comparison.below(figure, caption)
    return style.save(figure, path, lang)


def lines(compared: Mapping[str, Any], field: str) -> list[Line]:
    """The groups as lines along a field, named by what else was swept: steps of their family, marks and dashes in turn.

    Of trials that were drawn at random, or are left of others, each differs in all fields: they are points.
    """
    alone = bool(compared.get("search"))
    others = [] if alone else [name for name in compared["swept"] if name != field]
    points: dict[str, list[tuple[Value, Group]]] = {}
    for group in compared["groups"].values():
        name = ", ".join(f"{other.rpartition('.')[2]} {spelled(group['settings'].get(other))}" for other in others)
        points.setdefault(name, []).append((group["settings"].get(field), group))
    order = compared["swept"][field]
    dashes = itertools.cycle(["none"] if alone else [dash for dash in DASHES for _ in MARKS])
    kinds = [str(own[0][1].get("kind")) for own in points.values()]
    steps = hues(kinds) if {*kinds} <= {*style.FAMILY} and len(kinds) > 1 else []
    looks = zip([style.HUES[hue] for hue in steps] or itertools.cycle(style.CLASSES), itertools.cycle(MARKS), dashes)
    return [
        Line(name, sorted(own, key=lambda point: order.index(point[0])), *look)
        for (name, own), look in zip(points.items(), looks, strict=False)
    ]


def spelled(value: Value) -> str:
    """A field's value as the command line writes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else Path(value).name if isinstance(value, str) and "/" in value else str(value)


def draw_panel(panel: Axes, drawn: Sequence[Line], values: Sequence[Value], measure: str, field: str, lang: str) -> None:
    """One measure along the field."""
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    x_of = {spelled(value): float(value) if numeric else float(index) for index, value in enumerate(values)}
    scores: list[Score] = []
    for index, line in enumerate(drawn):
        points = [(x_of[spelled(value)], score) for value, group in line.points if (score := score_of(group, measure)) is not None]
        gap = min(APART, SPREAD / max(1, len(drawn) - 1))
        draw_line(panel, line, points, gap * (index - (len(drawn) - 1) / 2), numeric)
        scores += [score for _, score in points]
    floors = comparison.draw_floors(panel.axhline, scores)
    way = comparison.better(scores)
    if ends := [end for score in scores for end in extent(score)] + floors:
        comparison.fit(panel, "y", ends, way != "higher" and wide(ends), (0.08, 0.1), 5)
    style.dress(panel, "", field, text(f"compare.axis.up.{way}", lang) if way else "", lang)
    comparison.title_in_panel(panel, measure, scores, lang)
    panel.xaxis.label.set_fontsize(9.3)
    panel.yaxis.label.set_fontsize(8.6)
    panel.yaxis.label.set_color(style.SOFT)
    panel.tick_params(labelsize=8.8)
    _name_values(panel, x_of, numeric, lang)


def draw_line(panel: Axes, line: Line, points: Sequence[tuple[float, Score]], shift: float, numeric: bool) -> None:
    """A line through (x, score), `shift` points to the right: means with bars, single seeds behind; an infinite mean as a sign on top."""
    from matplotlib.transforms import ScaledTranslation

    shifted = panel.transData + ScaledTranslation(shift / 72, 0, panel.figure.dpi_scale_trans)
    for x, score in points:
        seeds = single_seeds(score)
        panel.plot(
            [x] * len(seeds), seeds, linestyle="", marker=line.mark, color=line.color, markersize=3.2, alpha=0.4, markeredgewidth=0,
            transform=shifted,
        )  # fmt: skip
        if score["value"] is None:
            panel.text(x, 0.97, "∞", transform=panel.get_xaxis_transform(), ha="center", va="top", fontsize=10, color=line.color)
    finite = [(x, score) for x, score in points if score["value"] is not None]
    bars = [[reach(score)[side] for _, score in finite] for side in (0, 1)]
    panel.errorbar(
        [x for x, _ in finite], [score["value"] for _, score in finite], yerr=bars, color=line.color, marker=line.mark, markersize=5.5,
        linestyle=line.dash if numeric or line.dash == "none" else ":", linewidth=1.3, elinewidth=1.4, capsize=2.6,
        markeredgecolor="white", markeredgewidth=0.6, zorder=3, transform=shifted,
    )  # fmt: skip


def _name_values(panel: Axes, x_of: Mapping[str, float], numeric: bool, lang: str) -> None:
    """A tick at each value: on an axis of numbers (logarithmic over more than a decade), else side by side by name."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = list(x_of.values())
    low, high = min(ticks), max(ticks)
    names = [number(x, lang) for x in ticks] if numeric else [shortened(name, max(6, 30 // len(x_of))) for name in x_of]
    if numeric and wide(ticks):
        panel.set_xscale("log")
        factor = (high / low) ** 0.09
        panel.set_xlim(low / factor, high * factor)
        gaps = [math.log(b / a) / math.log(high / low) for a, b in itertools.pairwise(ticks)]
    else:
        span = high - low
        air = 0.09 * span if numeric and span else 0.5
        panel.set_xlim(low - air, high + air)
        gaps = [(b - a) / (span or 1.0) for a, b in itertools.pairwise(ticks)]
    room = 0.0
    for index, gap in enumerate(gaps if numeric else [], 1):  # a name that would touch the one before it is left out
        room += gap
        if room > 0.045 * (1 + len(names[index])):
            room = 0.0
        else:
            names[index] = ""
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_major_formatter(FixedFormatter(names))
    panel.xaxis.set_minor_locator(NullLocator())
    style.verbatim(panel.get_xticklabels())
