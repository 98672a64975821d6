"""Successive halving: all runs begin, short; in each round the better half goes on to twice the length, where it stopped.

A round is judged when all of it has ended, by what each run's metrics say of the val split at that length. So who goes on depends on
scores alone, not on who was faster, and the same call reads it again from the folders. Test images are looked at for the last only.

Source: Jamieson and Talwalkar 2016, Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from latentlab.base.errors import refusal
from latentlab.config.field import ROLES
from latentlab.lab.cells import Cell
from latentlab.lab.farm import Failure, Machine, run_cells
from latentlab.runs.folder import RunFolder

MOST_ROUNDS = 5  # the first is a sixteenth of the whole length; less says little of what a run will become
RANKED = {"vae": "loss_nats", "ae": "mse", "gan": "kid"}  # of a val line: lower is better whatever was swept
UNLIKE = ("train.epochs", "train.steps", "model.likelihood", "model.binarization")


def refuse_unlike(grid: Mapping[str, Sequence[Any]]) -> None:
    """Raise LabError for several values of a field by which runs of one length could not be ranked."""
    for name in UNLIKE:
        if len(grid.get(name, ())) > 1:
            raise refusal(name, "one value with --budget halving, which ranks runs of one length by one loss", list(grid[name]))
    if grid.get("train.measure_samples", [None])[0] == 0:
        raise refusal("train.measure_samples", "above 0 with --budget halving, which ranks GANs by their samples", 0)


def lengths(trials: int) -> list[float]:
    """The share of the whole length at the end of each round, the last of which is 1."""
    rounds = min(MOST_ROUNDS, 1 + int(math.log2(trials))) if trials else 1
    return [2.0 ** (number + 1 - rounds) for number in range(rounds)]


def survivors(values: Mapping[str, float]) -> list[str]:
    """The better half of some trials, a lower value being better: of equals the first; none that is not finite."""
    finite = [name for name, value in values.items() if math.isfinite(value)]
    return sorted(sorted(finite, key=values.__getitem__)[: math.ceil(len(values) / 2)], key=list(values).index)


def value_at(folder: RunFolder, cell: Cell) -> float:
    """What the val split said of a run when it had a cell's length; of one that stopped early at the step that it is sampled from;
    infinite where it never came so far."""
    train = cell.config.train
    unit, length = ("epoch", train.epochs) if train.steps is None else ("step", train.steps)
    rows = [row for row in folder.metrics() if row["split"] == "val"]
    sampled = folder.status().get("sampled") if getattr(train, "patience_evaluations", 0) else None
    early: Mapping[str, Any] = next((row for row in rows if row["step"] == sampled), {})
    ranked = "mse" if cell.config.is_judged else RANKED[cell.config.family]
    value = next((row for row in rows if row[unit] >= length * (1 - 1e-9)), early).get(ranked)
    return float(value) if isinstance(value, int | float) else math.inf


def halve(
    cells: Sequence[Cell], machine: Machine, should_stop: Callable[[], bool], say: Callable[[str], None]
) -> tuple[list[Cell], list[dict[str, Any]], dict[str, Failure]]:
    """The cells that are left for the last round, what each round before it saw and kept, and which runs failed in them.

    The cells of a trial differ in their seed alone; their mean counts.
    """
    trials: dict[str, list[Cell]] = {}
    for cell in cells:
        same = cell.config.to_dict(ROLES - {"seed"})
        trials.setdefault(json.dumps(same), []).append(cell)
    named = {cells[0].name: cells for cells in trials.values()}
    rounds: list[dict[str, Any]] = []
    failures: dict[str, Failure] = {}
    for share in lengths(len(named))[:-1]:
        short = {name: [cell.shortened(share) for cell in cells] for name, cells in named.items()}
        say(f"{len(short)} trials to {share:.4g} of the length:")
        failures |= run_cells([cell for cells in short.values() for cell in cells], replace(machine, evaluation=None), should_stop, say)
        if should_stop():
            break
        values = {name: sum(value_at(RunFolder(cell.path), cell) for cell in cells) / len(cells) for name, cells in short.items()}
        kept = survivors(values)
        rounds.append(
            {"share": share, "values": {name: value if math.isfinite(value) else None for name, value in values.items()}, "kept": kept}
        )
        named = {name: named[name] for name in kept}
    return [cell for cells in named.values() for cell in cells], rounds, failures
