"""mnist, fashion-mnist and kmnist: found under the data root and verified, or downloaded; cut as they were published."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import Damaged, LabError, refusal
from latentlab.base.files import data_root
from latentlab.base.images import Images
from latentlab.config.schema import DataConfig
from latentlab.data.download import check_address, download
from latentlab.data.sets import Data, ImageSet, by_content, cut, fingerprint, first_images
from latentlab.data.sources import SETS, PublishedFile, PublishedSet

Report = Callable[[str], None]


@dataclass(frozen=True)
class _Verified:
    """One idx file that was read and checked."""

    array: NDArray[np.uint8]
    content_sha256: str
    note: str | None


def fetch(spec: str, root: str | Path | None = None, addresses: Sequence[str] | None = None, report: Report | None = None) -> Path:
    """Verify the files of a published set that are at hand, and download the others; the folder that holds them.

    `addresses` stands in for the published ones (https only); `report` takes a line for each download, by default to
    stderr. Raises LabError for another SPEC and when no address gives a file, Damaged for a file at hand that is wrong.
    """
    if spec not in SETS:
        remedy = "digits needs no download." if spec == "digits" else ""
        raise refusal("a set to download", f"one of {', '.join(SETS)}", spec, remedy)
    for address in addresses or ():
        check_address(address)
    folder = data_root(root) / spec
    for file in SETS[spec].files:
        path = _at_hand(folder, file) or _downloaded(folder, spec, file, addresses, report)
        verify(path, file, spec)
    return folder


def load_published(config: DataConfig) -> Data:
    """A published set: the last `val_images` training images are val, the published test images are test.

    train and val are rows of one source, test has a source of its own. Raises LabError when a file is missing and cannot
    be had, Damaged when one is wrong.
    """
    name, members = config.spec, SETS[config.spec]
    count = members.train_images.shape[0]
    if config.val_images >= count:
        raise refusal("data.val_images", f"less than {count}, the number of training images of {name}", config.val_images)
    files = _verified_files(config, members)
    train_images, train_labels, test_images, test_labels = (file.array for file in files)
    sources = [with_channels(resized(images[..., None], config.image_size), config.channels) for images in (train_images, test_images)]
    for source in sources:
        source.setflags(write=False)
    border = count - config.val_images
    rows = np.arange(count, dtype=np.int64)
    labels = train_labels.astype(np.int64)
    chosen = first_images(rows[:border], config.train_images)
    train = ImageSet(sources[0], chosen, labels[chosen])
    val = ImageSet(sources[0], rows[border:], labels[border:])
    test = ImageSet(sources[1], np.arange(len(sources[1]), dtype=np.int64), test_labels.astype(np.int64))
    content = f"{name} {' '.join(file.content_sha256 for file in files)} {train.shape}"
    notes = tuple(file.note for file in files if file.note)
    return Data(name, train, val, test, members.class_names, fingerprint(content, train, val, test), notes=notes)


def _verified_files(config: DataConfig, members: PublishedSet) -> list[_Verified]:
    folder = data_root(config.root) / config.spec
    paths = [_at_hand(folder, file) for file in members.files]
    missing = [file.name + ".gz" for file, path in zip(members.files, paths, strict=True) if path is None]
    if missing and config.offline:
        raise LabError(f"{missing[0]} is not in {folder}, and --offline forbids a download. {_remedy(folder, config.spec)}")
    return [
        verify(path or _downloaded(folder, config.spec, file, None, None), file, config.spec)
        for file, path in zip(members.files, paths, strict=True)
    ]


def _at_hand(folder: Path, file: PublishedFile) -> Path | None:
    """The file with .gz, else without; None when there is neither."""
    return next((path for path in (folder / f"{file.name}.gz", folder / file.name) if path.is_file()), None)


def _downloaded(folder: Path, name: str, file: PublishedFile, addresses: Sequence[str] | None, report: Report | None) -> Path:
    bases = addresses or SETS[name].addresses
    return download(f"{file.name}.gz", file.gz_sha256, file.gz_bytes, bases, folder, _remedy(folder, name), report or _to_stderr)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _remedy(folder: Path, name: str) -> str:
    return f"Put the four files of {name} into {folder}, run `latentlab data fetch {name}` where there is a network, or use --data digits."


def verify(path: Path, file: PublishedFile, name: str) -> _Verified:
    """Read one idx file and check it: its form always; its sha256 where the content's is known, else the .gz's.

    A .gz whose own sha256 is not the published one may have been compressed anew: then only its form is known, and a
    note says so. Raises Damaged.
    """
    remedy = f"Delete it and run `latentlab data fetch {name}`, or use --data digits."
    content = read_content(path, file.content_bytes, remedy)
    array = parse_idx(content, file.shape, path, remedy)
    last_class = len(SETS[name].class_names) - 1
    if array.ndim == 1 and int(array.max()) > last_class:
        raise Damaged(f"{path} must hold labels of 0 to {last_class}. One is {int(array.max())}. {remedy}")
    digest = hashlib.sha256(content).hexdigest()
    if file.content_sha256 is not None:
        if digest != file.content_sha256:
            known = file.content_sha256
            raise Damaged(f"{path} must have the published content, of sha256 {known[:12]}... Got {digest[:12]}... {remedy}")
        return _Verified(array, digest, None)
    if path.suffix == ".gz" and path.stat().st_size == file.gz_bytes:
        with open(path, "rb") as packed:
            if hashlib.file_digest(packed, "sha256").hexdigest() == file.gz_sha256:
                return _Verified(array, digest, None)
    note = f"{path} could be checked by its form only: it is not the published .gz, though it may hold the same images."
    return _Verified(array, digest, note)


# The idx format of MNIST and its kin: two zero bytes, type 8 (bytes), the number of axes, each size as 4 bytes, the elements.
#
# Source: Y. LeCun, http://yann.lecun.com/exdb/mnist/. Every fault is a `Damaged` with the file's name, never a guess.


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


# `digits`: 1,797 real handwritten digits that scikit-learn carries, so that nothing has to be downloaded.
#
# Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its test part), 8 x 8, values 0 to 16.

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
