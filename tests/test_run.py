"""The Run facade, as notebooks and outside scripts use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FAMILIES, TINY

import latentlab as ll
from latentlab.base.images import check, grid, open_png
from latentlab.base.seeding import latents
from latentlab.data.drawn import draw_pictures
from latentlab.models.sampling import gaussian_codes, truncated
from latentlab.models.vae import VAELearner
from latentlab.train.loop import events
from latentlab.train.start import create

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    root = tmp_path_factory.mktemp("runs")
    return {n: ll.train(ll.preset(n, **TINY | FAMILIES[n] | {"train.epochs": 2.0}), root / n) for n in FAMILIES}


def test_train_open_and_look(runs, tmp_path: Path) -> None:
    run = ll.open_run(runs["conv-vae"].path)
    assert run.config.preset == "conv-vae"
    assert run.metrics()[-1]["split"] == "val"
    assert run.scores == {}
    assert run.status()["state"] == "finished"
    data = run.data()
    latents = run.encode(data.test.images)
    assert latents.mean.dtype == latents.std.dtype == np.float32
    assert latents.mean.shape == latents.std.shape == (180, 3)
    assert np.array_equal(run.reconstruct(data.test.images[:4]), run.decode(latents.mean[:4]))
    assert runs["mlp-ae"].encode(data.test.images[:2]).std is None


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_are_bytes_and_repeatable(name: str, runs) -> None:
    run = runs[name]
    images = run.sample(6, seed=5)
    assert check(images).shape == (6, 28, 28, 1)
    assert np.array_equal(images[:1], run.sample(1, seed=5))
    assert np.array_equal(images, ll.open_run(run.path).sample(6, seed=5))


def test_a_fitted_gaussian_is_that_of_the_codes(runs) -> None:
    """Of a VAE's aggregate posterior on held-out images; an AE draws so anyway; a GAN has no codes."""
    vae, ae = runs["conv-vae"], runs["mlp-ae"]
    codes = vae.encode(vae.data().test.images)
    z = latents(20_000, 3, 5)
    drawn = gaussian_codes(z, codes.mean, codes.std)
    assert drawn.mean(0) == pytest.approx(codes.mean.mean(0), abs=0.05)
    aggregate = np.cov(codes.mean, rowvar=False) + np.diag(np.square(codes.std).mean(0))
    assert np.cov(drawn, rowvar=False) == pytest.approx(aggregate, rel=0.05, abs=0.03)
    images = vae.sample(6, seed=5, prior="fitted")
    assert np.abs(images.astype(int) - vae.decode(drawn[:6])).max() <= 1  # the codes were encoded in other batches
    assert np.array_equal(images[:2], vae.sample(2, seed=5, prior="fitted"))
    assert not np.array_equal(images, vae.sample(6, seed=5))
    nearer = vae.sample(6, seed=5, prior="fitted", truncation=0.5)
    expected = vae.decode(gaussian_codes(truncated(z[:6], 0.5), codes.mean, codes.std))
    assert np.abs(nearer.astype(int) - expected).max() <= 1
    assert np.array_equal(ae.sample(6, seed=5, prior="fitted"), ae.sample(6, seed=5))
    with pytest.raises(ll.LabError, match=r"prior must be standard for a GAN, which has no encoder\. Got 'fitted'"):
        runs["sn-gan"].sample(1, prior="fitted")


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_are_evaluation_modules_from_z_to_logits(name: str, runs) -> None:
    run = runs[name]
    networks = run.networks()
    gan = run.config.family == "gan"
    judged = {"discriminator"} if name == "vae-gan" else set()
    assert set(networks) == ({"generator", "discriminator"} if gan else {"encoder", "decoder"} | judged)
    assert not any(module.training for network in networks.values() for module in network.modules())
    z = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = networks["generator" if gan else "decoder"](z)
    assert logits.shape == (64, 1, 28, 28)
    expected = torch.sigmoid(logits).permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).numpy()
    assert np.array_equal(run.decode(z.numpy()), expected)


def test_interpolation_ends_where_it_should(runs) -> None:
    vae, gan = runs["conv-vae"], runs["sn-gan"]
    images = vae.data().test.images
    walk = vae.interpolate(images[0], images[3], steps=5)
    ends = vae.reconstruct(images[[0, 3]])
    assert np.array_equal(walk[[0, -1]], ends)
    seeds = gan.interpolate(1, 2, steps=6)
    assert np.array_equal(seeds[0], gan.sample(1, seed=1)[0])
    assert np.array_equal(seeds[-1], gan.sample(1, seed=2)[0])
    a, b = np.zeros(3, np.float32), np.ones(3, np.float32)
    assert np.array_equal(vae.interpolate(a, b, steps=2), vae.decode(np.stack([a, b])))


