"""The picture that says it all: samples of each run of a lab, from the first step to the last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from latentlab.figures.records import cells, is_grey_scale
from latentlab.figures.style import INK, SOFT, save
from latentlab.images import Images, grid
from latentlab.runs import RunFolder
from latentlab.texts import number, text

SHARES = (0.0, 0.05, 0.2, 0.5, 1.0)  # of the run's steps
SIDE = 5  # images in a row of each small grid
LONGEST = 8  # images in a grid of the run folder


def moments(folder: RunFolder) -> list[tuple[int, int]]:
    """(place among the kept grids, step) of the grids nearest to `SHARES` of the run."""
    steps = [step for step, _ in folder.pictures("samples")]
    places = [int(np.argmin([abs(step - share * steps[-1]) for step in steps])) for share in SHARES]
    return [(place, steps[place]) for place in places]


def corner(images: Images) -> Images:
    """The top left SIDE × SIDE images of a grid that is eight images wide, as one picture uint8 [h, w, C]."""
    rows = [images[LONGEST * row : LONGEST * row + SIDE] for row in range(SIDE)]
    return grid(np.concatenate(rows), SIDE, gap=1)


def draw_overview(runs: Mapping[str, RunFolder], path: Path, lang: str) -> Path | None:
    """One row for each run (display name: folder), one column for each moment; None when a run kept no samples."""
    from matplotlib.figure import Figure

    if not runs or not all(folder.pictures("samples") for folder in runs.values()):
        return None
    figure = Figure(figsize=(9.2, 2.0 * len(runs) + 0.2), dpi=160, layout="constrained", facecolor="white")
    panels = figure.subplots(len(runs), len(SHARES), squeeze=False)
    for row, (name, folder) in enumerate(runs.items()):
        for column, (place, step) in enumerate(moments(folder)):
            panel = panels[row][column]
            picture = corner(cells(folder, "samples", place))
            panel.imshow(picture.squeeze(), cmap="gray" if is_grey_scale(folder) else None, vmin=0, vmax=255, interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
            for spine in panel.spines.values():
                spine.set_visible(False)
            panel.set_title(text("figure.step", lang, step=number(step, lang)), fontsize=9.5, color=SOFT, pad=4)
            if column == 0:
                panel.set_ylabel(name, fontsize=11.5, fontweight="bold", color=INK, labelpad=8)
    return save(figure, path, lang)
