"""One yardstick: runs of every family, and images that anybody made, measured by `evaluate`."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import refusal_here, run, run_here
from conftest import FAMILIES, TINY

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.files import read_json, replace_with
from latentlab.base.images import save_png
from latentlab.data import Data, load_data
from latentlab.measure import likelihood as elbo
from latentlab.measure.extractors import extractors_for, networks
from latentlab.measure.extractors.networks import cached_classifier, classifier_for, random_convolutions
from latentlab.measure.quality import read_images, real_images
from latentlab.measure.scores import evaluate_images, evaluate_run
from latentlab.measure.table import measurements

pytestmark = pytest.mark.usefixtures("undrawn")
FEATURES = {"frechet", "kid", "precision", "recall", "density", "coverage"}
SAMPLES = FEATURES | {"class_entropy_nats", "class_reverse_kl_nats", "ms_ssim", "nearest_train_distance"}
CODES = {"knn_accuracy", "probe_accuracy"}
SOURCES = {"kid_reconstructions", "kid_posterior", "kid_fitted", "kid_mixture"}
COPIES = {"reconstruction_mse", "psnr", "ssim"}
RANDOM = "random-convolutions"
LIKELIHOOD = {"negative_elbo_nats", "reconstruction_nats", "kl_nats", "active_units", "nll_nats", "bits_per_dim"}


@pytest.fixture(autouse=True, scope="module")
def _short_training():
    """The classifier of 96 images knows them long before its 600 steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "LEAST_STEPS", 150)
        yield


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_data("digits", train_images=96)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    root = tmp_path_factory.mktemp("runs")
    return {n: ll.train(ll.preset(n, **TINY | FAMILIES[n] | {"train.epochs": 1.0}), root / n) for n in ("mlp-ae", "conv-vae", "sn-gan")}


@pytest.fixture(scope="module")
def results(runs) -> dict[str, dict]:
    return {name: run.evaluate(nll_samples=60, nll_images=20) for name, run in runs.items()}


def test_scores_have_the_contract_s_form(runs, results) -> None:
    expected = {
        "mlp-ae": SAMPLES | CODES | COPIES | SOURCES - {"kid_posterior"},
        "conv-vae": SAMPLES | CODES | COPIES | LIKELIHOOD | SOURCES,
        "sn-gan": SAMPLES | CODES,
    }
    for name, result in results.items():
        assert result == runs[name].scores == read_json(runs[name].path / "scores.json")
        assert (result["split"], result["n"], result["samples"]) == ("test", 180, 96)
        assert result["samples_per_second"] > 0
        assert set(result["scores"]) == expected[name]
        for score in result["scores"].values():
            assert {"value", "unit", "n"} <= set(score)
            if "ci95" in score and score["value"] is not None:
                assert score["ci95"][0] <= score["value"] <= score["ci95"][1]
        for score in SAMPLES:
            assert {"ci95", "floor", "n"} <= set(result["scores"][score]), score
        facts = result["extractors"]["classifier"]
        assert facts["accuracy"] > 0.8  # of 96 training images
        assert (len(facts["sha256"]), facts["dimensions"], facts["resize"]) == (64, 128, "none")
        assert sum(result["class_shares"]["samples"]) == pytest.approx(1.0)
    assert results["sn-gan"]["scores"]["knn_accuracy"]["features"] == "discriminator's last hidden layer"


def test_the_parts_of_the_elbo_agree(results) -> None:
    scores = results["conv-vae"]["scores"]
    assert scores["negative_elbo_nats"]["value"] == pytest.approx(scores["reconstruction_nats"]["value"] + scores["kl_nats"]["value"])
    assert sum(scores["kl_nats"]["per_unit_nats"]) == pytest.approx(scores["kl_nats"]["value"], rel=1e-4)
    assert results["conv-vae"]["rate_distortion"] == {
        "rate_nats": scores["kl_nats"]["value"], "distortion_nats": scores["reconstruction_nats"]["value"]
    }  # fmt: skip
    nats, bits = scores["nll_nats"], scores["bits_per_dim"]
    assert bits["value"] == pytest.approx(nats["value"] / (784 * np.log(2)))
    assert (nats["k"], nats["n"], bits["n"]) == (60, 20, 20)
    assert 1 <= nats["effective_samples"]["least"] <= nats["effective_samples"]["mean"] <= 60
    tail = nats["pareto_k"]
    assert tail["mean"] <= tail["most"]
    assert tail["threshold"] == 0.7
    assert 0 <= tail["above"] <= 1
    assert (tail["above"] > 0) == (tail["most"] > 0.7)
    assert nats["bounds_nats"]["1"] > nats["bounds_nats"]["5"] > nats["bounds_nats"]["50"]
    assert 0 <= scores["active_units"]["value"] <= 3


