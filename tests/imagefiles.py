"""Image and idx files made for tests: sound ones, odd ones and hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.config.sources import Source, SourceFile
from latentlab.data import Data, load_data

TRAIN, TEST, SIZE = 12, 5, 28  # images and pixels of `tiny_set`


def idx(array: NDArray[np.uint8]) -> bytes:
    """The bytes of an idx file."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pack(content: bytes) -> bytes:
    """gzip without a time stamp."""
    return gzip.compress(content, mtime=0)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(seed: int, height: int = 16, width: int = 16, channels: int = 1) -> Image.Image:
    """A picture of random pixels: each seed has a content of its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def write(root: Path, files: dict[str, bytes]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def greys(root: Path, count: int, folder: str = "", first: int = 0) -> Path:
    """`count` different small grey PNG files in a folder."""
    prefix = f"{folder}/" if folder else ""
    return write(root, {f"{prefix}{number:04d}.png": encoded(noise(number)) for number in range(first, first + count)})


def tiny_set(pin_content: bool = True, name: str = "mnist") -> tuple[Source, dict[str, bytes]]:
    """A set like MNIST of 12 + 5 images, and its .gz files by name."""
    random = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": random.integers(0, 256, (TRAIN, SIZE, SIZE), np.uint8),
        "train-labels-idx1-ubyte": np.arange(TRAIN, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": random.integers(0, 256, (TEST, SIZE, SIZE), np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(TEST, dtype=np.uint8),
    }
    files, packed = [], {}
    for file, array in arrays.items():
        content = idx(array)
        gz = packed[f"{file}.gz"] = pack(content)
        digest = hashlib.sha256(content).hexdigest() if pin_content else None
        files.append(SourceFile(file, array.shape, hashlib.sha256(gz).hexdigest(), len(gz), digest))
    addresses, classes = ("https://127.0.0.1:1/",), tuple("0123456789")
    return Source(name, "published", class_names=classes, addresses=addresses, files=tuple(files)), packed


def load(root: Path, **changes: object) -> Data:
    return load_data(f"folder:{root}", **{"image_size": 16} | changes)


def everything(data: Data) -> set[bytes]:
    """The pixels of every image."""
    return {image.tobytes() for part in (data.train, data.val, data.test) for image in part.images}
