"""The figures of a run, and of several side by side, from run folders alone. No torch; matplotlib and scikit-learn load when needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentlab.base.files import replace_bytes
from latentlab.base.images import Images, grid, is_point, save_png
from latentlab.base.texts import Phrase, number, text
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.columns import Columns
from latentlab.show.charts.curves import HELD_OUT, LOSS, Chart, Recorded, compared_errors, own_curves, run_charts
from latentlab.show.figures import style
from latentlab.show.figures.latent import draw_kl, draw_latent
from latentlab.show.figures.painter import draw_panels
from latentlab.show.figures.records import COLUMNS, cells, image_shape, last_samples, objective, reconstructed

if TYPE_CHECKING:
    from matplotlib.axes import Axes


SAMPLES_PIXELS = 720  # the sample grid is enlarged by a whole number to about this width
BANDS = 2  # of eight reconstructions
ZOOM = 4  # matplotlib smooths when it shrinks; enough pixels keep edges sharp
# The overview: samples of each run of a lab, from the first step to the last.
SHARES = (0.0, 0.05, 0.2, 0.5, 1.0)  # of the run's steps
SIDE = 5  # images in a row and in a column of the corner of a grid that is shown


def draw_figures(folder: RunFolder, lang: str = "en", tsne: bool = True) -> list[Path]:
    """Draw what the run has so far: loss, kl, latent, samples and reconstructions, as PNG files under RUN/figures.

    A run that has hardly begun has fewer of them. `tsne` False leaves out the slow projection.
    """
    drawn = [
        draw_loss(folder, lang),
        draw_kl(folder, lang),
        draw_latent(folder, lang, tsne),
        draw_samples(folder),
        draw_reconstructions(folder, lang),
    ]
    return [path for path in drawn if path is not None]


def draw_loss(folder: RunFolder, lang: str) -> Path:
    """figures/loss.png: what the run minimises, training and validation, and its second view."""
    rows, config = folder.metrics(), folder.config()
    first, second, *_ = run_charts(config.family, objective(folder))
    charts = (first, second if config.family == "gan" else HELD_OUT)
    panels = [own_curves(rows, chart, Phrase("page.verbatim", {"words": folder.name}), config.kind) for chart in charts]
    return draw_panels(panels, folder.figures / "loss.png", lang, Step=rows[-1]["step"] if rows else 0)


def draw_samples(folder: RunFolder) -> Path | None:
    """figures/samples.png: the last sample grid, enlarged without smoothing; of points the last picture as it is."""
    if is_point(image_shape(folder)):
        return _copied(folder, "samples")
    images = last_samples(folder)
    if not len(images):
        return None
    sheet = grid(images, COLUMNS)
    path = folder.figures / "samples.png"
    save_png(sheet, path, max(1, round(SAMPLES_PIXELS / sheet.shape[1])))
    return path


def _copied(folder: RunFolder, kind: str) -> Path | None:
    """figures/KIND.png: the last of the pictures that the run kept."""
    pictures, path = folder.pictures(kind), folder.figures / f"{kind}.png"
    if pictures:
        replace_bytes(path, pictures[-1][1].read_bytes())
    return path if pictures else None


def draw_labelled(images: Images, rows: Sequence[str], columns: Sequence[str], path: Path, lang: str, scale: int = 2, gap: int = 2) -> Path:
    """Images uint8 [rows × columns, H, W, C] with their labels, `scale` times as large pixel by pixel; no label touches the next."""
    from matplotlib.figure import Figure

    sheet = grid(images, len(columns), gap).repeat(scale, 0).repeat(scale, 1)
    letter = 0.075 * style.DPI  # pixels, in the type below
    left, top = round(letter * (max(map(len, rows)) + 1)), round(2 * letter)
    height, width = sheet.shape[0] + top, sheet.shape[1] + left
    figure = Figure(figsize=(width / style.DPI, height / style.DPI), dpi=style.DPI, facecolor="white")
    figure.figimage(sheet if sheet.shape[2] == 3 else sheet.repeat(3, 2), left, 0, origin="upper")
    for names, start, length, alike in ((columns, left, sheet.shape[1], False), (rows, top, sheet.shape[0], True)):
        cell = length / len(names)
        every = max(1, math.ceil((2 * letter if alike else letter * (max(map(len, names)) + 1)) / cell))
        for at in range(0, len(names), every):
            middle = start + (at + 0.5) * cell
            x, y, side = (left - 0.5 * letter, height - middle, "right") if alike else (middle, height - top / 2, "center")
            figure.text(x / width, y / height, names[at], ha=side, va="center", fontsize=8.5, color=style.INK, parse_math=False)
    return style.save(figure, path, lang)


def draw_reconstructions(folder: RunFolder, lang: str) -> Path | None:
    """figures/reconstructions.png: held-out images above what the run makes of them; of points the last picture as it is."""
    if is_point(image_shape(folder)):
        return _copied(folder, "reconstructions")
    originals, copies = reconstructed(folder)
    if not len(originals):
        return None
    sets = {text("figure.original", lang): originals, text("figure.copy", lang): copies}
    rows = folder.metrics()
    title = text("figure.reconstructions", lang, epoch=round(rows[-1]["epoch"] if rows else 0.0))
    return _bands(sets, title, folder.figures / "reconstructions.png", lang)


def compare_reconstructions(runs: dict[str, RunFolder], path: Path, lang: str) -> Path | None:
    """The same held-out images above what each run (display name: folder) makes of them; None where they share none."""
    pairs = {name: pair for name, folder in runs.items() if len((pair := reconstructed(folder))[0])}
    if not pairs:
        return None
    originals = next(iter(pairs.values()))[0]
    copies = {name: copies for name, (own, copies) in pairs.items() if np.array_equal(own, originals)}
    return _bands({text("figure.original", lang): originals} | copies, text("figure.reconstructions_compared", lang), path, lang)


def _bands(sets: dict[str, Images], title: str, path: Path, lang: str) -> Path:
    """Bands of eight images, one row for each labelled set, as a figure."""
    count = min(COLUMNS * BANDS, *(len(images) for images in sets.values()))
    _, height, width, channels = next(iter(sets.values())).shape
    bands = -(-count // COLUMNS)
    tall, wide = len(sets) * (height + 1) + height // 3, width + 1
    sheet = np.full((bands * tall - height // 3, min(COLUMNS, count) * wide, channels), 255, np.uint8)
    middles = []
    for band in range(bands):
        for row, images in enumerate(sets.values()):
            top = band * tall + row * (height + 1)
            middles.append((top + height / 2) * ZOOM)
            for column, image in enumerate(images[band * COLUMNS : min(count, (band + 1) * COLUMNS)]):
                sheet[top : top + height, column * wide : column * wide + width] = image
    figure, (panel,) = style.column([0.45 + 4.3 * sheet.shape[0] / (COLUMNS * wide)])
    _show(panel, sheet.repeat(ZOOM, 0).repeat(ZOOM, 1))
    style.dress(panel, title, "", "", lang)
    panel.set_xticks([])
    panel.set_yticks(middles, [*sets] * bands)
    panel.tick_params(length=0, labelcolor=style.INK)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    style.verbatim(panel.get_yticklabels())
    return style.save(figure, path, lang)


def _show(panel: Axes, picture: Images) -> None:
    """A picture [h, w, C] pixel by pixel."""
    panel.imshow(picture[..., 0] if picture.shape[2] == 1 else picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def compare_losses(ae: RunFolder, vae: RunFolder, path: Path, lang: str) -> Path:
    """AE and VAE compared: held-out squared error per pixel of both on one axis; their own objectives apart, each named."""
    runs = {name: Recorded(Columns(folder.metrics()), Phrase(f"run.{name}.short"), name) for name, folder in (("ae", ae), ("vae", vae))}
    panels = [compared_errors(list(runs.values()))]
    for name, folder in (("ae", ae), ("vae", vae)):
        what = {"run": runs[name].name, "objective": Phrase(f"figure.objective.{objective(folder)}")}
        own = own_curves(runs[name].rows, Chart("figure.compare.own", "figure.nats", LOSS), runs[name].name, name)
        panels.append(replace(own, title=Phrase("figure.compare.own", what)))
    return draw_panels(panels, path, lang, Images=image_shape(ae))


def draw_overview(runs: Mapping[str, RunFolder], path: Path, lang: str) -> Path | None:
    """One row for each run (display name: folder), one column for each moment; None when a run kept no samples."""
    if not runs or not all(folder.pictures("samples") for folder in runs.values()):
        return None
    figure = style.blank(9.2, 2.0 * len(runs) + 0.2)
    panels = figure.subplots(len(runs), len(SHARES), squeeze=False)
    for row, (name, folder) in zip(panels, runs.items(), strict=True):
        steps = [step for step, _ in folder.pictures("samples")]
        for panel, share in zip(row, SHARES, strict=True):
            nearest = int(np.argmin([abs(step - share * steps[-1]) for step in steps]))
            images = cells(folder, "samples", nearest)
            corner = [images[start : start + SIDE] for start in range(0, COLUMNS * SIDE, COLUMNS)]
            _show(panel, grid(np.concatenate(corner), SIDE, gap=1))
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_visible(False)
            panel.set_title(text("figure.step", lang, step=number(steps[nearest], lang)), fontsize=9.5, color=style.SOFT, pad=4)
        row[0].set_ylabel(name, fontsize=11.5, fontweight="bold", color=style.INK, labelpad=8)
    return style.save(figure, path, lang)
