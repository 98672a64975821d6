"""Runs that are not as they should be: damaged, gone, refused, under another's name. Each is a line on the page, and the rest stands."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakeruns import fake_run

pytest.importorskip("streamlit")
from apppages import numbers, opened, rows, whole
from streamlit.testing.v1 import AppTest

from latentlab.base.errors import LabError
from latentlab.base.texts import reason, text
from latentlab.runs.folder import RunFolder
from latentlab.studio import actions, listing, tasks
from latentlab.studio.actions import stop
from latentlab.studio.library import Library
from latentlab.studio.overview import Gone, overview
from latentlab.studio.parts import watched
from latentlab.studio.views import generate as sampler_page
from latentlab.studio.views.generate import Sampler

PAGES = ("train", "explore", "plane", "compare", "learn", "runs")
NOW = time.time()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    found = Library(tmp_path / "runs")
    status(fake_run(found.runs / "lab" / "vae", "vae"))
    status(fake_run(found.runs / "lab" / "gan", "gan"))
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(found.runs))
    monkeypatch.delenv("LATENTLAB_STUDIO_DATA", raising=False)
    listing._kept.clear()
    return found


@pytest.fixture
def vae(place: Library) -> RunFolder:
    return place.open("lab/vae")


def status(folder: RunFolder, **values: Any) -> None:
    told = {"state": "finished", "step": 40, "message": "", "diagnosis": []} | values
    (folder.path / "status.json").write_text(json.dumps(told), encoding="utf-8")


def started(place: Library, kind: tasks.Kind, subject: str, at: float, said: str = "", **values: Any) -> tasks.Task:
    """What a task leaves that the studio started, without the process."""
    path = place.own / "tasks" / f"{kind}-{len(list((place.own / 'tasks').glob('*')))}"
    path.mkdir(parents=True)
    told = {"kind": kind, "subject": subject, "arguments": [], "started": at, "status": 2, "pid": None}
    run = tasks.identity(place, subject)
    (path / "task.json").write_text(json.dumps(told | {"run": run} | values), encoding="utf-8")
    (path / "log").write_text(f"latentlab: {said}\n" if said else "", encoding="utf-8")
    found = tasks.read(path)
    assert found is not None
    return found


def texts(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.error, at.info, at.warning, at.get("badge"))
    return "\n".join([*(str(each.value).replace("\\", "") for kind in kinds for each in kind), *rows(at).splitlines()])


def badges(at: AppTest) -> str:
    return "\n".join(str(each.value) for each in at.markdown if "-badge[" in str(each.value))


def test_why_a_run_failed_is_said_in_the_readers_language(place: Library, vae: RunFolder) -> None:
    said = reason("memory.fits", batch=128, size=32)
    status(vae, state="failed", message=said)
    assert said in texts(opened("train", run="lab/vae"))
    french = texts(opened("train", run="lab/vae", lang="fr"))
    assert text("refusal.memory.fits", "fr", batch=128, size=32) in french
    assert "en anglais" not in french
    status(vae, state="failed", message="TypeError: no")
    assert "en anglais" in texts(opened("train", run="lab/vae", lang="fr"))
    started(place, "evaluate", "lab/gan", 4e9, f"/data: {reason('folder.closed', root='/data', why='no')}")
    assert text("refusal.folder.closed", "fr", root="/data", why="no") in texts(opened("runs", lang="fr"))


def test_what_is_otherwise_than_asked_for_stands_on_the_runs_page(place: Library, vae: RunFolder) -> None:
    path = vae.path / "environment.json"
    note = reason("note.batch", batch=60, asked=128)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"notes": [note]}), encoding="utf-8")
    assert note in texts(opened("train", run="lab/vae"))
    assert text("refusal.note.batch", "fr", batch=60, asked=128) in texts(opened("train", run="lab/vae", lang="fr"))


@pytest.mark.parametrize(("family", "priors"), [("ae", ["standard", "gmm"]), ("vae", ["standard", "gmm", "fitted"])])
def test_a_vae_is_drawn_from_whatever_an_autoencoder_is(place, monkeypatch, family, priors):
    """An AE's standard is its fitted Gaussian."""
    status(fake_run(place.runs / "lab" / "ae", "ae"))
    asked = []

    def draw(self, run, count, seed, prior="standard", truncation=None, label=None):
        assert label is None
        asked.append((prior, truncation))
        return np.zeros((count, 16, 16, 1), np.uint8)

    monkeypatch.setattr(Sampler, "draw", draw)
    monkeypatch.setattr(Sampler, "warm", lambda self: None)
    at = opened("explore", part="generate", run=f"lab/{family}")
    control = at.get("button_group")[1]
    said = {"standard": "standard normal" if family == "vae" else "Gaussian", "gmm": "mixture", "fitted": "Gaussian"}
    assert [option.split(" fitted")[0] for option in control.options] == [said[prior] for prior in priors]
    control.set_value(priors[-1])
    at.toggle(key="generate:truncate").set_value(True) if priors[-1] == "fitted" else None
    whole(at.run())
    assert asked[-1] == (priors[-1], 1.0 if priors[-1] == "fitted" else None)


