"""Runs side by side: each cell's next command as a process of its own, until every cell is measured or has failed.

What a cell needs next is read from its folder alone, so it does not matter who trained it so far or how that ended:

    absent → train → unfinished → resume → trained → evaluate → measured          busy: some other process trains it; wait
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latentlab.base.texts import duration
from latentlab.lab.cells import Cell, is_debris
from latentlab.measure.quality import MOST
from latentlab.measure.scores import NLL_SAMPLES
from latentlab.runs.folder import RunFolder

State = Literal["absent", "busy", "unfinished", "trained", "measured"]
LADDER: tuple[State, ...] = ("absent", "unfinished", "trained", "measured")
POLL_SECONDS = 0.05
SPLIT = "test"


@dataclass(frozen=True)
class Evaluation:
    """The samples drawn at each evaluation, and the importance samples of an image for a VAE's NLL; None: its own default."""

    count: int | None = None
    nll_samples: int | None = None

    def command(self, path: Path, threads: int) -> list[str]:
        """What evaluates a run, for `latentlab`."""
        given = {"--count": self.count, "--nll-samples": self.nll_samples}
        options = [f"{name}={value}" for name, value in given.items() if value is not None]
        return ["evaluate", str(path), f"--split={SPLIT}", f"--threads={threads}", *options]

    def fits(self, scores: Mapping[str, Any], environment: Mapping[str, Any]) -> bool:
        """Whether scores are what this evaluation would give: of these images, so many samples and importance samples."""
        if scores.get("data_fingerprint") != environment.get("data_fingerprint"):
            return False
        images = environment.get("images", {}).get("train")
        wanted_samples = self.count if self.count is not None or images is None else min(MOST, images)
        if "left_out" not in scores and scores.get("samples") != wanted_samples:
            return False
        if "negative_elbo_nats" not in scores.get("scores", {}):
            return True
        wanted = NLL_SAMPLES if self.nll_samples is None else self.nll_samples
        return bool(scores["scores"].get("nll_nats", {}).get("k", 0) == wanted)


@dataclass(frozen=True)
class Machine:
    """How many runs go side by side, the threads of each, how they are evaluated."""

    jobs: int
    threads: int
    evaluation: Evaluation = Evaluation()


@dataclass(frozen=True)
class Failure:
    """Why a cell could not be measured, and the exit status that said so."""

    reason: str
    status: int


def state(cell: Cell, evaluation: Evaluation) -> State:
    """What a cell's folder says of it."""
    folder = RunFolder(cell.path)
    if not cell.path.is_dir() or not any(cell.path.iterdir()):
        return "absent"
    if folder.is_locked():
        return "busy"
    if is_debris(cell.path):
        return "absent"
    status, scores = folder.status(), folder.scores()
    if status.get("state") != "finished":
        return "unfinished"
    measured = scores.get("step") == status.get("step") and scores.get("split") == SPLIT
    return "measured" if measured and evaluation.fits(scores, folder.environment()) else "trained"


def command(cell: Cell, at: State, machine: Machine) -> list[str]:
    """What brings a cell one rung up."""
    match at:
        case "absent":
            arguments = ["train", cell.config.preset, f"--out={cell.path}", *cell.options()]
        case "unfinished":
            arguments = ["resume", str(cell.path)]
        case _:
            arguments = machine.evaluation.command(cell.path, machine.threads)
    return [sys.executable, "-m", "latentlab", *arguments]


