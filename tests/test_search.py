"""Random search and successive halving: what is drawn, who goes on, and that neither clocks nor interruptions change it."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import refusal_here, run

from latentlab.base.errors import LabError
from latentlab.base.jsonl import lines
from latentlab.cli.parser import Parser, add_config_options, config_alternatives
from latentlab.config.parts import every_field
from latentlab.config.presets import preset
from latentlab.config.search import Range, drawn
from latentlab.lab import farm
from latentlab.lab.cells import Cell
from latentlab.lab.farm import Machine
from latentlab.lab.grid import run_sweep
from latentlab.lab.halving import halve, lengths, refuse_unlike, survivors, value_at
from latentlab.runs.folder import RunFolder

RATE, SIZE = every_field()["train.learning_rate"], every_field()["model.latent_dim"]


def test_ranges_and_lists_are_read_by_the_kind_of_the_field():
    parser = Parser("sweep", "")
    add_config_options(parser)
    options = parser.parse(["--learning-rate", "1e-4..1e-2", "--latent-dim", "2..64", "--beta", "1,4", "--hidden", "9/9,4"])
    assert isinstance(options, argparse.Namespace)
    found = config_alternatives(options, preset("mlp-vae"), ranges=True)
    assert found == {
        "train.learning_rate": Range(1e-4, 1e-2, False), "model.latent_dim": Range(2, 64, True), "train.beta": [1.0, 4.0],
        "model.hidden": [(9,), (9, 4)],
    }  # fmt: skip
    with pytest.raises(LabError, match="--learning-rate"):
        config_alternatives(options, preset("mlp-vae"))  # a grid has no ranges


@pytest.mark.parametrize(("field", "text"), [(RATE, "1e-2..1e-4"), (RATE, "0..1"), (SIZE, "2..2"), (SIZE, "2..x"), (SIZE, "0.5..3")])
def test_a_range_must_rise_within_the_bounds_of_its_field(field, text):
    with pytest.raises(LabError, match=field.option):
        Range.read(field, text)


def test_what_is_drawn_lies_in_its_range_evenly_by_magnitude():
    trials = drawn({"rate": Range(1e-4, 1e-2, False), "size": Range(1, 3, True), "shift": Range(-1.0, 1.0, False)}, 300, 0)
    rates, sizes, shifts = (np.array([trial[name] for trial in trials]) for name in ("rate", "size", "shift"))
    assert 1e-4 <= rates.min() < 1.1e-4 < 9e-3 < rates.max() <= 1e-2
    assert abs(np.mean(rates < 1e-3) - 0.5) < 0.1  # half of them in each decade
    assert set(sizes) == {1, 2, 3}
    assert abs(np.mean(sizes == 1) - math.log(2) / math.log(4)) < 0.1
    assert abs(np.mean(shifts < 0) - 0.5) < 0.1
    assert all(float(f"{rate:.3g}") == rate for rate in rates)


def test_a_trial_depends_on_the_seed_and_its_number_alone():
    choices = {"rate": Range(1e-4, 1e-2, False), "beta": [0.5, 1.0, 4.0]}
    assert drawn(choices, 9, 3)[:4] == drawn(choices, 4, 3)
    assert drawn(choices, 4, 3) != drawn(choices, 4, 4)
    assert sorted(trial["beta"] for trial in drawn({"beta": [0.5, 1.0, 4.0]}, 3, 0)) == [0.5, 1.0, 4.0]  # none twice
    with pytest.raises(LabError, match=r"--trials must be at most as many as there are combinations\. Got 4\. 3 unlike"):
        drawn({"beta": [0.5, 1.0, 4.0]}, 4, 0)


def test_rounds_double_up_to_the_whole_length():
    assert [lengths(trials) for trials in (1, 2, 3, 4)] == [[1.0], [0.5, 1.0], [0.5, 1.0], [0.25, 0.5, 1.0]]
    assert lengths(100) == lengths(10**6) == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]


def test_the_better_half_survives():
    assert survivors({"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}) == ["b", "d"]  # in the order in which they began
    assert survivors({"a": 3.0, "b": 1.0, "c": 2.0}) == ["b", "c"]
    assert survivors({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}) == ["a", "b"]
    assert survivors({"a": math.nan, "b": math.inf, "c": 5.0, "d": math.inf}) == ["c"]
    assert survivors({"a": math.inf}) == []


@pytest.mark.parametrize(
    "grid", [{"train.epochs": [1.0, 2.0]}, {"model.likelihood": ["bernoulli", "gaussian"]}, {"train.measure_samples": [0]}]
)
def test_what_cannot_be_ranked_is_refused(grid):
    with pytest.raises(LabError, match="--budget halving"):
        refuse_unlike(grid)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--trials", "5"], "--trials goes with --search random"),
        (["--search", "random"], "--trials goes with --search random"),
        (["--search", "all"], "--search must be one of grid, random"),
        (["--latent-dim", "2,4", "--search", "random", "--trials", "3"], "--trials must be at most as many"),
        (["--latent-dim", "2..4"], "--latent-dim must be an integer of at least 1"),
        (["--threads", "1..2", "--search", "random", "--trials", "2"], "must be one value for the whole sweep"),
        (["--budget", "halving", "--epochs", "1,2"], "--epochs must be one value with --budget halving"),
        (["--ray-address", "auto"], "--ray-address must be given with --on ray"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in refusal_here(capsys, "sweep", "mlp-vae", *arguments)
    assert not list(tmp_path.iterdir())


# A process that takes the place of train and resume: at each epoch its run's loss is what the plan says. It ends after another one.
STAND_IN = """
import json, sys, time
from pathlib import Path
path, after, epochs, plan, config = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5]
path.mkdir(exist_ok=True)
ends, until = path.parent / "ends.txt", time.monotonic() + 300
while after and not (ends.exists() and f"{after} {epochs:g}" in ends.read_text().splitlines()):
    assert time.monotonic() < until
    time.sleep(0.01)
