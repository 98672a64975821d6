"""Names from a browser are chosen from what is there, never used as paths; nothing is lost by renaming or deleting."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import wait_until
from fakeruns import fake_run
from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.runs.folder import RunFolder, list_runs
from latentlab.studio import actions, tasks
from latentlab.studio.library import Library
from latentlab.studio.overview import overview

HOSTILE = [
    "", ".", "..", "/", "//", "a//b", "/etc", "../secret", "lab/../../secret", "lab/..", "..\\secret", "lab\\ae", "C:",
    "C:\\Windows", "c:/x", "\\\\host\\share", "//host/share", "lab/ae\x00", "lab/ae\n", "lab:stream", "con", "CON.txt", "nul",
    "lab/aux", "COM1", ".studio", "lab/.trash", "lab/ae.", "lab/ae ", " lab/ae", "~", "%2e%2e/secret",
    "<script>alert(1)</script>", "a" * 200, "a/b/c/d/e", "lab/*", "lab/ae?", 'a"b', "a|b",
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Library:
    runs = tmp_path / "runs"
    for name in ("vae-001", "lab/vae", "lab/deep/vae"):
        fake_run(runs / name, "vae")
    fake_run(tmp_path / "secret", "vae")
    return Library(runs)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_in_one_line(place: Library, name: str):
    for act in (place.open, lambda name: actions.discard(place, name), lambda name: overview(place, name)):
        with pytest.raises(LabError) as refused:
            act(name)
        assert "\n" not in str(refused.value)
    assert (place.runs.parent / "secret" / "config.json").is_file()
    assert place.names() == ["lab/deep/vae", "lab/vae", "vae-001"]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("%2e%2e/secret", "~")])
def test_no_run_is_renamed_to_a_hostile_name(place: Library, name: str):
    with pytest.raises(LabError):
        actions.rename(place, "lab/vae", name)
    assert "lab/vae" in place.names()


@given(st.text(max_size=40))
def test_no_text_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str):
    runs = tmp_path_factory.getbasetemp() / "fixed-runs"
    runs.mkdir(exist_ok=True)
    try:
        found = Library(runs).path(name)
    except LabError:
        return
    assert found.resolve() != runs.resolve()
    assert found.resolve().is_relative_to(runs.resolve())


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_out_of_the_folder_is_refused(place: Library):
    (place.runs / "out").symlink_to(place.runs.parent / "secret")
    with pytest.raises(LabError):
        place.open("out")


def test_renamed_discarded_restored(place: Library):
    before = (place.runs / "lab/vae/config.json").read_bytes()
    assert actions.rename(place, "lab/vae", "Chiffres « é »") == "lab/Chiffres « é »"
    moment = actions.discard(place, "lab/Chiffres « é »")
    assert place.names() == ["lab/deep/vae", "vae-001"]
    assert [folder.name for folder in list_runs(place.runs)] == ["vae", "vae-001"]  # no list shows the trash
    name = "lab/Chiffres « é »"
    assert place.discarded() == [(moment, name)]
    actions.restore(place, moment, name)
    assert (place.runs / name / "config.json").read_bytes() == before
    assert place.discarded() == []


def test_what_is_taken_is_not_overwritten(place: Library):
    with pytest.raises(LabError, match="free"):
        actions.rename(place, "vae-001", "lab")
    actions.discard(place, "vae-001")
    fake_run(place.runs / "vae-001", "vae")
    ((moment, name),) = place.discarded()
    with pytest.raises(LabError, match="free"):
        actions.restore(place, moment, name)
    with pytest.raises(LabError, match="trash"):
        actions.restore(place, "../..", "secret")
    assert place.discarded() == [(moment, name)]


def test_a_run_that_trains_is_not_moved(place: Library):
    with place.open("lab/vae").locked():
        for act in (lambda: actions.discard(place, "lab/vae"), lambda: actions.rename(place, "lab/vae", "other")):
            with pytest.raises(LabError, match="Stop it first"):
                act()


def test_two_tabs_get_two_names(place: Library):
    names = {place.new("conv-vae", "digits") for _ in range(5)}
    assert len(names) == 5
    assert all((place.runs / name).is_dir() for name in names)


def ended(task: tasks.Task) -> tasks.Task:
    wait_until(lambda: tasks.read(task.path).state != "running")
    return tasks.read(task.path)


def test_a_task_tells_how_it_ended(place: Library):
    good = ended(tasks.start(place, "evaluate", "x", ["presets"]))
    assert (good.state, good.status) == ("done", 0)
    assert any(line.startswith("mlp-vae") for line in good.log())
    bad = ended(tasks.start(place, "train", "y", ["train", "no-such-preset"]))
    assert (bad.state, bad.status) == ("failed", 2)
    assert "no-such-preset" in bad.said()
    assert tasks.latest(place, ("train",), "y") == bad
    assert tasks.latest(place, ("train",), "x") is None


def test_a_task_is_stopped_as_by_ctrl_c(place: Library):
    task = tasks.start(place, "train", "s", ["train", "mlp-vae", "--epochs", "500", "--out", str(place.runs / "s")])
    wait_until((place.runs / "s" / "metrics.jsonl").exists)
    tasks.stop(task)
    found = ended(task)
    assert (found.state, found.status) == ("done", 143)
    assert overview(place, "s").state == "stopped"
    tasks.stop(found)  # nothing to stop


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
def test_a_killed_task_is_lost_and_a_second_reader_knows(place: Library):
    task = tasks.start(place, "train", "z", ["train", "mlp-vae", "--epochs", "500", "--out", str(place.runs / "z")])
    wait_until((place.runs / "z" / "config.json").exists)
    assert tasks.read(task.path).state == "running"
    child = tasks._children[task.id]  # as the system kills: nothing is told
    child.kill()
    child.wait()
    assert tasks.read(task.path).state == "lost"
    assert overview(place, "z").state in ("stopped", "failed")


def test_a_run_is_starting_before_its_process_has_written_anything(place: Library):
    name = place.new("mlp-vae", "digits")
    task = tasks.start(place, "train", name, ["train", "no-such-preset"])
    assert overview(place, name).state == "starting"
    ended(task)
    found = overview(place, name)
    assert found.state == "failed"
    assert "no-such-preset" in found.message


def test_a_damaged_run_is_said_to_be_so(place: Library):
    path = place.runs / "lab/vae/config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"odd": 1}), encoding="utf-8")
    found = overview(place, "lab/vae")
    assert found.state == "damaged"
    assert "odd" in found.message


def test_a_run_that_is_about_to_begin_is_not_removed(place: Library):
    name = place.new("mlp-vae", "digits")
    with RunFolder(place.path(name)).locked(), pytest.raises(LabError, match="at rest"):
        actions.discard(place, name)
    assert place.path(name).is_dir()
    assert actions.discard(place, name) == ""
    assert not place.path(name).exists()
