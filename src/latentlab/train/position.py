"""Where a run is: whole steps, which checkpoints hold, and the step that is being taken, which none does."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from latentlab.models.engine import Batch, Engine, Losses
from latentlab.models.learner import Moment
from latentlab.runs import checkpoints

PLAIN = (  # what JSON holds as it is
    "step", "images_seen", "seconds", "best_step", "best_loss", "changes", "lowest_step", "lowest_loss", "stale",
)  # fmt: skip
MOST_LATE = 64  # losses that wait to be read


@dataclass
class Window:
    """Sums of losses over the steps since a line of metrics."""

    sums: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    steps: int = 0
    late: list[Losses] = field(default_factory=list)  # not yet added: reading one would wait for the device

    def add(self, losses: Losses) -> None:
        """Take in a step."""
        self.steps += 1
        self.late.append(losses)
        if len(self.late) > MOST_LATE:
            self.totals()

    def totals(self) -> dict[str, NDArray[np.float32]]:
        """The sums so far, float32 [] each."""
        for losses in self.late:
            for name, value in losses.items():
                self.sums[name] = np.asarray(self.sums.get(name, 0) + np.float32(float(value)), np.float32)
        self.late = []
        return self.sums

    def means(self) -> dict[str, float]:
        """Means over the steps."""
        return {name: float(value) / self.steps for name, value in self.totals().items()}


@dataclass
class Step:
    """A step that is being taken, in one update or phase by phase. It is in no checkpoint: those are of whole steps alone."""

    batch: Batch  # all that it reads
    moment: Moment
    phases: list[str]  # still to do
    done: str | None = None  # the phase done last
    losses: dict[str, SupportsFloat] = field(default_factory=dict)
    seconds: float = 0.0  # spent in updates

    def next_phase(self, engine: Engine) -> Losses:
        """One phase alone; its losses. All phases together are the same as one update."""
        started = time.perf_counter()
        self.done = self.phases.pop(0)
        losses = engine.run_phase(self.done, self.batch, self.moment)
        self._took(losses, time.perf_counter() - started)
        return losses

    def _took(self, losses: Losses, seconds: float) -> None:
        self.seconds += seconds
        self.losses |= losses


def finish(steps: Sequence[Step], engine: Engine) -> None:
    """Steps that were not begun, all at once; or what is left of a single one after the phases that were done alone."""
    if steps[0].done is None:
        started = time.perf_counter()
        losses = engine.update([step.batch for step in steps], [step.moment for step in steps])
        seconds = (time.perf_counter() - started) / len(steps)
        for step, values in zip(steps, losses, strict=True):
            step.phases.clear()
            step._took(values, seconds)
    for step in steps:
        while step.phases:
            step.next_phase(engine)


@dataclass
class Position:
    """Where a run is. Its checkpoints hold all but the last two."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0  # spent in updates
    best_step: int | None = None  # of what is saved
    best_loss: float | None = None
    lowest_step: int = 0  # at which the val loss was lowest, of the evaluations that the configuration asks for
    lowest_loss: float | None = None
    stale: int = 0  # such evaluations since then
    changes: dict[str, float] = field(default_factory=dict)  # live fields, as changed while training
    window: Window = field(default_factory=Window)  # since the last line that the configuration asks for
    since: Window | None = None  # since the line of a step taken by hand, where there was one after that
    images_read: int = 0  # by the last step
    begun: Step | None = None  # the step in the middle of which the run is

    def count(self, step: Step) -> None:
        """Count the step that was begun, all of whose phases are done, and add its losses to the sums."""
        self.begun = None
        self.step += 1
        self.images_read = len(step.batch.images)
        self.images_seen += self.images_read
        self.seconds += step.seconds
        self.window.add(step.losses)
        if self.since is not None:
            self.since.add(step.losses)

    def judge(self, val_loss: float | None) -> bool:
        """Count an evaluation that the configuration asks for; whether its loss is the lowest so far."""
        if val_loss is None or not math.isfinite(val_loss) or not (self.lowest_loss is None or val_loss < self.lowest_loss):
            self.stale += 1
            return False
        self.lowest_step, self.lowest_loss, self.stale = self.step, val_loss, 0
        return True

    def crossed(self, interval: float) -> bool:
        """Whether the last step passed a multiple of `interval` images."""
        return self.images_seen // interval > (self.images_seen - self.images_read) // interval

    def means(self, extra: bool) -> dict[str, float]:
        """The mean losses since the last line of metrics, for the next one.

        An `extra` line, which the configuration does not ask for, leaves the window as it is: checkpoints are those of the
        run without it.
        """
        values = (self.window if self.since is None else self.since).means()
        if extra:
            self.since = Window()
        else:
            self.window, self.since = Window(), None
        return values

    def state(self) -> dict[str, Any]:
        """What state.json of a checkpoint holds of it."""
        since = None if self.since is None else {"steps": self.since.steps, "sums": {k: float(v) for k, v in self.since.totals().items()}}
        return {name: getattr(self, name) for name in PLAIN} | {"window_steps": self.window.steps, "since": since}

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What tensors.safetensors of a checkpoint holds of it."""
        return {checkpoints.WINDOW + name: value for name, value in self.window.totals().items()}

    @classmethod
    def restored(cls, state: Mapping[str, Any], tensors: dict[str, NDArray[Any]]) -> Position:
        """The reverse of `state` and `tensors`, which is taken out of a checkpoint's tensors."""
        sums = {name.removeprefix(checkpoints.WINDOW): tensors.pop(name) for name in list(tensors) if name.startswith(checkpoints.WINDOW)}
        position = cls(**{name: state[name] for name in PLAIN}, window=Window(sums, state["window_steps"]))
        if since := state.get("since"):  # a float of JSON is the float32 that it was written from
            position.since = Window({k: np.asarray(v, np.float32) for k, v in since["sums"].items()}, since["steps"])
        return position
