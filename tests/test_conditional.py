"""Class-conditional models: the class beside z, the projection, what is learned of it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import refusal
from commands import run as command
from conftest import FAMILIES, TINY

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.config.layers import parameter_count
from latentlab.config.networks import networks
from latentlab.config.schema import Config
from latentlab.models import build
from latentlab.models.engine import one_hot
from latentlab.models.learner import Moment
from latentlab.models.nets import Discriminator
from latentlab.models.sampling import drawn_classes, of_classes

SHAPE = (12, 12, 1)
CPU = torch.device("cpu")
GIVEN = {"model.conditional": True, "model.classes": 4}


def batch(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *SHAPE), generator=source, dtype=torch.uint8)
    return images, one_hot(torch.randint(0, 4, (count,), generator=source).numpy(), 4, CPU)


def test_the_projection_by_hand() -> None:
    """Miyato & Koyama 2018, eq. 3: D(x, y) = ψ(φ(x)) + y · V φ(x)."""
    torch.manual_seed(0)
    config = ll.preset(
        "sn-gan", **GIVEN | {"model.channels": (4,), "model.discriminator_channels": (4,), "model.discriminator_hidden": (6,)}
    )
    judge = Discriminator(networks(config.model, SHAPE)["discriminator"]).eval()
    x, labels = torch.rand(5, 1, 12, 12), torch.eye(4)[[0, 3, 1, 1, 2]]
    features = judge.features(x)
    *_, last = [m for m in judge.modules() if isinstance(m, torch.nn.Linear)]
    of_no_class = features @ last.weight[0] + last.bias[0]
    of_class = (labels @ last.weight[1:] * features).sum(1) + labels @ last.bias[1:]
    torch.testing.assert_close(judge(x, labels), of_no_class + of_class)
    torch.testing.assert_close(judge(x), of_no_class)


@pytest.mark.parametrize("name", ["conv-vae", "sn-gan", "conv-gan"])
@pytest.mark.parametrize("shards", [1, 4])
def test_an_update_with_classes_comes_back_bit_for_bit_and_depends_on_them(name: str, shards: int, tiny: Any) -> None:
    config: Config = tiny(name, **GIVEN | {"train.shards": shards})
    learner = build(config, SHAPE, CPU, False)
    images, labels = batch(learner.images_per_step)
    learner.update(images, Moment(0, 0), labels)
    again = build(config, SHAPE, CPU, False)
    again.load_tensors({key: value.clone() for key, value in learner.tensors().items()})
    other = build(config, SHAPE, CPU, False)
    other.load_tensors({key: value.clone() for key, value in learner.tensors().items()})
    told = [each.update(images, Moment(1, 16), labels) for each in (learner, again)]
    other.update(images, Moment(1, 16), labels.roll(1, 1))
    left, right, differs = learner.tensors(), again.tensors(), other.tensors()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert told[0].keys() == told[1].keys()
    assert any(not torch.equal(left[key], differs[key]) for key in left)
    sizes = {network: sum(p.numel() for p in module.parameters()) for network, module in learner.networks.items()}
    assert sizes == {network: parameter_count(layers) for network, layers in networks(config.model, SHAPE).items()}


def test_classes_are_drawn_in_their_shares_each_by_its_number() -> None:
    labels = drawn_classes(4_000, 7, [0.5, 0.25, 0.25, 0.0])
    assert labels is not None
    assert np.array_equal(labels[:100], drawn_classes(100, 7, [0.5, 0.25, 0.25, 0.0]))  # type: ignore[arg-type]
    assert np.abs(np.bincount(labels, minlength=4) / 4_000 - [0.5, 0.25, 0.25, 0.0]).max() < 0.03
    codes = of_classes(np.ones((3, 2), np.float32), np.array([2, 0, 1]), 3)
    assert codes.tolist() == [[1, 1, 0, 0, 1], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ll.Run]:
    """A VAE and a GAN on digits, and a VAE whose training labels are shuffled, each given the class."""
    root, digits = tmp_path_factory.mktemp("conditional"), ll.load_data("digits")
    parts = {name: getattr(digits, name) for name in ("train", "val", "test")}
    shuffled = np.random.default_rng(0).permutation(parts["train"].labels)
    arrays = {"images": parts["train"].images, "labels": parts["train"].labels}
    np.savez(root / "true.npz", **arrays)
    np.savez(root / "shuffled.npz", **arrays | {"labels": shuffled})
    long = {"train.steps": 600, "train.learning_rate": 3e-3, "model.conditional": True, "model.latent_dim": 8, "model.hidden": (64,)}
    made = {}
    for name in ("true", "shuffled"):
        made[name] = ll.train("mlp-vae", root / name, **TINY | long | {"data": f"npz:{root / name}.npz"})
    few = FAMILIES["sn-gan"] | {"train.steps": 20, "model.conditional": True}
    made["gan"] = ll.train("sn-gan", root / "gan", **TINY | few)
    return made


def test_a_model_that_is_given_classes_uses_them_and_one_with_shuffled_labels_has_no_use_for_them(runs: dict[str, ll.Run]) -> None:
    loss = {name: [row["loss_nats"] for row in runs[name].metrics() if row["split"] == "val"][-1] for name in ("true", "shuffled")}
    assert loss["true"] < loss["shuffled"] - 2.0
    data = ll.load_data("digits")
    means = np.stack([data.train.images[data.train.labels == k].mean(0) for k in range(10)]).astype(float)
    right = {}
    for name in ("true", "shuffled"):
        found = []
        for label in range(10):
            mean = runs[name].sample(40, seed=1, label=label).astype(float).mean(0)
            found.append(int(np.square(means - mean).sum((1, 2, 3)).argmin()) == label)
        right[name] = sum(found)
    assert right["true"] >= 9, right
    assert right["shuffled"] <= 5, right


def bound(run: ll.Run, image: np.ndarray, label: int) -> float:
    """Nats of an image as of a class, at the posterior's mean: by the networks alone, without the learner."""
    networks, y = run.networks(), torch.eye(10)[label][None]
    x = torch.from_numpy(image).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        mean, log_var = networks["encoder"](x, y)
        p = torch.sigmoid(networks["decoder"](torch.cat([mean, y], 1))).clamp(1e-7, 1 - 1e-7)
    cross = -(x * p.log() + (1 - x) * (1 - p).log()).sum()
    return float(cross + 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum())