def test_a_run_that_is_given_classes_draws_the_one_that_is_chosen(place, monkeypatch):
    names = ["cat", "dog", "hen"]
    status(fake_run(place.runs / "lab" / "classes", "vae", names=names, **{"model.conditional": True, "model.classes": 3}))
    asked = []

    def draw(self, run, count, seed, prior="standard", truncation=None, label=None):
        asked.append(label)
        return np.zeros((count, 16, 16, 1), np.uint8)

    monkeypatch.setattr(Sampler, "draw", draw)
    monkeypatch.setattr(Sampler, "warm", lambda self: None)
    at = opened("explore", part="generate", run="lab/classes")
    (control,) = (group for group in at.get("button_group") if group.options == names)
    control.set_value(2)
    whole(at.run())
    assert asked == [None, 2]
    shares = {"class_names": names, "class_shares": [0.0, 1.0, 0.0]}
    facts = place.runs / "lab" / "classes" / "environment.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | shares))
    run = overview(place, "lab/classes")
    for label, told in ((None, 1), (2, 2)):  # the NPZ holds the classes, as the command's does
        labels = sampler_page._labels(run, 4, 0, label)
        with np.load(io.BytesIO(sampler_page.npz_bytes(np.zeros((4, 16, 16, 1), np.uint8), labels))) as file:
            assert file["labels"].tolist() == [told] * 4


def test_one_run_cannot_be_compared(place: Library):
    assert text("studio.compare.two", "en") not in texts(opened("compare"))
    shutil.rmtree(place.runs / "lab" / "gan")
    assert texts(opened("compare")).splitlines() == [text("studio.compare.two", "en")]


# Damage.

BROKEN = {
    "status.json": [
        {"step": "abc"}, {"step": -1}, {"step": True}, {"step": None}, {"step": 10**400}, {"state": "weird"}, {"state": ["running"]},
        {"message": 5}, {"diagnosis": 5}, {"settings": [1]},
    ],
    "environment.json": [{"images": 5}, {"image_shape": None}, {"image_shape": [1, 2]}],
}  # fmt: skip
DAMAGED_ROWS = [{"epoch": "x"}, {"seconds": None}, {"images_seen": [1]}, {"step": "4"}, {"epoch": float("nan")}, {"epoch": -1}]
CASES = [(file, value) for file, values in BROKEN.items() for value in values]


def broken(folder: RunFolder, file: str, value: dict[str, Any]) -> None:
    if file == "status.json":
        status(folder, **value)
        return
    (folder.path / file).write_text(json.dumps(folder.environment() | value), encoding="utf-8")


@pytest.mark.parametrize(("file", "value"), CASES, ids=str)
def test_a_value_of_another_type_is_damage_that_names_its_file(place: Library, vae: RunFolder, file: str, value: dict[str, Any]):
    broken(vae, file, value)
    found = overview(place, "lab/vae")
    assert found.state == "damaged"
    assert file in found.message
    assert next(iter(value)) in found.message or value == {"step": 10**400}
    assert "\n" not in found.message
    assert overview(place, "lab/gan").state == "finished"


@pytest.mark.parametrize("value", DAMAGED_ROWS, ids=str)
def test_a_damaged_line_of_metrics_is_told_and_the_others_are_shown(place: Library, vae: RunFolder, value: dict[str, Any]):
    whole = len(vae.metrics())
    rows = vae.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
    odd = json.dumps(vae.metrics()[0] | value) + "\n"
    vae.metrics_file.write_text("".join([*rows[:4], odd, *rows[4:]]), encoding="utf-8")
    with pytest.raises(LabError, match="line 5 is damaged"):
        vae.metrics()
    assert len(watched(vae).columns) == whole
    assert watched(vae).tail.damaged == [5]


