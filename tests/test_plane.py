"""The plane: what a run of points records of it, frame by frame, against the networks themselves; and its page, clicked through."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from commands import run, wait_until
from readers import served, tabs

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


def trained(kind: str, path: Path) -> Path:
    for _ in events(session_of(kind, path, 50)):
        pass
    return path


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("gan", tmp_path_factory.mktemp("plane") / "gan")


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("vae", tmp_path_factory.mktemp("plane") / "vae")


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
    with open(path, "ab") as file:  # the disk was full
        file.write(b"torn")
    frame["step"] = 1_200
    frames.add(path, head, frame)
    assert steps_of(tmp_path) == [(200 * k, 0) for k in range(7)]
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


# The page.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("streamlit")
    with served(tmp_path_factory.mktemp("plane") / "runs") as found:
        yield found


@pytest.fixture
def tab(browser: Any, server: Any) -> Iterator[Any]:
    with tabs(browser, server) as opened:
        yield opened()


SOME = re.compile("Step [1-9]")


def picture(page: Any) -> str:
    return str(page.locator(".plane-canvas").evaluate("(canvas) => canvas.toDataURL()"))


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def newest(path: Path, half: int) -> Any:
    """The last frame, once it is one of the half that was asked for."""
    wait_until(lambda: (known := frames.read(path / frames.NAME)) is not None and known.frames[-1]["half"] == half)
    return frames.read(path / frames.NAME).frames[-1]


def test_the_plane_is_started_slowed_and_taken_by_halves(tab: Any, server: Any) -> None:
    page = tab.open("?lang=en")
    page.get_by_role("link", name="Plane").click()
    page.locator(".plane-facts").filter(has_text="real points").wait_for()
    assert page.locator(".plane-row").is_hidden()
    press(page, "Start")
    where, state = page.locator(".plane-where"), page.locator(".plane-stage .plane-state")
    where.filter(has_text=SOME).wait_for()
    assert state.inner_text() == "training"
    assert "of 8 modes" in page.locator(".plane-facts").inner_text()
    page.locator("figure.plot path.line").first.wait_for(state="attached")
    run, seen = server.runs / "plane" / "point-gan-ring-001", picture(page)
    wait_until(lambda: picture(page) != seen)
    for layer in page.locator(".plane-layer").all():
        seen = picture(page)
        layer.click()
        wait_until(lambda seen=seen: picture(page) != seen)

    press(page, "Slow motion")
    state.filter(has_text="slow motion").wait_for()
    press(page, "Resume")
    state.filter(has_text="training").wait_for()
    newest(run, 0)  # in slow motion the last one may be a half
    press(page, "Pause")
    state.filter(has_text="paused").wait_for()
    for layer in page.locator(".plane-layer").all():
        layer.click()
    before, seen = frames.read(run / frames.NAME).frames[-1], picture(page)
    press(page, "Discriminator’s half")  # of the next step, also while it trains
    half = newest(run, 1)
    button = page.get_by_role("button", name="Discriminator’s half")
    wait_until(button.is_disabled)
    assert button.evaluate("(button) => button.matches(':focus')")  # all the same: who uses keys goes on from here
    where.filter(has_text="discriminator’s half").wait_for()
    wait_until(lambda: picture(page) != seen)
    assert (half["field"] != before["field"]).any()
    seen = picture(page)
    press(page, "Generator’s half")
    whole = newest(run, 0)
    assert (whole["made"] != half["made"]).any()
    assert whole["step"] == half["step"]
    where.filter(has_text=re.compile(f"Step {whole['step']}$")).wait_for()
    wait_until(lambda: picture(page) != seen)

    page.locator(".plane-slider").fill("0")
    where.filter(has_text=re.compile("Step 0$")).wait_for()
    page.get_by_role("radio", name="Français").click()
    where.filter(has_text=re.compile("Pas 0$")).wait_for()  # the same frame in other words
    state.filter(has_text="en pause").wait_for()
    page.get_by_role("radio", name="English").click()
    where.filter(has_text=re.compile("Step 0$")).wait_for()
    press(page, "Back to now")
    where.filter(has_text=re.compile(f"Step {whole['step']}$")).wait_for()
    tab.chosen("Loss", "Wasserstein")
    page.locator(".plane-facts").filter(has_text="real points").wait_for()
    press(page, "Start")
    where.filter(has_text=SOME).wait_for()
    assert RunFolder(server.runs / "plane" / "point-gan-ring-002").config().train.loss == "wasserstein"
    wait_until(lambda: RunFolder(run).status()["state"] == "stopped")
    press(page, "Stop")
    state.filter(has_text="stopped").wait_for()
    page.reload()
    where.filter(has_text=SOME).wait_for()
    assert tab.overflow() <= 0
    assert tab.faint() == []


def test_a_shape_drawn_with_the_pointer_is_learned_by_a_vae(tab: Any, server: Any) -> None:
    page = tab.open("plane?lang=en&shape=drawn&kind=vae")
    pad = page.locator(".plane-pad")
    pad.wait_for()
    assert page.get_by_role("button", name="Start", exact=True).is_disabled()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 260, box["y"] + 260)
    page.mouse.down()
    page.mouse.move(box["x"] + 262, box["y"] + 262, steps=9)
    page.mouse.up()
    page.get_by_role("button", name="Start", exact=True).and_(page.locator(":enabled")).click()
    page.get_by_text("Scale them").wait_for()  # too small a shape: one line, and nothing is started
    assert not (server.runs / "plane").exists() or not list((server.runs / "plane").glob("point-vae-*"))
    said = page.locator(".plane-state")
    press(page, "Spiral")
    said.filter(has_text="1800 points").wait_for()
    press(page, "Undo")
    said.filter(has_text=re.compile("^60 points")).wait_for()
    press(page, "Clear")
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 300, steps=20)
    page.mouse.up()
    pad.press("ArrowUp")
    pad.press("Space")
    page.locator(".plane-state").filter(has_text="132 points").wait_for()
    page.get_by_role("button", name="Start", exact=True).and_(page.locator(":enabled")).click()
    page.locator(".plane-where").filter(has_text=SOME).wait_for()
    (run,) = (server.runs / "plane").glob("point-vae-*")
    config = RunFolder(run).config()
    drawn = ll.load_data(config.data.spec)
    every = np.concatenate([part.images.reshape(-1, 2) for part in (drawn.train, drawn.val, drawn.test)])
    assert every.shape == (132, 2)
    along = every[np.abs(every - [0.0, 0.1]).max(1) > 0.3]
    assert np.abs((along[:, 0] + 1.54) / 2.62 + (along[:, 1] - 1.54) / 1.85).max() < 0.25  # about the line that was drawn
    press(page, "Stop")
    page.locator(".plane-state").filter(has_text="stopped").wait_for()
    press(page, "Draw another")
    page.locator(".plane-state").filter(has_text="132 points").wait_for()


def test_a_page_is_sent_what_it_has_not_got_and_all_of_it_after_a_resume(gan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.requests import Request

    from latentlab.studio import routes

    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(gan.parent))
    known = frames.read(gan / frames.NAME).frames

    def ask(**given: Any) -> tuple[dict[str, Any], bytes]:
        query = urlencode({"run": "gan", "lang": "fr"} | given).encode()
        answer = routes.plane(Request({"type": "http", "query_string": query, "headers": []}))
        assert answer.status_code == 200
        told, _, content = answer.body.partition(b"\n")
        return json.loads(told), content

    told, content = ask()
    assert (told["start"], told["count"], told["state"], told["step"]) == (0, 3, "finished", 50)
    assert content == known.tobytes()
    assert len(told["head"]["real"]) == 2 * 2 * SHOWN
    assert told["chart"][1]["title"].startswith("Perte")
    later, content = ask(after=2, crc=known[1]["crc"], rows=told["rows"])
    assert (later["start"], content) == (2, known[2:].tobytes())
    assert not {"head", "chart"} & set(later)
    assert ask(after=3, crc=known[2]["crc"])[1] == b""
    for other in ({"after": 2, "crc": 5}, {"after": 99, "crc": known[2]["crc"]}, {"after": "x"}):  # other frames than the page knows
        assert ask(**other)[1] == known.tobytes()


def test_a_reader_stays_at_a_step_in_another_language_and_where_frames_are_thinned(tab: Any, server: Any, gan: Path) -> None:
    path = server.runs / "plane" / "long"
    shutil.copytree(gan, path)
    head, (*_, frame) = frames.read(path / frames.NAME)

    def write(every: int) -> None:
        content = frames.sealed(head)
        for step in range(0, 20_000, every):
            frame["step"] = step
            content += frames.sealed(frame)
        (path / frames.NAME).write_bytes(content)

    write(25)  # more than come in one answer
    page = tab.open("plane?lang=en&run=plane/long")
    where, slider = page.locator(".plane-where"), page.locator(".plane-slider")
    where.filter(has_text=re.compile(r"Step 19\D975$")).wait_for()
    slider.fill("600")
    where.filter(has_text=re.compile(r"Step 15\D000$")).wait_for()
    page.get_by_role("radio", name="Français").click()
    where.filter(has_text=re.compile(r"Pas 15\D000$")).wait_for()
    assert slider.get_attribute("max") == "799"
    page.locator("figure.plot").filter(has_text="Perte").wait_for()
    write(50)
    wait_until(lambda: slider.get_attribute("max") == "399")
    assert slider.input_value() == "300"
    assert re.search(r"Pas 15\D000$", where.inner_text())
