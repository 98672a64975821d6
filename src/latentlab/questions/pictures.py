"""Rows of images as one small PNG without text, for a panel."""

from __future__ import annotations

import io

from PIL import Image

from latentlab.images import Images, grid, to_pil

SHADES = 16


def strip(images: Images, columns: int, zoom: int = 2) -> bytes:
    """Images uint8 [N, H, W, C], `columns` in a row, as PNG bytes: grey in 16 shades, colours in 64."""
    picture = to_pil(grid(images, columns), zoom)
    buffer = io.BytesIO()
    if picture.mode != "L":
        picture.quantize(64).save(buffer, "PNG")
        return buffer.getvalue()
    last = SHADES - 1
    shades = Image.frombytes("P", picture.size, picture.point([round(value * last / 255) for value in range(256)]).tobytes())
    shades.putpalette([round(shade * 255 / last) for shade in range(SHADES) for _ in range(3)])
    shades.save(buffer, "PNG", bits=4)
    return buffer.getvalue()