def test_beside_a_damaged_line_nothing_says_that_there_is_no_alarm(place: Library):
    gan = place.open("lab/gan")
    assert "No alarm" in texts(opened("train", run="lab/gan"))
    with open(gan.metrics_file, "a", encoding="utf-8") as metrics:
        metrics.write("no json\n")
    for page, names in (("train", {"run": "lab/gan"}), ("compare", {"runs": "lab/vae,lab/gan"})):
        said = texts(opened(page, **names))
        assert "lines of metrics.jsonl are damaged and left out" in said
        assert "No alarm" not in said


@pytest.mark.parametrize(("file", "value"), [CASES[0], CASES[5], CASES[6], CASES[10]], ids=str)
def test_a_damaged_run_breaks_no_page(place: Library, vae: RunFolder, file: str, value: dict[str, Any]):
    broken(vae, file, value)
    for page, part in [*((page, "map") for page in PAGES), ("explore", "generate"), ("explore", "game")]:
        at = opened(page, run="lab/vae", runs="lab/vae,lab/gan", part=part)
        if page in ("train", "runs"):
            assert file in texts(at)
            assert "damaged" in texts(at)


def test_what_a_page_cannot_say_of_a_half_is_left_out(place: Library, vae: RunFolder):
    half = {"phase": "sideways", "step": 1, "loss_nats": 3.0, "odd|key": 2, "after": {}}
    status(vae, state="paused", mode="paused", half=half)
    with vae.locked():
        at = opened("train", run="lab/vae")
    assert numbers(at)["Loss"] == "3.000"  # a quantity in words
    assert "odd|key" in numbers(at)
    assert "sideways" not in texts(at)


def test_what_is_wrong_is_read_from_the_lines_whatever_the_status_says(place: Library):
    gan = place.open("lab/gan")
    row = next(row for row in gan.metrics() if "generator_loss" in row)
    with open(gan.metrics_file, "a", encoding="utf-8") as metrics:
        metrics.write(json.dumps(row | {"step": 60, "generator_loss": None}) + "\n")
    said = texts(opened("train", run="lab/gan"))
    assert "Numbers that are not finite" in said
    assert "No alarm" not in said


@pytest.mark.parametrize("value", [5, {"kid": 5}, {"kid": {"value": "x"}}, [1]], ids=str)
def test_damaged_scores_are_one_line_and_the_rest_of_the_page_stands(place: Library, vae: RunFolder, value: Any):
    told = json.loads((vae.path / "scores.json").read_text(encoding="utf-8"))
    (vae.path / "scores.json").write_text(json.dumps(told | {"scores": value}), encoding="utf-8")
    with pytest.raises(LabError, match=r"scores\.json"):
        vae.scores()
    at = opened("compare", runs="lab/vae,lab/gan")
    assert sum("scores.json" in one.value.replace("\\", "") for one in at.error) == 1
    assert any("latentlab-scores" in str(one.proto.body) for one in at.get("html"))  # the other run's
    assert "Measure lab/vae" in [one.label.replace("\\", "") for one in at.button]
    assert "scores.json" in texts(opened("runs"))


def test_a_run_with_damaged_metrics_takes_nothing_from_the_others(place: Library, vae: RunFolder):
    vae.metrics_file.write_text("no json\n" + vae.metrics_file.read_text(encoding="utf-8"), encoding="utf-8")
    at = opened("compare", runs="lab/vae,lab/gan")
    assert "metrics.jsonl" in texts(at)
    assert any("latentlab-scores" in str(one.proto.body) for one in at.get("html"))
    assert at.pills or at.button_group  # the other's quantities can be chosen
    at = opened("train", run="lab/vae")  # in a fragment
    assert "metrics.jsonl" in texts(at)
    assert "Step" in numbers(at)


# Gone.


def test_a_run_that_was_moved_is_gone_and_the_page_leads_to_the_list(place: Library, vae: RunFolder):
    started(place, "train", "lab/vae", NOW - 100, status=0)
    at = opened("train", run="lab/vae")
    actions.discard(place, "lab/vae")
    with pytest.raises(Gone):
        overview(place, "lab/vae")
    at = whole(at.run())
    assert [one.value.replace("\\", "") for one in at.error] == ["There is no run lab/vae: it was deleted or renamed."]
    assert not numbers(at)


def test_one_that_failed_before_it_was_made_is_told(place: Library):
    name = place.new("mlp-vae", "digits")
    started(place, "train", name, NOW, "no images.")
    assert (overview(place, name).state, overview(place, name).message) == ("failed", "no images.")


