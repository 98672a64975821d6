"""Grids of runs: their names and refusals, what each cell needs next, and a real sweep that is stopped, killed and goes on."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import PATIENCE, metric_steps, refusal_here, run, start, wait_until
from fakeruns import blobs, coarse_figures, fake_run
from PIL import Image

from latentlab.base.errors import Busy, LabError
from latentlab.cli.many import command_sweep
from latentlab.cli.parser import Parser, add_config_options, config_alternatives
from latentlab.config.field import written as spelled
from latentlab.config.presets import preset
from latentlab.lab import farm as workers
from latentlab.lab.cells import Cell, cells, distinct, refuse_lists
from latentlab.lab.farm import Evaluation, Machine, run_cells, state
from latentlab.lab.grid import finish, run_sweep
from latentlab.lab.pool import Pool
from latentlab.runs.folder import RunFolder

LENGTH = 60


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder of unlabelled images, so that no classifier has to be trained."""
    folder = tmp_path_factory.mktemp("images")
    for number, picture in enumerate(blobs(230)):
        Image.fromarray(picture[..., 0]).save(folder / f"{number:03d}.png")
    return folder


def command(images: Path, out: Path) -> list[object]:
    return [
        "sweep", "mlp-ae", "--data", f"folder:{images}", "--data.image-size", 16, "--data.channels", "grey", "--hidden", 8,
        "--latent-dim", "2,3", "--steps", LENGTH, "--batch-size", 16, "--train.checkpoint-seconds", 0, "--train.log-steps", 3,
        "--train.sample-count", 4, "--jobs", 2, "--count", 20, "--out", out,
    ]  # fmt: skip


def told(out: Path) -> dict[str, Any]:
    """comparison.json without what a clock says, and without its seal, which covers that too."""
    found = json.loads((out / "comparison.json").read_text())
    del found["checksum"]
    for entry in found["runs"].values():
        for key in ("seconds", "samples_per_second"):
            del entry[key]
    for group in found["groups"].values():
        for key in ("seconds", "samples_per_second"):
            del group["costs"][key]
    return found


def training(out: Path, names: list[str]) -> list[int]:
    """The processes that train runs of a sweep now."""
    states = [RunFolder(out / name).status() for name in names if (out / name).exists()]
    return [status["pid"] for status in states if status.get("state") == "running"]


