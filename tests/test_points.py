"""Points of the plane: drawn as published, trained on, measured, drawn, by the same ways as images."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
import torch
from commands import refusal, run, run_here
from PIL import Image

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.images import as_points
from latentlab.config.parts import GANModel
from latentlab.config.sources import SOURCES
from latentlab.measure.metrics.manifold import manifold
from latentlab.measure.points import at_modes, modes, point_scores, watched
from latentlab.measure.quality import Real
from latentlab.models import build
from latentlab.models.learner import Moment
from latentlab.models.likelihoods import OF_POINTS, point_nats
from latentlab.show.figures.plane import MESH, Field, box_of, mesh, pairs_png, plane_png

POINT = (1, 1, 2)
RING, GRID = SOURCES["ring"].mixture, SOURCES["grid"].mixture
CPU = torch.device("cpu")
SHORT = ["--threads", "1", "--data.train-images", "2000", "--batch-size", "64", "--train.log-steps", "5", "--train.measure-samples", "256"]


def wide(path) -> int:
    with Image.open(path) as picture:
        return picture.width


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


# Data.


@pytest.mark.parametrize(("name", "count", "deviation"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_a_mixture_is_drawn_as_published(name: str, count: int, deviation: float) -> None:
    data, mixture = ll.load_data(name), SOURCES[name].mixture
    assert data.shape == POINT
    assert (len(data.train), len(data.val), len(data.test)) == (95_000, 5_000, 10_000)
    assert data.class_names == tuple(map(str, range(count)))
    points = data.train.images
    assert points.dtype == np.float32
    centres = np.array(mixture.centres)
    assert len(centres) == count
    off = points.reshape(-1, 2) - centres[data.train.labels]
    assert off.std(0) == pytest.approx([deviation] * 2, rel=0.01)
    assert off.mean(0) == pytest.approx([0, 0], abs=0.001)
    assert np.bincount(data.train.labels) / len(points) == pytest.approx([1 / count] * count, abs=0.006)
    assert np.array_equal(points, ll.load_data(name).train.images)
    few = ll.load_data(name, train_images=1_000)
    assert np.array_equal(few.train.images, points[:1_000])
    assert few.fingerprint != data.fingerprint


def test_ring_and_grid_lie_where_papers_put_them() -> None:
    ring, grid = np.array(RING.centres), np.array(GRID.centres)
    assert np.linalg.norm(ring, axis=1) == pytest.approx(np.ones(8))
    assert np.linalg.norm(ring - np.roll(ring, 1, 0), axis=1) == pytest.approx([2 * math.sin(math.pi / 8)] * 8)
    assert {tuple(centre) for centre in grid} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}


def shape_of_ones_own(path, count: int = 300) -> np.ndarray:
    angle = np.random.default_rng(0).uniform(0, math.tau, count)
    points = np.stack([np.cos(angle), 0.5 * np.sin(2 * angle)], 1)
    match path.suffix:
        case ".csv":
            np.savetxt(path, points, delimiter=",", header="x,y", comments="")
        case ".npy":
            np.save(path, points)
        case ".npz":
            np.savez(path, points=points, labels=(angle > math.pi).astype(int))
    return points


@pytest.mark.parametrize("name", ["own.csv", "own.npy", "own.npz"])
def test_a_shape_of_ones_own_is_read_and_split_by_content(tmp_path, name: str) -> None:
    points = shape_of_ones_own(tmp_path / name)
    data = ll.load_data(f"points:{tmp_path / name}")
    assert (len(data.train), len(data.val), len(data.test)) == (240, 30, 30)
    assert data.class_names == (("0", "1") if name == "own.npz" else None)
    every = np.concatenate([part.images.reshape(-1, 2) for part in (data.train, data.val, data.test)])
    assert sorted(map(tuple, every)) == sorted(map(tuple, points.astype(np.float32)))
    if name == "own.csv":  # and one without a line of names
        np.savetxt(tmp_path / "bare.csv", points, delimiter=",")
        assert np.array_equal(ll.load_data(f"points:{tmp_path / 'bare.csv'}").train.images, data.train.images)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (np.ones((9, 3)), "shape [N, 2]. Got 'float64 [9, 3]'"),
        (np.full((9, 2), np.nan), "finite numbers"),
        (40 * np.eye(2)[np.arange(9) % 2], "between 0.5 and 10.0. Got '40'. Scale them"),
        (np.zeros((9, 2)), "between 0.5 and 10.0. Got '0'."),
        (np.ones((2, 2)), "at least 3"),
    ],
)
def test_what_is_no_points_is_refused(tmp_path, content: np.ndarray, said: str) -> None:
    np.save(tmp_path / "odd.npy", content)
    with pytest.raises(LabError) as refused:
        ll.load_data(f"points:{tmp_path / 'odd.npy'}")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused(tmp_path) -> None:
    (tmp_path / "words.csv").write_text("1,2\n3,four\n")
    (tmp_path / "odd.npz").write_bytes(b"no")
    np.savez(tmp_path / "images.npz", images=np.zeros((3, 2)))
    for name, said in [
        ("words.csv", "four"),
        ("odd.npz", ""),
        ("images.npz", "points"),
        ("none.npy", "No such file"),
        ("a.txt", ".csv, .npy or"),
    ]:
        with pytest.raises(LabError) as refused:
            ll.load_data(f"points:{tmp_path / name}")
        assert said in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


def test_settings_of_images_and_networks_of_pixels_are_refused() -> None:
    for changes, said in [
        ({"augmentation": "shift-mirror"}, "train.augmentation must be none with points"),
        ({"precision": "bf16"}, "train.precision must be fp32 with points"),
    ]:
        with pytest.raises(LabError, match=said):
            ll.preset("point-gan", **changes)
    with pytest.raises(LabError, match="engine must be torch with points"):
        ll.preset("point-vae", engine="keras")
    with pytest.raises(LabError, match="likelihood must be auto with points"):
        ll.preset("mlp-vae", data="ring", likelihood="bernoulli")
    with pytest.raises(LabError, match="reconstruction must be mse with points"):
        ll.preset("conv-ae", data="grid")
    with pytest.raises(LabError, match="left out with points"):
        ll.load_data("ring", image_size=28)


# Models.


def test_the_likelihood_of_points_is_a_normal_density() -> None:
    generator = torch.Generator().manual_seed(0)
    means, x, log_scale = (torch.randn(5, 2, 1, 1, generator=generator) for _ in range(3))
    expected = -torch.distributions.Normal(means, log_scale.exp()).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(point_nats(torch.cat([means, log_scale], 1), x), expected)
    for name, likelihood in OF_POINTS.items():
        outputs = means if name == "mse" else torch.cat([means, log_scale], 1)
        torch.testing.assert_close(likelihood.nats_of_one(outputs, x[0]), likelihood.nats(outputs, x[:1].expand(5, 2, 1, 1)))
        torch.testing.assert_close(likelihood.mean(outputs), means)  # of both signs, as coordinates are
        held = torch.randn(4, *POINT, generator=generator)
        assert torch.equal(likelihood.values.held(likelihood.target(held)), held)


@pytest.mark.parametrize("changes", [{}, {"packing": 2}, {"loss": "hinge", "discriminator_normalization": "spectral"}])
def test_the_field_is_the_slope_of_the_generators_loss_and_changes_nothing(changes) -> None:
    config = ll.preset("point-gan", hidden=(8,), discriminator_hidden=(8, 8), batch_size=16, **changes)
    learner = build(config, POINT, CPU, bf16=False)
    points = torch.randn(16, *POINT, generator=torch.Generator().manual_seed(1))
    learner.update(points, Moment(0, 0))
    before = {name: value.clone() for name, value in learner.tensors().items()}
    logits, moves = learner.field(points, points)
    assert all(torch.equal(value, before[name]) for name, value in learner.tensors().items())
    judge = learner.networks["discriminator"].eval().double()
    x = points.double().permute(0, 3, 1, 2)

    def judged(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            together = x.repeat_interleave(judge.packing, 0).reshape(len(x), -1, 1, 1)
            return judge.layers(together).flatten()

    def loss(x: torch.Tensor) -> torch.Tensor:
        return learner.game.generator(judged(x), judged(points.double().permute(0, 3, 1, 2)).mean())

    for coordinate in range(2):
        step = torch.zeros(2, 1, 1, dtype=torch.float64)
        step[coordinate] = 1e-5
        slope = (loss(x + step) - loss(x - step)) / 2e-5
        torch.testing.assert_close(-moves[:, coordinate, 0, 0].double(), slope, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(logits.double(), judged(x), rtol=1e-4, atol=1e-5)


def test_convolutions_are_left_out_and_points_go_in_as_they_are() -> None:
    from latentlab.config.networks import fit_model, networks

    config = ll.preset("sn-gan", data="ring")
    model = fit_model(config.model, POINT)
    assert isinstance(model, GANModel)
    assert (model.channels, model.discriminator_channels) == ((), ())
    layers = networks(model, POINT)
    assert layers["discriminator"][1].inputs == 2
    learner = build(config.replace(**{"model.channels": (), "model.discriminator_channels": ()}), POINT, CPU, bf16=False)
    seen = []
    judge = learner.networks["discriminator"]
    judge.layers[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0].clone()))
    points = torch.tensor([[-4.0, 4.0]]).reshape(1, *POINT)
    learner.held_out(points, 0, 0)
    assert seen[0].flatten().tolist() == [-4.0, 4.0]
    assert learner.decode(torch.zeros(3, 32)).shape == (3, *POINT)


def test_a_batch_in_shards_is_the_same_batch() -> None:
    points = torch.randn(32, *POINT, generator=torch.Generator().manual_seed(2))
    learned = []
    for shards in (1, 4):
        learner = build(
            ll.preset("point-gan", hidden=(8,), discriminator_hidden=(8,), batch_size=32, shards=shards), POINT, CPU, bf16=False
        )
        losses = learner.update(points, Moment(0, 0))
        learned.append({name: float(value) for name, value in losses.items()})
    assert learned[0] == pytest.approx(learned[1], rel=1e-4)


# Measures.


def drawn(mixture, counts: list[int], deviation: float = 0.0) -> np.ndarray:
    rows = np.repeat(np.arange(len(counts)), counts)
    noise = deviation * np.random.default_rng(0).standard_normal((len(rows), 2))
    return as_points(np.array(mixture.centres)[rows] + noise)


def test_modes_and_quality_are_counted_as_published() -> None:
    collapsed = drawn(RING, [100, 300, 0, 0, 0, 0, 0, 0])
    nearest, high = at_modes(collapsed, RING)
    assert modes(nearest, high) == 2
    assert high.all()
    assert np.array_equal(np.bincount(nearest, minlength=8), [100, 300] + [0] * 6)
    between = as_points((np.array(RING.centres) + np.roll(np.array(RING.centres), 1, 0)) / 2)
    nearest, high = at_modes(between, RING)
    assert modes(nearest, high) == 0
    edge = np.array(RING.centres[0]) + np.array([[0.0299, 0], [0, 0.0301]])  # of three standard deviations
    assert at_modes(as_points(edge), RING)[1].tolist() == [True, False]
    beyond = np.concatenate([drawn(RING, [2_500]), drawn(RING, [0, 50])])
    assert modes(*at_modes(beyond, RING)) == 1  # the others came after the 2,500 that count
    even = drawn(GRID, [40] * 25, 0.05)
    seen = watched(even, even, GRID)
    assert seen["modes"] == 25
    assert seen["high_quality_share"] == pytest.approx(1 - math.exp(-4.5), abs=0.012)
    assert seen["class_reverse_kl_nats"] == pytest.approx(0.0, abs=1e-12)
    assert seen["class_entropy_nats"] == pytest.approx(math.log(25))
    half = watched(drawn(RING, [100] * 4 + [0] * 4), even, RING)
    assert half["class_reverse_kl_nats"] == pytest.approx(math.log(2))
    assert half["pair_distance"] < seen["pair_distance"]


def test_scores_of_points_have_the_floors_of_other_real_points() -> None:
    data = ll.load_data("ring")
    real = Real(data.test.take(slice(1_000)), None, data.train.take(slice(1_000)), data.test.images, data.train, "ring", None, None)
    found = point_scores(data.train.take(slice(1_000, 4_000)), real, RING)
    scores = found["scores"]
    assert (scores["modes"]["value"], scores["modes"]["floor"], scores["modes"]["n"]) == (8, 8, 2_500)
    assert scores["modes"]["unit"] == "of 8 modes"
    low, high = scores["high_quality_share"]["ci95"]
    assert low < 1 - math.exp(-4.5) < high
    assert scores["class_reverse_kl_nats"]["value"] < 0.01
    assert scores["coverage"]["value"] > 0.9
    assert scores["coverage"]["floor"] == pytest.approx(
        manifold(*(points.reshape(-1, 2).astype(float) for points in (real.held_out, real.other)), 5).coverage
    )
    assert sum(found["class_shares"]["samples"]) == pytest.approx(1)
    alone = point_scores(data.train.take(slice(1_000)), real, None)
    assert set(alone["scores"]) == {"precision", "recall", "density", "coverage"}


# Pictures.


def test_pictures_show_points_field_and_arrows() -> None:
    real, made = drawn(RING, [50] * 8, 0.01), drawn(RING, [50] * 3)
    box = box_of(real)
    assert abs(box.x) < 0.05
    assert abs(box.y) < 0.05
    assert 1.2 < box.half < 1.5
    places = mesh(box).reshape(MESH, MESH, 2)
    assert places[0, 0] == pytest.approx([box.x - box.half, box.y - box.half])
    assert places[-1, 0] == pytest.approx([box.x - box.half, box.y + box.half])
    plain, marked = pixels(plane_png(box, real)), pixels(plane_png(box, real, made))
    rising = Field(places[..., 1].astype(np.float32), np.zeros((10, 2), np.float32))
    field = pixels(plane_png(box, real, made, rising))
    side = len(plain)
    corner = np.s_[side // 8, side // 4], np.s_[-side // 8, side // 4]  # above and below, where no point is
    assert (plain[corner[0]] == 255).all()
    assert field[corner[0]][2] > field[corner[0]][0]  # purple where the logit is high
    assert field[corner[1]][0] > field[corner[1]][2]  # orange where it is low
    greenish = (marked[..., 1] > marked[..., 0] + 40).sum()
    assert greenish > 50
    assert not (plain[..., 1] > plain[..., 0] + 40).any()
    arrows = pixels(plane_png(box, real, made, rising._replace(moves=np.tile([[0.0, -1.0]], (10, 1)).astype(np.float32))))
    assert np.abs(arrows - field).sum() > 1_000
    assert not np.array_equal(pixels(pairs_png(box, real, real)), pixels(pairs_png(box, real, np.roll(real, 7, 0))))


# Commands.


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """A GAN on ring, trained for some steps."""
    path = tmp_path_factory.mktemp("points") / "gan"
    run("train", "point-gan", *SHORT, "--steps", "64", "--out", path)
    return path


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A VAE on a shape of one's own."""
    folder = tmp_path_factory.mktemp("points")
    shape_of_ones_own(folder / "own.npy", 900)
    size = ["--threads", "1", "--batch-size", "64", "--epochs", "4", "--train.log-steps", "5"]
    run("train", "point-vae", "--data", f"points:{folder / 'own.npy'}", *size, "--out", folder / "vae")
    return folder / "vae"


