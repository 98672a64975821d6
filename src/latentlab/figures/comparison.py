"""A comparison as one picture: a panel a measure, a row a group; points, their intervals and the floor that real images set."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlab.figures import style
from latentlab.figures.measures import color, mark, panels, plain_log_ticks, reach, score_of, shortened, title_in_panel, wide
from latentlab.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
WIDTH, ROW, FRAME = 9.2, 0.27, 0.95  # inches: the figure, a group's row, a panel's title and axis
CAPTION_CHARACTERS = 150
SPREAD = 0.26  # of a row, over which the single seeds are spread


def draw_comparison(
    compared: Mapping[str, Any], path: Path, lang: str = "en", labels: Mapping[str, str] | None = None, caption: str = ""
) -> Path | None:
    """comparison.png from the content of comparison.json; None where no group has a measure to show.

    `labels` are display names of groups; `caption` says below the panels by what was measured.
    """
    from matplotlib.figure import Figure

    groups = compared["groups"]
    shown = panels(groups.values())
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    height = FRAME + ROW * max(3, len(groups))
    figure = Figure(figsize=(WIDTH, rows * height + 0.45), dpi=style.DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.08, rect=(0, 0, 1, 1 - 0.42 / (rows * height + 0.45)))  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(rows, columns, squeeze=False)
    names = [shortened((labels or {}).get(name, name)) for name in groups]
    for place, panel in enumerate(grid.flat):
        if place >= len(shown):
            panel.set_axis_off()
            continue
        draw_panel(panel, list(groups.values()), shown[place], lang)
        label_rows(panel, names if place % columns == 0 else None, len(groups))
    key(figure, list(groups.values()), shown, lang)
    below(figure, caption)
    return style.save(figure, path, lang)


def draw_panel(panel: Axes, groups: Sequence[Mapping[str, Any]], measure: str, lang: str) -> None:
    """One measure: each group in its row, the first on top."""
    held = [(row, group, score) for row, group in enumerate(groups) if (score := score_of(group, measure)) is not None]
    finite = [(row, group, score) for row, group, score in held if score["value"] is not None]
    for row, group, score in finite:
        seeds = [value for value in score["values"] if value is not None] if "sd" in score else []
        offsets = np.linspace(-SPREAD, SPREAD, len(seeds)) if len(seeds) > 1 else np.zeros(len(seeds))
        panel.plot(seeds, row + offsets, linestyle="", marker=mark(group), color=color(group), markersize=3.2, alpha=0.4, markeredgewidth=0)
        below, above = reach(score)
        panel.errorbar(
            score["value"], row, xerr=[[below], [above]], marker=mark(group), color=color(group), markersize=6, markeredgecolor="white",
            markeredgewidth=0.7, elinewidth=1.5, capsize=2.6, capthick=1.2, zorder=3,
        )  # fmt: skip
    floors = sorted({score["floor"] for _, _, score in held if score.get("floor") is not None})
    for floor in floors[:1] + floors[1:][-1:]:
        panel.axvline(floor, color=style.SOFT, linewidth=1.1, linestyle=(0, (4, 2.4)), zorder=1)
    for row, group in enumerate(groups):
        score = score_of(group, measure)
        if score is None or score["value"] is None:
            sign, words = (0.02, "–") if score is None else (0.97, "∞ →")
            panel.text(
                sign, row, words, transform=panel.get_yaxis_transform(), ha="left" if score is None else "right", va="center",
                fontsize=9.5, color=style.SOFT if score is None else color(group),
            )  # fmt: skip
    way = next((score["better"] for _, _, score in held if "better" in score), None)
    style.dress(panel, "", text(f"compare.axis.{way}", lang) if way else "", "", lang)
    title_in_panel(panel, measure, lang)
    _scale(panel, [score for _, _, score in finite], floors, lang)
    panel.xaxis.label.set_fontsize(8.8)
    panel.xaxis.label.set_color(style.SOFT)
    panel.tick_params(axis="x", labelsize=8.8)
    panel.grid(visible=True, axis="x", color=style.FAINT, linewidth=0.6)
    panel.grid(visible=False, axis="y")


def _scale(panel: Axes, scores: Sequence[Mapping[str, Any]], floors: Sequence[float], lang: str) -> None:
    """An axis that holds values, bars and floors; logarithmic over more than a decade of positive values, never for shares."""
    ends = [score["value"] + sign * length for score in scores for sign, length in zip((-1, 1), reach(score), strict=True)]
    values = [value for score in scores for value in (score["value"], *(v for v in score["values"] if v is not None))]
    if not values:
        panel.set_xlim(0, 1)
        panel.set_xticks([])
        return
    if not any(score.get("better") == "higher" for score in scores) and wide([*values, *floors]):
        drawn = [end for end in [*ends, *values, *floors] if end > 0.5 * min([*values, *floors])]
        air = (max(drawn) / min(drawn)) ** 0.06
        panel.set_xlim(min(drawn) / air, max(drawn) * air)
        plain_log_ticks(panel, "x", lang)
        return
    from matplotlib.ticker import MaxNLocator

    low, high = min([*ends, *values, *floors]), max([*ends, *values, *floors])
    air = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    from_zero = 0 <= low < 0.35 * high
    panel.set_xlim(-0.03 * high if from_zero else low - air, high + air)
    panel.xaxis.set_major_locator(MaxNLocator(4))


def label_rows(panel: Axes, names: Sequence[str] | None, count: int) -> None:
    """Groups from top to bottom with a faint line each; their names at the first panel of a row only."""
    panel.set_ylim(count - 0.4, -0.6)
    panel.set_yticks(range(count), names if names is not None else [""] * count)
    panel.tick_params(axis="y", length=0, labelcolor=style.INK, labelsize=9.5)
    panel.spines["left"].set_visible(False)
    for row in range(count):
        panel.axhline(row, color=style.FAINT, linewidth=0.6, zorder=0)
    for words in panel.get_yticklabels():
        words.set_parse_math(False)


def key(figure: Figure, groups: Sequence[Mapping[str, Any]], shown: Sequence[str], lang: str) -> None:
    """What points, bars and the dashed line are, above the panels."""
    from matplotlib.lines import Line2D

    scores = [score for group in groups for measure in shown if (score := score_of(group, measure)) is not None]
    entries = []
    if any("sd" in score for score in scores):
        entries.append(
            (Line2D([], [], color=style.SOFT, marker="o", linewidth=1.5, markersize=6, markeredgecolor="white"), "compare.key.sd")
        )
        entries.append((Line2D([], [], color=style.SOFT, marker="o", linestyle="", markersize=3.2, alpha=0.5), "compare.key.seed"))
    if any("sd" not in score and "ci95" in score for score in scores):
        entries.append(
            (Line2D([], [], color=style.SOFT, marker="o", linewidth=1.5, markersize=6, markeredgecolor="white"), "compare.key.ci")
        )
    if any(score.get("floor") is not None for score in scores):
        entries.append((Line2D([], [], color=style.SOFT, linewidth=1.1, linestyle=(0, (4, 2.4))), "compare.key.floor"))
    if not entries:
        return
    found = figure.legend(
        [handle for handle, _ in entries], [text(words, lang) for _, words in entries], loc="upper left", ncols=len(entries), frameon=False,
        fontsize=9, handlelength=2.2, columnspacing=1.8, borderaxespad=0.5,
    )  # fmt: skip
    for words in found.get_texts():
        words.set_color(style.INK)


def below(figure: Figure, caption: str) -> None:
    """A caption in small print below the panels."""
    words = "\n".join(textwrap.wrap(caption, CAPTION_CHARACTERS))
    figure.supxlabel(words, x=0.01, ha="left", fontsize=8, color=style.SOFT).set_parse_math(False)