def test_a_surrogate_says_that_it_is_no_likelihood(results, tmp_path: Path) -> None:
    assert "note" not in results["conv-vae"]["scores"]["negative_elbo_nats"]  # binarised: a likelihood
    grey = ll.train(ll.preset("mlp-vae", **TINY | {"train.steps": 2}), tmp_path / "grey").evaluate(nll_samples=5, nll_images=20)["scores"]
    for name in ("negative_elbo_nats", "reconstruction_nats", "nll_nats", "bits_per_dim"):
        assert "not a likelihood" in grey[name]["note"]
        assert 0 < grey[name]["floor"] < grey[name]["value"]
    assert "note" not in grey["kl_nats"]


def test_likelihoods_do_not_depend_on_the_batching(runs, digits: Data, monkeypatch) -> None:
    run = runs["conv-vae"]
    whole = elbo.vae_scores(run, digits.test, 60, 20, lambda what, total: lambda units: None)
    monkeypatch.setattr(elbo, "CHUNK", 7)
    parts = elbo.vae_scores(run, digits.test, 60, 20, lambda what, total: lambda units: None)
    for name in LIKELIHOOD:
        assert parts[name]["value"] == pytest.approx(whole[name]["value"], rel=1e-5), name


def test_real_images_reach_the_floor_and_copies_are_found(digits: Data) -> None:
    scores = evaluate_images(digits.train.images, digits)["scores"]
    for name in SAMPLES - {"ms_ssim", "nearest_train_distance", "class_entropy_nats"}:
        assert scores[name]["value"] == pytest.approx(scores[name]["floor"], rel=1e-6, abs=1e-9), name
    assert scores["nearest_train_distance"]["copies"]["share"] == 1.0  # they are training images
    assert scores["nearest_train_distance"]["value"] == 0.0
    assert scores["nearest_train_distance"]["floor"] > 0.05
    assert abs(evaluate_images(digits.test.images, digits)["scores"]["frechet"]["value"]) < 1e-6  # against themselves


def test_a_sample_collapsed_to_one_class_is_called_collapsed_by_every_diversity_measure(digits: Data) -> None:
    full = load_data("digits")
    threes = full.train.images[full.train.labels == 3][:96]
    collapsed, honest = evaluate_images(threes, digits)["scores"], evaluate_images(full.train.images[200:296], digits)["scores"]
    assert collapsed["class_entropy_nats"]["value"] < 1.0 < 2.0 < honest["class_entropy_nats"]["value"]
    assert collapsed["class_reverse_kl_nats"]["ci95"][0] > 1.2 > honest["class_reverse_kl_nats"]["ci95"][1]
    for name in ("recall", "coverage"):
        assert collapsed[name]["ci95"][1] < 0.5 < honest[name]["ci95"][0], name
    assert collapsed["ms_ssim"]["ci95"][0] > collapsed["ms_ssim"]["floor_ci95"][1]
    assert honest["ms_ssim"]["ci95"][0] < honest["ms_ssim"]["floor_ci95"][1]
    for name in ("frechet", "kid"):
        assert collapsed[name]["ci95"][0] > honest[name]["ci95"][1], name
    low, high = honest["kid"]["floor_ci95"]  # other real images: the interval holds 0, and what as good samples reach
    assert low < honest["kid"]["floor"] < high
    assert low < 0.0 < high < collapsed["kid"]["ci95"][0]


def test_too_few_samples_for_the_features_is_said(digits: Data, results) -> None:
    note = results["sn-gan"]["scores"]["frechet"]["note"]
    assert "96 images for 128 features" in note
    assert "singular" in note
    assert "note" not in results["sn-gan"]["scores"]["kid"]


