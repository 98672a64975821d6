"""A comparison as JSON, as tables and as one picture: a panel a measure, a row a group; points, intervals and the floor of real images.

First what `swept` draws in the same way: the sheet of panels, titles, floors, axes, keys and the caption.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlab.base.errors import refusal
from latentlab.base.files import replace_json, replace_text
from latentlab.base.texts import text
from latentlab.measure.compare import comparison
from latentlab.measure.compare.tables import markdown, provenance
from latentlab.measure.table import panels, reach, score_of, title
from latentlab.runs.folder import RunFolder
from latentlab.show import palette
from latentlab.show.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = 3
WIDTH, ROW, FRAME = 9.2, 0.27, 0.95  # inches: the figure, a group's row, a panel's title and axis
CAPTION_CHARACTERS = 150
SPREAD = 0.26  # of a row, over which the single seeds are spread
MARKS = {"ae": "s", "vae": "o", "gan": "^", "gan-from-vae": "D"}  # none is told by colour alone
NAME_CHARACTERS = 30  # longer names are shortened in their middle
TITLE_CHARACTERS = 27  # beyond, a panel's title takes two lines
DECADE = 10.0
FLOOR: dict[str, Any] = {"color": style.SOFT, "linewidth": 1.1, "linestyle": (0, (4, 2.4))}
KEY: dict[str, Any] = {"loc": "upper left", "fontsize": 9, "handlelength": 2.2, "columnspacing": 1.8, "borderaxespad": 0.5}

Group = Mapping[str, Any]  # of comparison.json
Score = Mapping[str, Any]  # of a group


def sheet(count: int, columns: int, rows: int, height: float, top: float) -> tuple[Figure, list[Axes]]:
    """A figure of that height with `count` panels below `top` inches that are left to keys; what is left of the last row stays blank."""
    figure = style.blank(WIDTH, height, h_pad=0.08, w_pad=0.08, rect=(0, 0, 1, 1 - top / height))
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in every[count:]:
        panel.set_axis_off()
    return figure, every[:count]


def title_in_panel(panel: Axes, measure: str, scores: Sequence[Score], lang: str) -> None:
    """A measure's title above a narrow panel, on lines of their own where it is long."""
    words = "\n".join(textwrap.wrap(title(measure, lang, scores), TITLE_CHARACTERS))
    panel.set_title(words, loc="left", fontsize=9.8, fontweight="bold", color=style.INK, pad=6, parse_math=False)


def better(scores: Iterable[Score]) -> str | None:
    """Which way is better, where an order is meant."""
    return next((score["better"] for score in scores if "better" in score), None)


def draw_floors(draw: Callable[..., Any], scores: Iterable[Score]) -> list[float]:
    """A dashed line at the lowest and at the highest floor of real images; returns all floors, in order."""
    floors = sorted({score["floor"] for score in scores if score.get("floor") is not None})
    for floor in floors[:1] + floors[1:][-1:]:
        draw(floor, **FLOOR, zorder=1)
    return floors


def single_seeds(score: Score) -> list[float]:
    """The finite values of the seeds, where there are several."""
    return [value for value in score["values"] if value is not None] if score["seeds"] > 1 else []


def extent(score: Score) -> list[float]:
    """Every value that a score is drawn at: its own, its bar's ends and its seeds."""
    if score["value"] is None:
        return single_seeds(score)
    below, above = reach(score)
    return [score["value"] - below, score["value"], score["value"] + above, *single_seeds(score)]


def fit(panel: Axes, name: str, drawn: Sequence[float], log: bool, air: tuple[float, float], most: int) -> None:
    """Make the "x" or "y" axis hold what is drawn, with `air` (a share: of a logarithmic, of a linear axis); from 0 where 0 is near."""
    from matplotlib.ticker import MaxNLocator

    set_ends = getattr(panel, f"set_{name}lim")
    low, high = min(drawn), max(drawn)
    if log:
        factor = (high / low) ** air[0]
        set_ends(low / factor, high * factor)
        style.logarithmic(panel, name, 6, fives=40, threes=150)
        return
    margin = air[1] * (high - low) or 0.1 * abs(high) or 1.0
    set_ends(-0.03 * high if 0 <= low < 0.35 * high else low - margin, high + margin)
    getattr(panel, f"{name}axis").set_major_locator(MaxNLocator(most))


def wide(values: Sequence[float]) -> bool:
    """Whether values are all positive and span more than a decade, so that a logarithmic axis shows them better."""
    return bool(values) and min(values) > 0 and max(values) > DECADE * min(values)


def shortened(name: str, most: int = NAME_CHARACTERS) -> str:
    """A name of at most so many characters: its two ends, which tell names apart, with "…" between."""
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def key(figure: Figure, groups: Sequence[Group], shown: Sequence[str], lang: str) -> None:
    """What points, bars and the dashed line are, above the panels."""
    from matplotlib.lines import Line2D

    scores = [score for group in groups for measure in shown if (score := score_of(group, measure)) is not None]
    seeds = any("sd" in score for score in scores)
    mean = {"marker": "o", "linewidth": 1.5, "markersize": 6, "markeredgecolor": "white"}
    kinds: list[tuple[bool, dict[str, Any], str]] = [
        (seeds, mean, "compare.key.sd"),
        (seeds, {"marker": "o", "linestyle": "", "markersize": 3.2, "alpha": 0.5}, "compare.key.seed"),
        (any("sd" not in score and "ci95" in score for score in scores), mean, "compare.key.ci"),
        (any(score.get("floor") is not None for score in scores), FLOOR, "compare.key.floor"),
    ]
    entries = [(Line2D([], [], **{"color": style.SOFT} | look), text(words, lang)) for present, look, words in kinds if present]
    if entries:
        handles, names = zip(*entries, strict=True)
        style.legend(figure, handles, names, len(entries), **KEY)


