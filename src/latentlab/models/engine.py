"""What the loop asks of whatever trains: bytes and named arrays in, named arrays out. Torch's own answer is `TorchEngine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, SupportsFloat

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.models.learner import Learner, Moment

Losses = Mapping[str, SupportsFloat]  # read by float() alone, so that nothing waits for the device before
Arrays = dict[str, NDArray[Any]]


class Batch(NamedTuple):
    """M training images and their labels."""

    images: Images  # uint8 [M, H, W, C]
    labels: NDArray[np.int64] | None  # [M]


class Engine(Protocol):
    """Trains the networks of a learner. Whatever draws, measures or shows looks at its `twin`."""

    phases: tuple[str, ...]
    at_once: int  # so many steps at most may be given to `update` together

    @property
    def images_per_step(self) -> int:
        """How many real images one update reads."""

    def update(self, batches: Sequence[Batch], moments: Sequence[Moment]) -> Sequence[Losses]:
        """Steps one after the other, every phase of each in order. Raises NonFinite; where that leaves the weights is open."""

    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        """One phase of a step, by name, on the images that the whole step was given."""

    def after_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        """The losses of the batch and the noise of the phase's last update, with the weights as that update left them."""

    def set(self, name: str, value: float) -> None:
        """Change a live field of the training configuration, such as learning_rate."""

    def tensors(self) -> Arrays:
        """Everything that the next update depends on, in torch's names and layouts, whatever the engine."""

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `tensors`, strict in names and shapes."""

    def prepare_sampling(self, images: Images) -> None:
        """Fit what sampling needs beside the weights on training images uint8 [M, H, W, C]."""

    def twin(self) -> Learner:
        """The torch learner with the weights as they are now."""


class TorchEngine:
    """A torch learner as an engine."""

    at_once = 1

    def __init__(self, learner: Learner, device: torch.device) -> None:
        self.learner, self.device, self.phases = learner, device, learner.phases

    @property
    def images_per_step(self) -> int:
        return self.learner.images_per_step

    def _placed(self, images: Images) -> torch.Tensor:
        return torch.from_numpy(images).to(self.device)

    def _labels(self, batch: Batch) -> list[torch.Tensor]:
        """The batch's classes [M, K], one-hot, where the learner is given them."""
        return [one_hot(batch.labels, self.learner.classes, self.device)] if self.learner.classes and batch.labels is not None else []

    def update(self, batches: Sequence[Batch], moments: Sequence[Moment]) -> Sequence[Losses]:
        pairs = zip(batches, moments, strict=True)
        return [self.learner.update(self._placed(batch.images), moment, *self._labels(batch)) for batch, moment in pairs]

    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        return self.learner.run_phase(phase, self._placed(batch.images), moment, *self._labels(batch))

    def after_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        return self.learner.after_phase(phase, self._placed(batch.images), moment, *self._labels(batch))

    def set(self, name: str, value: float) -> None:
        self.learner.set(name, value)

    def tensors(self) -> Arrays:
        return {name: tensor.cpu().numpy() for name, tensor in self.learner.tensors().items()}

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        load(self.learner, tensors)

    def prepare_sampling(self, images: Images) -> None:
        self.learner.prepare_sampling(self._placed(images))

    def twin(self) -> Learner:
        return self.learner


def one_hot(labels: NDArray[np.int64], classes: int, device: torch.device) -> torch.Tensor:
    """Classes [N] as floats [N, K]."""
    return torch.nn.functional.one_hot(torch.from_numpy(labels).to(device), classes).float()


def load(learner: Learner, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Give a torch learner the tensors of a checkpoint."""
    learner.load_tensors({name: torch.from_numpy(values) for name, values in tensors.items()})
