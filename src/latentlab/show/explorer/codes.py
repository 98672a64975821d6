"""The held-out images that a page shows: their codes, the same images for every encoder, and a small picture of them all. No torch.

Axes: N images, Z latent units, K classes.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images, as_png, data_uri, grid, open_png, shaded, to_pil
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import damaged, read_latents

LEVELS = 255  # of a number of a code, which is a byte
SHADES = 16  # of a grey thumbnail
QUALITY = 85  # of coloured ones
_SPREADER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth 1973, 6.4): neighbours land far apart

Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]


class HeldOut(NamedTuple):
    """What a run's encoder makes of its held-out images, those with finite codes."""

    mean: Doubles  # [N, Z]
    std: Doubles | None  # [N, Z] for a VAE
    label: Whole | None  # [N]
    number: Whole  # [N] the image's index in the data set
    cell: Whole  # [N] its cell of thumbnails.png


def read_held_out(folder: RunFolder) -> HeldOut | None:
    """latents.npz; None for a GAN and before the run has finished. Raises Damaged for one that cannot be read."""
    arrays = read_latents(folder.path)
    if arrays is None:
        return None
    good = np.isfinite(arrays["mean"]).all(1)
    kept = {name: values[good] for name, values in arrays.items()}
    return HeldOut(kept["mean"], kept.get("std"), kept.get("label"), kept["index"], np.flatnonzero(good)) if good.any() else None


def scattered(index: Whole) -> NDArray[np.uint64]:
    """A number for each image that depends on its own index alone, without order: what is smallest is a fair choice."""
    return index.astype(np.uint64) * _SPREADER


def chosen(runs: Sequence[HeldOut], most: int) -> Whole:
    """Indices [N] of at most so many images that every run has, the classes taken in turn, in a scattered order."""
    shared = reduce(np.intersect1d, [run.number for run in runs])
    shared = shared[np.argsort(scattered(shared))]
    labels = next((labels_of(run, shared) for run in runs if run.label is not None), None)
    if labels is None:
        return shared[:most]
    turn = np.empty(len(shared), np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange((labels == label).sum())
    kept = np.argsort(turn, kind="stable")[:most]
    return shared[np.sort(kept)]


def rows_of(codes: HeldOut, index: Whole) -> Whole:
    """The rows [N] of images with these indices in a run's codes."""
    order = np.argsort(codes.number)
    rows: Whole = order[np.searchsorted(codes.number, index, sorter=order)]
    return rows


def labels_of(codes: HeldOut, index: Whole) -> Whole | None:
    """The classes [N] of images with these indices; None where images have none."""
    return None if codes.label is None else codes.label[rows_of(codes, index)]


def quantized(values: Doubles) -> dict[str, str]:
    """Numbers [N, Z] as a byte each, affine for each unit: value = low + step · byte, off by at most step / 2.

    {"low", "step"}: float32 [Z], {"bytes"}: uint8 [N, Z], all as base64. step is the unit's range / 255.
    """
    low = values.min(0).astype(np.float32)
    step = ((values.max(0) - low) / LEVELS).astype(np.float32)
    units = np.divide(values - low, step, out=np.zeros_like(values), where=step > 0)
    return {"low": written(low), "step": written(step), "bytes": written(units.round().clip(0, LEVELS).astype(np.uint8))}


def written(values: NDArray[Any]) -> str:
    """An array as base64, lowest byte first."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def widest_plane(mean: Doubles) -> Doubles:
    """Two orthonormal directions [2, Z] in which codes [N, Z] spread most.

    With Z = 2 the space itself; with Z = 1 the second direction is zero.
    """
    size = mean.shape[1]
    if size <= 2:
        return np.eye(2, size)
    centred = mean - mean.mean(0)
    return signed(np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2].T)


def class_plane(mean: Doubles, label: Whole) -> Doubles | None:
    """Two orthonormal directions [2, Z] in which the mean codes of classes spread most; None where they leave one open.

    A VAE's codes spread nearly alike in every direction, so that their widest plane is nearly any; this one shows the classes.
    """
    means = np.stack([mean[label == number].mean(0) for number in np.unique(label)])
    if mean.shape[1] <= 2 or len(means) < 3:
        return None
    return signed(np.linalg.svd(means - means.mean(0))[2][:2])


def signed(axes: Doubles) -> Doubles:
    """Of ±axis the one that every machine finds: its largest number is positive."""
    result: Doubles = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    return result


def share_of_variance(mean: Doubles, axes: Doubles) -> float:
    """How much of the variance of codes [N, Z] a plane [2, Z] shows, in [0, 1]."""
    centred = mean - mean.mean(0)
    total = (centred**2).sum()
    return float(((centred @ axes.T) ** 2).sum() / total) if total > 0 else 1.0


def class_means(mean: Doubles, label: Whole, classes: int) -> Doubles:
    """The mean code of each class, [K, Z]; NaN for one without images."""
    means = np.full((classes, mean.shape[1]), np.nan)
    for number in np.unique(label):
        if 0 <= number < classes:
            means[number] = mean[label == number].mean(0)
    return means


def read_thumbnails(folder: RunFolder, codes: HeldOut, index: Whole, shape: tuple[int, int, int]) -> Images | None:
    """The images with these indices out of thumbnails.png: uint8 [N, H, W, C]; None where the run has no such file.

    Raises Damaged for one that cannot be read or is of another size.
    """
    path = folder.path / "thumbnails.png"
    if not path.is_file():
        return None
    height, width, channels = shape
    try:
        file = open_png(path)
        sheet = np.asarray(file.convert("L" if channels == 1 else "RGB")).reshape(file.height, file.width, channels)
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        boxes = sheet.reshape(rows, height, columns, width, channels).swapaxes(1, 2)
        images: Images = boxes.reshape(rows * columns, height, width, channels)[codes.cell[rows_of(codes, index)]]
    except (OSError, ValueError, IndexError) as error:
        raise damaged(path, type(error).__name__) from None
    return images


def sprite(images: Images, shades: int = SHADES, lossless: bool = False) -> dict[str, str | int]:
    """One picture of all the images, row by row without gaps: {"src": a data URI, "columns"}.

    Grey images in so many shades: 16 are as fine as a thumbnail needs, 256 all there are at twice the bytes. Colours as JPEG, unless
    `lossless`.
    """
    columns = math.ceil(math.sqrt(len(images)))
    sheet = grid(images, columns, gap=0)
    if images.shape[3] == 1:
        content = as_png(shaded(sheet, shades), bits=4 if shades <= SHADES else 8, optimize=True)
    elif lossless:
        content = as_png(to_pil(sheet))
    else:
        buffer = io.BytesIO()
        to_pil(sheet).save(buffer, "JPEG", quality=QUALITY)
        return {"src": data_uri(buffer.getvalue(), "image/jpeg"), "columns": columns}
    return {"src": data_uri(content, "image/png"), "columns": columns}