@pytest.mark.slow
def test_a_sweep_that_is_stopped_and_killed_ends_as_an_undisturbed_one(images, tmp_path, capsys):
    whole = tmp_path / "whole"
    done = run(*command(images, whole))
    assert done.stdout.splitlines()[-1] == str(whole)
    assert done.stdout.splitlines()[0] == "# Comparison"
    names = ["latent_dim-2-seed-0", "latent_dim-3-seed-0"]
    assert {path.name for path in whole.iterdir() if path.is_dir()} == set(names)
    assert {path.name for path in whole.glob("*.png")} == {"comparison.png", "by-latent_dim.png"}
    assert "2 runs: 2 to train; 2 side by side, 1 thread each." in done.stderr
    assert done.stderr.count(": done in ") == 2
    for name in names:
        assert json.loads((whole / name / "config.json").read_text())["train"]["threads"] == 1
        assert (whole / f"{name}.log").read_text().count("finished at step") == 1

    out = tmp_path / "disturbed"
    first = start(*command(images, out))
    wait_until(lambda: any(metric_steps(out / name) > 0 for name in names))
    first.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    first.send_signal(signal.SIGTERM)  # an impatient second one costs nothing
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 143
    assert "the same command goes on" in said
    begun = [out / name for name in names if (out / name / "config.json").exists()]
    assert begun
    assert all(RunFolder(path).status()["state"] in ("stopped", "finished") for path in begun)
    assert not (out / "comparison.json").exists()

    second = start(*command(images, out))
    wait_until(lambda: training(out, names))
    pids = training(out, names)
    second.kill()
    second.communicate()
    for pid in pids[:1]:  # the other goes on without its parent, and is waited for
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    run(*command(images, out))
    assert told(out) == told(whole)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.parent != out}
    again = [*map(str, command(images, out))][1:]
    assert command_sweep(again) == 0
    assert "2 runs: 2 kept" in capsys.readouterr().err
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.parent != out}
    with pytest.raises(LabError, match=r"train\.learning_rate 0\.5 for this sweep"):
        command_sweep([*again, "--train.learning-rate", "0.5"])
    with RunFolder(out).locked(), pytest.raises(Busy, match="another process works in it"):
        command_sweep(again)
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file() and path.parent != out}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["needs a preset"]),
        (["resnet"], ["'resnet'"]),
        (["mlp-vae", "--latent-dim", "2,x"], ["--latent-dim", "'x'", "an integer of at least 1"]),
        (["mlp-vae", "--latent-dim", "2,,8"], ["--latent-dim", "''"]),
        (["mlp-vae", "--latent-dim", "2,8,2"], ["--latent-dim", "once", "2 twice"]),
        (["mlp-vae", "--hidden", "400/256,x"], ["--hidden", "'256,x'"]),
        (["mlp-ae", "--beta", "1,2"], ["--beta", "not an option of mlp-ae"]),
        (["mlp-vae", "--seeds", "0"], ["--seeds", "'0'", "at least 1"]),
        (["mlp-vae", "--seeds", "2", "--seed", "3,4"], ["--seeds", "--seed"]),
        (["mlp-vae", "--jobs", "0"], ["--jobs", "'0'"]),
        (["mlp-vae", "--count", "3"], ["--count", "'3'"]),
        (["mlp-vae", "--threads", "1,2"], ["train.threads", "one value"]),
        (["mlp-vae", "--data", "digits,mnist"], ["'digits,mnist'"]),
        (["mlp-vae", "--data", "folder:nowhere"], ["nowhere"]),
        (["mlp-vae", "--epochs", "1,2", "--steps", "3"], ["epochs and steps were both given"]),
        (["gan-from-vae", "--seeds", "2"], ["--generator-from"]),
        (["mlp-vae", "--device", "cuda"], ["cuda"]),
        (["mlp-vae", "--hidden", "8/16384,16384,16384"], ["hidden-16384x16384x16384", "500,000,000"]),
        (["sn-gan", "--train.label-smoothing", "1,0.9"], ["train.label_smoothing", "hinge"]),
        (["conv-vae", "--model.channels", "4/4,4,4,4,4,4", "--model.stages", "exact"], ["model.channels", "28 x 28"]),
    ],
)
def test_every_cell_is_checked_before_anything_starts(arguments, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError) as caught:
        command_sweep(arguments)
    for part in parts:
        assert part in str(caught.value)
    assert not list(tmp_path.rglob("*.json"))


def test_wrong_input_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refusal_here(capsys, "sweep", "mlp-vae", "--latent-dim", "2,x")
    assert "--latent-dim must be an integer of at least 1" in line
    line = refusal_here(capsys, "sweep", "sn-gan", "--nll-samples", "5")
    assert line.endswith("--nll-samples goes with a VAE; sn-gan has no likelihood. Leave it out.")
    line = refusal_here(capsys, "sweep", "mlp-ae", "--hidden", "8/16384,16384,16384")
    assert "hidden-16384x16384x16384" in line
    assert not list(tmp_path.iterdir())


def alternatives(name: str, *arguments: str) -> dict[str, list[Any]]:
    parser = Parser("sweep", "")
    add_config_options(parser)
    found = parser.parse(arguments)
    assert isinstance(found, argparse.Namespace)
    return config_alternatives(found, preset(name))


def test_lists_are_read_by_the_kind_of_the_field():
    found = alternatives(
        "conv-vae", "--latent-dim", "2, 8,32", "--hidden", "400/256,128/", "--beta", "0.5", "--data", "folder:a,b", "--threads", "auto"
    )
    assert found == {
        "model.latent_dim": [2, 8, 32], "model.hidden": [(400,), (256, 128), ()], "train.beta": [0.5], "data.spec": ["folder:a,b"],
        "train.threads": ["auto"],
    }  # fmt: skip


