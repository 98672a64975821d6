"""The idx format of MNIST and its kin: two zero bytes, type 8 (bytes), the number of axes, each size as 4 bytes, the elements.

Source: Y. LeCun, http://yann.lecun.com/exdb/mnist/. Every fault is a `Damaged` with the file's name, never a guess.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.errors import Damaged
from latentlab.images import Images


def read_content(path: Path, limit: int, remedy: str) -> bytes:
    """The uncompressed bytes of an idx file, gzipped if its name ends in .gz, of at most `limit` bytes.

    Reading stops one byte after the limit, so that a small file that unpacks to a huge one costs nothing.
    Raises Damaged when it is longer or is not whole gzip; `remedy` says what to do.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = bytes(file.read(limit + 1))
    except EOFError:
        raise Damaged(f"{path} must be a whole gzip file. It is cut off. {remedy}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Damaged(f"{path} must be a gzip file. It is not, or is damaged ({error}). {remedy}") from None
    except OSError as error:
        raise Damaged(f"{path} must be a file that can be read. {error.strerror or error}. {remedy}") from None
    if len(content) > limit:
        raise Damaged(f"{path} must hold {limit:,} bytes. It holds more. {remedy}")
    return content


def parse_idx(content: bytes, shape: tuple[int, ...], path: Path, remedy: str) -> NDArray[np.uint8]:
    """The array in the bytes of an idx file: uint8 of `shape`, read-only, without a copy. Raises Damaged."""
    axes = len(shape)
    magic = bytes((0, 0, 8, axes))
    if content[:4] != magic:
        what = "It is empty." if not content else f"It begins with {content[:16]!r}."
        raise Damaged(f"{path} must be an idx file of {axes} axes, beginning with {magic!r}. {what} {remedy}")
    start = 4 + 4 * axes
    if len(content) < start:
        raise Damaged(f"{path} must have a header of {start} bytes. It ends after {len(content)}. {remedy}")
    sizes = struct.unpack(f">{axes}I", content[4:start])
    if sizes != shape:
        raise Damaged(f"{path} must hold {_times(shape)}. Its header says {_times(sizes)}. {remedy}")
    if len(content) - start != math.prod(shape):
        raise Damaged(f"{path} must hold {math.prod(shape):,} bytes after its header. It holds {len(content) - start:,}. {remedy}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def resized(images: Images, size: int | None) -> Images:
    """uint8 [N, H, W, 1] at size x size, with antialiasing; the images themselves where they have that size."""
    if size is None or images.shape[1:3] == (size, size):
        return images
    out = np.empty((len(images), size, size, 1), np.uint8)
    for row, image in enumerate(images[..., 0]):
        out[row, :, :, 0] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
    return out


def with_channels(images: Images, channels: str) -> Images:
    """Grey images uint8 [N, H, W, 1] as `channels` wants them: "rgb" repeats the grey, "grey" and "auto" leave it."""
    return np.repeat(images, 3, axis=3) if channels == "rgb" else images
