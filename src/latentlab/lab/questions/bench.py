"""Where a question's experiment happens: its data, its folder, and the runs that it trains side by side."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import replace_json
from latentlab.base.machine import core_count
from latentlab.config.presets import preset
from latentlab.config.sources import CLASSIFIED
from latentlab.data import Data
from latentlab.lab.cells import Cell
from latentlab.runs.folder import RunFolder
from latentlab.show.card import NAMES
from latentlab.train import Run
from latentlab.train.start import adopt_decoder

MOST_WORKERS = 2  # the budget of a question is that of two cores, on any machine


@dataclass(frozen=True)
class Task:
    """Something to be computed in a worker process, by its name in `latentlab.lab.questions.worker`; its result is JSON."""

    call: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One run of an experiment: its folder's name, its preset and the fields that differ; how it is evaluated.

    `samples` None: not evaluated. A run that starts from another's decoder names its folder in `after`. `task` is done
    with the trained run; `Bench.result` gives what came out.
    """

    name: str
    preset: str
    changes: Mapping[str, Any]
    samples: int | None = None
    nll_samples: int = 0
    nll_images: int = 0
    after: str | None = None
    task: Task | None = None


@dataclass(frozen=True)
class Bench:
    """The place of one experiment. `shared` are fields of every configuration, such as the data."""

    folder: Path
    data: Data
    shared: Mapping[str, Any]
    say: Callable[[str], None]
    trained: list[str] = field(default_factory=list)

    def cell(self, plan: Plan) -> Cell:
        """The configuration and folder of a planned run."""
        changes = {**self.shared, "train.threads": 1, **plan.changes}
        if plan.after is not None:
            changes["train.generator_from"] = str((self.folder / plan.after).resolve())
        return Cell(plan.name, self.folder / plan.name, adopt_decoder(preset(plan.preset, **changes)), changes)

    def train(self, plans: Sequence[Plan], tasks: Mapping[str, Task] | None = None) -> dict[str, Run]:
        """Train and evaluate every planned run, two processes side by side; finished ones are kept, unfinished ones go on.

        `tasks` without a run of their own are done beside them, by name; `result` gives what came out. Raises LabError when
        a folder holds a run of another configuration, and when a run fails.
        """
        cells = [self.cell(plan) for plan in plans]
        for cell in cells:
            cell.check(self.data)
        plan_runs(self.folder, [plan.name for plan in plans])
        orders = deque(
            {
                "name": plan.name,
                "path": str(cell.path),
                "preset": plan.preset,
                "changes": dict(cell.changes),
                "samples": plan.samples,
                "nll_samples": plan.nll_samples,
                "nll_images": plan.nll_images,
                "task": self._order(plan.task),
                "result": str(self._place(plan.name)),
            }
            for plan, cell in zip(plans, cells, strict=True)
        )
        for name, task in (tasks or {}).items():
            orders.append({"name": name, "path": None, "task": self._order(task), "result": str(self._place(name))})
        workers = min(MOST_WORKERS, core_count(), len(orders))
        processes: list[subprocess.Popen[str]] = []
        with ThreadPoolExecutor(max(1, workers)) as side_by_side:
            try:
                failures = [said for said in side_by_side.map(lambda _: self._work(orders, processes), range(workers)) if said]
            except BaseException:  # Ctrl-C: the threads that wait for a worker would wait for its run to end
                orders.clear()
                for process in processes:
                    process.terminate()
                raise
        if failures:
            raise LabError(failures[0])
        self.trained.extend(plan.name for plan in plans)
        return {plan.name: Run(RunFolder(self.folder / plan.name)) for plan in plans}

    def result(self, name: str) -> dict[str, Any]:
        """What the task of that name, or of the run of that name, gave."""
        found: dict[str, Any] = json.loads(self._place(name).read_text(encoding="utf-8"))["result"]
        return found

    def _place(self, name: str) -> Path:
        return self.folder / TASKS / f"{name}.json"

    def _order(self, task: Task | None) -> dict[str, Any] | None:
        shared = {**self.shared, "data_fingerprint": self.data.fingerprint}
        return None if task is None else {"call": task.call, "settings": {"shared": shared, **task.settings}}

    def _work(self, orders: deque[dict[str, Any]], processes: list[subprocess.Popen[str]]) -> str | None:
        """Give orders to one worker process until there are none; returns what failed. The process is put into `processes`."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        log = open(self.folder / "log.txt", "ab")  # noqa: SIM115 - closed below, after the process
        worker = subprocess.Popen(
            [sys.executable, "-m", "latentlab.lab.questions.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | threads | {"PYTHONUTF8": "1"},
            text=True,
            encoding="utf-8",
        )
        processes.append(worker)
        assert worker.stdin is not None  # noqa: S101 - both are pipes
        assert worker.stdout is not None  # noqa: S101
        try:
            while orders:
                try:
                    order = orders.popleft()
                except IndexError:  # the other worker took it
                    break
                print(json.dumps(order), file=worker.stdin, flush=True)
                answer = worker.stdout.readline()
                if not answer:
                    orders.clear()
                    return f"{self.folder / order['name']} failed: its process ended. Its log is {self.folder / 'log.txt'}."
                said = json.loads(answer)
                if said["failed"]:
                    orders.clear()
                    return f"{self.folder / order['name']} failed: {said['failed']}"
                self.say(f"{order['name']}: {said['done']}")
            return None
        except BrokenPipeError:  # it ended between two orders
            return f"{self.folder} failed: a worker process ended. Its log is {self.folder / 'log.txt'}."
        finally:
            with suppress(BrokenPipeError):
                worker.stdin.close()
            if worker.poll() is None and sys.exc_info()[0] is not None:
                worker.terminate()
            worker.wait()
            worker.stdout.close()
            log.close()


# A question's own folder: whose it is, and which runs in it are its own.
#
# planned.json names the question, and every run that it is about to train before the first of them begins, so that a run of
# somebody else's in the same folder is never taken for one of the question's.

PLANNED, TIME = "planned.json", "seconds.json"
TASKS = "tasks"  # the folder of what tasks gave
OWN = ("card.json", "card.html", "figure.png", "log.txt", TIME, PLANNED)


def check(name: str, folder: Path, data: str) -> None:
    """Raise LabError for a question or a data set that there is none of, and for a folder that belongs to something else."""
    if name not in NAMES:
        raise refusal("a question", "one of " + ", ".join(NAMES), name, "`latentlab question` lists them.")
    if data not in CLASSIFIED:  # a question's measures ask for classes
        raise refusal("--data", "one of " + ", ".join(CLASSIFIED), data)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise refusal("--out", "a folder", str(folder))
    if all(path.name == "lock" for path in folder.iterdir()):
        return
    found = owner(folder)
    if found is None:
        raise refusal("--out", "a new or empty folder, or one of this question", str(folder), "It holds other files.")
    if found not in ("", name):
        raise refusal("--out", "a new or empty folder, or one of this question", str(folder), f"It is that of the question {found}.")


def owner(folder: Path) -> str | None:
    """The question that a folder is of; "" where it is of one but does not say which, None where it is of none."""
    for file in (PLANNED, "card.json"):
        found = _read(folder / file)
        if found.get("question") in NAMES:
            return str(found["question"])
    return "" if isinstance(_read(folder / TIME).get("seconds"), int | float) else None


def claim_folder(name: str, folder: Path) -> None:
    """Write down that a folder is this question's, and that runs which an earlier card names are."""
    replace_json(folder / PLANNED, {"question": name, "runs": sorted(_runs(folder))})