def test_a_cell_reaches_train_as_it_was_meant(tmp_path):
    grid = {"model.hidden": [(400,), (256, 128)], "train.beta": [1e-7], "train.steps": [None], "model.activation": ["tanh"]}
    for cell in cells("mlp-vae", grid, tmp_path):
        parser = Parser("train", "")
        add_config_options(parser)
        back = config_alternatives(parser.parse([option for option in cell.options()]), preset("mlp-vae"))  # noqa: C416
        read = {name: values[0] if len(values) == 1 else tuple(v for value in values for v in value) for name, values in back.items()}
        assert preset("mlp-vae").replace(**read) == cell.config


def test_the_grid_is_every_combination_with_readable_names(tmp_path):
    grid = {"train.seed": [4, 5], "model.latent_dim": [2, 8], "model.hidden": [(400,), (256, 128)], "train.beta": [0.5]}
    found = cells("mlp-vae", grid, tmp_path)
    assert [cell.name for cell in found] == [
        f"latent_dim-{z}-hidden-{h}-seed-{s}" for z in (2, 8) for h in ("400", "256x128") for s in (4, 5)
    ]
    first = found[0].config
    assert (first.model.latent_dim, first.model.hidden, first.train.seed, first.train.beta) == (2, (400,), 4, 0.5)
    assert len({cell.config.to_json() for cell in found}) == 8
    assert found[3].path == tmp_path / "latent_dim-2-hidden-256x128-seed-5"
    assert [cell.name for cell in cells("mlp-vae", {}, tmp_path)] == ["seed-0"]


def test_names_that_a_file_system_would_take_for_one_are_told_apart():
    assert distinct(["a", "A", "b", "a"]) == ["a", "A-2", "b", "a-3"]


def test_values_are_spelled_as_the_command_line_reads_them():
    assert [spelled(v) for v in (8, 0.1, (3, 4), (), None, True, "relu")] == ["8", "0.1", "3,4", "", "none", "true", "relu"]


@pytest.mark.parametrize("name", ["data.train_images", "data.spec", "train.threads", "train.device"])
def test_what_must_be_the_same_for_all_takes_no_list(name):
    with pytest.raises(LabError, match=rf"{name} must be one value for the whole sweep"):
        refuse_lists({name: ["a", "b"]})


def cell_at(path: Path, name: str = "vae", **changes: Any) -> Cell:
    return Cell(path.name, path, preset("conv-vae" if name == "vae" else "conv-ae"), changes)


def written(path: Path, state_: str, step: int = 40, pid: int = 0) -> None:
    (path / "status.json").write_text(json.dumps({"state": state_, "step": step, "pid": pid}))
    manifest = path / "checkpoints" / "step-00000000" / "MANIFEST.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text("{}")


def test_what_a_cell_needs_is_read_from_its_folder(tmp_path):
    cell, plain = cell_at(tmp_path / "vae"), Evaluation()
    assert state(cell, plain) == "absent"
    cell.path.mkdir()
    assert state(cell, plain) == "absent"
    cell.path.rmdir()
    folder = fake_run(cell.path, "vae")
    assert state(cell, plain) == "unfinished"  # it has metrics: nothing that may be thrown away
    written(cell.path, "stopped")
    assert state(cell, plain) == "unfinished"
    with folder.locked():
        assert state(cell, plain) == "busy"
    written(cell.path, "running")  # its process is gone
    assert state(cell, plain) == "unfinished"
    written(cell.path, "finished")
    assert state(cell, plain) == "measured"
    assert state(cell, Evaluation(nll_samples=5)) == "trained"  # it holds 500 importance samples
    assert state(cell, Evaluation(count=640, nll_samples=500)) == "measured"
    (cell.path / "scores.json").write_text(json.dumps(folder.scores() | {"data_fingerprint": "g"}))
    assert state(cell, plain) == "trained"
    scores = folder.scores() | {"samples": 1000, "data_fingerprint": "f"}
    (cell.path / "scores.json").write_text(json.dumps(scores))
    assert state(cell, Evaluation(count=1000)) == "measured"
    assert state(cell, Evaluation(count=999)) == "trained"
    assert state(cell, plain) == "trained"  # by default as many as there are training images
    (cell.path / "scores.json").write_text(json.dumps(scores | {"samples": 640}))
    assert state(cell, plain) == "measured"
    written(cell.path, "finished", 50)  # trained further since
    assert state(cell, plain) == "trained"
    written(cell.path, "finished", 40)
    (cell.path / "scores.json").write_text(json.dumps(scores | {"split": "val"}))
    assert state(cell, plain) == "trained"


