"""The one type at every border: images as uint8 [N, H, W, C], C = 1 (grey) or 3 (RGB).

Points of the plane take the same ways as float32 [N, 1, 1, 2], in their own coordinates: bytes would be too coarse for them.
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from latentlab.base.errors import Damaged, refusal
from latentlab.base.files import replace_with

Images = NDArray[np.uint8 | np.float32]
POINT = (1, 1, 2)  # (H, W, C) of points


def is_point(shape: Sequence[int]) -> bool:
    """Whether (H, W, C) is that of points, not of images."""
    return tuple(shape) == POINT


def as_array(values: Any) -> NDArray[Any]:
    """An array, a list, or a tensor of any device with or without a gradient, as a NumPy array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def check(images: Any, name: str = "images", shape: tuple[int, int, int] | None = None) -> Images:
    """`images` as a uint8 [N, H, W, C] array, or a LabError that says what it is instead.

    `shape` is the (H, W, C) that a model takes. Floats are refused, not scaled: nobody can know their range.
    """
    array = np.asarray(images)
    if shape is not None and is_point(shape):
        return as_points(array, name)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3):
        raise refusal(name, "uint8 of shape [N, H, W, C] with C = 1 or 3", f"{array.dtype} {list(array.shape)}")
    if shape is not None and array.shape[1:] != shape:
        raise refusal(
            name,
            f"of shape [N, {shape[0]}, {shape[1]}, {shape[2]}], as this model takes them",
            list(array.shape),
            "Resize them, or load them with the run's own data settings.",
        )
    return array


def as_points(points: Any, name: str = "points") -> Images:
    """Finite numbers [N, 2], or already [N, 1, 1, 2], as float32 [N, 1, 1, 2]. Raises LabError for anything else."""
    array = np.asarray(points)
    if array.shape[1:] not in ((2,), POINT) or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise refusal(name, "finite numbers of shape [N, 2]", f"{array.dtype} {list(array.shape)}")
    return array.reshape(-1, *POINT).astype(np.float32)


def as_arrays(images: Images) -> dict[str, NDArray[Any]]:
    """What an .npz file of samples holds: `images` [N, H, W, C], or of points `points` [N, 2]."""
    return {"points": images.reshape(-1, 2)} if is_point(images.shape[1:]) else {"images": images}


def grid(images: Images, columns: int | None = None, gap: int = 2) -> Images:
    """The images as one picture, row by row: uint8 [N, H, W, C] to uint8 [h, w, C], with a mid-grey gap."""
    images = check(images)
    count, height, width, channels = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / columns))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 96, np.uint8)
    for index, image in enumerate(images):
        top = gap + (index // columns) * (height + gap)
        left = gap + (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def interleave(rows: Sequence[Images], columns: int) -> Images:
    """Images in bands for `grid`: `columns` of the first set, below them as many of the second, and so on."""
    bands = []
    for start in range(0, len(rows[0]), columns):
        bands += [row[start : start + columns] for row in rows]
    return np.concatenate(bands)


def to_pil(picture: Images, zoom: int = 1) -> Image.Image:
    """A picture uint8 [H, W, C] as a Pillow image, `zoom` times as large without smoothing."""
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST) if zoom > 1 else image


def shaded(picture: Images, shades: int) -> Image.Image:
    """A grey picture uint8 [H, W, 1] in so many shades as a Pillow image with a palette of them: 16 take 4 bits a pixel."""
    last = shades - 1
    image = Image.fromarray(np.round(picture[:, :, 0] * (last / 255)).astype(np.uint8)).convert("P")
    image.putpalette([round(shade * 255 / last) for shade in range(shades) for _ in range(3)])
    return image


def as_png(image: Image.Image, **options: Any) -> bytes:
    """A Pillow image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that asks nobody for anything."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def save_png(picture: Images, path: Path, zoom: int = 1) -> None:
    """Write a picture uint8 [H, W, C] beside `path` and rename it, so that a reader never sees half of it."""
    replace_with(path, lambda beside: to_pil(picture, zoom).save(beside, format="PNG"))


def open_png(path: Path) -> Image.Image:
    """A picture that a run wrote, read whole. Raises FileNotFoundError, and Damaged where a checksum or anything else is wrong."""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # 10,000 thumbnails of 128 x 128 are as large
            check_png(content)
            image = Image.open(io.BytesIO(content), formats=["PNG"])
            image.load()
    except FileNotFoundError:
        raise
    except Exception as error:  # a hostile file can make Pillow's readers raise anything
        raise Damaged(f"{path} is damaged ({type(error).__name__}). Restore it from a copy of the run, or delete it.") from None
    return image


def check_png(content: bytes) -> None:
    """Compare each part of a PNG file with its checksum, which decoding does not. Raises what Pillow raises."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        image.verify()


AVIF_QUALITY = 40  # an error of about 4 of 255 on the average pixel of a sample grid


def compressed(picture: Image.Image) -> tuple[bytes, str]:
    """A picture at a fraction of its size, with losses that are hardly seen, and the name of its format: "avif" or "webp".

    AVIF is read by every browser that runs our decoders; WebP is for a Pillow that was built without it.
    """
    grey = picture.convert("L").convert("RGB").tobytes() == picture.convert("RGB").tobytes()
    buffer = io.BytesIO()
    if features.check("avif"):
        picture.convert("L" if grey else "RGB").save(
            buffer, "AVIF", quality=AVIF_QUALITY, speed=8, subsampling="4:0:0" if grey else "4:4:4"
        )
        return buffer.getvalue(), "avif"
    picture.convert("RGB").save(buffer, "WEBP", quality=AVIF_QUALITY + 20, method=4)
    return buffer.getvalue(), "webp"
