"""SPEC, `load_data`, the embedded digits, image sets and the entropy floor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

import latentlab.data as data_package
from latentlab.base.errors import LabError
from latentlab.base.files import cache_folder, data_root
from latentlab.config.parts import DataConfig
from latentlab.config.sources import SOURCES
from latentlab.data import ImageSet, canonical, entropy_floor_nats, is_binary, load_data, parse
from latentlab.data import named as digits
from latentlab.data.sets import fingerprint

NAMED = [name for name, source in SOURCES.items() if not source.placed]


@pytest.mark.parametrize("spec", NAMED)
def test_names_stand_for_themselves(spec: str) -> None:
    assert canonical(spec) == spec


def test_a_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert canonical("folder:a/../b c") == f"folder:{tmp_path / 'b c'}"
    assert canonical("folder:~/x") == f"folder:{tmp_path / 'home' / 'x'}"
    assert canonical(canonical("folder:x:y")) == f"folder:{tmp_path / 'x:y'}"
    assert parse("folder:.").path == tmp_path


@pytest.mark.parametrize("spec", ["", "rings", "points", "folder", "folder:", "folder: ", "imagenet", "http:/x/", "dig\nits"])
def test_anything_else_is_refused_in_one_line_that_lists_what_is_valid(spec: str) -> None:
    with pytest.raises(LabError, match="folder:") as caught:
        load_data(spec)
    assert "\n" not in str(caught.value)
    assert repr(spec) in str(caught.value)
    assert spec.startswith("folder:") or f"{', '.join(NAMED)}, points:FILE, folder:PATH, npz:FILE or an address" in str(caught.value)


def test_a_bare_folder_is_told_how_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"folder:{tmp_path}"):
        load_data(str(tmp_path))


def test_keywords_are_fields_and_are_checked() -> None:
    with pytest.raises(LabError, match=r"one of spec, root, .*Got 'size'"):
        load_data("digits", size=3)
    with pytest.raises(LabError, match=r"data\.image_size.*Got 4"):
        load_data("digits", image_size=4)
    with pytest.raises(LabError, match="data must be a SPEC, a path, an array"):
        load_data(5)


def test_digits() -> None:
    data = load_data()
    assert (data.spec, data.shape, data.labelled) == ("digits", (28, 28, 1), True)
    assert [len(part) for part in (data.train, data.val, data.test)] == [1437, 180, 180]
    assert data.class_names == tuple("0123456789")
    rows = np.concatenate([data.train.indices, data.val.indices, data.test.indices])
    assert sorted(rows) == list(range(1797))
    assert data.train.labels is not None
    by_row = dict(zip(data.train.indices.tolist(), data.train.labels.tolist(), strict=True))
    assert all(by_row[row] == row for row in range(10) if row in by_row), "the first ten digits of the set are 0 to 9"
    images = data.train.images
    assert images.dtype == np.uint8
    assert (images.max(axis=(1, 2, 3)) == 255).mean() > 0.99, "strokes are white"
    assert np.median(images) == 0, "the ground is black"


def test_the_digits_are_those_of_scikit_learn_read_with_and_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bunch = sklearn.datasets.load_digits()
    for file in (digits._FILE, "moved/digits.csv.gz"):
        monkeypatch.setattr(digits, "_FILE", file)
        small, labels = digits.embedded()
        assert (small.shape, small.dtype, labels.shape, labels.dtype) == ((1797, 8, 8), np.uint8, (1797,), np.int64)
        assert np.array_equal(small, bunch.images)
        assert np.array_equal(labels, bunch.target)


def test_the_digits_are_there_without_the_seconds_that_scikit_learn_takes_to_import() -> None:
    program = "import sys; from latentlab.data import load_data; print(len(load_data('digits').train), 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == "False"


def test_digits_honour_every_setting() -> None:
    plain = load_data(DataConfig())
    assert load_data("digits").fingerprint == plain.fingerprint
    small = load_data("digits", image_size=16, channels="rgb", train_images=100, test_share=0.2)
    assert small.shape == (16, 16, 3)
    assert (len(small.train), len(small.test)) == (100, 359)
    limited = load_data("digits", train_images=100)
    assert np.array_equal(limited.train.indices, plain.train.indices[:100])
    assert np.array_equal(limited.val.images, plain.val.images)
    assert len({plain.fingerprint, small.fingerprint, limited.fingerprint}) == 3
    assert np.array_equal(load_data("digits", image_size=16).train.indices, plain.train.indices), "splits do not depend on size"


def test_image_set_takes_copies_and_shows_views() -> None:
    source = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
    source.setflags(write=False)
    contiguous, scattered = ImageSet(source, np.arange(3, 8)), ImageSet(source, np.array([7, 1, 4]))
    assert np.shares_memory(contiguous.images, source)
    assert np.array_equal(contiguous.images, source[3:8])
    assert np.array_equal(scattered.images, source[[7, 1, 4]])
    assert np.array_equal(scattered.take([2, 2, 0]), source[[4, 4, 7]])
    assert scattered.take(np.array([0])).flags.writeable
    assert (len(scattered), scattered.shape) == (3, (2, 2, 1))
    assert np.array_equal(np.concatenate(list(scattered.chunks(2))), scattered.images)
    assert len(ImageSet(source, np.array([], np.int64)).images) == 0


def test_fingerprint_depends_on_content_and_on_each_row() -> None:
    source = np.zeros((9, 2, 2, 1), np.uint8)
    parts = [ImageSet(source, np.array(rows)) for rows in ([0, 1], [1, 0], [0, 2])]
    prints = [fingerprint(content, *split) for content in "ab" for split in ([parts[0]], [parts[1]], [parts[2]], parts[:2], parts[1::-1])]
    assert len(set(prints)) == len(prints)


def test_entropy_floor_is_the_sum_of_binary_entropies() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    x = images[(images > 0) & (images < 255)] / 255
    expected = -(x * np.log(x) + (1 - x) * np.log(1 - x)).sum() / 7
    assert entropy_floor_nats(images) == pytest.approx(expected, rel=1e-12)
    assert entropy_floor_nats(ImageSet(images, np.arange(7))) == pytest.approx(expected, rel=1e-12)
    assert not is_binary(images)


def test_black_and_white_has_no_entropy() -> None:
    images = (np.random.default_rng(0).integers(0, 2, (3000, 2, 2, 1)) * 255).astype(np.uint8)
    assert entropy_floor_nats(images) == 0
    assert is_binary(images)
    images[-1, 0, 0, 0] = 1
    assert not is_binary(images)
    with pytest.raises(LabError, match="at least one image"):
        entropy_floor_nats(images[:0])


def test_where_things_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_CACHE", str(tmp_path / "c"))
    monkeypatch.delenv("LATENTLAB_DATA", raising=False)
    assert cache_folder() == tmp_path / "c"
    assert data_root() == tmp_path / "c" / "data"
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path / "d"))
    assert data_root() == tmp_path / "d"
    assert data_root(str(tmp_path / "e")) == tmp_path / "e"
    monkeypatch.delenv("LATENTLAB_CACHE")
    assert cache_folder().name == "latentlab"


def test_torch_and_scikit_learn_are_not_imported() -> None:
    code = "import sys, latentlab.data; print([m for m in ('torch', 'sklearn', 'tqdm', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_public_names() -> None:
    assert all(hasattr(data_package, name) for name in data_package.__all__)
