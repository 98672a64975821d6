"""The plane: what a run of points records of it, frame by frame, against the networks themselves; and its page, clicked through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import run

import latentlab as ll
from latentlab.base.images import as_points
from latentlab.runs import frames
from latentlab.runs.folder import RunFolder
from latentlab.runs.frames import FIELD, FRAME, HEAD, MESH, ROUND, SHOWN
from latentlab.show.figures.plane import Box, mesh
from latentlab.train.events import Phased, Stepped
from latentlab.train.loop import events
from latentlab.train.plane import _normal, as_trained
from latentlab.train.start import create, reopen

SHORT = {"train.threads": 1, "data.train_images": 2_000, "train.batch_size": 64, "train.checkpoint_seconds": 0.0}


def session_of(kind: str, path: Path, steps: int = 60, **changes: Any) -> Any:
    return create(ll.preset(f"point-{kind}").replace(**SHORT | {"train.steps": steps} | changes), path)


def steps_of(path: Path) -> list[tuple[int, int]]:
    return [(int(one["step"]), int(one["half"])) for one in frames.read(path / frames.NAME).frames]


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plane") / "gan"
    for _ in events(session_of("gan", path, 50)):
        pass
    return path


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plane") / "vae"
    for _ in events(session_of("vae", path, 50)):
        pass
    return path


def last(path: Path) -> tuple[Any, Any, Any]:
    """A run's head and last frame, and its networks of that step, as they were trained."""
    known = frames.read(path / frames.NAME)
    frame, loaded = known.frames[-1], ll.open_run(path)
    assert int(frame["step"]) == loaded.step == 50
    return known.head, frame, loaded.learner


def close(found: Any, wanted: Any) -> None:
    """To what a half-precision number holds."""
    np.testing.assert_allclose(np.asarray(found, np.float64), np.asarray(wanted, np.float64), rtol=1e-3, atol=1e-3)


def test_a_frame_is_what_the_networks_of_that_step_say(gan: Path) -> None:
    """Field and arrows from the definitions: the discriminator's logits, autograd through the loss that is written out here."""
    head, frame, learner = last(gan)
    network = learner.networks["discriminator"].eval()

    def logits(points: Any) -> torch.Tensor:
        return network(torch.as_tensor(np.asarray(points, np.float32).reshape(-1, 2, 1, 1)))

    low, high, middle = map(float, frame["logits"])
    asked = mesh(Box(*head["box"].tolist()), FIELD)
    assert asked[0] == pytest.approx(head["box"][:2] - head["box"][2])
    with torch.no_grad():
        field, real = logits(asked), logits(head["real"][:SHOWN]).mean()
        made = learner.networks["generator"].eval()(torch.from_numpy(_normal(2, 0)))
        fakes = logits(made[:SHOWN])
    step = (high - low) / 255
    assert step > 0
    np.testing.assert_allclose(low + step * frame["field"].reshape(-1), field, atol=0.51 * step)
    assert middle == pytest.approx(float(real + fakes.mean()) / 2, abs=1e-4)  # relativistic: only differences mean anything
    close(frame["made"], made[:SHOWN].reshape(-1, 2))
    close(frame["mesh"].reshape(-1, 2), made[SHOWN:].reshape(-1, 2))
    x = made[:SHOWN].clone().requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.softplus(real - network(x)).sum(), x)
    close(frame["arrows"] * float(frame["longest"]), -slope.reshape(-1, 2))
    assert np.linalg.norm(frame["arrows"].astype(float), axis=1).max() == pytest.approx(1, abs=1e-3)
    assert (
        np.abs(frame["mesh"] - learner.decode(torch.from_numpy(_normal(2, 0)))[SHOWN:].reshape(MESH, MESH, 2).numpy()).max() > 0.01
    )  # no average