def test_extractors_live_side_by_side(runs, digits: Data, monkeypatch) -> None:
    both = [classifier_for(digits), random_convolutions(1)]
    result = evaluate_run(runs["sn-gan"], data=digits, extractors=both)
    assert set(result["extractors"]) == {"classifier", "random-convolutions"}
    assert set(result["scores"]) == SAMPLES | CODES | {f"{name}@random-convolutions" for name in FEATURES}
    assert result["scores"]["kid@random-convolutions"]["extractor"] == "random-convolutions"
    assert "never trained" in result["extractors"]["random-convolutions"]["note"]


def test_extractors_are_the_same_every_time(digits: Data) -> None:
    first = classifier_for(digits)
    again = cached_classifier(digits)
    assert again is not None
    assert again.sha256 == first.sha256
    assert np.array_equal(again(digits.test.images).features, first(digits.test.images).features)
    assert random_convolutions(3).sha256 == random_convolutions(3).sha256 != random_convolutions(1).sha256
    random_convolutions.cache_clear()
    assert np.array_equal(random_convolutions(1)(digits.test.images[:7]).features, random_convolutions(1)(digits.test.images).features[:7])


@pytest.fixture
def weights(fidelity, tmp_path: Path, monkeypatch) -> Path:
    """A weights file of Inception's form with random numbers: no true one can be had without a network."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with monkeypatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = FeatureExtractorInceptionV3("random", ["2048"], feature_extractor_weights_path=empty)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_inception_looks_when_its_weights_are_given(weights: Path, digits: Data) -> None:
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    plain, beside = extractors_for(digits, None, weights, sha256.upper())
    assert (plain.identity, beside.identity, beside.sha256, beside.dimensions) == ("classifier", "inception-v3", sha256, 2048)
    features = beside(digits.test.images[:3]).features
    assert features.shape == (3, 2048)
    assert np.array_equal(features, beside(np.repeat(digits.test.images[:3], 3, 3)).features)  # grey is tiled
    assert features.std() > 0
    assert beside.unit(features) == 1.0 != plain.unit(features)  # its KID is that of papers
    with pytest.raises(LabError, match="--inception-sha256 must be the sha256 of"):
        extractors_for(digits, None, weights, "0" * 64)


def test_a_weights_file_that_holds_code_is_refused_and_not_run(fidelity, tmp_path: Path, digits: Data) -> None:
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weight": Hostile()}, tmp_path / "hostile.pth")
    sha256 = hashlib.sha256((tmp_path / "hostile.pth").read_bytes()).hexdigest()
    with pytest.raises(LabError, match="must be Inception weights as torch-fidelity reads them"):
        extractors_for(digits, ["inception-v3"], tmp_path / "hostile.pth", sha256)
    assert not (tmp_path / "ran").exists()


class TestUnlabelled:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory) -> Path:
        path = tmp_path_factory.mktemp("pictures")
        images = load_data("digits").train.images
        for i in range(300):
            save_png(images[i], path / f"{i:03d}.png")
        return path

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, folder: Path) -> Data:
        return load_data(f"folder:{folder}", image_size=28)

    def test_random_convolutions_look_and_no_class_is_claimed(self, data: Data) -> None:
        result = evaluate_images(data.val.images, data)
        assert set(result["scores"]) == FEATURES | {"ms_ssim", "nearest_train_distance"}
        assert set(result["extractors"]) == {"random-convolutions"}
        assert "class_shares" not in result

    def test_asked_for_its_classes_it_refuses(self, folder: Path, capsys) -> None:
        spec = f"folder:{folder}"
        told = refusal_here(capsys, "evaluate", "--images", folder, "--data", spec, "--image-size", 28, "--extractors", "classifier")
        assert "must be labelled" in told

    def test_a_split_that_is_too_small_says_nothing_of_samples(self, tmp_path: Path, digits: Data) -> None:
        for i in range(60):
            save_png(digits.train.images[i], tmp_path / "few" / f"{i:03d}.png")
        spec = f"folder:{tmp_path / 'few'}"
        with pytest.raises(LabError, match=r"the test split of folder:.* must be of at least 20 images to measure samples with\. Got \d"):
            real_images(load_data(spec, image_size=28), "test", None)
        small = {"data.spec": spec, "data.image_size": 28, "train.threads": 1, "train.steps": 3, "train.batch_size": 8}
        vae = ll.train(ll.preset("mlp-vae", **small), tmp_path / "vae").evaluate(nll_samples=5)
        assert "Nothing is said of samples" in vae["left_out"]
        assert {"negative_elbo_nats", "nll_nats", "reconstruction_mse"} <= set(vae["scores"])
        assert "frechet" not in vae["scores"]
        gan = ll.train(ll.preset("sn-gan", **small | FAMILIES["sn-gan"]), tmp_path / "gan")
        assert gan.evaluate()["scores"] == {}
        assert "kid" not in gan.metrics()[-1]  # nor while it trains: the val split is as small


def test_copies_are_found_whichever_split_is_measured_on(digits: Data) -> None:
    near = evaluate_images(digits.train.images, digits, "train")["scores"]["nearest_train_distance"]
    assert near["copies"]["share"] == 1.0
    assert near["floor"] > 0.05


def test_the_headline_is_kid_where_images_are_few(results) -> None:
    assert results["sn-gan"]["headline"] == "kid"


def test_a_run_s_own_scores_are_not_overwritten_by_others(runs, results, tmp_path: Path, capsys) -> None:
    path, before = runs["sn-gan"].path, runs["sn-gan"].scores
    np.savez(path / "s.npz", images=np.zeros((30, 28, 28, 1), np.uint8))
    told = refusal_here(capsys, "evaluate", "--images", path / "s.npz", "--data", "digits", "--out", path / "scores.json")
    assert "another file than a run's own scores.json" in told
    assert runs["sn-gan"].scores == before != {}


def test_a_broken_array_file_is_one_line(tmp_path: Path, capsys) -> None:
    for content in (b"PK\x03\x04 no zip", b"", b"junk"):
        (tmp_path / "s.npz").write_bytes(content)
        told = refusal_here(capsys, "evaluate", "--images", tmp_path / "s.npz", "--data", "digits")
        assert "cannot be read" in told
        assert "pickle" not in told


class TestForeign:
    def test_images_of_another_program_are_measured_as_a_run_is(self, runs, results, digits: Data, tmp_path: Path) -> None:
        for i, image in enumerate(runs["sn-gan"].sample(96, seed=runs["sn-gan"].config.train.seed + 1)):
            save_png(image, tmp_path / "theirs" / f"{i:03d}.png")
        images = read_images(tmp_path / "theirs", digits.shape)
        scores = evaluate_images(images, digits, out=tmp_path / "scores.json")["scores"]
        for name in SAMPLES:
            assert scores[name] == results["sn-gan"]["scores"][name], name
        assert json.loads((tmp_path / "scores.json").read_text())["source"] == "images"

    def test_the_command_reads_folders_and_arrays(self, digits: Data, tmp_path: Path, capsys) -> None:
        images = load_data("digits").val.images[:40]
        np.savez(tmp_path / "theirs.npz", images=images)
        for i, image in enumerate(images):
            save_png(np.repeat(image, 3, 2), tmp_path / "theirs" / f"{i:03d}.png")  # grey in three channels
        printed = run("evaluate", "--images", tmp_path / "theirs.npz", "--data", "digits", "--extractors", RANDOM).stdout
        assert printed.splitlines()[-1] == str(tmp_path / "theirs.scores.json")
        assert "frechet" in printed
        assert "Floor: what other real images reach" in printed
        run_here(capsys, "evaluate", "--images", tmp_path / "theirs", "--data", "digits", "--split", "val", "--extractors", RANDOM)
        from_array = json.loads((tmp_path / "theirs.scores.json").read_text())
        from_folder = json.loads((tmp_path / "theirs" / "scores.json").read_text())
        assert from_folder["split"] == "val"
        assert from_array["scores"]["nearest_train_distance"]["value"] == from_folder["scores"]["nearest_train_distance"]["value"]

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (lambda p: save_png(np.zeros((14, 14, 1), np.uint8), p / "a.png"), "must be 28 x 28 pixels, as --data is. Got '14 x 14'"),
            (lambda p: save_png(np.eye(28, dtype=np.uint8)[..., None] * np.uint8([255, 0, 9]), p / "a.png"), "must be grey"),
            (lambda p: (p / "a.png").write_bytes(b"\x89PNG no"), "must be an image that can be read"),
            (lambda p: None, "It holds none"),
            (lambda p: save_png(np.zeros((28, 28, 1), np.uint8), p / "a.png"), "samples must be at least 20 and at most 50000. Got 1"),
        ],
    )
    def test_what_cannot_be_measured_is_refused_in_one_line(self, make, told: str, tmp_path: Path, capsys) -> None:
        (tmp_path / "theirs").mkdir()
        make(tmp_path / "theirs")
        assert told in refusal_here(capsys, "evaluate", "--images", tmp_path / "theirs", "--data", "digits", "--extractors", RANDOM)
        assert not (tmp_path / "theirs" / "scores.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "must be given a RUN, or --images DIR"),
        (("RUN", "--split", "tset"), "--split must be one of train, val, test. Got 'tset'"),
        (("RUN", "--count", "5"), "--count must be an integer of at least 20"),
        (("RUN", "--nll-samples", "-1"), "--nll-samples must be an integer of at least 0"),
        (("RUN", "--nll-samples", "5"), "--nll-samples and --nll-images go with a VAE"),
        (("RUN", "--nll-images", "5"), "--nll-samples and --nll-images go with a VAE"),
        (("RUN", "--data", "mnist"), "must be where the digits of"),
        (("RUN", "--extractors", "vgg"), "--extractors must be some of classifier"),
        (("RUN", "--extractors", "inception-v3"), "needs --inception-weights FILE and --inception-sha256 HEX"),
        (("RUN", "--inception-weights", "no.pth", "--inception-sha256", "0"), "--inception-weights must be a file that can be read"),
        (("--images", "nowhere", "--data", "digits"), "--images must be a folder of images"),
        (("--images", ".", "--data", "digits", "--count", "30"), "--count goes with a RUN"),
    ],
)
def test_wrong_input_gets_one_line(arguments: tuple[str, ...], told: str, runs, capsys) -> None:
    path = str(runs["sn-gan"].path)
    assert told in refusal_here(capsys, "evaluate", *(path if word == "RUN" else word for word in arguments))


def test_no_importance_samples_are_what_every_family_has(runs, tmp_path: Path, capsys) -> None:
    """As the experiment and a sweep ask for it, whatever the family."""
    shutil.copytree(runs["sn-gan"].path, tmp_path / "gan")
    run_here(capsys, "evaluate", tmp_path / "gan", "--nll-samples=0", "--count", 20, "--extractors", RANDOM)
    scores = json.loads((tmp_path / "gan" / "scores.json").read_text(encoding="utf-8"))
    assert 20 in [one["samples"] for one in measurements(scores)]  # beside a fuller measurement, where there was one
    assert "nll_nats" not in scores["scores"]


def test_a_place_that_cannot_be_written_is_found_before_the_work(runs, tmp_path: Path, monkeypatch) -> None:
    run = next(iter(runs.values()))

    def refused(**options: object) -> None:
        raise PermissionError(13, "Permission denied", str(options["dir"]))

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(type(run), "data", lambda run: pytest.fail("it began to measure"))
    with pytest.raises(ll.LabError, match=r"out must be a file in a folder that can be written to. Got '.*scores.json'. Permission denied"):
        run.evaluate()
    with pytest.raises(OSError) as full:
        replace_with(tmp_path / "mine.json", lambda beside: (_ for _ in ()).throw(OSError(28, "No space", str(beside))))
    assert full.value.filename == str(tmp_path / "mine.json")


def test_a_name_of_no_extractor_is_refused_before_the_work(runs, monkeypatch) -> None:
    monkeypatch.setattr("latentlab.measure.scores.vae_scores", lambda *given: pytest.fail("it began to measure"))
    with pytest.raises(LabError, match=r"extractors must be some of classifier, .* Got 'vgg'"):
        runs["conv-vae"].evaluate(extractors=["classifier", "vgg"])


def test_a_split_without_images_is_refused(runs, results, digits: Data) -> None:
    from dataclasses import replace

    empty = replace(digits, test=replace(digits.test, indices=digits.test.indices[:0]))
    run = runs["conv-vae"]
    before = (run.path / "scores.json").read_bytes()
    with pytest.raises(LabError, match=r"split must be a split that holds images. Got 'test'"):
        evaluate_run(run, "test", empty)
    assert (run.path / "scores.json").read_bytes() == before


def test_a_run_without_a_checkpoint_is_refused(runs, tmp_path: Path, capsys) -> None:
    (tmp_path / "run").mkdir()
    for name in ("config.json", "environment.json"):
        (tmp_path / "run" / name).write_bytes((runs["sn-gan"].path / name).read_bytes())
    assert "checkpoint" in refusal_here(capsys, "evaluate", tmp_path / "run")
