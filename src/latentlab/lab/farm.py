"""Runs brought to their end: what one lacks is read from its folder alone, so that it does not matter who trained it and how that ended.

    absent → train → unfinished → resume → trained → evaluate → measured          busy: some other process trains it; wait

`session_of` brings one run to its end in this process, `run_cells` many side by side, a command in a pool for each rung.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentlab.base.errors import refusal
from latentlab.base.files import lock
from latentlab.base.texts import duration
from latentlab.lab.cells import Cell
from latentlab.lab.pool import Pool
from latentlab.measure.quality import MOST
from latentlab.measure.scores import NLL_SAMPLES
from latentlab.measure.table import measurements
from latentlab.runs.folder import RunFolder
from latentlab.train.session import Session
from latentlab.train.start import create, reopen

State = Literal["absent", "busy", "unfinished", "trained", "measured"]
LADDER: tuple[State, ...] = ("absent", "unfinished", "trained", "measured")
POLL_SECONDS = 0.05
MOST_LOST = 3  # times that a run's machine may die before the run itself is blamed
SPLIT: Literal["test"] = "test"


@dataclass(frozen=True)
class Evaluation:
    """The samples drawn at each evaluation, the importance samples of an image for a VAE's NLL and its images; None: its own default.

    With `any_nll` a run is measured whatever its NLL was drawn from.
    """

    count: int | None = None
    nll_samples: int | None = None
    nll_images: int | None = None
    any_nll: bool = False

    def command(self, path: Path, threads: int) -> list[str]:
        """What evaluates a run, for `latentlab`."""
        given = {"--count": self.count, "--nll-samples": self.nll_samples, "--nll-images": self.nll_images}
        options = [f"{name}={value}" for name, value in given.items() if value is not None]
        return ["evaluate", str(path), f"--split={SPLIT}", f"--threads={threads}", *options]

    def arguments(self) -> dict[str, Any]:
        """The same for `evaluate_run`."""
        given = {"samples": self.count, "nll_samples": self.nll_samples, "nll_images": self.nll_images}
        return {name: value for name, value in given.items() if value is not None}

    def fits(self, scores: Mapping[str, Any], environment: Mapping[str, Any]) -> bool:
        """Whether scores are what this evaluation would give: of these images, so many samples and importance samples."""
        if scores.get("data_fingerprint") != environment.get("data_fingerprint"):
            return False
        images = environment.get("images", {}).get("train")
        wanted_samples = self.count if self.count is not None or images is None else min(MOST, images)
        if "left_out" not in scores and scores.get("samples") != wanted_samples:
            return False
        if self.any_nll or "negative_elbo_nats" not in scores.get("scores", {}):
            return True
        wanted = NLL_SAMPLES if self.nll_samples is None else self.nll_samples
        return bool(scores["scores"].get("nll_nats", {}).get("k", 0) == wanted)


@dataclass(frozen=True)
class Machine:
    """How many runs go side by side, the threads of each, how they are evaluated (None: not at all), and where they run."""

    jobs: int
    threads: int
    evaluation: Evaluation | None = Evaluation()
    pool: Pool = field(default_factory=Pool)

    @property
    def top(self) -> State:
        """The rung to which runs are brought."""
        return "trained" if self.evaluation is None else "measured"


@dataclass(frozen=True)
class Failure:
    """Why a cell could not be measured, and the exit status that said so."""

    reason: str
    status: int


@dataclass(frozen=True)
class Outcome:
    """How many runs ended: the result drawn from them (None when stopped or without any), what failed, the signal that stopped them."""

    folder: Path
    result: dict[str, Any] | None
    failures: dict[str, Failure]
    signal: int | None


def state(cell: Cell, evaluation: Evaluation | None = None) -> State:
    """What a cell's folder says of it; at most "trained" without an evaluation to ask for."""
    folder = RunFolder(cell.path)
    if not (cell.path / "config.json").is_file():
        return "absent"
    if folder.is_locked():
        return "busy"
    status, scores = folder.status(), folder.scores()
    if status.get("state") != "finished" or cell.further():
        return "unfinished"
    now = [one for one in measurements(scores) if one.get("step") == folder.sampled_step() and one.get("split") == SPLIT]
    fits = evaluation is not None and any(evaluation.fits(one, folder.environment()) for one in now)
    return "measured" if fits else "trained"


def session_of(cell: Cell) -> Session | None:
    """What trains a cell's run to its end in this process, opened: a new run or one that goes on; None when it is finished."""
    match state(cell):
        case "absent":
            return create(cell.config, cell.path)
        case "trained":
            return None
    return reopen(cell.path)


def command(cell: Cell, at: State, machine: Machine) -> list[str]:
    """What brings a cell one rung up."""
    match at:
        case "absent":
            arguments = ["train", cell.config.preset, f"--out={cell.path}", *cell.options()]
        case "unfinished":
            arguments = ["resume", str(cell.path), *cell.further()]
        case _:
            assert machine.evaluation is not None  # noqa: S101 - else the cell is at the top
            arguments = machine.evaluation.command(cell.path, machine.threads)
    return [sys.executable, "-m", "latentlab", *arguments]


