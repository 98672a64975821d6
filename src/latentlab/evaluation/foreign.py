"""Images that another program made: read as they are, so that they are measured by the same yardstick."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentlab.data.decode import FORMATS, Undecodable, decode
from latentlab.data.walk import walk
from latentlab.errors import LabError, refusal
from latentlab.images import Images, check

NEARLY_GREY = 12  # bytes between the channels of a grey image that went through JPEG


def read_images(path: str | Path, shape: tuple[int, int, int]) -> Images:
    """The images of a folder (in order of their names) or of an .npz with `images`, of exactly this (H, W, C).

    Nothing is resized, dropped or guessed: how a program resizes would become part of its score. Grey files serve RGB data;
    RGB files serve grey data only where their channels agree. Raises LabError for everything else, naming the file.
    """
    source = Path(path)
    if source.suffix == ".npz" and source.is_file():
        return _from_npz(source, shape)
    if not source.is_dir():
        raise refusal("--images", "a folder of images, or an .npz file with an array `images`", str(path))
    listing = walk(source)
    if listing.odd:
        name, reason = listing.odd[0]
        raise LabError(f"--images {source / name} must be an image. It is {reason}. Remove it, so that nothing is left out of the measure.")
    if not listing.entries:
        raise refusal("--images", "a folder with JPEG, PNG, WebP, BMP, GIF or TIFF images", str(path), "It holds none.")
    images = np.empty((len(listing.entries), *shape), np.uint8)
    for row, entry in enumerate(listing.entries):
        images[row] = _one(source / entry.path, shape)
    return images


def _from_npz(path: Path, shape: tuple[int, int, int]) -> Images:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            held: Any = arrays["images"] if "images" in arrays.files else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise LabError(f"--images {path} cannot be read ({type(error).__name__}). Write it with numpy.savez(file, images=…).") from None
    if held is None:
        raise refusal("--images", "an .npz file with an array `images`, uint8 [N, H, W, C]", str(path))
    return check(held, f"images in {path}", shape)


def _one(path: Path, shape: tuple[int, int, int]) -> Images:
    height, width, channels = shape
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            size = image.size
        if size != (width, height):
            raise refusal(
                f"--images {path}", f"{width} x {height} pixels, as --data is", f"{size[0]} x {size[1]}", "Write your images at that size."
            )
        pixels = decode(content, height, "crop", "auto")
    except LabError:
        raise
    except Exception as error:  # a hostile file can make Pillow's readers raise anything
        reason = str(error) if isinstance(error, Undecodable) else "it is damaged"
        raise LabError(f"--images {path} must be an image that can be read: {reason}. Mend or remove it.") from None
    if channels == 1 and pixels.shape[2] == 3:
        if np.ptp(pixels.astype(np.int16), axis=2).max() > NEARLY_GREY:
            raise refusal(f"--images {path}", "grey, as --data is", "a colour image", "Write your images in grey.")
        return pixels[:, :, 1:2]
    return np.repeat(pixels, channels, 2) if pixels.shape[2] < channels else pixels
