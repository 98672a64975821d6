"""Every odd kind of image file: golden pixels, or a reason why it gives none."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from imagefiles import encoded, noise
from numpy.typing import NDArray
from PIL import Image

from latentlab.data import decode as module
from latentlab.data.decode import Undecodable, decode

SIZE = 8
RAMP = np.linspace(0, 255, SIZE * SIZE).round().astype(np.uint8).reshape(SIZE, SIZE)
COLOUR = np.stack([RAMP, RAMP.T, 255 - RAMP], axis=2)


def pixels(content: bytes, size: int = SIZE, fit: str = "crop", channels: str = "auto") -> NDArray[np.uint8]:
    return decode(content, size, fit, channels)


def with_alpha(image: NDArray[np.uint8], alpha: int) -> Image.Image:
    return Image.fromarray(np.concatenate([image, np.full((*image.shape[:2], 1), alpha, np.uint8)], axis=2))


def two_frames() -> bytes:
    return encoded(Image.fromarray(RAMP), "GIF", save_all=True, append_images=[Image.fromarray(255 - RAMP)])


def deep(values: NDArray[np.generic]) -> Image.Image:
    return Image.fromarray(values)


WIDE = (RAMP.astype(np.uint16) * 257).astype(np.uint16)  # 16 bits: 255 becomes 65,535
GREY: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(Image.fromarray(RAMP)),
    "bmp": lambda: encoded(Image.fromarray(RAMP), "BMP"),
    "gif": lambda: encoded(Image.fromarray(RAMP), "GIF"),
    "animated gif": two_frames,
    "tiff": lambda: encoded(Image.fromarray(RAMP), "TIFF"),
    "16-bit png": lambda: encoded(deep(WIDE)),
    "16-bit tiff": lambda: encoded(deep(WIDE), "TIFF"),
    "32-bit tiff": lambda: encoded(deep(WIDE.astype(np.int32)), "TIFF"),
    "float tiff, 0 to 1": lambda: encoded(deep((RAMP / 255).astype(np.float32)), "TIFF"),
    "float tiff, 0 to 255": lambda: encoded(deep(RAMP.astype(np.float32)), "TIFF"),
    "float tiff, any range": lambda: encoded(deep(RAMP.astype(np.float32) * 100 - 7000), "TIFF"),
    "32-bit tiff, negative": lambda: encoded(deep(RAMP.astype(np.int32) * 100 - 7000), "TIFF"),
    "opaque grey and alpha": lambda: encoded(with_alpha(RAMP[:, :, None], 255)),
}
COLOURED: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(Image.fromarray(COLOUR)),
    "bmp": lambda: encoded(Image.fromarray(COLOUR), "BMP"),
    "tiff": lambda: encoded(Image.fromarray(COLOUR), "TIFF", compression="tiff_lzw"),
    "webp": lambda: encoded(Image.fromarray(COLOUR), "WEBP", lossless=True),
    "opaque alpha": lambda: encoded(with_alpha(COLOUR, 255)),
    "palette": lambda: encoded(Image.fromarray(COLOUR).quantize(64)),
    "gif": lambda: encoded(Image.fromarray(COLOUR).quantize(64), "GIF"),
}


@pytest.mark.parametrize("kind", GREY)
def test_grey_kinds_give_the_same_pixels(kind: str) -> None:
    assert np.array_equal(pixels(GREY[kind]())[:, :, 0], RAMP)
    assert pixels(GREY[kind]()).shape == (SIZE, SIZE, 1)


@pytest.mark.parametrize("kind", COLOURED)
def test_colour_kinds_give_the_same_pixels(kind: str) -> None:
    assert np.array_equal(pixels(COLOURED[kind]()), COLOUR)


def test_black_and_white_png_is_grey() -> None:
    bits = Image.fromarray(RAMP).point(lambda v: 255 * (v > 127), "1")
    assert np.array_equal(pixels(encoded(bits))[:, :, 0], (RAMP > 127) * np.uint8(255))


def test_hidden_colours_under_alpha_are_not_seen() -> None:
    red = np.zeros((SIZE, SIZE, 3), np.uint8)
    red[..., 0] = 255
    assert (pixels(encoded(with_alpha(red, 0))) == 255).all()
    assert pixels(encoded(with_alpha(red, 128)))[0, 0].tolist() == [255, 127, 127]
    transparent = Image.fromarray(np.zeros((SIZE, SIZE), np.uint8)).convert("P")
    assert (pixels(encoded(transparent, transparency=0)) == 255).all()
    assert (pixels(encoded(Image.fromarray(np.zeros((SIZE, SIZE), np.uint8)), transparency=0)) == 255).all()
    assert (pixels(encoded(with_alpha(RAMP[:, :, None], 0))) == 255).all()


def test_cmyk_jpeg_has_its_colours() -> None:
    red = Image.new("RGB", (SIZE, SIZE), (250, 20, 30)).convert("CMYK")
    assert np.abs(pixels(encoded(red, "JPEG", quality=100)).astype(int) - [250, 20, 30]).max() < 12


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_come_out_upright(orientation: int, format: str) -> None:
    """A camera that stores an upright image in another orientation says by EXIF how to turn it back."""
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8, :8], upright[:8, 8:], upright[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    got = pixels(encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, **options), size=16)
    assert np.abs(got.astype(int) - upright).max() < 12


def test_broken_exif_does_not_cost_the_image() -> None:
    content = encoded(Image.fromarray(RAMP), exif=b"Exif\0\0rubbish")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.array_equal(pixels(content)[:, :, 0], RAMP)


def test_one_pixel_and_extreme_shapes() -> None:
    assert (pixels(encoded(Image.new("L", (1, 1), 77))) == 77).all()
    assert pixels(encoded(Image.new("L", (1, 3000), 77))).shape == (SIZE, SIZE, 1)
    assert pixels(encoded(Image.new("RGB", (3000, 1), "white")), fit="pad").shape == (SIZE, SIZE, 3)


def test_crop_takes_the_centre_and_pad_keeps_everything() -> None:
    wide = np.full((8, 24), 50, np.uint8)
    wide[:, 8:16] = 200
    content = encoded(Image.fromarray(wide))
    assert (pixels(content) == 200).all()
    padded = pixels(content, size=24, fit="pad")[:, :, 0]
    assert np.array_equal(padded[8:16], wide)
    assert not padded[:8].any()
    assert not padded[16:].any()


def test_resizing_is_antialiased() -> None:
    """A checkerboard of single pixels becomes an even grey; by nearest or plain bilinear sampling it would not."""
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(pixels(encoded(Image.fromarray(board)), size=16).astype(int) - 128)[2:-2, 2:-2].max() <= 2


def test_reading_a_jpeg_at_reduced_size_changes_little() -> None:
    picture = noise(1, 40, 40, 3).resize((1200, 1200), Image.Resampling.BICUBIC)
    content = encoded(picture, "JPEG", quality=95)
    with Image.open(io.BytesIO(content)) as image:
        full = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(pixels(content, size=64) - full).mean() < 1.5


def test_channels() -> None:
    content = encoded(Image.new("RGB", (9, 9), (255, 0, 0)))
    assert (pixels(content, channels="grey") == 76).all()  # 0.299 x 255
    assert pixels(content, channels="grey").shape == (SIZE, SIZE, 1)
    assert pixels(content, channels="rgb")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.9])
def test_truncated_files_are_never_used(format: str, share: float) -> None:
    content = encoded(noise(0, 64, 64, 3), format)
    assert pixels(content).shape == (SIZE, SIZE, 3)
    with pytest.raises(Undecodable) as caught:
        pixels(content[: int(share * len(content))])
    assert len(str(caught.value)) <= 100
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"<html></html>", "not a JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a JPEG"),
        (encoded(Image.fromarray(RAMP), "PPM"), "not a JPEG"),
        (encoded(deep(np.array([[np.nan, 1.0]], np.float32)), "TIFF"), "NaN"),
    ],
)
def test_what_is_no_image_says_so(content: bytes, says: str) -> None:
    with pytest.raises(Undecodable, match=says):
        pixels(content)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.new("1", (10, 10)))
    monkeypatch.setattr(module, "MAX_PIXELS", 99)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(Undecodable, match="10 x 10 is more than"):
        pixels(content)