def test_a_run_of_points_keeps_pictures_and_numbers(gan) -> None:
    assert json.loads((gan / "status.json").read_text())["state"] == "finished"
    steps = sorted(path.name for path in (gan / "samples").iterdir())
    assert steps[0] == "step-00000000.png"
    assert len(steps) > 5
    first, last = (pixels((gan / "samples" / name).read_bytes()) for name in (steps[0], steps[-1]))
    assert first.shape == last.shape
    assert np.abs(first - last).max() > 100
    assert (gan / "figures" / "samples.png").read_bytes() == (gan / "samples" / steps[-1]).read_bytes()
    rows = [json.loads(line) for line in (gan / "metrics.jsonl").read_text().splitlines()]
    val = [row for row in rows if row["split"] == "val"]
    assert {"modes", "high_quality_share", "class_reverse_kl_nats", "pair_distance"} <= set(val[-1])
    assert "0 errors" in run("verify", gan).stdout or run("verify", gan).returncode == 0


def test_resume_is_bit_for_bit(gan, tmp_path) -> None:
    run("train", "point-gan", *SHORT, "--steps", "24", "--out", tmp_path / "parts")
    run("resume", tmp_path / "parts", "--steps", "64")
    states = [sorted((path / "checkpoints").iterdir())[-1] / "tensors.safetensors" for path in (gan, tmp_path / "parts")]
    assert states[0].read_bytes() == states[1].read_bytes()
    last = sorted((gan / "samples").iterdir())[-1].name
    assert (gan / "samples" / last).read_bytes() == (tmp_path / "parts" / "samples" / last).read_bytes()