# Going on.


def test_a_refused_going_on_is_told_until_something_newer(place: Library, vae: RunFolder):
    os.utime(vae.path / "status.json", (NOW - 50,) * 2)
    started(place, "resume", "lab/vae", NOW - 10, "it must be longer.")
    assert overview(place, "lab/vae").state == "finished"
    assert "it must be longer." in texts(opened("train", run="lab/vae"))
    assert "it must be longer." in texts(opened("runs"))
    os.utime(vae.path / "status.json", (NOW - 5,) * 2)
    assert "it must be longer." not in texts(opened("train", run="lab/vae"))
    os.utime(vae.path / "status.json", (NOW - 50,) * 2)
    started(place, "resume", "lab/vae", NOW - 2, status=0)
    assert "it must be longer." not in texts(opened("train", run="lab/vae"))


def test_the_new_total_is_more_than_what_is_done(place: Library, vae: RunFolder):
    at = opened("train", run="lab/vae")
    field = at.number_input(key="control:lab/vae:total:finished")
    assert (field.min, field.value) == (4.0, 20.0)
    status(vae, state="stopped", step=500)
    with open(vae.metrics_file, "a", encoding="utf-8") as metrics:  # it was gone on with far beyond its configuration
        metrics.write(json.dumps({"split": "train", "step": 500, "epoch": 50.0, "images_seen": 1, "seconds": 1.0}) + "\n")
    field = opened("train", run="lab/vae").number_input(key="control:lab/vae:total:stopped")
    assert (field.min, field.value) == (50.0, 60.0)
    status(vae)
    at.session_state["control:lab/vae:total:finished"] = 7.0  # from before
    assert whole(at.run()).number_input(key="control:lab/vae:total:finished").value == 60.0


def test_the_list_hides_going_on(place: Library, vae: RunFolder):
    status(vae, state="stopped")
    assert "runs-go-on-lab/vae" in [one.key for one in opened("runs").button]
    assert "runs-go-on-lab/vae" not in [one.key for one in opened("runs", hide="runs.go_on").button]


# Names.


def test_what_was_said_of_a_run_is_not_said_of_the_next_of_its_name(place: Library, vae: RunFolder):
    os.utime(vae.path / "status.json", (NOW - 50,) * 2)
    task = started(place, "resume", "lab/vae", NOW - 10, "it must be longer.")
    assert tasks.latest(place, ("resume",), "lab/vae") == task
    actions.discard(place, "lab/vae")
    status(fake_run(place.runs / "lab" / "vae", "vae"))
    os.utime(place.path("lab/vae") / "status.json", (NOW - 50,) * 2)
    assert tasks.latest(place, ("resume",), "lab/vae") is None
    assert overview(place, "lab/vae").refused == ""


def test_the_task_that_makes_a_run_is_about_it(place: Library, monkeypatch: pytest.MonkeyPatch):
    name = place.new("mlp-vae", "digits")
    task = started(place, "train", name, NOW - 1, status=None)
    os.rmdir(place.path(name))
    folder = fake_run(place.path(name), "vae")
    assert tasks.latest(place, ("train",), name) == task
    tasks.ended(task.path, 0)
    assert tasks.read(task.path).run == tasks.identity(place, name) is not None
    os.utime(folder.path / "environment.json", (NOW - 500,) * 2)  # another run's
    assert tasks.latest(place, ("train",), name) is None


def test_a_rename_takes_along_what_was_said(place: Library, vae: RunFolder):
    started(place, "evaluate", "lab/vae", time.time() + 100, "no classifier.")
    other = started(place, "evaluate", "lab/vae", NOW - 900, run="another")
    new = actions.rename(place, "lab/vae", "mine")
    assert tasks.latest(place, ("evaluate",), new).said() == "no classifier."
    assert tasks.read(other.path).subject == "lab/vae"
    assert "no classifier." in texts(opened("runs"))


def test_newer_scores_cancel_a_failed_evaluation(place: Library, vae: RunFolder):
    started(place, "evaluate", "lab/vae", NOW - 10, "no classifier.")
    os.utime(vae.path / "scores.json", (NOW - 60,) * 2)
    for page in ("runs", "compare"):
        assert "no classifier." in texts(opened(page, runs="lab/vae"))
    os.utime(vae.path / "scores.json", (NOW,) * 2)
    for page in ("runs", "compare"):
        assert "no classifier." not in texts(opened(page, runs="lab/vae"))


