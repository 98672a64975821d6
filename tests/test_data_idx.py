"""The idx format against hostile files, and the published sets as they are read from disk."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from imagefiles import SIZE, TEST, TRAIN, idx, pack, tiny_set, write

from latentlab.base.errors import Damaged, LabError
from latentlab.config.sources import SOURCES
from latentlab.data import Data, entropy_floor_nats, fetch, is_binary, load_data


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root that holds the tiny set as "mnist" (contents pinned) and as "kmnist" (only the .gz pinned)."""
    for name, pinned in (("mnist", True), ("kmnist", False)):
        members, packed = tiny_set(pinned, name)
        monkeypatch.setitem(SOURCES, name, members)
        write(tmp_path / name, packed)
    return tmp_path


def load(root: Path, spec: str = "mnist", **changes: object) -> Data:
    return load_data(spec, root=root, offline=True, val_images=changes.pop("val_images", 3), **changes)


def test_published_order_is_kept(tiny: Path) -> None:
    data = load(tiny)
    images = np.frombuffer(gzip.decompress((tiny / "mnist/train-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    images = images.reshape(TRAIN, SIZE, SIZE, 1)
    assert np.array_equal(data.train.images, images[:9])
    assert np.array_equal(data.val.images, images[9:])
    assert data.val.labels is not None
    assert data.val.labels.tolist() == [9, 0, 1]
    assert data.val.labels.dtype == np.int64
    assert data.val.indices.tolist() == [9, 10, 11]
    assert (len(data.test), data.shape, data.labelled, data.notes) == (TEST, (28, 28, 1), True, ())


def test_files_without_gz_are_read(tiny: Path) -> None:
    fingerprint = load(tiny).fingerprint
    for path in (tiny / "mnist").glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert load(tiny).fingerprint == fingerprint


def test_size_channels_and_limit_are_honoured(tiny: Path) -> None:
    data = load(tiny, image_size=14, channels="rgb", train_images=4)
    assert data.shape == (14, 14, 3)
    assert data.train.indices.tolist() == [0, 1, 2, 3]
    assert (data.train.images[..., 0] == data.train.images[..., 2]).all()
    assert data.fingerprint != load(tiny).fingerprint


@pytest.mark.parametrize(("field", "value"), [("val_images", TRAIN), ("train_images", 10)])
def test_more_images_than_there_are_is_refused(tiny: Path, field: str, value: int) -> None:
    with pytest.raises(LabError, match=f"data.{field}.*Got {value}"):
        load(tiny, **{field: value})


IMAGES = idx(np.full((TRAIN, SIZE, SIZE), 7, np.uint8))
HOSTILE = {
    "empty": (pack(b""), "It is empty"),
    "zero bytes": (b"", "is empty|cut off"),
    "html": (b"<html>no such file</html>", "must be a gzip file"),
    "html inside gzip": (pack(b"<html>no such file</html>"), "must be an idx file"),
    "wrong magic": (pack(b"\0\0\x0d\3" + IMAGES[4:]), "must be an idx file"),
    "labels for images": (pack(idx(np.zeros(TRAIN, np.uint8))), "must be an idx file of 3 axes"),
    "half a header": (pack(IMAGES[:9]), "header of 16 bytes"),
    "short by one": (pack(IMAGES[:-1]), "after its header"),
    "no pixels": (pack(IMAGES[:16]), "after its header"),
    "long by one": (pack(IMAGES + b"\0"), "It holds more"),
    "no images": (pack(idx(np.zeros((0, SIZE, SIZE), np.uint8))), "0 x 28 x 28"),
    "lying sizes": (pack(b"\0\0\x08\3" + struct.pack(">3I", 2**31, 28, 28) + IMAGES[16:]), "Its header says 2147483648"),
    "other sizes": (pack(b"\0\0\x08\3" + struct.pack(">3I", 28, 28, TRAIN) + IMAGES[16:]), "Its header says 28 x 28 x 12"),
    "gzip cut": (pack(IMAGES)[:-12], "cut off"),
    "gzip head only": (pack(IMAGES)[:7], "cut off|must be a gzip file"),
    "gzip crc": (pack(IMAGES)[:-8] + b"\0" * 8, "damaged"),
    "bomb": (pack(bytes(50_000_000)), "It holds more"),
    "other content": (pack(IMAGES), "published content"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_is_named_with_what_it_must_be(tiny: Path, case: str) -> None:
    content, says = HOSTILE[case]
    path = tiny / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=says) as caught:
        load(tiny)
    assert str(path) in str(caught.value)
    assert "latentlab data fetch mnist" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gzip_bomb_is_not_unpacked(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = gzip.GzipFile.read

    def read(self: gzip.GzipFile, size: int = -1) -> bytes:
        asked.append(size)
        return original(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", read)
    load(tiny)
    assert asked
    assert all(0 < size <= 16 + TRAIN * SIZE * SIZE + 1 for size in asked)


def test_labels_out_of_range_are_refused(tiny: Path) -> None:
    (tiny / "kmnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(pack(idx(np.full(TEST, 10, np.uint8))))
    with pytest.raises(Damaged, match=r"t10k-labels.*labels of 0 to 9\. One is 10"):
        load(tiny, "kmnist")


def test_recompressed_file_is_used_with_a_note_where_only_the_gz_is_pinned(tiny: Path) -> None:
    assert load(tiny, "kmnist").notes == ()
    path = tiny / "kmnist" / "train-images-idx3-ubyte.gz"
    before = load(tiny, "kmnist").fingerprint
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=5))
    data = load(tiny, "kmnist")
    assert len(data.notes) == 1
    assert str(path) in data.notes[0]
    assert data.fingerprint == before


def test_missing_file_offline_is_refused_at_once(tiny: Path) -> None:
    (tiny / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(LabError, match=r"t10k-labels-idx1-ubyte\.gz is not in .*mnist.*--offline") as caught:
        load(tiny)
    assert str(tiny / "mnist") in str(caught.value)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_root_will_do(tiny: Path) -> None:
    (tiny / "mnist").chmod(0o500)
    try:
        assert len(load(tiny).train) == 9
    finally:
        (tiny / "mnist").chmod(0o700)


def test_fetch_leaves_what_is_there(tiny: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (tiny / "mnist").iterdir()}
    assert fetch("mnist", tiny, report=pytest.fail) == tiny / "mnist"
    assert {path: path.stat().st_mtime_ns for path in (tiny / "mnist").iterdir()} == before


@pytest.mark.skipif(
    not (Path(os.environ.get("LATENTLAB_DATA") or "/nowhere") / "mnist").is_dir(), reason="LATENTLAB_DATA does not hold MNIST"
)
def test_mnist_itself() -> None:
    data = load_data("mnist", offline=True)
    assert (len(data.train), len(data.val), len(data.test), data.shape) == (55_000, 5_000, 10_000, (28, 28, 1))
    assert data.val.indices.tolist() == list(range(55_000, 60_000))
    assert data.train.labels is not None
    assert data.test.labels is not None
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(data.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert entropy_floor_nats(data.test) == pytest.approx(45.53, abs=0.02)
    assert entropy_floor_nats(data.train.source) == pytest.approx(45.76, abs=0.02)
    assert not is_binary(data.test)
