"""CIFAR-10 as it is published: a tar file of six batches, downloaded, checked, read; and what a file that is none is told."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imagefiles import pack, write
from PIL import Image
from servers import HttpsServer, trust

from latentlab.base.errors import Damaged
from latentlab.config.sources import SOURCES
from latentlab.data import Data, fetch, load_data

EACH = 10  # rows of a batch
NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
PLANES = np.random.default_rng(0).integers(0, 256, (6 * EACH, 3, 32, 32), np.uint8)
LABELS = np.arange(6 * EACH, dtype=np.uint8) % 10


def batches(labels: np.ndarray = LABELS) -> dict[str, bytes]:
    rows = np.concatenate([labels[:, None], PLANES.reshape(len(PLANES), -1)], 1)
    return {name: rows[at * EACH : (at + 1) * EACH].tobytes() for at, name in enumerate(NAMES)}


def packed(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in reversed(members):  # the order in the file does not count
            about = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            about.size = len(members[name])
            tar.addfile(about, io.BytesIO(members[name]))
    return pack(content.getvalue())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The .gz of a set of the same form, which is made the one that is known."""
    content = packed(batches() | {"readme.html": b"<html>"})
    [file] = SOURCES["cifar10"].files
    own = replace(file, shape=(6 * EACH, 3073), gz_sha256=hashlib.sha256(content).hexdigest(), gz_bytes=len(content))
    monkeypatch.setitem(SOURCES, "cifar10", replace(SOURCES["cifar10"], files=(own,)))
    return content


def load(root: Path, **changes: object) -> Data:
    return load_data("cifar10", root=root, offline=True, val_images=5, **changes)


def test_the_published_order_colours_and_labels_are_kept(small: bytes, tmp_path: Path) -> None:
    write(tmp_path / "cifar10", {"cifar-10-binary.tar.gz": small})
    data = load(tmp_path)
    assert (len(data.train), len(data.val), len(data.test), data.shape, data.notes) == (45, 5, EACH, (32, 32, 3), ())
    images = PLANES.transpose(0, 2, 3, 1)
    for part, rows in ((data.train, slice(45)), (data.val, slice(45, 50)), (data.test, slice(50, 60))):
        assert np.array_equal(part.images, images[rows])
        assert np.array_equal(part.labels, LABELS[rows])
    assert data.class_names is not None
    assert (data.class_names[0], data.class_names[9]) == ("airplane", "truck")
    assert SOURCES["cifar10"].train_count == 50


def test_grey_and_other_sizes_are_pillow_s(small: bytes, tmp_path: Path) -> None:
    write(tmp_path / "cifar10", {"cifar-10-binary.tar.gz": small})
    first = Image.fromarray(PLANES[0].transpose(1, 2, 0))
    assert np.array_equal(load(tmp_path, channels="grey").train.images[0, :, :, 0], np.asarray(first.convert("L")))
    assert np.array_equal(load(tmp_path, image_size=16).train.images[0], np.asarray(first.resize((16, 16), Image.Resampling.BICUBIC)))


def test_it_is_downloaded_and_checked(small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(monkeypatch, tmp_path)
    with HttpsServer({"/cifar-10-binary.tar.gz": small}) as server:
        assert fetch("cifar10", tmp_path, [server.url], lambda line: None) == tmp_path / "cifar10"
    before = load(tmp_path)
    path = tmp_path / "cifar10" / "cifar-10-binary.tar.gz"
    path.write_bytes(packed(batches()))
    assert "checked by its form only" in load(tmp_path).notes[0]
    path.unlink()
    write(tmp_path / "cifar10", {"cifar-10-binary.tar": gzip.decompress(small)})
    assert np.array_equal(load(tmp_path).train.images, before.train.images)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pack(b"no tar file" * 100), "must be a tar file"),
        (packed({name: data for name, data in batches().items() if name != "test_batch.bin"}), "must hold test_batch.bin of 30,730 bytes"),
        (packed(batches() | {"data_batch_3.bin": b"short"}), "data_batch_3.bin of 30,730 bytes. It holds 5"),
        (packed(batches(LABELS + 5)), "must hold labels of 0 to 9. One is 14"),
        (pack(b"\0" * (1 << 22)), "It holds more"),
    ],
)
def test_a_file_that_is_none_is_named(content: bytes, says: str, small: bytes, tmp_path: Path) -> None:
    write(tmp_path / "cifar10", {"cifar-10-binary.tar.gz": content})
    with pytest.raises(Damaged, match=says):
        load(tmp_path)


def test_the_real_one_is_as_it_was_published() -> None:
    [file] = SOURCES["cifar10"].files
    assert (file.shape, file.gz_bytes, SOURCES["cifar10"].train_count) == ((60_000, 3073), 170_052_171, 50_000)