def refuse_foreign(folder: Path) -> None:
    """Raise LabError for a folder that is in use, but not for runs: one of pictures would gain classes named as they are."""
    ours = ("lock", "prediction*.json", "comparison.json", "*/config.json")
    used = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
    if used and not any(True for pattern in ours for _ in folder.glob(pattern)):
        raise refusal("out", "a folder that is new, empty or of runs", str(folder), "It holds other files: name another.")


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """A folder of many runs, made if need be, for this process alone. Raises LabError when it cannot be, or another has it."""
    refuse_foreign(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal("out", "a folder that can be written to", str(folder), f"({error.strerror})") from None
    with lock(folder / "lock", 0.5, f"{folder} must be free, but another process works in it. Wait for it, or stop it."):
        yield


class Climb:
    """A cell whose next command runs. Its output goes to the cell's log."""

    def __init__(self, cell: Cell, at: State, machine: Machine) -> None:
        self.cell, self.at, self.evaluation = cell, at, machine.evaluation
        self.job = machine.pool.start(command(cell, at, machine), cell.log, machine.threads, cell.path, cell.reads)

    def failure(self, losses: Counter[str]) -> Failure | None:
        """Why the ended command left its cell where it was; None when the cell is a rung higher, or another process has it.

        So a run that was killed is resumed once, and fails when that brings it no further; one whose machine died (`losses` counts
        how often) is tried again elsewhere.
        """
        if self.job.lost and losses[self.cell.name] < MOST_LOST:
            losses[self.cell.name] += 1
            return None
        status, now, told = self.job.status() or 0, state(self.cell, self.evaluation), RunFolder(self.cell.path).status()
        if now != "busy" and told.get("state") == "stopped" and not status:
            return Failure(f"it was stopped at step {told.get('step')} by `latentlab stop`.", 1)
        if now == "busy" or (LADDER.index(now) > LADDER.index(self.at) and told.get("state") != "failed"):
            return None
        if status < 0:
            return Failure(f"it was killed by signal {-status}.", 1)
        return Failure(self.job.last_words() or f"it ended with exit status {status}.", status or 1)


def run_cells(cells: Sequence[Cell], machine: Machine, should_stop: Callable[[], bool], say: Callable[[str], None]) -> dict[str, Failure]:
    """Bring every cell to the top; returns what failed, by name.

    When `should_stop` says so, the commands are asked to stop and waited for. When this function is left by an exception,
    they are killed.
    """
    states = {cell.name: state(cell, machine.evaluation) for cell in cells}
    say(_plan(list(states.values()), machine))
    losses: Counter[str] = Counter()
    waiting = [cell for cell in cells if states[cell.name] != machine.top]
    tally = Tally(len(waiting), machine.jobs, say)
    for name in (name for name, at in states.items() if at == "busy"):
        tally.waits(name)
    active: list[Climb] = []
    failures: dict[str, Failure] = {}
    stopped = False
    try:
        while waiting or active:
            if not stopped and should_stop():
                stopped, waiting = True, []
                for climb in active:
                    climb.job.stop()
            for climb in [climb for climb in active if climb.job.status() is not None]:
                active.remove(climb)
                failure = None if stopped else climb.failure(losses)
                if failure is not None:
                    failures[climb.cell.name] = failure
                    tally.ended(climb.cell.name, failure.reason)
                elif not stopped:
                    waiting.insert(0, climb.cell)  # its next rung before other cells' first
            waiting = _start(waiting, active, machine, tally)
            time.sleep(POLL_SECONDS)
    finally:
        for climb in active:
            climb.job.kill()
    return failures


def _start(waiting: Sequence[Cell], active: list[Climb], machine: Machine, tally: Tally) -> list[Cell]:
    """Start what there is room for; returns the cells that go on waiting. A run that another process trains takes room as well."""
    left = []
    for cell in waiting:
        has_room = len(active) + len(tally.awaited - {cell.name}) < machine.jobs
        if not has_room and cell.name not in tally.awaited:
            left.append(cell)
            continue
        at = state(cell, machine.evaluation)
        if at == "busy":
            tally.waits(cell.name)
        else:
            tally.awaited.discard(cell.name)
        if at == machine.top:
            tally.ended(cell.name)
        elif at == "busy" or not has_room:
            left.append(cell)
        else:
            tally.started(cell.name)
            active.append(Climb(cell, at, machine))
    return left


def _plan(states: Sequence[State], machine: Machine) -> str:
    parts = [
        (states.count(machine.top), "kept"),
        (states.count("trained") if machine.top == "measured" else 0, "to measure"),
        (states.count("unfinished") + states.count("busy"), "to go on"),
        (states.count("absent"), "to train"),
    ]
    told = ", ".join(f"{number} {what}" for number, what in parts if number)
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    return f"{len(states)} {'run' if len(states) == 1 else 'runs'}: {told}; {machine.jobs} side by side, {threads} each."


class Tally:
    """Tells of each run that ended, how many are left and for about how long."""

    def __init__(self, total: int, jobs: int, say: Callable[[str], None]) -> None:
        self.total, self.jobs, self.say = total, jobs, say
        self.began: dict[str, float] = {}
        self.took: list[float] = []
        self.done = 0
        self.awaited: set[str] = set()

    def started(self, name: str) -> None:
        """A command of this cell starts."""
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
