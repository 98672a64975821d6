"""What the figures of comparisons share: the titles of measures, which of them get a panel, and the look of each family."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from latentlab.figures import style
from latentlab.texts import catalogue, number, text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAIN = (
    "frechet", "kid", "recall", "coverage", "class_reverse_kl_nats", "reconstruction_mse", "negative_elbo_nats", "nll_nats",
    "seconds",
)  # fmt: skip
MARKS = {"ae": "s", "vae": "o", "gan": "^", "gan-from-vae": "D", "images": "X"}
NAME_CHARACTERS = 30  # longer names are shortened in their middle
TITLE_CHARACTERS = 27  # beyond, a panel's title takes two lines
DECADE = 10.0


def title(measure: str, lang: str) -> str:
    """A measure's title with its unit; a second extractor's name in brackets; a measure without a text by its own name."""
    name, _, extractor = measure.partition("@")
    key = f"compare.measure.{name}"
    words = text(key, lang) if key in catalogue(lang) else name
    return f"{words} ({extractor})" if extractor else words


def title_in_panel(panel: Axes, measure: str, lang: str) -> None:
    """A measure's title above a narrow panel, on two lines where it is long."""
    words = "\n".join(textwrap.wrap(title(measure, lang), TITLE_CHARACTERS))
    panel.set_title(words, loc="left", fontsize=9.8, fontweight="bold", color=style.INK, pad=6, parse_math=False)


def panels(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """The main measures that some group has, each with its other extractors after it; training seconds come last."""
    found = {name for group in groups for name in (*group["scores"], *group["costs"])}
    return [name for main in MAIN for name in sorted(found) if name.partition("@")[0] == main]


def score_of(group: Mapping[str, Any], measure: str) -> Mapping[str, Any] | None:
    """A group's score or cost by name; None where it is not defined."""
    found: Mapping[str, Any] | None = group["scores"].get(measure) or group["costs"].get(measure)
    return found


def reach(score: Mapping[str, Any]) -> tuple[float, float]:
    """How far the error bar goes below and above the value: one standard deviation over seeds, else the 95 % interval."""
    value = score["value"]
    if "sd" in score:
        return score["sd"], score["sd"]
    low, high = score.get("ci95", (value, value))
    return max(0.0, value - low), max(0.0, high - value)


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
