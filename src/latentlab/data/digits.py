"""`digits`: 1,797 real handwritten digits that scikit-learn carries, so that nothing has to be downloaded.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its test part), 8 x 8, values 0 to 16.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.config import DataConfig
from latentlab.data.idx import with_channels
from latentlab.data.sets import Data, cut, fingerprint
from latentlab.data.splits import by_content
from latentlab.images import Images

SIZE = 28
_FILE = "datasets/data/digits.csv.gz"  # within scikit-learn: 64 pixels and the digit in each line
_CONTRAST = 1.6  # the steps between 8 x 8 pixels become slopes; this makes them as steep as a pen's stroke in MNIST


def load_digits(config: DataConfig) -> Data:
    """The digits as uint8 [1797, 28, 28, 1] or at `config.image_size`, split by the content of the 8 x 8 originals."""
    small, labels = embedded()
    size = config.image_size or SIZE
    source = with_channels(enlarge(small, size), config.channels)
    source.setflags(write=False)
    splits = by_content([hashlib.sha256(image.tobytes()).hexdigest() for image in small], config.val_share, config.test_share, "digits")
    parts = cut(source, labels, splits, config.train_images)
    content = f"digits {hashlib.sha256(source.tobytes() + labels.tobytes()).hexdigest()} {source.shape}"
    notes = () if splits.note is None else (splits.note,)
    return Data("digits", *parts, tuple("0123456789"), fingerprint(content, *parts), notes=notes)


def embedded() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The originals, uint8 [1797, 8, 8] of values 0 to 16, and their digits, int64 [1797], as scikit-learn carries them.

    Read from its file without importing it: the import takes a second or more, the file five milliseconds.
    """
    package = find_spec("sklearn")
    file = Path(next(iter(package.submodule_search_locations)), _FILE) if package and package.submodule_search_locations else None
    if file is not None and file.is_file():
        with gzip.open(file, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
        return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits as carried  # type: ignore[import-untyped,unused-ignore]

    bunch = carried()  # a scikit-learn that keeps them elsewhere
    return np.asarray(bunch.images, np.uint8), np.asarray(bunch.target, np.int64)


def enlarge(small: NDArray[np.uint8], size: int) -> Images:
    """8 x 8 images of values 0 to 16, uint8 [N, 8, 8], as white strokes on black, uint8 [N, size, size, 1].

    A margin of one black pixel (the digits touch the upper and lower edge), bicubic interpolation, contrast times 1.6.
    """
    large = np.empty((len(small), size, size, 1), np.uint8)
    for row, image in enumerate(np.pad(small, ((0, 0), (1, 1), (1, 1)))):
        grey = Image.fromarray(image.astype(np.float32) / 16).resize((size, size), Image.Resampling.BICUBIC)
        sharp = (np.asarray(grey) - 0.5) * _CONTRAST + 0.5
        large[row, :, :, 0] = np.rint(np.clip(sharp, 0, 1) * 255)
    return large