def test_evaluations_are_asked_for_alike():
    assert Evaluation(30, 0).command(Path("r"), 2) == ["evaluate", "r", "--split=test", "--threads=2", "--count=30", "--nll-samples=0"]
    assert Evaluation().command(Path("r"), 1) == ["evaluate", "r", "--split=test", "--threads=1"]


# Processes that take the place of train, resume and evaluate: they leave what those leave, in a twentieth of the time.
STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path
kind, path, seconds, plan = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
path.mkdir(exist_ok=True)
def status(state, step=40):
    (path / "status.json").write_text(json.dumps({"state": state, "step": step, "pid": os.getpid()}))
for name in ("config.json", "metrics.jsonl"):
    (path / name).touch()
(path / "environment.json").write_text(json.dumps({"data_fingerprint": None, "image_shape": [8, 8, 1], "images": {}}))
with open(path.parent / "order.txt", "a") as order:
    order.write(f"+{kind} {path.name}\\n")
def stop(number, frame):
    status("stopped", 7)
    (path / "was-asked").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
if kind != "evaluate":
    status("failed" if plan == "diverges" else "stopped", 7)
if plan == "diverges":
    print("latentlab: loss is nan at step 7.")
    sys.exit(2)
if plan == "dies" or (plan == "dies-once" and kind == "train"):
    os.kill(os.getpid(), signal.SIGKILL)
if plan == "is-stopped":
    sys.exit(0)
time.sleep(seconds)
if kind == "evaluate":
    (path / "scores.json").write_text(json.dumps({"step": 40, "split": "test", "scores": {"kid": {"value": 1.0, "unit": "", "n": 40}}}))
else:
    status("finished")
with open(path.parent / "order.txt", "a") as order:
    order.write(f"-{kind} {path.name}\\n")
"""


@pytest.fixture
def stand_ins(monkeypatch):
    """Plans by cell name for processes that stand in for latentlab's own."""
    plans: dict[str, str] = {}
    seconds = {"": 0.0}

    def command(cell: Cell, at: str, machine: Machine) -> list[str]:
        kind = {"absent": "train", "unfinished": "resume"}.get(at, "evaluate")
        return [sys.executable, "-S", "-c", STAND_IN, kind, str(cell.path), str(seconds[""]), plans.get(cell.name, "")]

    monkeypatch.setattr(workers, "command", command)
    return plans, seconds


def order(folder: Path) -> list[str]:
    return (folder / "order.txt").read_text().splitlines()


def test_every_cell_climbs_to_the_top_with_no_more_at_once_than_asked(stand_ins, tmp_path):
    _, seconds = stand_ins
    seconds[""] = 0.1
    planned = [cell_at(tmp_path / name) for name in "abcd"]
    said: list[str] = []
    assert run_cells(planned, Machine(2, 1), lambda: False, said.append) == {}
    assert all(state(cell, Evaluation()) == "measured" for cell in planned)
    steps = order(tmp_path)
    assert sorted(line for line in steps if line[0] == "+") == sorted(
        f"+{kind} {name}" for name in "abcd" for kind in ("train", "evaluate")
    )
    running = np.cumsum([1 if line[0] == "+" else -1 for line in steps])
    assert running.max() == 2
    assert said[0] == "4 runs: 4 to train; 2 side by side, 1 thread each."
    assert said[1].endswith("s)")
    assert "3 left, about" in said[1]
    assert "the last one" in said[-1]
    assert run_cells(planned, Machine(2, 1), lambda: False, said.append) == {}
    assert said[-1].startswith("4 runs: 4 kept;")
    assert order(tmp_path) == steps
    (tmp_path / "order.txt").unlink()
    run_cells([cell_at(tmp_path / name) for name in "ef"], Machine(1, 1), lambda: False, said.append)
    assert order(tmp_path) == [f"{mark}{kind} {name}" for name in "ef" for kind in ("train", "evaluate") for mark in "+-"]


