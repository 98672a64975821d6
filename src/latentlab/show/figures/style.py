"""The one look of every figure: colours that colour-blind readers tell apart, type, axes. Matplotlib loads when first drawn with.

Figures are one column wide and panels stand above each other, so that the text stays readable on a phone.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.files import replace_with
from latentlab.base.texts import number, text
from latentlab.show.charts.panels import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


INK, SOFT, FAINT = "#1c1c1c", "#5f5f5f", "#e4e4e4"
# Okabe & Ito 2008, without the yellow, which white paper swallows.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#B8578E", "#56B4E9", "#E69F00"
FAMILY = {"ae": VERMILION, "vae": BLUE, "gan": GREEN, "gan-from-vae": PURPLE}
# Petroff 2021: ten colours chosen by accessibility; cycled, with other marks, where there are more classes.
CLASSES = ("#3f90da", "#bd1f01", "#5d7a2f", "#832db6", "#e76300", "#717581", "#a96b59", "#0a8a8a", "#d94fa0", "#b38600")
WIDTH_INCHES, DPI = 5.2, 160
LEGEND_CHARACTERS = 58  # in one row beside each other, a line and its gaps counting for five
SWATCH = 3.0  # width of a legend entry that stands for a colour


def column(heights: Sequence[float], share_x: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure one column wide with panels of these heights in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.09, w_pad=0.06)  # type: ignore[union-attr,call-arg]
    panels = figure.subplots(len(heights), 1, sharex=share_x, squeeze=False, height_ratios=list(heights))
    return figure, [panel for (panel,) in panels]


def dress(panel: Axes, title: str, x: str, y: str, lang: str) -> None:
    """Titles, thin axes on two sides, faint lines to read values by, numbers as the language writes them."""
    from matplotlib.ticker import FuncFormatter

    panel.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=9 + 15 * legend(panel), parse_math=False)
    panel.set_xlabel(x, fontsize=10, color=INK, parse_math=False)
    panel.set_ylabel(y, fontsize=10, color=INK, parse_math=False)
    panel.tick_params(labelsize=9.5, colors=SOFT, width=0.6, length=3)
    for side, spine in panel.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color(SOFT)
    panel.grid(visible=True, axis="y", color=FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, lang)))


def legend(panel: Axes) -> int:
    """What the lines are, between title and panel, where no line runs. Returns the rows that it takes.

    Where one row is too short for all, colours (heavy entries) stand in the first and line styles in the second.
    """
    handles, labels = panel.get_legend_handles_labels()
    if not labels:
        return 0
    columns = len(labels)
    if sum(5 + len(label) for label in labels) > LEGEND_CHARACTERS:
        columns = max(2, sum(getattr(handle, "get_linewidth", lambda: 0.0)() == SWATCH for handle in handles))
    rows = math.ceil(len(labels) / columns)
    order = [row * columns + column for column in range(columns) for row in range(rows)]  # matplotlib fills column by column
    order = [place for place in order if place < len(labels)]
    found = panel.legend(
        [handles[place] for place in order], [labels[place] for place in order],
        loc="lower left", bbox_to_anchor=(-0.01, 0.985), ncols=columns, frameon=False, fontsize=9.5,
        handlelength=1.5, handletextpad=0.5, columnspacing=1.3, borderaxespad=0.1, labelspacing=0.25,
    )  # fmt: skip
    for words in found.get_texts():
        words.set_parse_math(False)
        words.set_color(INK)
    return rows


Line = tuple[NDArray[np.float64], NDArray[np.float64]]


def draw_line(panel: Axes, line: Line, color: str, label: str, held_out: bool) -> bool:
    """A line over epochs: held-out values heavy with dots, training values thin. False when there is nothing to draw."""
    x, y = line
    if not np.isfinite(y).any():
        return False
    dots = held_out or np.isfinite(y).sum() < 3
    every = max(1, len(x) // 25)
    panel.plot(
        x, y, color=color, label=label, linewidth=1.7 if held_out else 1.0, alpha=1.0 if held_out else 0.65,
        marker="o" if dots else "", markersize=3.4, markevery=every, zorder=3 if held_out else 2,
    )  # fmt: skip
    return True


def values_of(panel: Axes) -> NDArray[np.float64]:
    """Every finite value drawn in a panel, and the epochs they belong to: [2, M]."""
    lines = [np.stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)]) for line in panel.lines]
    every = np.concatenate(lines, axis=1) if lines else np.empty((2, 0))
    return every[:, np.isfinite(every).all(0)]


def scale_log(panel: Axes) -> bool:
    """A logarithmic axis where positive values span more than a factor of five; whether it is one."""
    from matplotlib.ticker import LogLocator, NullFormatter

    _, y = values_of(panel)
    if not len(y) or y.min() <= 0 or y.max() / y.min() < 5:
        return False
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.tick_params(axis="y", which="minor", length=0)
    return True


def scale_from_zero(panel: Axes, lang: str) -> None:
    """A linear axis from 0 on which the course of training fills the panel; higher first values are told by an arrow."""
    x, y = values_of(panel)
    later = y[x >= max(1.0, 0.03 * x.max())] if len(x) else y
    if len(y) < 4 or len(later) < 2 or y.min() < 0:
        return
    top = 1.12 * float(later.max())
    panel.set_ylim(0, top)
    if y.max() > top:
        first = text("figure.first", lang, value=number(round(float(y.max())), lang))
        panel.text(0.14, 0.985, first, transform=panel.transAxes, ha="left", va="top", fontsize=9, color=SOFT)


def say_empty(panel: Axes, words: str) -> None:
    """A panel that has nothing to show says so."""
    panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", va="center", fontsize=10, color=SOFT, parse_math=False)


def save(figure: Figure, path: Path, lang: str, **facts: Any) -> Path:
    """Write the figure as PNG beside `path` and rename it. Its language and `facts` stand in the file as text chunks."""
    known = {"Language": lang, "Software": "latentlab"} | {name: str(value) for name, value in facts.items()}
    replace_with(path, lambda beside: figure.savefig(beside, format="png", metadata=known))
    return path


# How the series of a panel look, alike in figure files and on pages: a hue, and a dash and a mark so that nothing is
# told by colour alone. No matplotlib here.

KINDS = ("ae", "vae", "gan", "gan-from-vae", "real")
# For series of no family: apart from the families' hues, from each other also for colour-blind readers (by lightness
# too), each at least 3:1 on white. `charts/static/charts.css` has the same, and lighter ones for dark pages.
FREE = ("#473ba3", "#a87208", "#0d8087", "#8c2250", "#66707e", "#6b7a12")
HUES = {**FAMILY, "real": INK} | {str(place): hue for place, hue in enumerate(FREE, 1)}
DASHES = 6  # dash 0 is a solid line
MARKS = 8  # 0 circle, 1 square, 2 triangle, 3 diamond, 4 triangle down, 5 plus, 6 cross, 7 ring


class Look(NamedTuple):
    """`hue` is a key of HUES; `dash` and `mark` count from 0; no two of a panel share hue, dash and mark."""

    hue: str
    dash: int
    mark: int


def looks(series: Sequence[Series]) -> list[Look]:
    """The look of each series of a panel: a kind keeps its hue and mark in every panel, repeated kinds take other dashes.

    >>> from latentlab.show.charts.panels import Phrase
    >>> looks([Series(Phrase("a"), (), kind=kind) for kind in ("vae", "vae", "", "")])
    [Look(hue='vae', dash=0, mark=1), Look(hue='vae', dash=1, mark=0), Look(hue='1', dash=0, mark=2), Look(hue='2', dash=1, mark=3)]
    """
    kept = {KINDS.index(one.kind) for one in series if one.kind}
    free = itertools.cycle([mark for mark in range(MARKS) if mark not in kept])
    seen: Counter[str] = Counter()
    found = []
    for one in series:
        times = seen[one.kind]
        seen[one.kind] += 1
        mark = KINDS.index(one.kind) if one.kind and not times else next(free)
        found.append(Look(one.kind or str(times % len(FREE) + 1), times % DASHES, mark))
    return found
