"""One image file's bytes to uint8 [S, S, C], or the reason why not. Everything that is decided about pixels is decided here.

In this order: first frame; orientation from EXIF; transparency laid on white; 16-bit and float grey scaled to 0 to 255, never
clipped; grey or RGB; centre crop or padding to a square; one bicubic resize with antialiasing. Colour profiles are ignored.
"""

from __future__ import annotations

import io
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from latentlab.base.images import check_png
from latentlab.base.texts import reason

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")  # Pillow's other readers are never tried on a user's files
if find_spec("pillow_heif"):
    from pillow_heif import register_heif_opener

    register_heif_opener()
    FORMATS = (*FORMATS, "HEIF")
MAX_PIXELS = 100_000_000
ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Undecodable(Exception):
    """This file gives no image; the text is short and says why."""


def decode(content: bytes, size: int, fit: str, channels: str) -> NDArray[np.uint8]:
    """The image in a file's bytes: uint8 [size, size, C], S = size.

    C is 1 for an image that is stored as grey and 3 for a colour one with `channels` "auto" or "rgb", always 1 with "grey"
    (ITU-R 601 luminance). `fit` "crop" keeps the central square, "pad" the whole image between black margins. Raises Undecodable.
    """
    if not content:
        raise Undecodable(reason("file.empty"))
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Undecodable(f"{image.width} x {image.height} is more than {MAX_PIXELS // 10**6} million pixels")
            if image.format == "PNG":
                check_png(content)  # else flipped bits decode to wrong pixels
            image.draft(None, (3 * size, 3 * size))  # a JPEG is read at 1/2, 1/4 or 1/8 where that is still ample
            image.load()
            flat = _flat(_upright(image))
        if channels == "grey":
            flat = flat.convert("L")
        pixels = np.asarray(_square(flat, size, fit))
    except Undecodable:
        raise
    except Exception as error:  # a hostile file can make Pillow's readers raise anything, and is skipped and named
        raise Undecodable(_reason(error)) from None
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF beside sound pixels: the image is used as it is stored
        turn = None
    return image if turn is None else image.transpose(turn)


def _flat(image: Image.Image) -> Image.Image:
    """In mode L or RGB, opaque."""
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_scaled(np.asarray(image), image.mode))
    mode = "L" if image.mode in ("1", "L", "LA", "La") or _has_grey_palette(image) else "RGB"
    if not image.has_transparency_data:
        return image.convert(mode)
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite((image.convert("LA") if image.mode == "La" else image).convert("RGBA"))
    return ground.convert(mode)


def _has_grey_palette(image: Image.Image) -> bool:
    """GIF has no other way to be grey."""
    palette = np.array(image.getpalette("RGB") if image.mode == "P" else [], np.uint8).reshape(-1, 3)
    return len(palette) > 0 and bool((palette == palette[:, :1]).all())


def _scaled(values: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """16-bit grey by 65,535. Other whole numbers likewise if they lie in 0..65,535; floats in 0..1 by 1 and in 0..255 by 255;
    anything else from its least value to its largest."""
    exact = values.astype(np.float64)
    if not np.isfinite(exact).all():
        raise Undecodable("holds NaN or infinity")
    low, high = float(exact.min()), float(exact.max())
    top = next((top for top in ((1.0, 255.0) if mode == "F" else (65535.0,)) if low >= 0 and high <= top), None)
    if top is None:
        exact, top = exact - low, high - low or 1.0
    return np.rint(exact * (255 / top)).astype(np.uint8)


def _square(image: Image.Image, size: int, fit: str) -> Image.Image:
    width, height = image.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return _resize(image.crop((left, top, left + side, top + side)), size, size)
    longer = max(width, height)
    inner = _resize(image, max(1, round(width * size / longer)), max(1, round(height * size / longer)))
    square = Image.new(image.mode, (size, size))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def _resize(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF image"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "too many pixels"
    text = " ".join(str(error).split())
    return "truncated" if "truncated" in text.lower() else f"damaged: {text or type(error).__name__}"[:100]
