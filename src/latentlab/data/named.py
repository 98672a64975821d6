"""mnist, fashion-mnist and kmnist: found under the data root and verified, or downloaded; cut as they were published."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentlab.cache import data_root
from latentlab.config import DataConfig
from latentlab.data.download import check_address, download
from latentlab.data.idx import parse_idx, read_content, resized, with_channels
from latentlab.data.published import SETS, PublishedFile, PublishedSet
from latentlab.data.sets import Data, ImageSet, fingerprint, first_images
from latentlab.errors import Damaged, LabError, refusal

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
