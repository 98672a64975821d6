"""Resume is bit for bit: stop at any step, resume, and every tensor equals the uninterrupted run's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from conftest import FAMILIES

import latentlab as ll
from latentlab import checkpoints
from latentlab.errors import LabError
from latentlab.events import Stepped
from latentlab.jobs import create, events, reopen
from latentlab.runs import RunFolder


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
    for kind in ("samples", "reconstructions"):
        pictures = [{p.name: p.read_bytes() for p in (path / kind).glob("*.png")} for path in (tmp_path / "run", straight[name].path)]
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
        with pytest.raises(LabError, match="Give --epochs N or --steps N as a new, larger total"):
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


def test_another_configuration_beside_the_checkpoint_is_refused(straight, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(straight["mlp-ae"].path, tmp_path / "run")
    values = json.loads((tmp_path / "run" / "config.json").read_text())
    values["train"]["learning_rate"] = 0.5
    (tmp_path / "run" / "config.json").write_text(json.dumps(values))
    with pytest.raises(LabError, match="was written under another configuration"):
        ll.resume(tmp_path / "run", epochs=9.0)


def test_a_resumed_gan_is_looked_at_by_the_extractor_it_began_with(tiny, tmp_path: Path, monkeypatch) -> None:
    from latentlab import watching

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
