"""The figure of VAE → GAN: each measure against the training images that the GAN has read, arm by arm, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlab.figures import style
from latentlab.texts import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
