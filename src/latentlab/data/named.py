"""The sources that have a name: those that are published, found under the data root or downloaded; digits, embedded."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import sys
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import Damaged, LabError, refusal
from latentlab.base.files import data_root
from latentlab.base.images import Images, to_pil
from latentlab.base.seeding import numpy_generator
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.sources import PUBLISHED, SOURCES, Source, SourceFile
from latentlab.data.download import check_address, download
from latentlab.data.sets import Data, ImageSet, Stacked, cut_by_content, fingerprint, first_images

Report = Callable[[str], None]

_FILE = "datasets/data/digits.csv.gz"  # within scikit-learn: 64 pixels and the digit in each line
_TAR_BYTES = 1 << 20  # of a tar file, beside what is in its batches
_CONTRAST = 1.6  # the steps between 8 x 8 pixels become slopes; this makes them as steep as a pen's stroke in MNIST


class _Verified(NamedTuple):
    """One file that was read and checked."""

    array: NDArray[np.uint8]
    content_sha256: str
    note: str | None = None


def fetch(spec: str, root: str | Path | None = None, addresses: Sequence[str] | None = None, report: Report | None = None) -> Path:
    """Verify the files of a published set that are at hand, and download the others; the folder that holds them.

    `addresses` stands in for the published ones (https only); `report` takes a line for each download, by default to
    stderr. Raises LabError for another SPEC and when no address gives a file, Damaged for a file at hand that is wrong.
    """
    if spec not in PUBLISHED:
        remedy = "digits needs no download." if spec == "digits" else ""
        raise refusal("a set to download", f"one of {', '.join(PUBLISHED)}", spec, remedy)
    for address in addresses or ():
        check_address(address)
    source = SOURCES[SOURCES[spec].folder]
    _verified_files(source, root, addresses=addresses, report=report)
    return data_root(root) / source.name


def is_at_hand(source: Source, root: str | Path | None) -> bool:
    """Whether a source needs no download."""
    return None not in _paths_at_hand(source, data_root(root) / source.folder)


def _paths_at_hand(source: Source, folder: Path) -> list[Path | None]:
    """Each file with .gz, else without; None when there is neither."""
    options = [(folder / f"{file.name}.gz", folder / file.name) for file in source.files]
    return [next((path for path in paths if path.is_file()), None) for paths in options]


def load_published(config: DataConfig) -> Data:
    """A published set: the last `val_images` training images are val, the published test images are test.

    train and val are rows of one source, test has a source of its own. Raises LabError when a file is missing and cannot
    be had, Damaged when one is wrong.
    """
    published = SOURCES[config.spec]
    if published.stacked:
        return _stacked(published, config)
    count = published.train_count
    if config.val_images >= count:
        raise refusal("data.val_images", f"less than {count}, the number of training images of {published.name}", config.val_images)
    files = _verified_files(published, config.root, offline=config.offline)
    train_images, train_labels, test_images, test_labels = _arrays(files, published)
    source, test_source = (prepared(images, config) for images in (train_images, test_images))
    labels, rows, border = train_labels.astype(np.int64), np.arange(count, dtype=np.int64), count - config.val_images
    chosen = first_images(rows[:border], config.train_images), rows[border:]
    train, val = (ImageSet(source, part, labels[part]) for part in chosen)
    test = ImageSet(test_source, np.arange(len(test_source), dtype=np.int64), test_labels.astype(np.int64))
    content = f"{published.name} {' '.join(file.content_sha256 for file in files)} {train.shape}"
    notes = tuple(file.note for file in files if file.note)
    return Data(published.name, train, val, test, published.class_names, fingerprint(content, train, val, test), notes=notes)


STACKED = {"train": 128_000, "test": 26_000}  # images of a stacked set (Lin et al. 2018, section 4.2)


def stacked_rows(name: str, split: str, images: int, channels: int = 3) -> NDArray[np.int64]:
    """Which of so many grey images each image of a stacked set shows in its channels: rows [N, channels], drawn evenly, with repeats.

    There are 128,000 training images and 26,000 test ones; of val as many as there are grey ones.
    """
    return numpy_generator(0, f"{name}-{split}").integers(images, size=(STACKED.get(split, images), channels))


def _stacked(source: Source, config: DataConfig) -> Data:
    """Images each of whose channels is an image of the same split of a grey set (Metz et al. 2017, Srivastava et al. 2017).

    The label is the number that the channels' digits make, the first channel's in front. Raises LabError for grey channels, and
    what the grey set raises.
    """
    if config.channels == "grey":
        raise refusal("data.channels", reason("must.stacked", name=source.name), config.channels)
    grey = load_published(replace(config, spec=source.stacked, channels="auto", train_images=None))
    places = len(grey.class_names or ()) ** np.arange(source.channels)[::-1]
    rows, labels = dict[str, NDArray[np.int64]](), dict[str, NDArray[np.int64]]()
    for split, part in (("train", grey.train), ("val", grey.val), ("test", grey.test)):
        assert part.labels is not None  # noqa: S101 - of a published set
        drawn = stacked_rows(source.name, split, len(part), source.channels)
        rows[split], labels[split] = part.indices[drawn], part.labels[drawn] @ places
    border, seen = len(rows["train"]), np.concatenate([rows["train"], rows["val"]])
    numbers, of_train = np.arange(len(seen), dtype=np.int64), Stacked(np.asarray(grey.train.source), seen)
    chosen = first_images(numbers[:border], config.train_images)
    train = ImageSet(of_train, chosen, labels["train"][chosen])
    val = ImageSet(of_train, numbers[border:], labels["val"])
    test = ImageSet(Stacked(np.asarray(grey.test.source), rows["test"]), np.arange(len(rows["test"]), dtype=np.int64), labels["test"])
    digest = hashlib.sha256(np.concatenate([seen, rows["test"]]).astype("<i8").tobytes()).hexdigest()
    content = f"{source.name} {digest} {grey.fingerprint}"
    return Data(source.name, train, val, test, source.class_names, fingerprint(content, train, val, test), notes=grey.notes, stacked=grey)


def _arrays(files: Sequence[_Verified], source: Source) -> list[NDArray[np.uint8]]:
    """Training images [N, H, W, C] and labels [N], then those of the test."""
    if source.files[0].form == "idx":
        return [file.array if file.array.ndim == 1 else file.array[..., None] for file in files]
    table, count = files[0].array, source.train_count
    images = np.ascontiguousarray(table[:, 1:].reshape(-1, source.channels, source.size, source.size).transpose(0, 2, 3, 1))
    return [images[:count], table[:count, 0], images[count:], table[count:, 0]]


def _verified_files(
    source: Source,
    root: str | Path | None,
    offline: bool = False,
    addresses: Sequence[str] | None = None,
    report: Report | None = None,
) -> list[_Verified]:
    """The files of a published set, those that are not at hand downloaded; `offline` refuses instead."""
    folder = data_root(root) / source.name
    remedy = reason("download.remedy", name=source.name, folder=folder)
    paths = _paths_at_hand(source, folder)
    if offline and None in paths:
        raise LabError(reason("offline", file=f"{source.files[paths.index(None)].name}.gz", folder=folder, remedy=remedy))

    def downloaded(file: SourceFile) -> Path:
        bases = addresses or source.addresses
        return download(f"{file.name}.gz", file.gz_sha256, file.gz_bytes, bases, folder, remedy, report or _to_stderr)

    return [verify(path or downloaded(file), file, source) for file, path in zip(source.files, paths, strict=True)]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def verify(path: Path, file: SourceFile, source: Source) -> _Verified:
    """Read one file and check it: its form always; its sha256 where the content's is known, else the .gz's.

    A .gz whose own sha256 is not the published one may have been compressed anew: then only its form is known, and a
    note says so. Raises Damaged.
    """
    remedy = f"Delete it and run `latentlab data fetch {source.name}`, or use --data digits."
    slack = _header_bytes(file.shape) if file.form == "idx" else _TAR_BYTES
    content = read_content(path, slack + math.prod(file.shape), remedy)
    array = parse_idx(content, file.shape, path, remedy) if file.form == "idx" else parse_cifar(content, file.shape, path, remedy)
    last_class = len(source.class_names) - 1
    labels = array[:, 0] if file.form == "cifar" else array
    if labels.ndim == 1 and int(labels.max()) > last_class:
        raise Damaged(f"{path} must hold labels of 0 to {last_class}. One is {int(labels.max())}. {remedy}")
    digest = hashlib.sha256(content).hexdigest()
    if file.content_sha256 is not None:
        if digest != file.content_sha256:
            known = file.content_sha256
            raise Damaged(f"{path} must have the published content, of sha256 {known[:12]}... Got {digest[:12]}... {remedy}")
        return _Verified(array, digest)
    if path.suffix == ".gz" and path.stat().st_size == file.gz_bytes:
        with open(path, "rb") as packed:
            if hashlib.file_digest(packed, "sha256").hexdigest() == file.gz_sha256:
                return _Verified(array, digest)
    note = f"{path} could be checked by its form only: it is not the published .gz, though it may hold the same images."
    return _Verified(array, digest, note)


def read_content(path: Path, limit: int, remedy: str) -> bytes:
    """The uncompressed bytes of a file, gzipped if its name ends in .gz, of at most `limit` bytes.

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


