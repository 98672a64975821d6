"""Points of the plane as pictures: real and generated ones, how a discriminator sees the plane, and where it sends what is generated.

The pictures have no words, so that a film of them is read in any language; their pages say what is what.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.show.figures import style

MESH = 81  # points of the plane in a row and in a column at which a discriminator is asked
ARROWS = 150  # generated points with an arrow each
SIDE_INCHES, DPI = 4.4, 120
MARGIN = 0.18  # round the points, as a share of their extent
LONGEST = 0.12  # arrow, as a share of the picture's side

Floats = NDArray[np.float32]


class Box(NamedTuple):
    """A square of the plane."""

    x: float  # of its middle
    y: float
    half: float  # of its side


class Field(NamedTuple):
    """What a discriminator says of the plane."""

    logits: Floats  # [MESH, MESH], the lowest row first
    moves: Floats  # [M, 2], −∂L/∂x of the generator's loss at the first M generated points


def box_of(points: Images) -> Box:
    """The square round points [N, 1, 1, 2], the same for every picture of a run."""
    flat = points.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    x, y = (low + high) / 2
    return Box(float(x), float(y), (0.5 + MARGIN) * float(max((high - low).max(), 1e-6)))


def mesh(box: Box, side: int = MESH) -> Floats:
    """The points at which a discriminator is asked, row by row from the lowest: [side², 2]."""
    ends = np.linspace(-box.half, box.half, side, dtype=np.float32)
    return np.stack(np.meshgrid(box.x + ends, box.y + ends), axis=-1).reshape(-1, 2)


def plane_png(box: Box, real: Images, made: Images | None = None, field: Field | None = None, color: str = style.FAMILY["gan"]) -> bytes:
    """A picture of real points (grey), generated ones in a `color`, and a discriminator's field with its arrows."""
    panel, finish = _panel(box)
    if field is not None:
        _draw_field(panel, box, field)
    _dots(panel, real, style.INK if made is None else "#8a8a8a", 2.2)
    if made is not None:
        _dots(panel, made, color, 3.2)
        if field is not None:
            _draw_arrows(panel, box, made, field)
    return finish()


def scatter_png(points: Images) -> bytes:
    """A picture of points alone, as large as they reach."""
    return plane_png(box_of(points), points)


def pairs_png(box: Box, originals: Images, copies: Images, color: str = style.FAMILY["vae"]) -> bytes:
    """Points (grey) and what is made of each (in a `color`), with a line between the two."""
    panel, finish = _panel(box)
    a, b = (points.reshape(-1, 2) for points in (originals, copies))
    panel.plot(np.stack([a[:, 0], b[:, 0]]), np.stack([a[:, 1], b[:, 1]]), color=style.SOFT, linewidth=0.6, alpha=0.6)
    _dots(panel, originals, "#8a8a8a", 3.0)
    _dots(panel, copies, color, 3.0)
    return finish()


def _panel(box: Box) -> tuple[Any, Callable[[], bytes]]:
    """An empty square of the plane, and what makes a PNG of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIDE_INCHES, SIDE_INCHES), dpi=DPI, facecolor="white")
    panel = figure.add_axes((0.085, 0.06, 0.9, 0.9))
    panel.set_xlim(box.x - box.half, box.x + box.half)
    panel.set_ylim(box.y - box.half, box.y + box.half)
    panel.tick_params(labelsize=8, colors=style.SOFT, width=0.6, length=3)
    for spine in panel.spines.values():
        spine.set_linewidth(0.6)
        spine.set_color(style.SOFT)

    def finish() -> bytes:
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": "latentlab"})  # type: ignore[no-untyped-call]
        return buffer.getvalue()

    return panel, finish


def _dots(panel: Any, points: Images, color: str, size: float) -> None:
    flat = points.reshape(-1, 2)
    panel.plot(flat[:, 0], flat[:, 1], linestyle="", marker="o", markersize=size, markeredgewidth=0, color=color, alpha=0.6)


def _draw_field(panel: Any, box: Box, field: Field) -> None:
    """Logits as colours, from their 2nd to their 98th percentile: in a paired game only differences of logits mean anything."""
    low, high = (float(end) for end in np.percentile(np.nan_to_num(field.logits), (2, 98)))
    extent = (box.x - box.half, box.x + box.half, box.y - box.half, box.y + box.half)
    panel.imshow(
        field.logits, cmap="PuOr", vmin=low, vmax=max(high, low + 1e-6), alpha=0.55, origin="lower", extent=extent,
        interpolation="bilinear", aspect="auto",
    )  # fmt: skip


def _draw_arrows(panel: Any, box: Box, made: Images, field: Field) -> None:
    """Arrows whose lengths are as the gradients', the 95th percentile as long as `LONGEST`."""
    start, lengths = made.reshape(-1, 2)[: len(field.moves)], np.linalg.norm(field.moves, axis=1)
    if not np.isfinite(lengths).all() or not (typical := float(np.percentile(lengths, 95))):
        return
    moves = field.moves * (2 * box.half * LONGEST / typical) * np.minimum(1, typical / np.maximum(lengths, 1e-12))[:, None]
    panel.quiver(*start.T, *moves.T, color=style.INK, angles="xy", scale_units="xy", scale=1, width=0.003, alpha=0.75)
