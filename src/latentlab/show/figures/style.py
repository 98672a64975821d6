"""The one look of every figure: colours that colour-blind readers tell apart, type, axes. Matplotlib loads when first drawn with.

Figures are one column wide and panels stand above each other, so that the text stays readable on a phone.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.files import replace_with
from latentlab.base.texts import RAISED, number, text
from latentlab.show.palette import FAMILIES, colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.text import Text


INK, SOFT, FAINT = "#1c1c1c", "#5f5f5f", "#e4e4e4"
FAMILY = {kind: paper for kind, (paper, _) in FAMILIES.items()}
# Petroff 2021: ten colours chosen by accessibility; cycled, with other marks, where there are more classes.
CLASSES = ("#3f90da", "#bd1f01", "#5d7a2f", "#832db6", "#e76300", "#717581", "#a96b59", "#0a8a8a", "#d94fa0", "#b38600")
WIDTH_INCHES, DPI = 5.2, 160
LEGEND_CHARACTERS = 58  # in one row beside each other, a line and its gaps counting for five
UP_CHARACTERS = 32  # of a line beside an axis
# A legend in a figure one column wide.
NARROW: dict[str, Any] = {"fontsize": 9.5, "handletextpad": 0.5, "columnspacing": 1.3, "labelspacing": 0.25}
# By the hue, the dash and the mark of a `Look`.
HUES = {**colors(), "real": INK}
DASHES: tuple[Any, ...] = ("-", (0, (4.5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)), (0, (2.5, 1.5)), (0, (1.2, 1.5, 4, 1.5)))
MARKS = ("o", "s", "^", "D", "v", "P", "X", "$\\circ$")


def blank(width: float, height: float, **spacing: Any) -> Figure:
    """A white figure of these inches whose panels keep out of each other's way; `spacing` as its layout engine takes it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(**spacing)  # type: ignore[union-attr]
    return figure


def column(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure one column wide with panels of these heights in inches."""
    figure = blank(WIDTH_INCHES, sum(heights), h_pad=0.09, w_pad=0.06)
    panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=list(heights))
    return figure, [panel for (panel,) in panels]


def dress(panel: Axes, title: str, x: str, y: str, lang: str, powers: bool = False) -> None:
    """Titles, thin axes on two sides, faint lines to read values by, numbers as the language writes them.

    `powers`: the far decades of a logarithmic axis are written as powers of ten. After the axes have their scales.
    """
    from matplotlib.ticker import FuncFormatter

    panel.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=9 + 15 * title_legend(panel), parse_math=False)
    panel.set_xlabel(x, fontsize=10, color=INK, parse_math=False)
    panel.set_ylabel("\n".join(textwrap.wrap(y, UP_CHARACTERS)), fontsize=10, color=INK, parse_math=False)
    panel.tick_params(labelsize=9.5, colors=SOFT, width=0.6, length=3)
    for side, spine in panel.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color(SOFT)
    panel.grid(visible=True, axis="y", color=FAINT, linewidth=0.6)
    panel.set_axisbelow(True)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(partial(_tick, lang=lang, powers=powers and axis.get_scale() == "log")))


def _tick(value: float, _: object, lang: str, powers: bool) -> str:
    power = round(math.log10(value)) if powers and value > 0 else 0
    far = not -4 <= power <= 5 and math.isclose(value, 10.0**power)
    return "10" + str(power).translate(RAISED) if far else number(value, lang)


def title_legend(panel: Axes) -> int:
    """What the lines are, between title and panel, where no line runs. Returns the rows that it takes."""
    handles, names = panel.get_legend_handles_labels()
    if not names:
        return 0
    columns = len(names) if sum(5 + len(name) for name in names) <= LEGEND_CHARACTERS else 2
    legend(panel, handles, names, columns, loc="lower left", bbox_to_anchor=(-0.01, 0.985), handlelength=1.5, borderaxespad=0.1, **NARROW)
    return math.ceil(len(names) / columns)


def legend(owner: Axes | Figure, handles: Sequence[Any], names: Sequence[str], columns: int, by_row: bool = True, **look: Any) -> Legend:
    """A legend without a frame, its names as they are; read row by row, or down each column, as matplotlib fills it."""
    order = [index for column in range(columns) for index in range(column, len(names), columns)] if by_row else range(len(names))
    drawn = owner.legend([handles[i] for i in order], [names[i] for i in order], ncols=columns, frameon=False, **look)
    verbatim(drawn.get_texts())
    for words in drawn.get_texts():
        words.set_color(INK)
    return drawn


def verbatim(texts: Iterable[Text]) -> None:
    """Show texts as they are: a "$" in a user's own name begins no formula."""
    for words in texts:
        words.set_parse_math(False)


def values_of(panel: Axes) -> NDArray[np.float64]:
    """Every finite value drawn in a panel, and the epochs they belong to: [2, M]."""
    lines = [np.stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)]) for line in panel.lines]
    every = np.concatenate(lines, axis=1) if lines else np.empty((2, 0))
    return every[:, np.isfinite(every).all(0)]


def logarithmic(panel: Axes, name: str, most: int | None = None, fives: float = math.inf, threes: float = math.inf) -> None:
    """Make the "x" or "y" axis logarithmic within its present limits, with about `most` ticks, all at round numbers.

    Where its ends are less than a factor `fives` apart, they stand at 1, 2 and 5 of each decade; less than `threes`, at 1 and 3;
    else at the decades. Where it is shorter than a factor of five, as on a linear axis.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    getattr(panel, f"set_{name}scale")("log")
    axis = getattr(panel, f"{name}axis")
    low, high = getattr(panel, f"get_{name}lim")()
    factor = high / low
    subs = (1.0, 2.0, 5.0) if factor < fives else (1.0, 3.0) if factor < threes else (1.0,)
    axis.set_major_locator(MaxNLocator(5) if factor < 10**0.7 else LogLocator(base=10, subs=subs, numticks=most))
    axis.set_minor_locator(NullLocator())


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


def axis_label(words: str, logarithmic: bool, lang: str) -> str:
    """What an axis shows, and whether its scale is logarithmic."""
    return words + (text("figure.log", lang) if logarithmic else "")


def say_empty(panel: Axes, words: str) -> None:
    """A panel that has nothing to show says so."""
    panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", va="center", fontsize=10, color=SOFT, parse_math=False)


def save(figure: Figure, path: Path, lang: str, **facts: Any) -> Path:
    """Write the figure as PNG beside `path` and rename it. Its language and `facts` stand in the file as text chunks."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = {"Language": lang, "Software": "latentlab"} | {name: str(value) for name, value in facts.items()}
    # Figure.savefig draws twice, the first time for the layout alone; the canvas lays out as it draws.
    replace_with(path, lambda beside: FigureCanvasAgg(figure).print_png(beside, metadata=known))  # type: ignore[no-untyped-call]
    return path