def below(figure: Figure, caption: str) -> None:
    """A caption in small print below the panels."""
    words = "\n".join(textwrap.wrap(caption, CAPTION_CHARACTERS))
    figure.supxlabel(words, x=0.01, ha="left", fontsize=8, color=style.SOFT).set_parse_math(False)


# comparison.json, comparison.md and comparison.png.


def write_comparison(
    out: str | Path,
    runs: Mapping[str, RunFolder],
    lang: str = "en",
    labels: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare and write comparison.json, comparison.md and comparison.png into a folder; returns the comparison.

    `labels` are display names of groups, `notes` lines below the table, `compared` a comparison made before. Raises LabError
    when the folder cannot be one.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise refusal("--out", "a folder", str(out))
    content = dict(comparison(runs) if compared is None else compared)
    if notes:
        content["notes"] = list(notes)
    replace_json(folder / "comparison.json", content)
    replace_text(folder / "comparison.md", markdown(content, lang, labels))
    draw_comparison(content, folder / "comparison.png", lang, labels, provenance(content, lang))
    return content


def draw_comparison(
    compared: Mapping[str, Any], path: Path, lang: str = "en", labels: Mapping[str, str] | None = None, caption: str = ""
) -> Path | None:
    """comparison.png from the content of comparison.json; None where no group has a measure to show.

    `labels` are display names of groups; `caption` says below the panels by what was measured.
    """
    groups = list(compared["groups"].values())
    shown = panels(groups)
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = sheet(len(shown), columns, rows, rows * (FRAME + ROW * max(3, len(groups))) + 0.45, 0.42)
    names = [shortened((labels or {}).get(name, name)) for name in compared["groups"]]
    for index, (panel, measure) in enumerate(zip(axes, shown, strict=True)):
        draw_panel(panel, groups, measure, lang)
        label_rows(panel, names if index % columns == 0 else [""] * len(groups))
    key(figure, groups, shown, lang)
    below(figure, caption)
    return style.save(figure, path, lang)


def draw_panel(panel: Axes, groups: Sequence[Group], measure: str, lang: str) -> None:
    """One measure: each group in its row, the first on top."""
    scores: list[Score] = []
    kinds = [str(group.get("kind")) for group in groups]
    hues = palette.hues(kinds, [group.get("settings") or {} for group in groups])
    for row, (group, kind, hue) in enumerate(zip(groups, kinds, hues, strict=True)):
        color, mark = style.HUES.get(hue, style.INK), MARKS.get(kind, "X")
        score = score_of(group, measure)
        if score is None or score["value"] is None:
            x, words, side, ink = (0.02, "–", "left", style.SOFT) if score is None else (0.97, "∞ →", "right", color)
            panel.text(x, row, words, transform=panel.get_yaxis_transform(), ha=side, va="center", fontsize=9.5, color=ink)
        else:
            _draw_score(panel, row, score, color, mark)
        scores += [] if score is None else [score]
    floors = draw_floors(panel.axvline, scores)
    _scale(panel, [score for score in scores if score["value"] is not None], floors)
    way = better(scores)
    style.dress(panel, "", text(f"compare.axis.{way}", lang) if way else "", "", lang)
    title_in_panel(panel, measure, scores, lang)
    panel.xaxis.label.set_fontsize(8.8)
    panel.xaxis.label.set_color(style.SOFT)
    panel.tick_params(axis="x", labelsize=8.8)
    panel.grid(visible=True, axis="x", color=style.FAINT, linewidth=0.6)
    panel.grid(visible=False, axis="y")


def _draw_score(panel: Axes, row: int, score: Score, color: str, mark: str) -> None:
    """A finite mean with its bar, single seeds behind."""
    seeds = single_seeds(score)
    offsets = np.linspace(-SPREAD, SPREAD, len(seeds)) if len(seeds) > 1 else np.zeros(len(seeds))
    panel.plot(seeds, row + offsets, linestyle="", marker=mark, color=color, markersize=3.2, alpha=0.4, markeredgewidth=0)
    below, above = reach(score)
    panel.errorbar(
        score["value"], row, xerr=[[below], [above]], marker=mark, color=color, markersize=6, markeredgecolor="white",
        markeredgewidth=0.7, elinewidth=1.5, capsize=2.6, capthick=1.2, zorder=3,
    )  # fmt: skip


def _scale(panel: Axes, scores: Sequence[Score], floors: Sequence[float]) -> None:
    """An axis that holds values, bars and floors; logarithmic over more than a decade of positive values, never for shares."""
    if not scores:
        panel.set_xlim(0, 1)
        panel.set_xticks([])
        return
    drawn = [*(end for score in scores for end in extent(score)), *floors]
    values = [*(value for score in scores for value in (score["value"], *single_seeds(score))), *floors]
    log = better(scores) != "higher" and wide(values)
    fit(panel, "x", [end for end in drawn if end > 0.5 * min(values)] if log else drawn, log, (0.06, 0.08), 4)


def label_rows(panel: Axes, names: Sequence[str]) -> None:
    """Groups from top to bottom with a faint line each, by their names."""
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.set_yticks(range(len(names)), names)
    panel.tick_params(axis="y", length=0, labelcolor=style.INK, labelsize=9.5)
    panel.spines["left"].set_visible(False)
    for row in range(len(names)):
        panel.axhline(row, color=style.FAINT, linewidth=0.6, zorder=0)
    style.verbatim(panel.get_yticklabels())
