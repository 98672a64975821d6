"""Panels as a PNG figure: the same numbers and looks as on a page, one column wide, under each other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures
from latentlab.show.figures import style
from latentlab.show.figures.panel_charts import bars_figure, lines_figure, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Strip = NDArray[np.uint8]  # [H, W, 3], as wide as the column
MARGIN_INCHES = 0.08


def draw_panels(panels: Sequence[Panel], path: Path, lang: str) -> Path:
    """Draw panels as a PNG in a language, and return its path. Pictures are enlarged by a whole number, pixel by pixel.

    Raises ValueError where there is no panel.
    """
    from matplotlib.figure import Figure

    strips = [strip for panel in panels for strip in _strips(panel, lang)]
    if not strips:
        raise ValueError("a figure needs at least one panel")
    sheet = np.concatenate(strips)
    height, width, _ = sheet.shape
    figure = Figure(figsize=(width / style.DPI, height / style.DPI), dpi=style.DPI)
    figure.figimage(sheet, 0, 0, origin="upper")
    return style.save(figure, path, lang)


def _strips(panel: Panel, lang: str) -> list[Strip]:
    title = _words(panel.title.say(lang), heading=True)
    match panel:
        case Lines():
            return [title, rendered(lines_figure(panel, lang))]
        case Bars():
            return [title, rendered(bars_figure(panel, lang))]
        case Pictures():
            pairs = [(_words(caption.say(lang)), _picture(png)) for caption, png in panel.items]
            return [title, *(strip for pair in pairs for strip in pair)]


def rendered(figure: Figure) -> Strip:
    """The pixels of a figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _words(words: str, heading: bool = False) -> Strip:
    """A heading or a caption as a strip of its own."""
    from matplotlib.figure import Figure

    said = wrapped(words[:1].upper() + words[1:] if heading else words)
    size = 10.5 if heading else 9.5
    height = (said.count("\n") + 1) * 1.3 * size / 72 + (0.14 if heading else 0.08)
    figure = Figure(figsize=(style.WIDTH_INCHES, height), dpi=style.DPI, facecolor="white")
    figure.text(
        MARGIN_INCHES / style.WIDTH_INCHES, 0.03 / height, said, va="bottom", ha="left", fontsize=size,
        fontweight="bold" if heading else "normal", color=style.INK, parse_math=False, linespacing=1.15,
    )  # fmt: skip
    return rendered(figure)


def _picture(png: bytes) -> Strip:
    """A picture as wide as whole pixels allow, with air under it; one that is wider than the column is made smaller."""
    width, margin = round(style.WIDTH_INCHES * style.DPI), round(MARGIN_INCHES * style.DPI)
    with Image.open(io.BytesIO(png)) as file:
        picture = file.convert("RGB")
    room = width - 2 * margin
    if picture.width > room:
        picture = picture.resize((room, max(1, round(picture.height * room / picture.width))), Image.Resampling.BOX)
    zoom = room // picture.width
    pixels = np.asarray(picture).repeat(zoom, 0).repeat(zoom, 1)
    strip = np.full((pixels.shape[0] + margin, width, 3), 255, np.uint8)
    strip[: pixels.shape[0], margin : margin + pixels.shape[1]] = pixels
    return strip
