"""Where a run is: whole steps, which checkpoints hold, and the step that is being taken phase by phase, which none does."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from latentlab.models.learner import Losses, Moment


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
class Begun:
    """A step of which some phases are done. It is in no checkpoint: those are of whole steps alone."""

    images: torch.Tensor  # uint8 [M, H, W, C], all that the step reads
    moment: Moment
    phases: list[str]  # still to do
    done: str | None = None  # the phase done last
    losses: Losses = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Progress:
    """Where the run is; all of it is in the checkpoint."""

    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0  # spent in updates
    best_step: int | None = None
    best_loss: float | None = None
    changes: dict[str, float] = field(default_factory=dict)  # live fields, as changed while training
    window: Window = field(default_factory=Window)  # since the last line that the configuration asks for
    since: Window | None = None  # since the line of a step by hand, where there was one after that