def parse_cifar(content: bytes, shape: tuple[int, ...], path: Path, remedy: str) -> NDArray[np.uint8]:
    """The rows in the bytes of CIFAR-10's tar file, training batches 1 to 5 and then the test's: uint8 of `shape`.

    A row is a label, then the red, green and blue bytes of the image (https://www.cs.toronto.edu/~kriz/cifar.html, binary version).
    Raises Damaged, with the file's name.
    """
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                opened = tar.extractfile(member) if member.isfile() else None
                if opened is not None:
                    found[Path(member.name).name] = opened.read()
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise Damaged(f"{path} must be a tar file. It is not, or is damaged ({error}). {remedy}") from None
    each = math.prod(shape) // len(names)
    for name in names:
        if len(found.get(name, b"")) != each:
            raise Damaged(f"{path} must hold {name} of {each:,} bytes. It holds {len(found.get(name, b'')):,}. {remedy}")
    return np.frombuffer(b"".join(found[name] for name in names), np.uint8).reshape(shape)


def parse_idx(content: bytes, shape: tuple[int, ...], path: Path, remedy: str) -> NDArray[np.uint8]:
    """The array in the bytes of an idx file: uint8 of `shape`, read-only, without a copy.

    Two zero bytes, type 8 (bytes), the number of axes, each size as 4 bytes, the elements (Y. LeCun,
    http://yann.lecun.com/exdb/mnist/). Raises Damaged for every fault, with the file's name.
    """
    axes, start = len(shape), _header_bytes(shape)
    magic = bytes((0, 0, 8, axes))
    if content[:4] != magic:
        what = "It is empty." if not content else f"It begins with {content[:16]!r}."
        raise Damaged(f"{path} must be an idx file of {axes} axes, beginning with {magic!r}. {what} {remedy}")
    if len(content) < start:
        raise Damaged(f"{path} must have a header of {start} bytes. It ends after {len(content)}. {remedy}")
    sizes = struct.unpack(f">{axes}I", content[4:start])
    if sizes != shape:
        raise Damaged(f"{path} must hold {_times(shape)}. Its header says {_times(sizes)}. {remedy}")
    if len(content) - start != math.prod(shape):
        raise Damaged(f"{path} must hold {math.prod(shape):,} bytes after its header. It holds {len(content) - start:,}. {remedy}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _header_bytes(shape: tuple[int, ...]) -> int:
    """The magic number, and one 4-byte size for each axis."""
    return 4 + 4 * len(shape)


def _times(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def prepared(images: Images, config: DataConfig) -> Images:
    """Images uint8 [N, H, W, C] of the configuration's size, with antialiasing, and channels; read-only.

    "rgb" repeats a grey, "grey" is the luminance (ITU-R 601) of a colour.
    """
    depth = 1 if config.channels == "grey" else images.shape[3]
    size = config.image_size or images.shape[1]
    if images.shape[1:] != (size, size, depth):
        given, images = images, np.empty((len(images), size, size, depth), np.uint8)
        for row, image in enumerate(given):
            picture = to_pil(image).convert("L" if depth == 1 else "RGB")
            resized = picture if picture.size == (size, size) else picture.resize((size, size), Image.Resampling.BICUBIC)
            images[row] = np.asarray(resized).reshape(size, size, depth)
    if config.channels == "rgb" and depth == 1:
        images = np.repeat(images, 3, axis=3)
    images.setflags(write=False)
    return images


def load_digits(config: DataConfig) -> Data:
    """1,797 real handwritten digits as uint8 [1797, 28, 28, 1] or at `config.image_size`, split by the content of the 8 x 8 originals."""
    small, labels = embedded()
    source = prepared(enlarge(small, config.image_size or SOURCES["digits"].size), config)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in small]
    content = f"digits {hashlib.sha256(source.tobytes() + labels.tobytes()).hexdigest()} {source.shape}"
    return cut_by_content(config, source, labels, SOURCES["digits"].class_names, digests, content)


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