@pytest.mark.parametrize("kind", ["evaluate", "resume", "train"])
def test_a_run_that_something_works_on_is_not_moved(place: Library, vae: RunFolder, kind: tasks.Kind):
    moment = actions.discard(place, "lab/gan")
    first = started(place, kind, "lab/vae", time.time(), status=None)
    with RunFolder(first.path).locked():
        for move in (lambda: actions.rename(place, "lab/vae", "x"), lambda: actions.discard(place, "lab/vae")):
            with pytest.raises(LabError, match="at rest"):
                move()
    second = started(place, kind, "lab/gan", time.time(), status=None)
    with RunFolder(second.path).locked(), pytest.raises(LabError, match="at rest"):
        actions.restore(place, moment, "lab/gan")


# Controls.


def test_pause_and_resume_are_one_button(place: Library):
    gan = place.open("lab/gan")
    seen = {}
    with gan.locked():
        for mode in ("fast", "paused", "slow"):
            status(gan, state="paused" if mode == "paused" else "running", mode=mode)
            at = opened("train", run="lab/gan")
            seen[mode] = [at.button(key=f"control:lab/gan:{key}").label for key in ("pause", "slow")]
            at.button(key="control:lab/gan:pause").click()
            whole(at.run())
        assert seen == {"fast": ["Pause", "Slow motion"], "paused": ["Resume", "Slow motion"], "slow": ["Resume", "Pause"]}
        assert [one["action"] for one in gan.requests()] == ["pause", "resume", "resume"]


def test_what_loads_can_be_stopped(place: Library, monkeypatch: pytest.MonkeyPatch):
    name = place.new("mlp-vae", "digits")
    task = started(place, "train", name, time.time(), status=None)
    stopped: list[str] = []
    monkeypatch.setattr(tasks, "stop", lambda task: stopped.append(task.subject))
    with RunFolder(task.path).locked():
        at = opened("train", run=name)
        assert not at.get("progress")
        whole(at.button(key=f"control:{name}:stop").click().run())
        stop(place, name)
    assert stopped == [name, name]


def test_a_process_that_is_stopped_while_it_loads_has_not_failed(place: Library):
    name = place.new("mlp-vae", "digits")
    task = tasks.start(place, "train", name, ["train", "mlp-vae", "--out", str(place.path(name))])
    tasks.stop(task)
    tasks._children[task.id].wait()
    assert overview(place, name).state == "stopped"


def test_only_the_newest_tasks_and_what_still_runs_are_kept(place: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "MOST", 3)
    old = [started(place, "evaluate", "lab/vae", 1000.0 + second) for second in range(5)]
    running = started(place, "report", "all", 10.0, status=None)
    with RunFolder(running.path).locked():
        new = tasks.start(place, "report", "all", ["no-such-command"])
        assert {task.id for task in tasks.tasks(place)} == {new.id, running.id, old[4].id, old[3].id}
    tasks._children[new.id].wait()


def test_a_measurement_can_be_stopped(place: Library, monkeypatch: pytest.MonkeyPatch):
    task = started(place, "evaluate", "lab/vae", time.time(), status=None)
    stopped: list[str] = []
    monkeypatch.setattr(tasks, "stop", lambda task: stopped.append(task.subject))
    with RunFolder(task.path).locked():
        at = opened("compare", runs="lab/vae,lab/gan")
        assert "Measuring lab/vae" in texts(at)
        assert not at.get("progress")
        whole(at.button(key="compare:stop:lab/vae").click().run())
    assert stopped == ["lab/vae"]


def test_what_is_held_back_has_no_speed_and_its_epoch_follows_its_step(place: Library, vae: RunFolder):
    with vae.locked():
        for mode, state in (("slow", "running"), ("paused", "paused"), ("fast", "running")):
            status(vae, state=state, step=45, mode=mode)
            shown = numbers(opened("train", run="lab/vae"))
            assert shown["Epoch"] == "4.50"
            assert (shown["Images per second"] == "–") == (mode != "fast")
            assert (shown["Time left"] == "–") == (mode != "fast")


def test_a_screen_reader_is_told_the_state(place: Library):
    at = opened("train", run="lab/vae")
    told = [str(one.proto) for one in at.main if "finished" in str(getattr(one, "proto", ""))] + [str(at.main)]
    assert re.search("lab/vae: finished", "\n".join(told))