def test_a_cell_that_fails_is_named_and_stops_no_other(stand_ins, tmp_path):
    plans, _ = stand_ins
    plans |= {"bad": "diverges", "dead": "dies", "halted": "is-stopped", "once": "dies-once"}
    planned = [cell_at(tmp_path / name) for name in ("bad", "good", "dead", "halted", "once")]
    failures = run_cells(planned, Machine(1, 1), lambda: False, lambda text: None)
    assert failures["bad"] == workers.Failure("loss is nan at step 7.", 2)
    assert failures["dead"] == workers.Failure("it was killed by signal 9.", 1)
    assert "stopped at step 7" in failures["halted"].reason
    assert set(failures) == {"bad", "dead", "halted"}
    assert {cell.name for cell in planned if state(cell, Evaluation()) == "measured"} == {"good", "once"}
    assert order(tmp_path).count("+resume once") == 1
    assert order(tmp_path).count("+resume dead") == 1
    assert "+resume bad" not in order(tmp_path)


def test_a_stop_is_passed_on_and_waited_for(stand_ins, tmp_path):
    _, seconds = stand_ins
    seconds[""] = 60.0
    planned = [cell_at(tmp_path / name) for name in "abc"]

    def both_run() -> bool:
        return (
            (tmp_path / "order.txt").exists() and len(order(tmp_path)) == 2 and all((tmp_path / n / "status.json").exists() for n in "ab")
        )

    assert run_cells(planned, Machine(2, 1), both_run, lambda text: None) == {}
    assert len(order(tmp_path)) == 2  # neither came to its end, which is a minute away
    assert (tmp_path / "a" / "was-asked").exists()
    assert (tmp_path / "b" / "was-asked").exists()
    assert not (tmp_path / "c").exists()


