"""Stacked MNIST: three digits of MNIST's in three channels, what a thousand classes do to measures and pictures, and the modes."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from imagefiles import TEST, TRAIN, idx, pack, tiny_set, write
from servers import HttpsServer, trust

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.config.sources import CLASSIFIED, SOURCES, SourceFile
from latentlab.data import Data, fetch, is_at_hand, load_data
from latentlab.data import named as published
from latentlab.data.named import embedded, enlarge, stacked_rows
from latentlab.measure.compare import comparison
from latentlab.measure.compare.tables import markdown
from latentlab.measure.extractors import networks
from latentlab.measure.extractors.networks import classifier_for
from latentlab.measure.metrics.classes import entropy_nats, modes_estimate, reverse_kl_estimate, reverse_kl_nats, shares, stacked_shares
from latentlab.measure.quality import real_images
from latentlab.measure.scores import evaluate_images, representation_scores
from latentlab.measure.table import unit_words
from latentlab.runs.folder import RunFolder
from latentlab.show.figures.latent import draw_latent
from latentlab.show.figures.records import class_names, read_codes
from latentlab.train.monitor import Reference

KEPT = 9  # of the 12 training digits; the others are val


def load(root: Path, **changes: object) -> Data:
    return load_data("stacked-mnist", root=root, offline=True, **{"val_images": TRAIN - KEPT} | changes)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root that holds the tiny set as MNIST."""
    members, packed = tiny_set()
    monkeypatch.setitem(SOURCES, "mnist", members)
    return write(tmp_path / "root", {f"mnist/{name}": content for name, content in packed.items()})


def test_each_channel_is_a_digit_of_the_same_split_and_the_label_is_the_number_that_they_make(tiny: Path) -> None:
    data, grey = load(tiny), load_data("mnist", root=tiny, offline=True, val_images=TRAIN - KEPT)
    assert [len(part) for part in (data.train, data.val, data.test)] == [128_000, TRAIN - KEPT, 26_000]
    assert (data.shape, data.labelled, data.spec, data.notes) == ((28, 28, 3), True, "stacked-mnist", ())
    assert data.class_names is not None
    assert [data.class_names[number] for number in (0, 7, 42, 999)] == ["000", "007", "042", "999"]
    for name, count in (("train", KEPT), ("val", TRAIN - KEPT), ("test", TEST)):
        part, digits = getattr(data, name), getattr(grey, name)
        rows = stacked_rows("stacked-mnist", name, count)
        assert len(rows) == len(part)
        some = np.r_[0:40, len(part) - 2, len(part) - 1] if len(part) > 40 else np.arange(len(part))
        for channel in range(3):
            assert np.array_equal(part.take(some)[..., channel], digits.images[rows[some, channel]][..., 0]), (name, channel)
        hundreds, tens, ones = digits.labels[rows].T
        assert np.array_equal(part.labels, 100 * hundreds + 10 * tens + ones)
        assert set(np.unique(rows)) == set(range(count)), "every digit is drawn, and no other"
    assert not set(data.train.indices) & set(data.val.indices)
    assert np.array_equal(data.val.images, data.val.take(np.arange(len(data.val))))


def test_the_triples_are_those_that_everybody_has() -> None:
    """Of MNIST as it is published, with val of 5,000 digits: the sha256 of the rows, 8 bytes each, least significant first."""
    for split, images, sha256 in (("train", 55_000, TRAIN_ROWS), ("val", 5_000, VAL_ROWS), ("test", 10_000, TEST_ROWS)):
        rows = stacked_rows("stacked-mnist", split, images)
        assert hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest() == sha256, split


TRAIN_ROWS = "97c36d8f0bd1bebab2dd4710382219b607c845f2784dacd7e9f22e70c92f2d8b"
VAL_ROWS = "bd242f10d56c8c6407a3fc5c1a65df8379b6989c90f32f6b32ea4e3c27f88af2"
TEST_ROWS = "a2c08903e8958710b18927ac1b974fd9496828efdf47d7c3167070901698f4c7"


def test_they_are_the_same_at_every_reading_and_below_every_root(tiny: Path, tmp_path: Path) -> None:
    first = load(tiny)
    elsewhere = write(tmp_path / "elsewhere", {f"mnist/{path.name}": path.read_bytes() for path in (tiny / "mnist").iterdir()})
    again = load(elsewhere)
    assert first.fingerprint == again.fingerprint
    rows = [0, 5, 127_999, 5]
    assert np.array_equal(first.train.take(rows), again.train.take(rows))
    others = {load(tiny, **one).fingerprint for one in ({"train_images": 50}, {"image_size": 14}, {"val_images": 4})}
    assert len(others | {first.fingerprint, load_data("mnist", root=tiny, offline=True, val_images=3).fingerprint}) == 5