class Task:
    """A cell whose next command runs. Its output goes to the cell's log."""

    def __init__(self, cell: Cell, at: State, machine: Machine) -> None:
        self.cell, self.at, self.machine = cell, at, machine
        if at == "absent":
            shutil.rmtree(cell.path, ignore_errors=True)  # at most what a killed creation left
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(machine.threads))
        with open(cell.log, "ab") as log:
            self.said_from = log.tell()
            # A session of its own: Ctrl-C in a terminal reaches this process alone, which passes it on once.
            self.process = subprocess.Popen(
                command(cell, at, machine),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | threads | {"PYTHONUTF8": "1"},
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    def ask_to_stop(self) -> None:
        """Let it save and end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGTERM)  # type: ignore[attr-defined,unused-ignore]

    def kill(self) -> None:
        """End it now."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def failure(self) -> Failure | None:
        """Why the ended command left its cell where it was; None when the cell is a rung higher, or another process has it.

        So a run that was killed is resumed once, and fails when that brings it no further.
        """
        status, now, told = self.process.returncode, state(self.cell, self.machine.evaluation), RunFolder(self.cell.path).status()
        if now != "busy" and told.get("state") == "stopped" and not status:
            return Failure(f"it was stopped at step {told.get('step')} by `latentlab stop`.", 1)
        if now == "busy" or (LADDER.index(now) > LADDER.index(self.at) and told.get("state") != "failed"):
            return None
        if status < 0:
            return Failure(f"it was killed by signal {-status}.", 1)
        return Failure(self.last_words() or f"it ended with exit status {status}.", status or 1)

    def last_words(self) -> str:
        """The last line that the command said."""
        with open(self.cell.log, "rb") as log:
            log.seek(self.said_from)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        own = [line.removeprefix("latentlab: ") for line in lines if line.startswith("latentlab: ")]
        return (own or lines or [""])[-1]


def run_cells(planned: Sequence[Cell], machine: Machine, should_stop: Callable[[], bool], say: Callable[[str], None]) -> dict[str, Failure]:
    """Bring every cell to the top; returns what failed, by name.

    When `should_stop` says so, the processes are asked to stop and waited for. When this function is left by an exception,
    they are killed.
    """
    states = {cell.name: state(cell, machine.evaluation) for cell in planned}
    say(_plan(list(states.values()), machine))
    waiting = [cell for cell in planned if states[cell.name] != "measured"]
    tally = Tally(len(waiting), machine.jobs, say)
    for name in (name for name, found in states.items() if found == "busy"):
        tally.waits(name)
    active: list[Task] = []
    failures: dict[str, Failure] = {}
    stopped = False
    try:
        while waiting or active:
            if not stopped and should_stop():
                stopped, waiting = True, []
                for task in active:
                    task.ask_to_stop()
            for task in [task for task in active if task.process.poll() is not None]:
                active.remove(task)
                failure = None if stopped else task.failure()
                if failure is not None:
                    failures[task.cell.name] = failure
                    tally.ended(task.cell.name, failure.reason)
                elif not stopped:
                    waiting.insert(0, task.cell)  # its next rung before other cells' first
            waiting = _start(waiting, active, machine, tally)
            time.sleep(POLL_SECONDS)
    finally:
        for task in active:
            task.kill()
    return failures


def _start(waiting: Sequence[Cell], active: list[Task], machine: Machine, tally: Tally) -> list[Cell]:
    """Start what there is room for; returns the cells that go on waiting. A run that another process trains takes room as well."""
    left = []
    for cell in waiting:
        has_room = len(active) + len(tally.awaited) < machine.jobs
        if not has_room and cell.name not in tally.awaited:
            left.append(cell)
            continue
        at = state(cell, machine.evaluation)
        if at == "busy":
            tally.waits(cell.name)
            left.append(cell)
            continue
        tally.awaited.discard(cell.name)
        if at == "measured":
            tally.ended(cell.name)
        elif len(active) + len(tally.awaited) < machine.jobs:
            tally.started(cell.name)
            active.append(Task(cell, at, machine))
        else:
            left.append(cell)
    return left


def _plan(states: Sequence[State], machine: Machine) -> str:
    parts = [
        (states.count("measured"), "kept"),
        (states.count("trained"), "to measure"),
        (states.count("unfinished") + states.count("busy"), "to go on"),
        (states.count("absent"), "to train"),
    ]
    told = ", ".join(f"{number} {what}" for number, what in parts if number)
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    return f"{len(states)} runs: {told}; {machine.jobs} side by side, {threads} each."


class Tally:
    """Tells of each run that ended, how many are left and for about how long."""

    def __init__(self, total: int, jobs: int, say: Callable[[str], None]) -> None:
        self.total, self.jobs, self.say = total, jobs, say
        self.began: dict[str, float] = {}
        self.took: list[float] = []
        self.done = 0
        self.awaited: set[str] = set()

    def started(self, name: str) -> None:
        """A process of this cell starts."""
        self.began.setdefault(name, time.monotonic())

    def waits(self, name: str) -> None:
        """A cell is being trained by a process that is not ours."""
        if name not in self.awaited:
            self.awaited.add(name)
            self.say(f"{name}: another process trains it; waiting for that.")

    def ended(self, name: str, failed: str = "") -> None:
        """A cell is measured, or failed."""
        self.done += 1
        left, told = self.total - self.done, "done"
        if name in self.began:
            self.took.append(time.monotonic() - self.began[name])
            told = f"done in {duration(self.took[-1], 'en')}"
        more = f"{left} left" if left else "the last one"
        if left and self.took:
            more += f", about {duration(left * sum(self.took) / len(self.took) / self.jobs, 'en')}"
        self.say(f"{name}: {f'failed: {failed}' if failed else told} ({more})")