def test_an_exception_leaves_no_process_behind(stand_ins, tmp_path):
    _, seconds = stand_ins
    seconds[""] = 60.0

    def break_off() -> bool:
        if (tmp_path / "a" / "status.json").exists():
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run_cells([cell_at(tmp_path / "a")], Machine(1, 1), break_off, lambda text: None)
    pid = json.loads((tmp_path / "a" / "status.json").read_text())["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_run_that_another_process_trains_is_waited_for(stand_ins, tmp_path):
    folder = fake_run(tmp_path / "a", "vae")
    written(folder.path, "running")
    said: list[str] = []
    polls = 0
    with folder.locked():

        def somebody_ends() -> bool:
            nonlocal polls
            polls += 1
            if polls == 5:
                assert not (tmp_path / "order.txt").exists()  # it takes the only place
                written(folder.path, "finished")
                lock.__exit__(None, None, None)
            return False

        lock = folder.locked(0.0)
        with pytest.raises(Busy):
            lock.__enter__()
    lock = folder.locked()
    lock.__enter__()
    run_cells([cell_at(tmp_path / "a"), cell_at(tmp_path / "b")], Machine(1, 1), somebody_ends, said.append)
    assert "a: another process trains it; waiting for that." in said
    assert any(line.startswith("a: done (") for line in said)
    assert [line for line in order(tmp_path) if line[0] == "+"] == ["+train b", "+evaluate b"]


def test_a_folder_that_is_no_run_of_the_sweep_is_refused(tmp_path):
    from latentlab.data import load_data

    data = load_data("digits")
    cell = Cell("vae", tmp_path / "vae", preset("conv-vae"), {})
    cell.check(data)
    cell.path.mkdir()
    (cell.path / "thesis.txt").write_text("mine")
    with pytest.raises(LabError, match="it holds none"):
        cell.check(data)
    (cell.path / "thesis.txt").unlink()
    cell.path.rmdir()
    fake_run(cell.path, "vae", **{"train.threads": 7})
    cell.check(data)
    shutil.rmtree(cell.path)
    fake_run(cell.path, "vae", latent_dim=5)
    with pytest.raises(LabError, match=r"model\.latent_dim 32 for this sweep. It has 5"):
        cell.check(data)


def test_a_sweep_ends_in_a_comparison_with_a_figure_for_each_field(tmp_path):
    grid = {"model.latent_dim": [2, 8], "model.hidden": [(9,), (9, 4)], "train.seed": [0, 1], "train.beta": [1.0]}
    planned = cells("conv-vae", grid, tmp_path)
    for cell in planned:
        fake_run(cell.path, "vae", epochs=1, **cell.changes)
    failures = {"latent_dim-8-hidden-9-seed-1": workers.Failure("loss is nan.", 2)}
    measured = [cell for cell in planned if cell.name not in failures]
    with coarse_figures():
        found = finish(tmp_path, measured, grid, Machine(2, 1), failures, "en")
    assert list(found["groups"]) == [
        "latent_dim-2-hidden-9",
        "latent_dim-2-hidden-9x4",
        "latent_dim-8-hidden-9-seed-0",
        "latent_dim-8-hidden-9x4",
    ]
    assert found["groups"]["latent_dim-2-hidden-9x4"]["seeds"] == [0, 1]
    assert found["groups"]["latent_dim-2-hidden-9x4"]["settings"] == {"model.latent_dim": 2, "model.hidden": [9, 4]}
    assert found["swept"] == {"model.latent_dim": [2, 8], "model.hidden": [[9], [9, 4]]}
    assert {path.name for path in tmp_path.glob("*.png")} == {"comparison.png", "by-latent_dim.png", "by-hidden.png"}
    words = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert "latent_dim-8-hidden-9-seed-1 failed and is not in the table: loss is nan." in words
    assert "2 runs were trained side by side" in words
    assert json.loads((tmp_path / "comparison.json").read_text())["groups"].keys() == found["groups"].keys()


def test_the_same_sweep_without_out_goes_on_where_it_was(tmp_path, monkeypatch):
    from latentlab.lab.grid import _asked, _default_folder

    monkeypatch.chdir(tmp_path)
    grid: dict[str, list[Any]] = {"model.hidden": [(4,), (5, 6)]}
    first = _default_folder("mlp-vae", _asked("mlp-vae", grid))
    assert first == Path("runs/sweep-mlp-vae-001")
    first.mkdir(parents=True)
    (first / "sweep.json").write_text(json.dumps(_asked("mlp-vae", grid)))
    assert _default_folder("mlp-vae", _asked("mlp-vae", grid)) == first
    assert _default_folder("mlp-vae", _asked("mlp-vae", {"model.hidden": [(4,)]})) == Path("runs/sweep-mlp-vae-002")
    assert _default_folder("mlp-ae", _asked("mlp-ae", grid)) == Path("runs/sweep-mlp-ae-001")
    (first / "comparison.json").write_text('{"failed": ["model.hidden-4-seed-0"]}')
    assert _default_folder("mlp-vae", _asked("mlp-vae", grid)) == first  # what failed is tried again
    (first / "comparison.json").write_text('{"failed": []}')
    assert _default_folder("mlp-vae", _asked("mlp-vae", grid)) == Path("runs/sweep-mlp-vae-002")


def test_threads_and_processes_share_the_cores(monkeypatch):
    from latentlab.lab import grid as sweep

    monkeypatch.setattr(sweep, "core_count", lambda: 8)
    monkeypatch.setattr(sweep, "fastest_threads", lambda: 4)

    def shared(jobs: int | None = None, runs: int = 100, **given: list[Any]) -> tuple[int, int]:
        grid = {"train.device": ["cpu"], "train.seed": list(range(runs))} | {f"train.{k}": v for k, v in given.items()}
        found = sweep._machine(grid, runs, jobs, Evaluation(), Pool())
        return found.jobs, found.threads

    assert shared() == (8, 1)
    assert shared(jobs=3) == (3, 1)
    assert shared(jobs=1) == (1, 4)
    assert shared(runs=1) == (1, 4)
    assert shared(runs=2) == (2, 1)
    assert shared(threads=[2]) == (4, 2)
    assert shared(threads=["auto"]) == (2, 4)
    assert shared(threads=[16]) == (1, 16)
    assert shared(jobs=5, threads=[2]) == (5, 2)


def test_from_python_a_sweep_is_refused_alike(tmp_path):
    with pytest.raises(LabError, match=r"model\.latent_dim"):
        run_sweep("mlp-vae", {"model.latent_dim": [0]}, out=tmp_path / "x", say=lambda text: None)
    assert not (tmp_path / "x").exists()