def test_size_limit_and_channels_are_honoured_or_refused(tiny: Path) -> None:
    data = load(tiny, train_images=50, image_size=14)
    assert (data.shape, len(data.train), len(data.test)) == ((14, 14, 3), 50, 26_000)
    assert np.array_equal(data.train.labels, load(tiny).train.labels[:50])
    assert load(tiny, channels="rgb").fingerprint == load(tiny).fingerprint
    with pytest.raises(LabError, match=r"data\.channels must be auto or rgb with stacked-mnist.*Got 'grey'"):
        load(tiny, channels="grey")
    with pytest.raises(LabError, match=r"data\.train_images.*at most 128000.*Got 128001"):
        load(tiny, train_images=128_001)
    with pytest.raises(LabError, match=r"data\.val_images.*mnist.*Got 12"):
        load(tiny, val_images=TRAIN)


def test_its_files_are_mnist_s_downloaded_and_checked_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members, packed = tiny_set()
    monkeypatch.setitem(SOURCES, "mnist", members)
    trust(monkeypatch, tmp_path)
    with pytest.raises(LabError, match=r"is not in .*mnist, and --offline forbids a download.*latentlab data fetch mnist"):
        load(tmp_path)
    assert not is_at_hand(SOURCES["stacked-mnist"], tmp_path)
    with HttpsServer({f"/{name}": content for name, content in packed.items()}) as server:
        assert fetch("stacked-mnist", tmp_path, [server.url], lambda line: None) == tmp_path / "mnist"
        assert len(server.requests) == 4
    assert is_at_hand(SOURCES["stacked-mnist"], tmp_path)
    assert len(load(tmp_path).train) == 128_000
    (tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").write_bytes(pack(idx(np.full(TEST, 10, np.uint8))))
    with pytest.raises(LabError, match=r"must hold labels of 0 to 9\. One is 10"):  # not of 0 to 999
        load(tmp_path)


def test_its_address_checksums_and_licence_are_mnist_s() -> None:
    own, grey = SOURCES["stacked-mnist"], SOURCES["mnist"]
    assert (own.files, own.addresses, own.download_bytes) == (grey.files, grey.addresses, grey.download_bytes)
    assert own.licence.startswith(grey.licence)
    assert "stacked-mnist" not in CLASSIFIED  # of a question, whose measures ask for few classes


def test_modes_are_the_distinct_triples_and_one_that_was_seen_once_is_uncertain() -> None:
    labels = np.repeat(np.arange(0, 1000, 7), 5)
    found = modes_estimate(labels, 1000)
    assert found == (143, 143, 143)
    assert modes_estimate(np.arange(1000), 1000).value == 1000
    n = 40
    seen = modes_estimate(np.r_[np.zeros(n - 10, np.int64), np.arange(1, 11)], 1000)  # ten modes have one sample each
    left_out = np.array([11.0] * (n - 10) + [10.0] * 10)
    stderr = math.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
    assert seen.value == 11
    assert seen.high - 11 == pytest.approx(11 - seen.low) == pytest.approx(2.0227 * stderr, rel=1e-4)  # Student, 39 degrees
    with pytest.raises(LabError, match="at least 2"):
        modes_estimate(labels[:1], 1000)


def test_shares_of_triples_follow_from_those_of_digits_and_their_floor_from_the_number_of_samples() -> None:
    digits = np.repeat(np.arange(10), [5, 1, 2, 2, 2, 2, 2, 2, 1, 1])
    own = stacked_shares(digits, 10, 3)
    assert own.sum() == pytest.approx(1.0)
    assert own[105] == pytest.approx(0.05 * 0.25 * 0.1)
    even = stacked_shares(np.arange(10), 10, 3)
    assert np.allclose(even, 1e-3)
    everyone = np.repeat(np.arange(1000), 26)
    assert reverse_kl_estimate(everyone, even).value == pytest.approx(0.0, abs=1e-12)
    half = np.repeat(np.arange(500), 52)
    assert reverse_kl_estimate(half, even).value == pytest.approx(math.log(2))
    assert math.log(1000) - entropy_nats(shares(half, 1000)) == pytest.approx(math.log(2)), "what papers give"
    drawn = np.random.default_rng(0).integers(1000, size=26_000)
    assert reverse_kl_nats(shares(drawn, 1000), even) == pytest.approx(999 / 52_000, rel=0.15)  # (modes - 1) / 2n


def test_of_mnist_itself_every_triple_of_digits_occurs(mnist_root: Path) -> None:
    data = load_data("stacked-mnist", root=mnist_root, offline=True)
    assert [len(part) for part in (data.train, data.val, data.test)] == [128_000, 5_000, 26_000]
    assert len(np.unique(data.train.labels)) == len(np.unique(data.test.labels)) == 1_000
    real = real_images(data, "test", 26_000)
    assert reverse_kl_nats(shares(real.drawn, 1_000), real.shares) == pytest.approx(999 / 52_000, rel=0.1)


# Measured: MNIST's place is taken by the embedded digits, which a classifier knows after a few steps.


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory):
    small, labels = embedded()
    images, labels = enlarge(small, 28)[..., 0], labels.astype(np.uint8)
    parts = {
        "train-images-idx3-ubyte": images[:1500], "train-labels-idx1-ubyte": labels[:1500],
        "t10k-images-idx3-ubyte": images[1500:], "t10k-labels-idx1-ubyte": labels[1500:],
    }  # fmt: skip
    contents = {name: idx(array) for name, array in parts.items()}
    files = [SourceFile(name, parts[name].shape, "", 0, hashlib.sha256(content).hexdigest()) for name, content in contents.items()]
    folder = tmp_path_factory.mktemp("root")
    write(folder / "mnist", contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "mnist", published.replace(SOURCES["mnist"], files=tuple(files)))
        patch.setattr(published, "STACKED", {"train": 3000, "test": 1500})
        patch.setattr(networks, "LEAST_STEPS", 150)
        patch.setattr(networks, "EPOCHS", 1)
        yield folder


