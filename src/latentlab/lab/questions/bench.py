"""Where a question's experiment happens: its data, its folder, and the runs that workers train and measure side by side.

A worker is this module as a program. It imports torch once for many small runs; a command for each would spend most of a question's
minute on starting.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from latentlab.base import core_count
from latentlab.base.errors import LabError
from latentlab.base.files import read_json, read_json_or_nothing, replace_json
from latentlab.config.presets import preset
from latentlab.data import Data
from latentlab.lab.cells import Cell
from latentlab.lab.experiments import HALF
from latentlab.lab.farm import session_of
from latentlab.lab.pool import Order, Pool
from latentlab.lab.questions import RESULTS, module_of, plan_runs
from latentlab.runs.folder import RunFolder
from latentlab.train import Run, open_run
from latentlab.train.loop import events

MOST_WORKERS = 2  # the budget of a question is that of two cores, on any machine
# Of small runs that need no curve and no checkpoint on their way, and of half-width networks that are averaged over a short memory.
QUIET = {"train.log_steps": 100, "train.sample_count": 16, "train.evaluate_epochs": 1e6, "train.checkpoint_seconds": 1e6}
NARROW = {**HALF, "train.sample_count": 16, "train.ema_halflife_images": 2_000}
WORKER = [sys.executable, "-m", "latentlab.lab.questions.bench"]


def workers(pool: Pool) -> int:
    """How many workers a question may have on this machine, or in another pool."""
    return pool.room(1) or min(MOST_WORKERS, core_count())


@dataclass(frozen=True)
class Task:
    """Something to be computed by a worker: a name in its question's TASKS, and what that function is given. Its result is JSON."""

    call: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One run of an experiment: its folder's name, its preset and the fields that differ.

    A run that starts from another's decoder names its folder in `after`. `task` is done with the trained run; `Bench.result`
    gives what came out.
    """

    name: str
    preset: str
    changes: Mapping[str, Any]
    after: str | None = None
    task: Task | None = None


@dataclass(frozen=True)
class Bench:
    """The place of one experiment. `shared` are fields of every configuration, such as the data; `question` is whose tasks are done.

    Experiments count their seeds from 0; the runs have `first_seed` and those after it.
    """

    folder: Path
    data: Data
    shared: Mapping[str, Any]
    say: Callable[[str], None]
    question: str = ""
    first_seed: int = 0
    trained: list[str] = field(default_factory=list)
    pool: Pool = field(default_factory=Pool)

    def cell(self, plan: Plan) -> Cell:
        """The configuration and folder of a planned run."""
        changes = {**self.shared, "train.threads": 1, **plan.changes}
        changes["train.seed"] = self.first_seed + changes.get("train.seed", 0)
        if plan.after is not None:
            changes["train.generator_from"] = str((self.folder / plan.after).resolve())
        return Cell.planned(plan.preset, plan.name, changes, self.folder)

    def train(self, plans: Sequence[Plan], tasks: Mapping[str, Task] | None = None) -> dict[str, Run]:
        """Train every planned run, side by side, and do its task; finished ones are kept, unfinished ones go on.

        `tasks` without a run of their own are done beside them, by name; `result` gives what came out. Raises LabError when
        a folder holds a run of another configuration, and when a run fails.
        """
        cells = [self.cell(plan) for plan in plans]
        for cell in cells:
            cell.check(self.data)
        plan_runs(self.folder, [plan.name for plan in plans])
        orders: deque[Order] = deque(
            self._order(plan.name, plan.task) | {"path": str(cell.path), "preset": plan.preset, "changes": dict(cell.changes)}
            for plan, cell in zip(plans, cells, strict=True)
        )
        orders.extend(self._order(name, task) for name, task in (tasks or {}).items())
        failures, log = [], self.folder / "log.txt"
        with closing(self.pool.answers(WORKER, orders, log, min(workers(self.pool), len(orders)))) as answers:
            for order, answer in answers:
                failed = f"its process ended. Its log is {log}." if answer is None else answer["failed"]
                if failed:
                    orders.clear()
                    failures.append(f"{self.folder / order['name']} failed: {failed}")
                elif answer is not None:
                    self.say(f"{order['name']}: {answer['done']}")
        if failures:
            raise LabError(failures[0])
        self.trained.extend(plan.name for plan in plans)
        return {plan.name: Run(RunFolder(self.folder / plan.name)) for plan in plans}

    def result(self, name: str) -> dict[str, Any]:
        """What the task of that name, or of the run of that name, gave."""
        result: dict[str, Any] = read_json(self._result_file(name))["result"]
        return result

    def results(self, name: str, seeds: int) -> list[dict[str, Any]]:
        """The same of NAME-seed-0 and so on, seed by seed."""
        return [self.result(f"{name}-seed-{seed}") for seed in range(seeds)]

    def _result_file(self, name: str) -> Path:
        return self.folder / RESULTS / f"{name}.json"

    def _order(self, name: str, task: Task | None) -> dict[str, Any]:
        shared = {**self.shared, "data_fingerprint": self.data.fingerprint}
        order = None if task is None else {"call": task.call, "settings": {"shared": shared, **task.settings}, "seed": self.first_seed}
        return {"name": name, "path": None, "question": self.question, "task": order, "result": str(self._result_file(name))}


# What a worker does: one JSON order a line in, one JSON answer out.


def main() -> int:
    """Serve orders until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may reach the answers
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
    return 0


def answer(order: Order) -> dict[str, Any]:
    """Carry an order out; what was done, or why it failed."""
    try:
        return {"failed": None, "done": carry_out(order)}
    except LabError as error:
        return {"failed": str(error), "done": None}


def carry_out(order: Order) -> str:
    """Bring an order's run to its end and do its task, whatever of it there is; returns what was done."""
    torch.set_num_threads(1)
    done = [bring(order)] if order["path"] is not None else []
    return " ".join([*done, do_task(order)] if order["task"] else done)


def bring(order: Order) -> str:
    """Train the run to its end, unless that is done already; returns what was done."""
    folder = RunFolder(Path(order["path"]))
    session = session_of(Cell(order["name"], folder.path, preset(order["preset"], **order["changes"]), order["changes"]))
    if session is not None:
        list(events(session))
    status = folder.status()
    if status["state"] != "finished":
        raise LabError(f"it ended {status['state']} ({status.get('message')}). Give --fresh to start over.")
    return f"{status['step']} steps"


def do_task(order: Order) -> str:
    """Do the task and write its result, unless the same task's result is there; returns what was done."""
    path, task = Path(order["result"]), order["task"]
    if read_json_or_nothing(path).get("task") == task:
        return "kept"
    perform = module_of(order["question"]).TASKS[task["call"]]
    with_run = [] if order["path"] is None else [open_run(order["path"])]
    replace_json(path, {"task": task, "result": perform(*with_run, task["settings"])})
    return "measured"


if __name__ == "__main__":
    sys.exit(main())
