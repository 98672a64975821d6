"""Where a run is: whole steps, which checkpoints hold, and the step that is being taken, which none does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from latentlab.models.learner import Learner, Losses, Moment

PLAIN = ("step", "images_seen", "seconds", "best_step", "best_loss", "changes")  # what JSON holds as it is
WINDOW = "window."  # what the names of the window's tensors begin with in a checkpoint


@dataclass
class Window:
    """Sums of losses over the steps since a line of metrics."""

    sums: Losses = field(default_factory=dict)
    steps: int = 0

    def add(self, losses: Losses) -> None:
        """Take in a step. Sums stay on the device: reading one back would wait for it."""
        self.steps += 1
        for name, value in losses.items():
            if name in self.sums:
                self.sums[name] += value
            else:
                self.sums[name] = value.detach().clone()

    def means(self) -> dict[str, float]:
        """Means over the steps."""
        return {name: float(value) / self.steps for name, value in self.sums.items()}


@dataclass
class Step:
    """A step that is being taken, in one update or phase by phase. It is in no checkpoint: those are of whole steps alone."""

    images: torch.Tensor  # uint8 [M, H, W, C], all that it reads
    moment: Moment
    phases: list[str]  # still to do
    done: str | None = None  # the phase done last
    losses: Losses = field(default_factory=dict)
    seconds: float = 0.0  # spent in updates

    def finish(self, learner: Learner) -> None:
        """One update, or what is left after the phases that were done alone."""
        if self.done is None:
            self._take(learner.update)
            self.phases.clear()
        while self.phases:
            self.next_phase(learner)

    def next_phase(self, learner: Learner) -> Losses:
        """One phase alone; its losses. All phases together are the same as one update."""
        self.done = self.phases.pop(0)
        return self._take(partial(learner.run_phase, self.done))

    def _take(self, update: Callable[[torch.Tensor, Moment], Losses]) -> Losses:
        started = time.perf_counter()
        losses = update(self.images, self.moment)
        self.seconds += time.perf_counter() - started
        self.losses |= losses
        return losses


@dataclass
class Position:
    """Where a run is. Its checkpoints hold all but the last two."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0  # spent in updates
    best_step: int | None = None
    best_loss: float | None = None
    changes: dict[str, float] = field(default_factory=dict)  # live fields, as changed while training
    window: Window = field(default_factory=Window)  # since the last line that the configuration asks for
    since: Window | None = None  # since the line of a step taken by hand, where there was one after that
    images_read: int = 0  # by the last step
    begun: Step | None = None  # the step in the middle of which the run is

    def count(self, step: Step) -> None:
        """Count the step that was begun, all of whose phases are done, and add its losses to the sums."""
        self.begun = None
        self.step += 1
        self.images_read = len(step.images)
        self.images_seen += self.images_read
        self.seconds += step.seconds
        self.window.add(step.losses)
        if self.since is not None:
            self.since.add(step.losses)

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
        since = None if self.since is None else {"steps": self.since.steps, "sums": {k: float(v) for k, v in self.since.sums.items()}}
        return {name: getattr(self, name) for name in PLAIN} | {"window_steps": self.window.steps, "since": since}

    def tensors(self) -> dict[str, torch.Tensor]:
        """What tensors.safetensors of a checkpoint holds of it."""
        return {WINDOW + name: value for name, value in self.window.sums.items()}

    @classmethod
    def restored(cls, state: dict[str, Any], tensors: dict[str, torch.Tensor], device: torch.device) -> Position:
        """The reverse of `state` and `tensors`, which is taken out of a checkpoint's tensors."""
        sums = {name.removeprefix(WINDOW): tensors.pop(name).to(device) for name in list(tensors) if name.startswith(WINDOW)}
        position = cls(**{name: state[name] for name in PLAIN}, window=Window(sums, state["window_steps"]))
        if since := state.get("since"):  # a float of JSON is the float32 that it was written from
            position.since = Window({k: torch.tensor(v, device=device) for k, v in since["sums"].items()}, since["steps"])
        return position
