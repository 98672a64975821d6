"""Resume is bit for bit: stop at any step, resume, and every tensor equals the uninterrupted run's."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from conftest import FAMILIES

import latentlab as ll
from latentlab.base.errors import LabError, NonFinite
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.train import requests as control
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create, reopen

pytestmark = pytest.mark.usefixtures("undrawn")


def final_sha256(path: Path) -> str:
    newest = checkpoints.newest(path / "checkpoints", print)
    return hashlib.sha256((newest / "tensors.safetensors").read_bytes()).hexdigest()


def curves(path: Path) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in RunFolder(path).metrics()]


def stop_at(session, step: int) -> None:
    for event in events(session):
        if isinstance(event, Stepped) and event.step == step:
            break


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Each family trained without interruption, once."""
    from conftest import TINY

    root, done = tmp_path_factory.mktemp("straight"), {}
    for name in FAMILIES:
        config = ll.preset(name, **TINY | FAMILIES[name] | {"train.epochs": 3.0})
        done[name] = ll.train(config, root / name)
    return done


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("stops", [(1,), (4, 5), (7,)])
def test_stop_and_resume_equals_the_straight_run(name: str, stops: tuple[int, ...], straight, tiny, tmp_path: Path) -> None:
    stop_at(create(tiny(name), tmp_path / "run"), stops[0])
    for step in stops[1:]:
        stop_at(reopen(tmp_path / "run"), step)
    ll.resume(tmp_path / "run")
    assert final_sha256(tmp_path / "run") == final_sha256(straight[name].path)
    assert curves(tmp_path / "run") == curves(straight[name].path)
    for kind in ("samples", "reconstructions", "moments"):
        pictures = [{p.name: p.read_bytes() for p in (path / kind).glob("step-*")} for path in (tmp_path / "run", straight[name].path)]
        assert pictures[0] == pictures[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_evaluating_oftener_changes_no_weight(name: str, straight, tiny, tmp_path: Path) -> None:
    changes = {"train.evaluate_epochs": 0.2, "train.log_steps": 1, "train.sample_count": 9, "train.checkpoint_seconds": 99.0}
    run = ll.train(tiny(name, **changes), tmp_path / "run")
    a, b = (ll.open_run(p).learner.tensors() for p in (run.path, straight[name].path))
    assert a.keys() == b.keys()
    assert all((a[k] == b[k]).all() for k in a)
    assert len(run.folder.pictures("samples")) > len(straight[name].folder.pictures("samples"))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_longer_total_continues_where_a_straight_longer_run_passes(name: str, straight, tiny, tmp_path: Path) -> None:
    run = ll.train(tiny(name, **{"train.epochs": 1.0}), tmp_path / "run")
    ll.resume(run.path, epochs=3.0)
    assert final_sha256(run.path) == final_sha256(straight[name].path)
    assert run.config.train.epochs == 3.0


def test_a_finished_run_is_not_resumed_without_a_larger_total(straight) -> None:
    path = straight["mlp-ae"].path
    before = (path / "metrics.jsonl").read_bytes()
    for total in ({}, {"epochs": 1.0}, {"steps": 2}):
        with pytest.raises(LabError, match="Give a larger total of epochs or steps"):
            ll.resume(path, **total)
    assert (path / "metrics.jsonl").read_bytes() == before
    assert straight["mlp-ae"].status()["state"] == "finished"


def test_a_change_while_training_is_kept_by_the_checkpoint(tiny, tmp_path: Path) -> None:
    def train(path: Path, stop: int | None) -> None:
        session = create(tiny("conv-vae"), path)
        for event in events(session):
            if isinstance(event, Stepped) and event.step == 3:
                session.folder.request("set", {"train.learning_rate": 3e-3, "train.beta": 0.5})
            if isinstance(event, Stepped) and event.step == stop:
                break

    train(tmp_path / "a", None)
    train(tmp_path / "b", 8)
    ll.resume(tmp_path / "b")
    assert final_sha256(tmp_path / "a") == final_sha256(tmp_path / "b")
    taken = [row for row in RunFolder(tmp_path / "b").metrics() if "request" in row]
    assert [(row["step"], row["request"]["set"]) for row in taken] == [(3, {"train.learning_rate": 3e-3, "train.beta": 0.5})]
    state = checkpoints.read_state(checkpoints.newest(tmp_path / "b" / "checkpoints", print))
    assert state["changes"] == {"train.learning_rate": 3e-3, "train.beta": 0.5}


@pytest.mark.parametrize(
    "settings", [{"train.batch_size": 8}, {"train.beta": -1.0}, {"nonsense": 1}, ["train.beta"], {"train.beta": "big"}]
)
def test_a_bad_change_is_said_and_training_goes_on(settings, tiny, tmp_path: Path) -> None:
    session = create(tiny("conv-vae"), tmp_path / "a")
    session.folder.request("set", settings)
    texts = [event.message for event in events(session) if type(event).__name__ == "Warned"]
    assert len(texts) == 1
    assert "must be" in texts[0] or "must hold" in texts[0]
    assert session.folder.status()["state"] == "finished"


def test_pause_step_and_resume(tiny, tmp_path: Path) -> None:
    session = create(tiny("sn-gan"), tmp_path / "a")
    session.folder.request("pause")
    for action in ("step", "step", "resume"):
        session.folder.request(action)
    steps = [event.step for event in events(session) if isinstance(event, Stepped)]
    assert steps == list(range(1, 19))
    asked = [(row["step"], row["request"]["action"]) for row in session.folder.metrics() if "request" in row]
    assert asked == [(0, "pause"), (0, "step"), (1, "step"), (2, "resume")]


def by_hand(session, asked: dict[int, tuple[str, ...]]) -> None:
    """Train; at the start, and whenever a step was done, ask for what `asked` has under its number."""
    start = session.position.step
    for action in asked.get(start, ()):
        session.folder.request(action)
    for event in events(session):
        for action in asked.get(event.step, ()) if isinstance(event, Stepped) else ():
            session.folder.request(action)


def lines(path: Path, split: str) -> list[dict]:
    return [row for row in curves(path) if row["split"] == split and "request" not in row]


@pytest.mark.parametrize("name", FAMILIES)
def test_phases_steps_pauses_and_stops_in_the_middle_change_no_bit(name: str, straight, tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(control, "SLOW_SECONDS", 0.0)
    path = tmp_path / "run"
    # Half a step, the rest of it, a whole one, on at full speed from a middle; slow motion; a stop in a middle.
    by_hand(
        create(tiny(name), path), {0: ("pause", "phase", "step", "step", "phase", "resume"), 3: ("slow",), 4: ("pause", "phase", "stop")}
    )
    assert RunFolder(path).status()["step"] == 5
    by_hand(reopen(path), {5: ("pause", "phase", "slow"), 6: ("pause", "phase", "resume"), 8: ("slow",)})
    assert RunFolder(path).status()["state"] == "finished"
    assert final_sha256(path) == final_sha256(straight[name].path)
    assert lines(path, "val") == lines(straight[name].path, "val")


@pytest.mark.parametrize("name", ["mlp-ae", "sn-gan"])
def test_lines_of_steps_by_hand_change_neither_checkpoints_nor_what_is_told(name: str, tiny, tmp_path: Path) -> None:
    """The run ends between two lines, so its checkpoint holds the sums since the last; all lines tell of the same steps."""
    config = tiny(name, **{"train.log_steps": 5})
    straight = ll.train(config, tmp_path / "straight")
    asked = {6: ("pause", "step", "step", "resume"), 16: ("pause", "step", "resume")}
    by_hand(create(config, tmp_path / "whole"), asked)
    by_hand(create(config, tmp_path / "stopped"), asked | {9: ("stop",)})
    assert RunFolder(tmp_path / "stopped").status()["step"] == 9
    by_hand(reopen(tmp_path / "stopped"), asked)
    told = lines(tmp_path / "whole", "train")
    assert [row["step"] for row in told] == [5, 7, 8, 10, 15, 17]
    assert lines(tmp_path / "stopped", "train") == told
    assert final_sha256(tmp_path / "stopped") == final_sha256(tmp_path / "whole") == final_sha256(straight.path)
    losses = [key for key in told[0] if key not in ("step", "epoch", "images_seen", "split")]
    for row in lines(straight.path, "train"):
        parts = [
            (b["step"] - a["step"], b)
            for a, b in zip([{"step": 0}, *told], told, strict=False)
            if row["step"] - 5 < b["step"] <= row["step"]
        ]
        assert sum(count for count, _ in parts) == 5
        for key in losses:
            assert sum(count * part[key] for count, part in parts) / 5 == pytest.approx(row[key], rel=1e-5)


@pytest.mark.parametrize("moment", ["stopped", "killed"])
def test_a_change_right_after_a_checkpoint_is_kept(moment: str, tiny, tmp_path: Path) -> None:
    """Step 6 ends an epoch: its checkpoint is written before the request of that step is taken."""
    changed, path = {"train.learning_rate": 5e-3}, tmp_path / "run"
    for event in events(session := create(tiny("mlp-ae"), tmp_path / "straight")):
        if isinstance(event, Stepped) and event.step == 6:
            session.folder.request("set", changed)
    for event in events(session := create(tiny("mlp-ae"), tmp_path / "first")):
        if isinstance(event, Stepped) and event.step == 6:
            assert session.saved_at == 6
            session.folder.request("set", changed)
            if moment == "stopped":
                session.folder.request("stop")
        if moment == "killed" and isinstance(event, Stepped) and event.step == 8:
            shutil.copytree(session.folder.path, path)  # as a kill would leave it
    if moment == "stopped":
        path = tmp_path / "first"
    newest = checkpoints.newest(path / "checkpoints", print)
    assert newest.name == "step-00000006"
    assert checkpoints.read_state(newest)["changes"] == (changed if moment == "stopped" else {})
    ll.resume(path)
    assert final_sha256(path) == final_sha256(tmp_path / "straight")
    assert [(row["step"], row["request"]["set"]) for row in curves(path) if row.get("request", {}).get("action") == "set"] == [(6, changed)]


def test_a_change_before_the_first_step_is_kept_with_its_line(tiny, tmp_path: Path) -> None:
    session = create(tiny("conv-vae"), tmp_path / "run")
    session.folder.request("set", {"train.beta": 0.25})
    session.folder.request("stop")
    list(events(session))
    resumed = reopen(tmp_path / "run")
    assert resumed.engine.twin().beta == 0.25
    list(events(resumed))
    assert [row["request"]["set"] for row in curves(tmp_path / "run") if row.get("request", {}).get("set")] == [{"train.beta": 0.25}]


def test_another_configuration_beside_the_checkpoint_is_refused(straight, tmp_path: Path) -> None:
    shutil.copytree(straight["mlp-ae"].path, tmp_path / "run")
    values = json.loads((tmp_path / "run" / "config.json").read_text())
    values["train"]["learning_rate"] = 0.5
    (tmp_path / "run" / "config.json").write_text(json.dumps(values))
    with pytest.raises(LabError, match="was written under another configuration"):
        ll.resume(tmp_path / "run", epochs=9.0)


def test_a_resumed_gan_is_looked_at_by_the_extractor_it_began_with(tiny, tmp_path: Path, monkeypatch) -> None:
    from latentlab.train import monitor as watching

    config = tiny("sn-gan", **{"train.steps": 4, "train.measure_samples": 64})
    run = ll.train(config, tmp_path / "run")
    named = run.folder.environment()["watched_by"]
    before = [row["extractor"] for row in run.metrics() if "extractor" in row]
    assert set(before) == {named["identity"]}
    # A classifier that another command has put into the cache meanwhile must not take its place; nor may one that is gone.
    other = watching.random_convolutions(3) if named["identity"] == "classifier" else None
    monkeypatch.setattr(watching, "cached_classifier", lambda data: other)
    ll.resume(tmp_path / "run", steps=8)
    after = [row for row in run.metrics() if row["split"] == "val" and row["step"] > 4]
    assert after
    assert {row.get("extractor", named["identity"]) for row in after} == {named["identity"]}


def test_a_run_that_failed_goes_on_from_an_older_checkpoint_at_a_lower_rate(tiny, tmp_path: Path) -> None:
    """And what it did is told: by a line of metrics, so that stopping it again changes no bit."""
    for name, stop in (("run", 14), ("straight", None)):
        path = tmp_path / name
        stop_at(create(tiny("mlp-ae", **{"train.learning_rate": 1e-2}), path), 8)  # checkpoints of 0, 6 and 8
        session = reopen(path)
        session.folder.request("set", {"train.learning_rate": 1e30})
        with pytest.raises(NonFinite, match="resume"):
            list(events(session))
        assert RunFolder(path).status()["state"] == "failed"
        assert 8 in {checkpoints.step_of(one) for one in checkpoints.listed(path / "checkpoints")}
        session = reopen(path, settings={"train.learning_rate": 1e-3}, from_step=6)
        if stop is not None:
            stop_at(session, stop)
            session = reopen(path)
        list(events(session))
        told = [row for row in RunFolder(path).metrics() if "request" in row or "failure" in row]
        assert [(row["step"], row["request"]["set"]) for row in told] == [(6, {"train.learning_rate": 1e-3})]
        assert RunFolder(path).status()["state"] == "finished"
    assert final_sha256(tmp_path / "run") == final_sha256(tmp_path / "straight")
    with pytest.raises(LabError, match=r"from_step must be one of 0, 12, 14, 18\. Got 7"):
        reopen(tmp_path / "run", epochs=9, from_step=7)
    with pytest.raises(LabError, match="a field to set while training"):
        reopen(tmp_path / "run", epochs=9, settings={"train.beta": 2.0})