def plan_runs(folder: Path, names: Iterable[str]) -> None:
    """Write down names of runs before they are trained."""
    found = _read(folder / PLANNED)
    replace_json(folder / PLANNED, {"question": found.get("question"), "runs": sorted(_runs(folder) | set(names))})


def forget(folder: Path) -> None:
    """Remove what the question made: the runs that it planned, what was measured and the card. Nothing else."""
    from latentlab.lab.cells import is_debris

    for name in _runs(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink() and ((path / "config.json").is_file() or is_debris(path)):
            shutil.rmtree(path)
    for path in (folder / TASKS).glob("*.json"):
        if "task" in _read(path):
            path.unlink()
    if (folder / TASKS).is_dir() and not any((folder / TASKS).iterdir()):
        (folder / TASKS).rmdir()
    for name in OWN:
        (folder / name).unlink(missing_ok=True)


def _runs(folder: Path) -> set[str]:
    """The names in planned.json and card.json; only folders directly below count."""
    listed = [_read(folder / file).get("runs") for file in (PLANNED, "card.json")]
    names = {name for found in listed if isinstance(found, list) for name in found if isinstance(name, str)}
    return {name for name in names if name not in ("", ".", "..") and not set(name) & set("/\\:")}


def _read(path: Path) -> dict[str, Any]:
    """The object in a file; {} where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
