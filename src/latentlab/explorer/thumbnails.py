"""The held-out images of a page as one small picture."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

from latentlab.explorer.points import Held, Whole, rows_of
from latentlab.figures.records import damaged
from latentlab.images import Images, grid, to_pil
from latentlab.runs import RunFolder

SHADES = 16
QUALITY = 85


def read_thumbnails(folder: RunFolder, held: Held, index: Whole, shape: tuple[int, int, int]) -> Images | None:
    """The images with these indices out of thumbnails.png: uint8 [N, H, W, C]; None where the run has no such file.

    Raises Damaged for one that cannot be read or is of another size.
    """
    path = folder.path / "thumbnails.png"
    if not path.is_file():
        return None
    height, width, channels = shape
    try:
        with Image.open(path, formats=["PNG"]) as file:
            sheet = np.asarray(file.convert("L" if channels == 1 else "RGB")).reshape(file.height, file.width, channels)
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        boxes = sheet.reshape(rows, height, columns, width, channels).swapaxes(1, 2)
        images: Images = boxes.reshape(rows * columns, height, width, channels)[held.place[rows_of(held, index)]]
    except (OSError, ValueError, IndexError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise damaged(path, type(error).__name__) from None
    return images


def sprite(images: Images) -> dict[str, str | int]:
    """One picture of all the images, row by row without gaps: {"src": a data URI, "columns"}.

    Grey images in 16 shades, which is as fine as a thumbnail needs at a third of the bytes; colours as JPEG.
    """
    columns = math.ceil(math.sqrt(len(images)))
    sheet = grid(images, columns, gap=0)
    buffer = io.BytesIO()
    if images.shape[3] == 1:
        last = SHADES - 1
        shades = Image.fromarray(np.round(sheet[:, :, 0] * (last / 255)).astype(np.uint8)).convert("P")
        shades.putpalette([round(shade * 255 / last) for shade in range(SHADES) for _ in range(3)])
        shades.save(buffer, "PNG", bits=4, optimize=True)
        kind = "png"
    else:
        to_pil(sheet).save(buffer, "JPEG", quality=QUALITY)
        kind = "jpeg"
    return {"src": f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}", "columns": columns}
