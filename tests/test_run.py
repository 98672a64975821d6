"""The Run facade, as notebooks and outside scripts use it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FAMILIES, TINY

import latentlab as ll
from latentlab.base.images import check, grid


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


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_are_evaluation_modules_from_z_to_logits(name: str, runs) -> None:
    run = runs[name]
    networks = run.networks()
    gan = run.config.family == "gan"
    assert set(networks) == ({"generator", "discriminator"} if gan else {"encoder", "decoder"})
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
        (lambda r: r.sample(0), "--count must be"),
        (lambda r: r.sample(2, seed=-1), "--seed must be"),
        (lambda r: r.sample(2, label=1), "not conditional"),
        (lambda r: r.sample(2, prior="uniform"), "--prior must be"),
        (lambda r: r.encode(np.zeros((2, 28, 28, 1))), r"images must be uint8 .* Got 'float64"),
        (lambda r: r.encode(np.zeros((2, 32, 32, 1), np.uint8)), r"\[N, 28, 28, 1\]"),
        (lambda r: r.decode(np.zeros((2, 9))), r"z must be finite numbers of shape \[N, 3\]"),
        (lambda r: r.decode(np.full((2, 3), np.nan)), "finite"),
        (lambda r: r.traverse([7]), "latent units from 0 to 2"),
        (lambda r: r.interpolate(0, 1, steps=1), "steps must be"),
    ],
)
def test_wrong_arguments_are_refused(call, text: str, runs) -> None:
    with pytest.raises(ll.LabError, match=text):
        call(runs["conv-vae"])


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
