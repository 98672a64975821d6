"""The figures of a run, drawn from its folder alone: RUN/figures/*.png. No torch; matplotlib and scikit-learn load when needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentlab.base.images import Images, grid, save_png
from latentlab.base.texts import number, text
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import style
from latentlab.show.figures.latent import draw_kl, draw_latent
from latentlab.show.figures.records import cells, image_shape, is_grey_scale, last_samples, line, objective, reconstructed
from latentlab.show.figures.style import INK, SOFT, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes


SAMPLES_PIXELS = 720  # the sample grid is enlarged by a whole number to about this width
BANDS = 2  # of eight reconstructions


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


Curve = tuple[str, str, str]  # metric, colour, key of its label


def draw_loss(folder: RunFolder, lang: str) -> Path:
    """figures/loss.png: what the run minimises, training and validation, and its second view."""
    rows = folder.metrics()
    match folder.config().family:
        case "vae":
            parts: list[Curve] = [
                ("loss_nats", style.INK, "figure.loss.total"),
                ("reconstruction_nats", style.VERMILION, "figure.loss.reconstruction"),
                ("kl_nats", style.BLUE, "figure.loss.kl"),
            ]
            panels = [(parts, f"figure.objective.{objective(folder)}", "figure.nats")]
        case "ae":
            panels = [([("loss_nats", style.VERMILION, "figure.loss.total")], f"figure.objective.{objective(folder)}", "figure.nats")]
        case "gan":
            color = style.FAMILY[folder.config().kind]
            losses: list[Curve] = [
                ("discriminator_loss", style.INK, "figure.loss.discriminator"),
                ("generator_loss", color, "figure.loss.generator"),
            ]
            logits: list[Curve] = [("real_logit", style.INK, "figure.loss.real"), ("fake_logit", color, "figure.loss.fake")]
            kind = getattr(folder.config().train, "loss", "hinge")
            panels = [(losses, f"figure.objective.{kind}", "figure.loss.axis"), (logits, "figure.loss.logits", "figure.loss.logit")]
    if folder.config().family != "gan":
        panels.append(([("mse", style.INK, "figure.loss.held_out")], "figure.loss.mse", "figure.loss.mse_axis"))
    figure, axes = style.column([3.3, 2.7])
    for panel, (curves, title, axis) in zip(axes, panels, strict=True):
        draw_curves(panel, rows, curves, lang)
        y = scaled(panel, axis, lang)
        words = text(title, lang)
        style.dress(panel, words[:1].upper() + words[1:], text("figure.epoch", lang) if panel is axes[-1] else "", y, lang)
    return style.save(figure, folder.figures / "loss.png", lang, Step=rows[-1]["step"] if rows else 0)


def scaled(panel: Axes, axis: str, lang: str) -> str:
    """Choose a panel's scale by what it shows, and return the label of its y axis."""
    logarithmic = style.scale_log(panel) if axis == "figure.loss.mse_axis" else False
    if axis == "figure.nats":
        style.scale_from_zero(panel, lang)
    return text(axis, lang) + (text("figure.log", lang) if logarithmic else "")


def draw_curves(panel: Axes, rows: list[dict[str, Any]], curves: list[Curve], lang: str) -> None:
    """Lines by colour for the quantity, thin for training and heavy with dots for validation; the legend says both."""
    seen: dict[str, bool] = {}
    for name, color, key in curves:
        drawn = {split: style.draw_line(panel, line(rows, split, name), color, "", split == "val") for split in ("train", "val")}
        seen = {split: seen.get(split, False) or found for split, found in drawn.items()}
        if any(drawn.values()) and len(curves) > 1:
            panel.plot([], [], color=color, linewidth=style.SWATCH, label=text(key, lang))
    if not any(seen.values()):
        style.say_empty(panel, text("figure.empty", lang))
        return
    color = curves[0][1] if len(curves) == 1 else style.SOFT
    if seen["train"]:
        panel.plot([], [], color=color, linewidth=1.0, label=text("figure.split.train", lang))
    if seen["val"]:
        panel.plot([], [], color=color, linewidth=1.7, marker="o", markersize=3.4, label=text("figure.split.val", lang))


def draw_samples(folder: RunFolder) -> Path | None:
    """figures/samples.png: the last sample grid, enlarged without smoothing."""
    images = last_samples(folder)
    if not len(images):
        return None
    sheet = grid(images, 8)
    path = folder.figures / "samples.png"
    save_png(sheet, path, max(1, round(SAMPLES_PIXELS / sheet.shape[1])))
    return path


