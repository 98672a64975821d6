"""Small pictures of images side by side, as PNG bytes without text."""

from __future__ import annotations

import io

from PIL import Image

from latentlab.images import Images, grid, to_pil

SHADES = 16
COLORS = 64


def sheet(images: Images, columns: int) -> bytes:
    """Images uint8 [N, H, W, C] row by row: 16 shades of grey in 4 bits a pixel, or 64 colours."""
    picture, buffer = to_pil(grid(images, columns)), io.BytesIO()
    if picture.mode == "L":
        last = SHADES - 1
        levels = Image.frombytes("P", picture.size, picture.point([round(value * last / 255) for value in range(256)]).tobytes())
        levels.putpalette([round(shade * 255 / last) for shade in range(SHADES) for _ in range(3)])
        levels.save(buffer, "PNG", bits=4, optimize=True)
    else:
        picture.quantize(COLORS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