def test_a_vaes_frame_leads_from_real_points_to_their_reconstructions(vae: Path) -> None:
    head, frame, learner = last(vae)
    x = torch.from_numpy(as_points(head["real"])[:SHOWN])
    with as_trained(learner), torch.no_grad():
        mean, std = learner.encode(x)
        copies = learner.decode(mean).reshape(-1, 2)
        aside = learner.decode(mean[:ROUND] + std[:ROUND] * torch.tensor([0.0, 1.0])).reshape(-1, 2)
    close(x.reshape(-1, 2) + torch.from_numpy(frame["arrows"].astype(np.float32)) * float(frame["longest"]), copies)
    close(frame["ellipses"][:, 0], copies[:ROUND])
    close(frame["ellipses"][:, 2], aside)
    assert not frame["field"].any()


def test_a_stopped_run_records_what_a_straight_one_does(tmp_path: Path) -> None:
    for _ in events(session_of("gan", tmp_path / "straight")):
        pass
    assert steps_of(tmp_path / "straight") == [(0, 0), (25, 0), (50, 0)]
    for event in events(session_of("gan", tmp_path / "parts")):
        if isinstance(event, Stepped) and event.step == 40:
            break
    with open(tmp_path / "parts" / frames.NAME, "ab") as file:  # as kill -9 leaves it: steps that no checkpoint has, and a torn one
        later = frames.read(tmp_path / "straight" / frames.NAME).frames[-1:].copy()
        later["field"] = 0
        file.write(frames.sealed(later[0]) + b"torn")
    for _ in events(reopen(tmp_path / "parts")):
        pass
    both = [(tmp_path / name / frames.NAME).read_bytes() for name in ("straight", "parts")]
    assert both[0] == both[1]


def test_halves_by_hand_are_recorded_and_change_no_weight(gan: Path, tmp_path: Path) -> None:
    session = session_of("gan", tmp_path / "hand", 50)
    asked = iter(["phase", "phase", "step", "resume"])
    for event in events(session):
        if isinstance(event, Stepped) and event.step == 3:
            session.folder.request("pause")
            session.folder.request(next(asked))
        elif (isinstance(event, Phased) or (isinstance(event, Stepped) and event.step == 5)) and (action := next(asked, None)):
            session.folder.request(action)
    path = tmp_path / "hand"
    assert steps_of(path) == [(0, 0), (4, 1), (4, 0), (5, 1), (5, 0), (25, 0), (50, 0)]
    before, half, after = frames.read(path / frames.NAME).frames[[0, 1, 2]]
    assert (half["field"] != before["field"]).any()
    assert (after["made"] != half["made"]).any()
    frames.check(path / frames.NAME)
    a, b = (sorted((run / "checkpoints").iterdir())[-1] / "tensors.safetensors" for run in (gan, path))
    assert a.read_bytes() == b.read_bytes()


def test_recording_changes_no_bit_of_training(gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentlab.train.loop.frame", lambda session, half=0: None)
    for _ in events(session_of("gan", tmp_path / "without", 50)):
        pass
    assert not (tmp_path / "without" / frames.NAME).exists()
    a, b = (sorted((run / "checkpoints").iterdir())[-1] / "tensors.safetensors" for run in (gan, tmp_path / "without"))
    assert a.read_bytes() == b.read_bytes()
    run("verify", tmp_path / "without")
    RunFolder(tmp_path / "without").forget_pictures(20)  # of an old run, there are none to forget


def test_of_many_frames_every_second_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST", 8)
    path, head = tmp_path / frames.NAME, np.zeros((), HEAD)
    for step in range(1_001):
        if step % frames.spacing(step) == 0 or step == 30:
            frame = np.zeros((), FRAME)
            frame["step"] = step
            frames.add(path, head, frame)
    assert steps_of(tmp_path) == [(200 * k, 0) for k in range(6)]
    frames.check(path)


@pytest.mark.parametrize("place", [3, HEAD.itemsize + 40, -2])
def test_a_flipped_bit_is_found(gan: Path, tmp_path: Path, place: int) -> None:
    content = bytearray((gan / frames.NAME).read_bytes())
    content[place] ^= 4
    (tmp_path / "x").write_bytes(content)
    frames.check(gan / frames.NAME)
    with pytest.raises(ValueError, match="damaged"):
        frames.check(tmp_path / "x")
    (tmp_path / "x").write_bytes(content[:-9])
    with pytest.raises(ValueError, match="not whole"):
        frames.check(tmp_path / "x")
