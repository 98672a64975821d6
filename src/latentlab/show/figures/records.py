"""What figures read out of a run folder: lines of metrics, the cells of picture grids, codes. No torch, no matplotlib.

Axes: N images, H height, W width, C channels, Z latent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images, is_point, open_png
from latentlab.config import BINARY
from latentlab.measure.metrics import classes
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import read_latents

GAP = 2  # pixels between the cells of a grid, as `images.grid` draws them
COLUMNS = 8
SHOWN = 32  # held-out images whose reconstructions a run keeps

Doubles = NDArray[np.float64]


class Codes(NamedTuple):
    """latents.npz: the codes of N held-out images."""

    mean: Doubles  # [N, Z]
    std: Doubles | None  # [N, Z] for a VAE
    label: NDArray[np.int64] | None  # [N]


MOST_CLASSES = 100  # of more, colours, marks and neighbours tell nothing apart


def read_codes(folder: RunFolder) -> Codes | None:
    """The run's codes, those that are finite; None before the run has finished and for a GAN. Raises Damaged as `read_latents`."""
    arrays = read_latents(folder.path)
    if arrays is None:
        return None
    good = np.isfinite(arrays["mean"]).all(1)
    std, label = arrays.get("std"), arrays.get("label")
    shown = label is not None and label.max(initial=0) < MOST_CLASSES
    return Codes(arrays["mean"][good], None if std is None else std[good], label[good] if label is not None and shown else None)


def unit_kl_nats(codes: Codes) -> Doubles | None:
    """KL(q(z_j|x) ‖ N(0, 1)) of each latent unit, mean over the images: 0.5 (μ² + σ² − 1 − log σ²), [Z] in nats."""
    if codes.std is None or not len(codes.mean):
        return None
    variance = np.maximum(codes.std, 1e-12) ** 2
    result: Doubles = 0.5 * (codes.mean**2 + variance - 1 - np.log(variance)).mean(0)
    return result


def active_units(codes: Codes) -> int:
    """How many latent units say something about the image, see `classes.active_units`; 0 without codes."""
    return classes.active_units(codes.mean) if len(codes.mean) else 0


def class_names(folder: RunFolder) -> list[str] | None:
    """The names of the data's classes; None where images have no labels, or of more classes than can be shown."""
    names = folder.environment().get("class_names")
    return [str(name) for name in names] if names and len(names) <= MOST_CLASSES else None


def image_shape(folder: RunFolder) -> tuple[int, int, int]:
    """(H, W, C) of the run's images."""
    height, width, channels = folder.environment()["image_shape"]
    return int(height), int(width), int(channels)


def cells(folder: RunFolder, kind: str, index: int = -1) -> Images:
    """Every cell of a grid in "samples" or "reconstructions", row by row: uint8 [M, H, W, C]; empty without pictures and of points.

    The last row may end in blank cells.
    """
    pictures = folder.pictures(kind)
    height, width, channels = image_shape(folder)
    if not pictures or is_point((height, width, channels)):
        return np.empty((0, height, width, channels), np.uint8)
    path = pictures[index][1]
    file = open_png(path)
    sheet = np.asarray(file.convert("L" if channels == 1 else "RGB")).reshape(file.height, file.width, channels)
    rows, columns = (sheet.shape[0] - GAP) // (height + GAP), (sheet.shape[1] - GAP) // (width + GAP)
    inner = sheet[GAP : GAP + rows * (height + GAP), GAP : GAP + columns * (width + GAP)]
    boxes = inner.reshape(rows, height + GAP, columns, width + GAP, channels).swapaxes(1, 2)
    return boxes.reshape(rows * columns, height + GAP, width + GAP, channels)[:, :height, :width]


def reconstructed(folder: RunFolder) -> tuple[Images, Images]:
    """The held-out originals and their last reconstructions: uint8 [N, H, W, C] twice; empty without pictures."""
    flat = cells(folder, "reconstructions")
    held_out = folder.environment().get("images", {}).get("val", SHOWN)
    count = min(SHOWN, held_out, len(flat) // 2)
    index = np.arange(count)
    start = index - index % COLUMNS  # `interleave`: from each of these, a band of originals, then as many copies
    return flat[start + index], flat[start + index + np.minimum(COLUMNS, count - start)]


def last_samples(folder: RunFolder) -> Images:
    """The images of the last sample grid: uint8 [N, H, W, C]."""
    return cells(folder, "samples")[: folder.config().train.sample_count]


def objective(folder: RunFolder) -> str:
    """What a run minimises, as the end of a text's key: its name, with "_grey" after one of BINARY that learned from grey pixels.

    "judged" where the loss in nats is measured alone.
    """
    config = folder.config()
    if config.is_judged:
        return "judged"
    if not {"loss", "step"}.isdisjoint(dict(config.own)):
        return "own"
    name = config.objective
    if name not in BINARY or getattr(config.model, "binarization", "none") != "none":
        return name
    return name if np.isin(reconstructed(folder)[0], (0, 255)).all() else f"{name}_grey"


def edge_steps(images: Images) -> Doubles:
    """How steep edges are in each image, [N] in [0, 1]: Σ d² / Σ |d| over the differences d between neighbouring pixels.

    An edge of height h that takes k pixels counts h / k, however much of the image is edge: blur lowers it.
    """
    pixels = images.astype(np.float64) / 255
    down, right = np.diff(pixels, axis=1), np.diff(pixels, axis=2)
    squares = (down**2).sum((1, 2, 3)) + (right**2).sum((1, 2, 3))
    sizes = np.abs(down).sum((1, 2, 3)) + np.abs(right).sum((1, 2, 3))
    result: Doubles = squares / np.maximum(sizes, 1e-12)
    return result