(path / "config.json").write_text(config)
(path / "environment.json").write_text(json.dumps({"data_fingerprint": None, "image_shape": [8, 8, 1], "images": {}}))
with open(path / "metrics.jsonl", "a") as metrics:
    row = {"step": int(32 * epochs), "epoch": epochs, "images_seen": 1, "seconds": 1.0, "split": "val", "loss_nats": plan[f"{epochs:g}"]}
    metrics.write(json.dumps(row) + "\\n")
(path / "status.json").write_text(json.dumps({"state": "finished", "step": int(32 * epochs), "pid": 0}))
with open(ends, "a") as file:
    file.write(f"{path.name} {epochs:g}\\n")
"""


@pytest.fixture
def stand_ins(monkeypatch):
    """Loss by epochs of each cell, by name, and by name and epochs the one that it ends after."""
    plans: dict[str, dict[str, float | None]] = {}
    after: dict[tuple[str, float], str] = {}

    def command(cell: Cell, at: str, machine: Machine) -> list[str]:
        config, epochs = cell.config, cell.config.train.epochs
        arguments = [str(cell.path), after.get((cell.name, epochs), ""), epochs, json.dumps(plans[cell.name]), config.to_json()]
        return [sys.executable, "-S", "-c", STAND_IN, *map(str, arguments)]

    monkeypatch.setattr(farm, "command", command)
    return plans, after


def trial(folder: Path, name: str, epochs: float = 4.0, **changes: Any) -> Cell:
    changes = ({} if "train.steps" in changes else {"train.epochs": epochs}) | changes
    return Cell(name, folder / name, preset("mlp-vae", **changes), changes, grows=True)


def ends(folder: Path) -> list[str]:
    return (folder / "ends.txt").read_text().splitlines()


def test_who_goes_on_depends_on_scores_alone_and_is_read_again(stand_ins, tmp_path):
    plans, after = stand_ins
    # "a" would be the best in the end; "b" leads until it is overtaken; "f" has no finite loss at first.
    losses: dict[str, tuple[float | None, ...]] = {
        "a": (9, 9, 9, 1), "b": (1, 2, 9, 9), "c": (5, 1, 2, 2), "d": (8, 3, 3, 3), "e": (7, 4, 4, 4), "f": (None, 0, 0, 0),
        "g": (6, 5, 5, 5), "h": (2, 9, 9, 9),
    }  # fmt: skip
    plans |= {name: dict(zip("1248", values, strict=True)) for name, values in losses.items()}
    begun = {1.0: "abcdefgh", 2.0: "bcgh", 4.0: "bc"}
    expected = [
        {"share": 0.125, "values": {name: values[0] for name, values in losses.items()}, "kept": ["b", "c", "g", "h"]},
        {"share": 0.25, "values": {"b": 2.0, "c": 1.0, "g": 5.0, "h": 9.0}, "kept": ["b", "c"]},
        {"share": 0.5, "values": {"b": 9.0, "c": 2.0}, "kept": ["c"]},
    ]
    for jobs, way in ((1, 1), (8, -1)):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        if jobs > 1:  # side by side: each ends after the one that began after it
            after |= {(name, at): later for at, names in begun.items() for name, later in itertools.pairwise(names)}
        cells = [trial(folder, name, 8.0, **{"train.beta": 1.0 + number}) for number, name in enumerate(losses)]
        left, rounds, failures = halve(cells, Machine(jobs, 1), lambda: False, lambda words: None)
        assert (failures, rounds, left) == ({}, expected, [cells[2]])
        order = [f"{name} {at:g}" for at, names in begun.items() for name in names[::way]]
        assert ends(folder) == order
        assert halve(cells, Machine(jobs, 1), lambda: False, lambda words: None)[:2] == (left, rounds)
        assert ends(folder) == order  # nothing is trained again
        assert farm.run_cells(left, Machine(1, 1, None), lambda: False, lambda words: None) == {}
        assert ends(folder) == [*order, "c 8"]
        assert halve(cells, Machine(jobs, 1), lambda: False, lambda words: None)[1] == rounds  # what each round saw stands in the metrics


def test_the_seeds_of_a_trial_count_as_one_by_their_mean(stand_ins, tmp_path):
    plans, _ = stand_ins
    losses = {"a-0": 1.0, "a-1": 9.0, "b-0": 4.0, "b-1": 4.0}
    plans |= {name: {"2": value} for name, value in losses.items()}
    cells = [trial(tmp_path, name, **{"train.beta": 1.0 + "ab".index(name[0]), "train.seed": int(name[2])}) for name in losses]
    left, rounds, _ = halve(cells, Machine(4, 1), lambda: False, lambda words: None)
    assert [cell.name for cell in left] == ["b-0", "b-1"]
    assert rounds == [{"share": 0.5, "values": {"a-0": 5.0, "b-0": 4.0}, "kept": ["b-0"]}]


def test_a_search_that_is_stopped_keeps_what_it_has(stand_ins, tmp_path):
    plans, _ = stand_ins
    plans |= {name: {"2": 1.0} for name in "ab"}
    cells = [trial(tmp_path, name, **{"train.beta": float(number)}) for number, name in enumerate("ab", 1)]

    def begun() -> bool:
        return (tmp_path / "ends.txt").exists()

    left, rounds, failures = halve(cells, Machine(1, 1), begun, lambda words: None)
    assert (len(left), rounds, failures) == (2, [], {})


def test_a_folder_may_hold_a_shorter_run_of_what_grows(tmp_path):
    from latentlab.data import load_data
    from latentlab.train.start import settle

    data = load_data("digits")
    cell = trial(tmp_path, "a", **{"train.threads": 1})
    short = cell.shortened(0.25)
    assert short.config.train.epochs == 1.0
    assert "--train.epochs=1.0" in short.options()
    cell.path.mkdir()
    (cell.path / "config.json").write_text(settle(short.config, data).to_json())
    assert cell.further() == ["--epochs=4.0"]
    assert short.further() == []
    cell.check(data)
    steps = trial(tmp_path, "a", **{"train.threads": 1, "train.steps": 30})
    assert steps.further() == ["--steps=30"]
    assert steps.shortened(0.25).config.train.steps == 8
    with pytest.raises(LabError, match=r"train\.beta"):
        trial(tmp_path, "a", **{"train.threads": 1, "train.beta": 3.0}).check(data)
    with pytest.raises(LabError, match=r"train\.epochs"):
        Cell("a", cell.path, cell.config, cell.changes).check(data)


@pytest.mark.slow
def test_a_search_ends_in_runs_that_nothing_interrupted(tmp_path):
    """What halving took on round by round is, tensor by tensor, what one training of that length gives."""
    shared = [
        "--data", "digits", "--data.train-images", 96, "--batch-size", 16, "--threads", 1, "--hidden", 8, "--epochs", 4,
        "--train.log-steps", 3, "--train.sample-count", 4,
    ]  # fmt: skip
    search = ["--search", "random", "--trials", 4, "--budget", "halving", "--learning-rate", "1e-4..1e-2", "--latent-dim", "2..4"]
    done = run("sweep", "mlp-vae", *shared, *search, "--count", 20, "--nll-samples", 0, "--jobs", 2, "--out", tmp_path / "search")
    assert "4 trials to 0.25 of the length" in done.stderr
    compared = json.loads((tmp_path / "search" / "comparison.json").read_text())
    assert compared["search"]["trials"] == 4
    assert [len(each["kept"]) for each in compared["search"]["rounds"]] == [2, 1]
    (name,) = compared["runs"]
    assert [name] == compared["search"]["rounds"][-1]["kept"]
    assert {path.name for path in (tmp_path / "search").glob("by-*.png")} == {"by-learning_rate.png", "by-latent_dim.png"}
    kept = RunFolder(tmp_path / "search" / name)
    rate, size = kept.config().train.learning_rate, kept.config().model.latent_dim
    run("train", "mlp-vae", *shared, "--learning-rate", rate, "--latent-dim", size, "--out", tmp_path / "whole")
    last = max(path.name for path in (tmp_path / "whole" / "checkpoints").iterdir())
    whole, taken_on = (folder / "checkpoints" / last / "tensors.safetensors" for folder in (tmp_path / "whole", kept.path))
    assert whole.read_bytes() == taken_on.read_bytes()
    losing = {path.parent.name for path in (tmp_path / "search").glob("*/config.json")} - {name}
    lengths_of = sorted(RunFolder(tmp_path / "search" / other).config().train.epochs for other in losing)
    assert lengths_of == [1.0, 1.0, 2.0]


def test_from_python_a_search_is_refused_alike(tmp_path):
    with pytest.raises(LabError, match="--budget halving"):
        run_sweep("mlp-vae", {"train.steps": [10, 20]}, halving=True, out=tmp_path / "x", say=lambda text: None)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("status", "value"), [({"sampled": 20}, 0.3), ({}, math.inf)])
def test_a_run_that_stopped_early_counts_as_where_it_is_sampled_from(status: dict[str, int], value: float, tmp_path: Path) -> None:
    rows = [
        {"step": step, "epoch": step / 10, "images_seen": 8 * step, "seconds": 1.0, "split": "val", "mse": mse}
        for step, mse in ((10, 0.5), (20, 0.3), (30, 0.6))
    ]
    (tmp_path / "metrics.jsonl").write_text(lines(rows, 0)[0], encoding="utf-8")
    (tmp_path / "status.json").write_text(json.dumps({"state": "finished", "step": 30} | status), encoding="utf-8")
    config = preset("mlp-ae", **{"train.patience_evaluations": 1})
    assert value_at(RunFolder(tmp_path), Cell("run", tmp_path, config.replace(**{"train.steps": 100}), {})) == value
    assert value_at(RunFolder(tmp_path), Cell("run", tmp_path, config.replace(**{"train.steps": 30}), {})) == 0.6  # as long as was asked