def test_a_traversal_moves_one_unit(runs) -> None:
    sheet = runs["conv-vae"].traverse([1], reach=2.0, steps=3)
    z = np.zeros((3, 3), np.float32)
    z[:, 1] = [-2, 0, 2]
    assert np.array_equal(sheet, runs["conv-vae"].decode(z))
    for name in FAMILIES:
        assert runs[name].traverse([0, 2], steps=5).shape == (10, 28, 28, 1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: r.sample(0), "count must be"),
        (lambda r: r.sample(2, seed=-1), "seed must be"),
        (lambda r: r.sample(2, label=1), "not conditional"),
        (lambda r: r.sample(2, prior="uniform"), "prior must be"),
        (lambda r: r.encode(np.zeros((2, 28, 28, 1))), r"images must be uint8 .* Got 'float64"),
        (lambda r: r.encode(np.zeros((2, 32, 32, 1), np.uint8)), r"\[N, 28, 28, 1\]"),
        (lambda r: r.decode(np.zeros((2, 9))), r"z must be finite numbers of shape \[N, 3\]"),
        (lambda r: r.decode(np.full((2, 3), np.nan)), "finite"),
        (lambda r: r.traverse([7]), "latent units from 0 to 2"),
        (lambda r: r.interpolate(0, 1, steps=1), "steps must be"),
        (lambda r: r.sample("a"), "count must be an integer of at least 1. Got 'a'"),
        (lambda r: r.sample(3.5), "count must be"),
        (lambda r: r.sample(3, seed=None), "seed must be"),
        (lambda r: r.sample(3, truncation="small"), "truncation must be"),
        (lambda r: r.encode(np.zeros((0, 28, 28, 1), np.uint8)), r"images must be at least one. Got \[0, 28, 28, 1\]"),
        (lambda r: r.decode("a"), "z must be finite numbers"),
        (lambda r: r.interpolate(-1, 2), "seed must be"),
        (lambda r: r.interpolate(np.zeros(9), np.zeros(9)), "a code of 3 numbers or a seed"),
        (lambda r: r.traverse([0.5]), "dims must be latent units"),
        (lambda r: r.traverse([0], reach="far"), "reach must be a number"),
        (lambda r: r.traverse([0], steps=1), "steps must be"),
        (lambda r: r.evaluate(count=100), "an option of evaluate must be one of data, samples, .* Got 'count'"),
        (lambda r: r.evaluate(samples=3), "samples must be an integer of at least 20"),
        (lambda r: r.evaluate("dev"), "^split must be one of"),
        (lambda r: ll.resume(r.path, epochs=9, steps=900), "epochs and steps were both given"),
        (lambda r: ll.train("mlp-ae", epochs=1, steps=2), "epochs and steps were both given"),
        (lambda r: ll.preset("mlp-vae", epochs=1, steps=2), "epochs and steps were both given"),
        (lambda r: r.interpolate("a", "b"), "an end of the way must be an image, a code of 3 numbers or a seed. Got 'a'"),
        (lambda r: r.interpolate(0, np.full(3, np.nan)), "a code of 3 numbers"),
        (lambda r: r.traverse(3), "dims must be latent units from 0 to 2. Got 3"),
        (lambda r: r.traverse("01"), "dims must be latent units"),
        (lambda r: r.traverse([]), "dims must be latent units"),
        (lambda r: r.traverse([0], seed="x"), "seed must be"),
        (lambda r: r.evaluate(extractors="vgg"), "extractors must be some of classifier"),
        (lambda r: r.evaluate(extractors=["random-convolutions", "vgg"]), "extractors must be some of classifier"),
        (lambda r: r.evaluate(data="mnist"), "data must be where the digits of"),
        (lambda r: ll.train(None), "what to train must be a preset's name or a Config. Got None"),
    ],
)
def test_wrong_arguments_are_refused(call, text: str, runs) -> None:
    with pytest.raises(ll.LabError, match=text):
        call(runs["conv-vae"])


def test_a_length_in_epochs_takes_the_place_of_one_in_steps() -> None:
    assert ll.preset("mlp-vae", steps=7).replace(epochs=2).train.steps is None
    assert ll.preset("mlp-vae", epochs=2).replace(steps=7).train.steps == 7


def test_numbers_of_numpy_and_torch_are_numbers(runs) -> None:
    config = ll.preset(
        "mlp-vae", **{"model.latent_dim": np.int64(3), "model.hidden": [np.int32(8)], "train.learning_rate": np.float32(0.5)}
    )
    assert config == ll.preset("mlp-vae", **{"model.latent_dim": 3, "model.hidden": (8,), "train.learning_rate": 0.5})
    assert config.to_json()
    assert ll.load_data("digits", train_images=np.int64(9)).train.images.shape[0] == 9
    run = runs["conv-vae"]
    z = torch.zeros(2, 3, requires_grad=True)
    assert np.array_equal(run.decode(z), run.decode(np.zeros((2, 3))))
    assert len(run.sample(np.int64(2), seed=np.int32(1))) == 2