def test_samples_are_points(gan, tmp_path, capsys) -> None:
    run("sample", gan, "--count", "70", "--seed", "3", "--out", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert file.files == ["points"]
        points = file["points"]
    assert (points.shape, points.dtype) == ((70, 2), np.float32)
    run_here(capsys, "sample", gan, "--count", "5", "--seed", "3", "--out", tmp_path / "few.npz")
    with np.load(tmp_path / "few.npz") as file:
        assert np.array_equal(file["points"], points[:5])
    assert np.array_equal(ll.open_run(gan).sample(5, 3).reshape(-1, 2), points[:5])
    for verb, *more in (("sample",), ("interpolate", "--seeds", "0,5"), ("traverse",)):
        run_here(capsys, verb, gan, *more, "--out", tmp_path / f"{verb}.png")
        assert wide(tmp_path / f"{verb}.png") > 400


def test_evaluate_measures_runs_and_other_programs_points(gan, tmp_path, capsys) -> None:
    told = run_here(capsys, "evaluate", gan, "--count", "500")
    scores = json.loads((gan / "scores.json").read_text())
    assert {"modes", "high_quality_share", "class_reverse_kl_nats", "coverage", "knn_accuracy"} <= set(scores["scores"])
    assert scores["headline"] == "high_quality_share"
    assert not {"frechet", "kid", "ms_ssim", "psnr"} & set(scores["scores"])
    assert "high_quality_share" in told
    np.save(tmp_path / "perfect.npy", ll.load_data("ring").train.take(slice(3_000)).reshape(-1, 2))
    run_here(capsys, "evaluate", "--images", tmp_path / "perfect.npy", "--data", "ring", "--out", tmp_path / "scores.json")
    perfect = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert perfect["modes"]["value"] == 8
    assert perfect["high_quality_share"]["value"] > 0.98
    assert "left out with points" in refusal("evaluate", gan, "--extractors", "random-convolutions")


def test_an_encoder_of_points(vae, tmp_path, capsys) -> None:
    run("encode", vae, "--out", tmp_path / "codes.npz")
    with np.load(tmp_path / "codes.npz") as file:
        assert file["mean"].shape == file["std"].shape == (90, 2)
        mean = file["mean"]
    loaded = ll.open_run(vae)
    points = loaded.data().test.images
    assert np.allclose(loaded.encode(points.reshape(-1, 2)).mean, mean)  # points as [N, 2] are taken too
    assert np.allclose(loaded.interpolate(points[0], points[1], 2)[0], loaded.reconstruct(points[:1])[0], atol=1e-6)
    run_here(capsys, "reconstruct", vae, "--out", tmp_path / "pairs.png")
    assert wide(tmp_path / "pairs.png") > 400
    run_here(capsys, "evaluate", vae, "--nll-samples", "50")
    scores = json.loads((vae / "scores.json").read_text())["scores"]
    assert {"negative_elbo_nats", "nll_nats", "reconstruction_mse", "coverage"} <= set(scores)
    assert not {"modes", "psnr", "bits_per_dim"} & set(scores)
    assert scores["reconstruction_mse"]["unit"] == "squared error per coordinate"
    error = np.square(loaded.reconstruct(points) - points).mean()
    assert scores["reconstruction_mse"]["value"] == pytest.approx(float(error), rel=1e-5)
    names = {path.name for path in (vae / "figures").iterdir()}
    assert {"loss.png", "kl.png", "latent.png", "samples.png", "reconstructions.png"} <= names
    assert run("verify", vae).returncode == 0
    assert not (vae / "thumbnails.png").exists()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_reports_show_the_scatter_and_its_film(gan, vae, tmp_path, lang: str) -> None:
    run("report", gan, "--lang", lang, "--out", tmp_path / "gan.html")
    page = (tmp_path / "gan.html").read_text(encoding="utf-8")
    assert 'data-section="samples"' in page
    assert 'data-section="explorer"' not in page
    assert ("the plane" if lang == "en" else "du plan") in page
    assert page.count("data:image/") >= len(list((gan / "samples").iterdir()))
    run("report", vae, "--out", tmp_path / "vae.html")
    assert 'data-section="reconstructions"' in (tmp_path / "vae.html").read_text(encoding="utf-8")


def test_what_shows_runs_tells_of_points(gan, capsys) -> None:
    assert "point-gan" in run_here(capsys, "runs", gan.parent)
    assert "ring" in run_here(capsys, "show", gan)


def test_what_is_of_images_alone_is_refused_in_one_line(gan, tmp_path) -> None:
    assert "tensorboard for a run of points" in refusal("export", gan, "--format", "onnx", "--out", tmp_path / "x.onnx")
    assert "a set of images" in refusal("lab", "--data", "ring", "--out", tmp_path / "lab")
    assert "a set of images" in refusal("data", "inspect", "grid")
    assert "must be torch" in refusal("train", "point-vae", "--engine", "keras", "--out", tmp_path / "keras")
    with pytest.raises(LabError, match="one of images"):
        ll.open_run(gan).explore()