@pytest.fixture(scope="module")
def data(root: Path) -> Data:
    return load(root, val_images=200)


def test_the_classifier_of_the_digits_names_each_channel(data: Data) -> None:
    assert data.stacked is not None
    one, three = classifier_for(data.stacked), classifier_for(data)
    assert (three.sha256, three.accuracy) == (one.sha256, one.accuracy**3)
    images = data.test.take(slice(300))
    seen, by_channel = three(images), [one(images[..., channel : channel + 1]) for channel in range(3)]
    assert np.array_equal(seen.labels, by_channel[0].labels * 100 + by_channel[1].labels * 10 + by_channel[2].labels)
    assert np.allclose(seen.features, np.concatenate([own.features for own in by_channel], 1), atol=1e-5)
    assert three.facts()["dimensions"] == seen.features.shape[1] == 384
    assert np.mean(seen.labels == data.test.labels[:300]) == pytest.approx(three.accuracy, abs=0.08)


def test_modes_of_real_triples_are_at_the_floor_and_those_of_few_are_few(data: Data) -> None:
    honest = evaluate_images(data.train.take(slice(600)), data)
    few = np.flatnonzero(np.isin(data.train.labels, data.train.labels[:12]))
    collapsed = evaluate_images(data.train.take(np.resize(few, 600)), data)
    for result in (honest, collapsed):
        assert "class_shares" not in result
        modes = result["scores"]["modes"]
        assert (modes["n"], modes["unit"], modes["floor_n"], modes["extractor"]) == (600, "of 1000 modes", 600, "classifier")
        assert modes["floor"] == len(np.unique(data.train.labels[:600]))
        assert modes["ci95"][0] <= modes["value"] <= modes["ci95"][1]
    assert honest["scores"]["modes"]["value"] == pytest.approx(honest["scores"]["modes"]["floor"], rel=0.05)
    assert 12 <= collapsed["scores"]["modes"]["value"] < 40
    kl = {name: result["scores"]["class_reverse_kl_nats"] for name, result in (("honest", honest), ("collapsed", collapsed))}
    assert kl["honest"]["value"] < 1 < 3 < kl["collapsed"]["value"]
    assert kl["honest"]["floor"] == kl["collapsed"]["floor"] == pytest.approx(kl["honest"]["value"], abs=0.1)


def test_the_floor_has_as_many_images_as_the_samples_though_features_need_fewer(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentlab.measure.quality.MOST", 300)
    real = real_images(data, "test", 2_600)
    assert (len(real.other), len(real.drawn)) == (300, 2_600)
    assert real.shares is not None
    assert real.shares.sum() == pytest.approx(1.0)
    assert np.array_equal(real.shares, stacked_shares(data.stacked.test.labels, 10, 3))


def test_a_run_of_a_thousand_classes_is_watched_measured_and_drawn(root: Path, data: Data, tmp_path: Path) -> None:
    changes = {"data": "stacked-mnist", "data.root": str(root), "data.val_images": 200, "steps": 3, "batch_size": 16, "threads": 1}
    trained = ll.train("mlp-vae", out=tmp_path / "vae", hidden=(16,), latent_dim=2, **changes)
    assert trained.data().fingerprint == data.fingerprint
    scores = trained.evaluate(samples=100, nll_samples=2, nll_images=20)["scores"]
    assert {"modes", "kid_mixture", "kid_fitted", "knn_accuracy"} <= set(scores)
    assert 0.05 < scores["knn_accuracy"]["floor"] < 0.2, "of ten digits, not of a thousand classes"
    assert representation_scores(trained, data, data.test)["probe_accuracy"]["value"] > 0.1
    folder = RunFolder(trained.path)
    assert class_names(folder) is None
    assert read_codes(folder).label is None
    assert draw_latent(folder, "en", tsne=False).is_file()
    assert unit_words(scores["modes"]["unit"], "fr") == "sur 1000 modes"
    [row] = [line for line in markdown(comparison({"vae": folder})).splitlines() if "Modes found" in line]
    assert "of 1000 modes" in row


def test_a_run_sees_the_classes_of_its_samples_against_shares_without_gaps(data: Data) -> None:
    seen = Reference(data, 100, classifier_for(data)).compared(data.val.take(slice(100)))
    assert math.isfinite(seen["class_reverse_kl_nats"])
    assert 3 < seen["class_entropy_nats"] <= math.log(100)