def test_a_batch_is_no_larger_than_the_set_and_a_length_is_kept_or_said(tmp_path: Path) -> None:
    small = {"data.train_images": 5, "train.threads": 1, "model.hidden": (4,), "train.sample_count": 1}
    session = create(ll.preset("mlp-vae", **small), tmp_path / "vae")
    with session.lock:
        assert session.config.train.batch_size == session.folder.config().train.batch_size == 5
        assert session.warnings == ["a batch has 5 images, not 128: there are no more to learn from."]
        assert session.total_steps() == 20  # epochs of one step each
    said = [
        event.message
        for event in ll.steps(ll.preset("mlp-vae", **small, epochs=0.5, batch_size=4), tmp_path / "short")
        if hasattr(event, "message")
    ]
    assert said == ["0.5 epochs are no whole steps (a step reads 4 of 5 images): it will be 0.8 epochs."]
    with pytest.raises(ll.LabError, match=r"train.batch_size must be at least 2 with batch normalisation"):
        ll.train("conv-gan", tmp_path / "one", **small | {"data.train_images": 1})
    from latentlab.lab.main import plan

    digits = ll.load_data("digits", train_images=5)
    lengths = {
        name: (config.train.batch_size, config.train.epochs)
        for name, config in plan(digits, {"data.spec": "digits"}, False, tmp_path).items()
    }
    assert lengths == {"ae": (5, 450.0), "vae": (5, 450.0), "gan": (5, 1100.0), "gan-from-vae": (5, 1100.0)}


@pytest.mark.parametrize("most", [6, 0])
def test_a_step_that_does_not_fit_into_memory_names_a_batch_that_does(most: int, tiny, tmp_path: Path, monkeypatch) -> None:
    session = create(tiny("conv-vae"), tmp_path / "run")
    update = VAELearner.update

    def limited(learner, images, moment):
        if len(images) > most:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate 901 bytes"
            )
        return update(learner, images, moment)

    monkeypatch.setattr(VAELearner, "update", limited)
    advice = "Train anew with a batch size of 4, which fits" if most else "Use a smaller model"
    with pytest.raises(ll.LabError, match=f"a step of 16 images must fit into memory, but there is too little of it. {advice}"):
        list(events(session))
    assert advice in session.folder.status()["message"]
    assert session.folder.status()["state"] == "failed"


def test_a_run_among_the_pictures_that_it_learns_from_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(30):
        Image.new("RGB", (16, 16), (number, 0, 9)).save(tmp_path / f"{number}.png")
    with pytest.raises(ll.LabError, match=r"out must be outside .*: a run's own pictures would be learned from"):
        ll.train("mlp-ae", tmp_path / "run", data=f"folder:{tmp_path}", threads=1)
    assert not (tmp_path / "run").exists()


def test_a_gan_has_no_encoder(runs) -> None:
    for call in (lambda r: r.encode(np.zeros((1, 28, 28, 1), np.uint8)), lambda r: r.reconstruct(np.zeros((1, 28, 28, 1), np.uint8))):
        with pytest.raises(ll.LabError, match="a GAN has no encoder"):
            call(runs["sn-gan"])


def test_a_user_s_own_folder_trains_in_colour_and_odd_sizes(tmp_path: Path) -> None:
    from PIL import Image

    source = np.random.default_rng(0)
    for number in range(40):
        coarse = source.integers(0, 255, (5, 4, 3), dtype=np.uint8)
        folder = tmp_path / "art" / ("warm" if number % 2 else "cold")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((50 + number, 41)).save(folder / f"{number}.png")
    common = {"data": f"folder:{tmp_path / 'art'}", "data.image_size": 21, "train.steps": 3, "train.batch_size": 8, "train.threads": 1}
    vae = ll.train(ll.preset("conv-vae", **common), tmp_path / "vae")
    assert vae.sample(3).shape == (3, 21, 21, 3)
    warm = ll.train(
        "gan-from-vae",
        out=tmp_path / "gan",
        **{"train.generator_from": str(vae.path), "train.steps": 2, "train.threads": 1, "train.batch_size": 8},
    )
    assert warm.sample(3).shape == (3, 21, 21, 3)
    assert warm.config.data.spec == vae.config.data.spec


def test_a_grid_holds_every_image_in_reading_order() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(3, 1).repeat(3, 2)
    sheet = grid(images, columns=2, gap=1)
    assert sheet.shape == (13, 9, 1)
    assert [int(sheet[1 + 4 * (i // 2), 1 + 4 * (i % 2), 0]) for i in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv-vae", "robust-gan"])
def test_images_of_256_by_256_in_colour(name: str, tmp_path: Path) -> None:
    """The whole preset, on a folder of a few pictures: trained, sampled, and its sheet of thumbnails is theirs."""
    list(draw_pictures(tmp_path / "art", 24, 256, 0))
    few = {"data.image_size": 256, "train.batch_size": 4, "train.steps": 2, "train.threads": 1, "train.sample_count": 4}
    run = ll.train(ll.preset(name, data=f"folder:{tmp_path / 'art'}", **few), tmp_path / "run")
    assert run.status()["state"] == "finished"
    assert run.image_shape == (256, 256, 3)
    assert check(run.sample(2)).shape == (2, 256, 256, 3)
    assert all(np.isfinite(value) for row in run.metrics() for value in row.values() if isinstance(value, float))
    if name == "conv-vae":
        sheet = np.asarray(open_png(run.path / "thumbnails.png"))
        assert np.array_equal(sheet[:256, :256], run.data().test.images[0])
