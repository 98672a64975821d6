"""On MNIST itself: training learns, and the slow proofs of what the project promises."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import torch
from commands import run, start, wait_until
from test_resume import curves, final_sha256, stop_at

import latentlab as ll
from latentlab.measure import unwatched
from latentlab.measure.likelihood import vae_scores
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.train.start import create


@pytest.mark.slow
def test_a_vae_learns_more_than_the_mean_image(mnist_root: Path, tmp_path: Path) -> None:
    """Without its code a decoder can do no better than the mean image; 300 steps must leave that far behind."""
    data = ll.load_data("mnist", root=str(mnist_root))
    mean = torch.from_numpy(data.train.images[:5000].mean(0) / 255).clamp(1e-3, 1 - 1e-3).float()
    held_out = torch.from_numpy(data.val.images / 255.0).float()
    codeless = torch.nn.functional.binary_cross_entropy(mean.expand_as(held_out), held_out, reduction="sum").item() / len(held_out)
    trained = ll.train("mlp-vae", data="mnist", steps=300, threads=1, out=tmp_path / "run", **{"data.root": str(mnist_root)})
    first, *_, last = [row for row in trained.metrics() if row["split"] == "val"]
    assert first["loss_nats"] > codeless
    assert last["loss_nats"] < codeless - 50  # nats per image, the KL that the code costs included
    assert last["mse"] < 0.4 * first["mse"]


def test_the_splits_keep_their_published_order(mnist_root: Path) -> None:
    data = ll.load_data("mnist", root=str(mnist_root))
    assert [len(s) for s in (data.train, data.val, data.test)] == [55_000, 5_000, 10_000]
    assert data.test.images.shape == (10_000, 28, 28, 1)
    assert data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["mlp-ae", "mlp-vae", "conv-vae", "sn-gan", "conv-gan"])
def test_resume_is_bit_for_bit_at_full_size_with_all_threads_and_auto_precision(preset: str, mnist_root: Path, tmp_path: Path) -> None:
    changes = {"data": "mnist", "steps": 60, "data.root": str(mnist_root)}
    straight = ll.train(preset, out=tmp_path / "straight", **changes)
    stop_at(create(ll.preset(preset, **changes), tmp_path / "run"), 25)
    ll.resume(tmp_path / "run")
    assert final_sha256(tmp_path / "run") == final_sha256(straight.path)
    assert curves(tmp_path / "run") == curves(straight.path)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["conv-ae", "mlp-vae", "sn-gan"])
def test_twenty_kills_at_random_moments(preset: str, tmp_path: Path) -> None:
    tiny = ["--data", "digits", "--data.train-images", "128", "--batch-size", "16", "--threads", "1", "--train.checkpoint-seconds", "0"]
    run("train", preset, *tiny, "--epochs", "25", "--out", tmp_path / "straight")
    path, source, kills = tmp_path / "run", random.Random(preset), 0
    process = start("train", preset, *tiny, "--epochs", "25", "--out", path)
    wait_until(lambda: (path / "checkpoints" / "step-00000000").exists())
    while kills < 20:
        time.sleep(source.uniform(0.0, 0.8))
        process.kill()
        process.communicate()
        kills += 1
        checkpoints.newest(path / "checkpoints", print)
        RunFolder(path).metrics()
        if RunFolder(path).status()["state"] == "finished":
            break
        process = start("resume", path)
        wait_until(lambda p=process: RunFolder(path).is_locked() or p.poll() is not None)
        time.sleep(source.uniform(1.0, 4.0))
    process.communicate()
    if RunFolder(path).status()["state"] != "finished":
        run("resume", path)
    assert final_sha256(path) == final_sha256(tmp_path / "straight")
    assert curves(path) == curves(tmp_path / "straight")
    run("verify", path)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "epochs", "target"), [("mlp-vae", 3.0, 112.5), ("conv-vae", 3.0, 104.5)])
def test_presets_reach_what_their_docstrings_say(preset: str, epochs: float, target: float, mnist_root: Path, tmp_path: Path) -> None:
    trained = ll.train(preset, data="mnist", latent_dim=20, epochs=epochs, out=tmp_path / "run", **{"data.root": str(mnist_root)})
    assert vae_scores(trained, trained.data().test, 0, 0, unwatched)["negative_elbo_nats"]["value"] <= target


@pytest.mark.slow
def test_repeats_at_a_fixed_number_of_threads_are_equal(mnist_root: Path, tmp_path: Path) -> None:
    shas = set()
    for number in range(3):
        trained = ll.train("sn-gan", data="mnist", steps=40, out=tmp_path / str(number), **{"data.root": str(mnist_root)})
        shas.add(final_sha256(trained.path))
        torch.set_num_threads(1)  # whatever a program did before
    assert len(shas) == 1