def test_what_a_run_with_classes_gives(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    for name in ("true", "gan"):
        run = runs[name]
        labels = run.drawn_labels(12, 3)
        assert labels is not None
        each = np.concatenate([run.sample(12, seed=3, label=int(label))[i : i + 1] for i, label in enumerate(labels)])
        assert np.abs(each.astype(int) - run.sample(12, seed=3)).max() <= 1
        assert run.traverse([0], steps=3, label=2).shape[0] == 3
        assert not np.array_equal(run.interpolate(0, 1, label=2), run.interpolate(0, 1, label=5))
    run = runs["true"]
    one, other = run.data().test.images[:2]
    way = run.interpolate(one, other, steps=3)  # of the class under which the first is likeliest
    found = int(run._opened.likeliest(one[None])[0])
    assert np.array_equal(way[[0, -1]], run.reconstruct(np.stack([one, other]), found))
    with pytest.raises(LabError, match="and their classes"):
        run.networks()["encoder"](torch.zeros(1, 1, 12, 12))
    test = run.data().test
    images, labels = test.images[:50], test.labels[:50]
    assert not np.array_equal(run.encode(images, labels).mean, run.encode(images, (labels + 1) % 10).mean)
    found = run._opened.likeliest(images)
    assert (found == labels).mean() > 0.6  # which nobody told it
    assert np.array_equal(run.encode(images).mean, run.encode(images, found).mean)
    assert np.array_equal(run.reconstruct(images), run.reconstruct(images, found))
    for index in (0, 7):
        nats = [bound(run, images[index : index + 1], label) for label in range(10)]
        assert int(np.argmin(nats)) == found[index]
    scores = run.evaluate(samples=100, nll_samples=20, nll_images=20)["scores"]
    assert "knn_accuracy" not in scores  # codes of an encoder that is told the class know what they were told
    assert scores["nll_nats"]["value"] < scores["negative_elbo_nats"]["value"] + 5
    out = command("sample", run.path, "--count", "5", "--label", "7", "--out", tmp_path / "x.npz")
    assert out.stdout.strip() == str(tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as found:
        assert found["labels"].tolist() == [7] * 5
        assert np.array_equal(found["images"], run.sample(5, label=7))


def test_what_cannot_be_given_a_class_is_refused(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"label must be a class from 0 to 9\. Got 10"):
        runs["true"].sample(3, label=10)
    with pytest.raises(LabError, match=r"model\.packing must be 1"):
        ll.preset("sn-gan", **{"model.conditional": True, "model.packing": 2})
    np.savez(tmp_path / "plain.npz", images=np.zeros((60, 12, 12, 1), np.uint8))
    line = refusal("train", "mlp-vae", "--data", f"npz:{tmp_path / 'plain.npz'}", "--model.conditional", "true", "--out", tmp_path / "run")
    assert "model.conditional must be false with npz:" in line
    with pytest.raises(LabError, match="--format python writes networks of z alone"):
        runs["true"].export("python", tmp_path / "mine.py")
    files = runs["true"].export("onnx", tmp_path / "mine.onnx")  # the encoder's with two inputs, image and label: compared with torch
    assert len(files) == 2