def draw_reconstructions(folder: RunFolder, lang: str) -> Path | None:
    """figures/reconstructions.png: held-out images above what the run makes of them."""
    originals, copies = reconstructed(folder)
    if not len(originals):
        return None
    rows = [(text("figure.original", lang), originals), (text("figure.copy", lang), copies)]
    epoch = folder.metrics()[-1]["epoch"] if folder.metrics() else 0.0
    title = text("figure.reconstructions", lang, epoch=round(epoch))
    return _bands(rows, title, folder.figures / "reconstructions.png", lang)


def compare_reconstructions(runs: dict[str, RunFolder], path: Path, lang: str) -> Path | None:
    """The same held-out images above what each run (display name: folder) makes of them; None where they share none."""
    pairs = {name: reconstructed(folder) for name, folder in runs.items()}
    pairs = {name: pair for name, pair in pairs.items() if len(pair[0])}
    if not pairs:
        return None
    originals = next(iter(pairs.values()))[0]
    same = {name: copies for name, (own, copies) in pairs.items() if np.array_equal(own, originals)}
    rows = [(text("figure.original", lang), originals), *same.items()]
    return _bands(rows, text("figure.reconstructions_compared", lang), path, lang)


def _bands(rows: list[tuple[str, Images]], title: str, path: Path, lang: str) -> Path:
    """Bands of eight images, one row for each labelled set, as a figure."""
    count = min(8 * BANDS, min(len(images) for _, images in rows))
    _, height, width, channels = rows[0][1].shape
    bands = -(-count // 8)
    tall, wide = len(rows) * (height + 1) + height // 3, width + 1
    sheet = np.full((bands * tall - height // 3, min(8, count) * wide, channels), 255, np.uint8)
    marks, labels = [], []
    for band in range(bands):
        for row, (label, images) in enumerate(rows):
            top = band * tall + row * (height + 1)
            marks.append(top + height / 2)
            labels.append(label)
            for column, image in enumerate(images[band * 8 : min(count, band * 8 + 8)]):
                sheet[top : top + height, column * wide : column * wide + width] = image
    figure, (panel,) = style.column([0.45 + 4.3 * sheet.shape[0] / (8 * wide)])
    zoom = 4  # matplotlib smooths when it shrinks; enough pixels keep edges sharp
    picture = np.repeat(np.repeat(sheet, zoom, 0), zoom, 1)
    panel.imshow(picture[..., 0] if channels == 1 else picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    style.dress(panel, title, "", "", lang)
    panel.set_xticks([])
    panel.set_yticks([mark * zoom for mark in marks], labels)
    panel.tick_params(length=0, labelcolor=style.INK)
    panel.grid(False)
    for spine in panel.spines.values():
        spine.set_visible(False)
    for words in panel.get_yticklabels():
        words.set_parse_math(False)
    return style.save(figure, path, lang)


def compare_losses(ae: RunFolder, vae: RunFolder, path: Path, lang: str) -> Path:
    """AE and VAE compared: held-out squared error per pixel of both on one axis; their own objectives apart, each named."""
    figure, (shared, *own) = style.column([3.2, 2.1, 2.1])
    runs = (("ae", ae), ("vae", vae))
    for name, folder in runs:
        style.draw_line(shared, line(folder.metrics(), "val", "mse"), style.FAMILY[name], text(f"run.{name}.short", lang), True)
    if not shared.lines:
        style.say_empty(shared, text("figure.empty", lang))
    style.dress(shared, text("figure.compare.shared", lang), "", scaled(shared, "figure.loss.mse_axis", lang), lang)
    for panel, (name, folder) in zip(own, runs, strict=True):
        rows = folder.metrics()
        draw_curves(panel, rows, [("loss_nats", style.FAMILY[name], "figure.loss.total")], lang)
        y = scaled(panel, "figure.nats", lang)
        own_objective = text(f"figure.objective.{objective(folder)}", lang)
        title = text("figure.compare.own", lang, run=text(f"run.{name}.short", lang), objective=own_objective)
        style.dress(panel, title, text("figure.epoch", lang) if panel is own[-1] else "", y, lang)
    return style.save(figure, path, lang, Images=image_shape(ae))


# The picture that says it all: samples of each run of a lab, from the first step to the last.

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
