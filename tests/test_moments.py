"""What a run keeps of each sample grid: codes, a discriminator's scores and gradient, around halves of steps; networks lent to pages."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import latentlab as ll
from latentlab.config.networks import classes_of
from latentlab.models.engine import load, one_hot
from latentlab.models.learner import draw, encode
from latentlab.models.sampling import drawn_classes
from latentlab.runs import checkpoints
from latentlab.runs.folder import HALF, RunFolder
from latentlab.runs.forms import read_arrays
from latentlab.runs.verify import check_run
from latentlab.studio import moments
from latentlab.train import recorder as recording
from latentlab.train import session as sessions
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.monitor import CHANGED, JUDGED
from latentlab.train.recorder import Recorder
from latentlab.train.start import create

pytestmark = pytest.mark.usefixtures("undrawn")
CPU = torch.device("cpu")


def at(run: ll.Run, path: Path) -> ll.Run:
    """A run with the networks of one of its checkpoints."""
    load(run.learner, {name: values for name, values in checkpoints.load(path)[0].items() if not name.startswith("window.")})
    return run


def with_moments(run: ll.Run) -> list[tuple[Path, dict[str, np.ndarray]]]:
    """Each checkpoint of a run whose step has a moment, and that; there are several."""
    kept = dict(run.folder.pictures("moments"))
    found = [
        (path, read_arrays(kept[step]))
        for path in checkpoints.listed(run.folder.checkpoints)
        if (step := checkpoints.step_of(path)) in kept
    ]
    assert len(found) > 2
    return found


@pytest.mark.parametrize(("name", "changes"), [("mlp-ae", {}), ("conv-vae", {}), ("conv-vae", {"model.conditional": True})])
def test_codes_are_those_of_the_networks_of_their_step(name: str, changes: dict, tiny, tmp_path: Path) -> None:
    run = ll.train(tiny(name, **changes), tmp_path / "run")
    val = run.folder.data().val
    assert [step for step, _ in run.folder.pictures("moments")] == [step for step, _ in run.folder.pictures("samples")]
    for path, kept in with_moments(run):
        images = val.take(slice(256))
        mean, std = encode(at(run, path).learner, images, CPU, val.labels[: len(images)])
        assert (kept["mean"] == mean.astype(np.float16)).all()
        assert ("std" in kept) == (std is not None)
        assert std is None or (kept["std"] == std.astype(np.float16)).all()
        assert (kept["label"] == val.labels[: len(images)]).all()


@pytest.mark.parametrize(("name", "changes"), [("sn-gan", {}), ("sn-gan", {"train.loss": "relativistic", "model.conditional": True})])
def test_scores_and_gradients_are_those_of_the_discriminator_of_their_step(name: str, changes: dict, tiny, tmp_path: Path) -> None:
    run = ll.train(tiny(name, **changes), tmp_path / "run")
    val, seed, classes = run.folder.data().val, run.config.train.seed, classes_of(run.config.model)
    shares = run.folder.environment()["class_shares"] if classes else None
    for path, kept in with_moments(run):
        learner = at(run, path).learner
        made = draw(learner, JUDGED, run.config.model.latent_dim, seed, CPU, shares)
        labels = [one_hot(each, classes, CPU) if classes else None for each in (val.labels[:JUDGED], drawn_classes(JUDGED, seed, shares))]
        judge = learner.networks["discriminator"].eval()
        pixels = [torch.from_numpy(each).permute(0, 3, 1, 2).float() / 255 for each in (val.take(slice(JUDGED)), made)]
        pixels[1].requires_grad_()
        real, fake = (judge(x, given) for x, given in zip(pixels, labels, strict=True))
        assert kept["real"] == pytest.approx(real.detach().numpy(), abs=1e-5)
        assert kept["made"] == pytest.approx(fake.detach().numpy(), abs=1e-5)
        loss = learner.game.generator(fake, real.detach().mean()).sum()
        wanted = -torch.autograd.grad(loss, pixels[1])[0][:CHANGED].permute(0, 2, 3, 1).numpy()
        assert kept["gradient"].dtype == np.int8
        assert np.abs(kept["gradient"] - 127 * wanted / np.abs(wanted).max()).max() <= 0.51
    first = read_arrays(run.folder.pictures("moments")[0][1])
    assert (first["images"] == val.take(slice(JUDGED))).all()


def test_a_half_step_keeps_what_was_before_and_after_it(tiny, tmp_path: Path) -> None:
    session = create(tiny("sn-gan"), tmp_path / "run")
    halves = []
    for action in ("pause", "phase", "phase", "stop"):
        session.folder.request(action)
    for event in events(session):
        if type(event).__name__ == "Phased":
            halves.append(read_arrays(session.folder.path / HALF))
            told = moments.now(session.folder, "")  # not told yet: status.json comes after the half
            assert told is not None
    judged, moved = halves
    assert [(int(half["step"]), str(half["phase"])) for half in halves] == [(1, "discriminator"), (1, "generator")]
    assert (judged["images"][0] == judged["images"][1]).all()  # only the discriminator moved
    assert (judged["real"][0] != judged["real"][1]).any()
    assert (moved["images"][0] == judged["images"][1]).all()
    assert (moved["images"][0] != moved["images"][1]).any()
    assert (moved["real"][0] == moved["real"][1]).all()
    assert (moved["real"][0] == judged["real"][1]).all()
    assert (moved["gradient"] == judged["gradient"]).all()  # of the new discriminator, at the images that it saw


def test_every_second_moment_stays_by_the_steps_of_the_grids_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recording, "MOMENTS", 4)

    def keep(folder: RunFolder, steps: range) -> list[int]:
        for step in steps:
            folder.samples.mkdir(parents=True, exist_ok=True)
            (folder.samples / f"step-{step:08d}.png").touch()
            Recorder(folder, pytest.fail).moment(step, {"mean": np.zeros((2, 2), np.float32)})
        return [step for step, _ in folder.pictures("moments")]

    straight, resumed = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    assert keep(straight, range(3)) == [0, 1, 2]
    assert keep(straight, range(3, 7)) == [0, 2, 4, 6]
    assert keep(straight, range(7, 10)) == [0, 4, 8, 9]
    keep(resumed, range(9))
    resumed.forget_pictures(2)
    assert keep(resumed, range(3, 10)) == [0, 4, 8, 9]


def test_networks_are_lent_while_somebody_asks(tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sessions, "LEND_SECONDS", 0.0)
    session = create(tiny("conv-vae"), tmp_path / "run")
    folder, seen = session.folder, []
    for event in events(session):
        if isinstance(event, Stepped) and event.step == 2:
            assert not folder.live.exists()
        if isinstance(event, Stepped) and event.step in (2, 4):
            seen.append(moments.networks(folder, seen[-1]["stamp"] if seen else ""))  # which asks
        if isinstance(event, Stepped) and event.step == 4:
            (lent,) = [path for path in checkpoints.listed(folder.live) if checkpoints.step_of(path) == 3]
            tensors = checkpoints.load(lent)[0]
            assert not any(name.startswith("adam.") for name in tensors)
    assert [told["step"] for told in seen] == [0, 3]
    assert seen[1]["content"]["models"][0].keys() >= {"network", "encoder"}
    assert not folder.live.exists()
    last = moments.networks(folder, "")
    assert last["step"] == session.position.step
    assert moments.networks(folder, last["stamp"]) is None
    assert moments.networks(RunFolder(folder.path), "")["content"] is last["content"]  # packed once for all readers
    assert not folder.live.exists()  # nobody is asked once it has ended


def test_a_page_is_told_the_codes_in_the_plane_of_the_newest(tiny, tmp_path: Path) -> None:
    run = ll.train(tiny("conv-vae", **{"model.latent_dim": 2, "train.steps": 4}), tmp_path / "run")
    told = moments.now(run.folder, "")
    frames = [read_arrays(path) for _, path in run.folder.pictures("moments")]
    assert told["steps"]["moments"] == told["steps"]["samples"] == [0, 1, 2, 4]
    assert moments.now(run.folder, told["stamp"]) is None
    values = np.frombuffer(base64.b64decode(told["codes"]), "<i2").reshape(told["shape"]) * told["scale"]
    assert np.abs(values[..., :2] - np.stack([each["mean"] for each in frames])).max() <= told["scale"]
    spread = np.stack([each["std"] for each in frames]).astype(np.float64)
    assert np.abs(values[..., 2] - spread.mean(2)).max() <= 2 * told["scale"]
    shutil.rmtree(run.folder.moments)  # a run of before
    assert "codes" not in moments.now(run.folder, "")


def test_a_damaged_moment_is_named(tiny, tmp_path: Path) -> None:
    run = ll.train(tiny("sn-gan", **{"train.steps": 2}), tmp_path / "run")
    assert [why for _, why in check_run(run.folder) if why] == []
    path = run.folder.pictures("moments")[1][1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert [found.name for found, why in check_run(run.folder) if why] == [path.name]
    with pytest.raises(ll.LabError, match="damaged"):
        moments.now(run.folder, "")
