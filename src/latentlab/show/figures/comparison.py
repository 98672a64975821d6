"""A comparison as one picture: a panel a measure, a row a group; points, their intervals and the floor that real images set."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlab.base.errors import refusal
from latentlab.base.files import replace_json, replace_text
from latentlab.base.texts import number, text
from latentlab.measure.compare import comparison
from latentlab.measure.compare.tables import markdown, provenance
from latentlab.measure.table import panels, reach, score_of, title
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import style

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
    found = dict(comparison(runs) if compared is None else compared)
    if notes:
        found["notes"] = list(notes)
    replace_json(folder / "comparison.json", found)
    replace_text(folder / "comparison.md", markdown(found, lang, labels))
    draw_comparison(found, folder / "comparison.png", lang, labels, provenance(found, lang))
    return found


# What the figures of comparisons share: the titles of measures, which of them get a panel, and the look of each family.

MARKS = {"ae": "s", "vae": "o", "gan": "^", "gan-from-vae": "D", "images": "X"}
NAME_CHARACTERS = 30  # longer names are shortened in their middle
TITLE_CHARACTERS = 27  # beyond, a panel's title takes two lines
DECADE = 10.0


def title_in_panel(panel: Axes, measure: str, lang: str) -> None:
    """A measure's title above a narrow panel, on two lines where it is long."""
    words = "\n".join(textwrap.wrap(title(measure, lang), TITLE_CHARACTERS))
    panel.set_title(words, loc="left", fontsize=9.8, fontweight="bold", color=style.INK, pad=6, parse_math=False)


def color(group: Mapping[str, Any]) -> str:
    """The colour of a group's family."""
    return style.FAMILY.get(str(group.get("kind")), style.INK)


def mark(group: Mapping[str, Any]) -> str:
    """The mark of a group's family: none is told by colour alone."""
    return MARKS.get(str(group.get("kind")), "X")


def shortened(name: str, most: int = NAME_CHARACTERS) -> str:
    """A name of at most so many characters: its two ends, which tell names apart, with "…" between."""
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def wide(values: Iterable[float]) -> bool:
    """Whether values are all positive and span more than a decade, so that a logarithmic axis shows them better."""
    held = list(values)
    return bool(held) and min(held) > 0 and max(held) > DECADE * min(held)


def plain_log_ticks(panel: Axes, axis: str, lang: str) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 of each decade where it is short, else at the decades; within its present limits."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    (panel.set_xscale if axis == "x" else panel.set_yscale)("log")
    one = panel.xaxis if axis == "x" else panel.yaxis
    low, high = panel.get_xlim() if axis == "x" else panel.get_ylim()
    span = high / low
    one.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if span < 40 else (1.0, 3.0) if span < 150 else (1.0,), numticks=6))
    one.set_minor_locator(NullLocator())
    one.set_major_formatter(FuncFormatter(lambda value, _: number(value, lang)))


# The figure of VAE → GAN: each measure against the training images that the GAN has read, arm by arm, seed by seed.

# Told apart by colour, mark and line alike.
ARMS = {"scratch": (style.GREEN, "o", "-"), "warm": (style.PURPLE, "s", "-"), "frozen": (style.ORANGE, "^", "--")}
SHOWN = ("frechet", "kid", "class_reverse_kl_nats", "recall")
PANELS = 3


def draw_vae_to_gan(result: Mapping[str, Any], path: Path, lang: str) -> Path:
    """Write the figure of an experiment.json to `path` and return it."""
    measures = [name for name in SHOWN if name in result["measures"]]
    if "frechet" in measures:
        measures.remove("kid")  # the same story; both are in the table
    figure, panels = style.column([3.0] + [2.5] * (len(measures[:PANELS]) - 1))
    for panel, measure in zip(panels, measures, strict=False):
        _draw(panel, result, measure, lang, first=panel is panels[0])
        x = text("experiments.images", lang) if panel is panels[-1] else ""
        y = text(f"experiments.axis.{measure}", lang) + (text("figure.log", lang) if measure != "recall" and style.scale_log(panel) else "")
        _release(panel, result, lang, first=panel is panels[0])
        style.dress(panel, text(f"experiments.measure.{measure}", lang), x, y, lang)
    return style.save(figure, path, lang)


def _draw(panel: Axes, result: Mapping[str, Any], measure: str, lang: str, first: bool) -> None:
    start = np.array([value for value in result["start"][measure] if value is not None], np.float64)
    for arm, (color, mark, dash) in ARMS.items():
        curve = result["curves"][arm]
        x = np.array(curve["images_seen"], np.float64) / 1000
        y = np.array([[np.nan if v is None else v for v in row] for row in curve["values"][measure]], np.float64)  # [S, P]
        for row in y:
            panel.plot(x, row, color=color, linewidth=0.6, alpha=0.3, linestyle=dash, zorder=2)
        panel.plot(
            x, y.mean(0), color=color, linewidth=1.7, linestyle=dash, marker=mark, markersize=3.6, markevery=max(1, len(x) // 12),
            label=text(f"experiments.arm.{arm}", lang) if first else None, zorder=3,
        )  # fmt: skip
    label = text("experiments.start", lang) if first else None
    if len(start):
        panel.axhline(float(start.mean()), color=style.BLUE, linewidth=1.2, linestyle=":", label=label, zorder=1)


def _release(panel: Axes, result: Mapping[str, Any], lang: str, first: bool) -> None:
    """Where the frozen arm's decoder is released. Drawn last: the line is no value for a scale."""
    frozen = 1e-3 * float(result["frozen_epochs"]) * float(result["images"]["train"])
    if frozen > 0:
        panel.axvline(frozen, color=style.SOFT, linewidth=0.8, zorder=1)
        said = text("experiments.released", lang) if first else ""
        panel.annotate(said, (frozen, 0.97), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                       va="top", fontsize=9, color=style.SOFT)  # fmt: skip
