"""Training by Keras: pure functions of nested tensors, compiled once, over the weights of a torch learner's twin.

The torch learner is where a run starts from and what its checkpoints hold, and it tells every schedule and every draw: so the
engines see equal numbers. Here are the forward passes, the gradients and the updates. Keras's own `Trainer` is not used: it
carries one optimiser, and its steps cannot be given their noise.

Axes: N images, M images of a batch, H height, W width, C channels, Z latent. Images inside are [N, H, W, C].
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from keras import ops
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.keras.backend import compiled, gradient
from latentlab.keras.convert import Place, give, take
from latentlab.models.engine import Arrays, Batch, Losses, TorchEngine
from latentlab.models.learner import Learner, Moment, not_finite
from latentlab.models.optimiser import EPSILON, Adam, Average

State = dict[str, list[Any]]  # what a program takes and gives back changed: "encoder", "encoder.mean", "average.encoder" …
Inputs = dict[str, NDArray[Any]]
Program = Callable[[State, Any], tuple[State, Any]]


@dataclass(frozen=True)
class Network:
    """A Keras model under training, and the torch names of its weights."""

    name: str
    model: Any
    places: list[Place]
    optimiser: str  # as the twin's checkpoints name it
    average: Average

    @property
    def weights(self) -> list[Any]:
        return list(self.model.trainable_variables)

    @property
    def buffers(self) -> list[Any]:
        return list(self.model.non_trainable_variables)

    def kinds(self) -> list[tuple[str, str, list[Any]]]:
        """What the state holds of it: its key, the form of the torch names, the variables that it is shaped like."""
        name, moments = self.name, f"adam.{self.optimiser}.{self.name}.{{}}"
        kinds = [
            (name, f"{name}.{{}}", self.weights),
            (f"{name}.buffers", f"{name}.{{}}", self.buffers),
            (f"{name}.mean", f"{moments}.mean", self.weights),
            (f"{name}.square", f"{moments}.square", self.weights),
        ]
        if self.average.active:
            kinds += [(f"average.{name}", f"average.{name}.{{}}", self.weights)]
            kinds += [(f"average.{name}.buffers", f"average.{name}.{{}}", self.buffers)]
        return kinds


class KerasEngine(ABC):
    """What both families share: the state, its way from and to the twin, Adam, the average."""

    at_once = 1

    def __init__(self, twin: Any, torch_engine: TorchEngine, networks: Sequence[Network], adams: Mapping[str, Adam], fused: bool) -> None:
        self.learner, self.torch, self.phases, self.fused = twin, torch_engine, twin.phases, fused
        self.networks = {network.name: network for network in networks}
        self.adams = dict(adams)
        self.updates = dict.fromkeys(adams, 0)
        self.state: State = {}
        self.ahead = False  # of the twin
        self.programs: dict[Any, Program] = {}
        self._upload()

    @property
    def images_per_step(self) -> int:
        return int(self.learner.images_per_step)

    # To and from the twin.

    def _upload(self) -> None:
        tensors = self.torch.tensors()
        for network in self.networks.values():
            for key, form, variables in network.kinds():
                values = take(network.places, tensors, form)
                self.state[key] = [ops.convert_to_tensor(values[id(variable)]) for variable in variables]
            step = next(
                value for name, value in tensors.items() if name.startswith(f"adam.{network.optimiser}.") and name.endswith(".step")
            )
            self.updates[network.optimiser] = int(step)
        self.ahead = False

    def twin(self) -> Learner:
        """The torch learner, its weights, averages and moments those that Keras has come to."""
        if self.ahead:
            tensors = self.learner.tensors()
            for network in self.networks.values():
                for key, form, variables in network.kinds():
                    values = {id(variable): np.asarray(value) for variable, value in zip(variables, self.state[key], strict=True)}
                    for name, array in give(network.places, values, form).items():
                        tensors[name].copy_(torch.from_numpy(array).view_as(tensors[name]))
            for optimiser, count in self.updates.items():
                for name, tensor in tensors.items():
                    if name.startswith(f"adam.{optimiser}.") and name.endswith(".step"):
                        tensor.fill_(count)
            self.ahead = False
        return self.learner

    def tensors(self) -> Arrays:
        self.twin()
        return self.torch.tensors()

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.torch.load_tensors(tensors)
        self._upload()

    def prepare_sampling(self, images: Images) -> None:
        self.twin()
        self.torch.prepare_sampling(images)

    def after_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        self.twin()
        return self.torch.after_phase(phase, batch, moment)

    def set(self, name: str, value: float) -> None:
        self.torch.set(name, value)

    # Steps.

    def update(self, batches: Sequence[Batch], moments: Sequence[Moment]) -> Sequence[Losses]:
        steps = zip(batches, moments, strict=True)
        return [{k: v for phase in self.phases for k, v in self.run_phase(phase, *step).items()} for step in steps]

    @abstractmethod
    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        """One phase of a step."""

    def _run(self, key: Any, program: Callable[[], Program], inputs: Any) -> NDArray[np.float32]:
        if key not in self.programs:
            self.programs[key] = compiled(program(), self.fused)
        self.state, row = self.programs[key](self.state, inputs)
        self.ahead = True
        return np.asarray(row)

    def _judged(self, names: Sequence[str], row: NDArray[np.float32], moment: Moment, optimiser: str, what: str) -> Losses:
        """A program's row by name: the loss first, the gradient's norm last. Raises NonFinite, with the twin as it was before."""
        if not math.isfinite(row[0] + row[-1]):
            raise not_finite(float(row[0]), float(row[-1]), self.adams[optimiser], moment.step, what)
        return dict(zip(names, row, strict=True))

    def _rates(self, optimiser: str, moment: Moment, ahead: int = 1) -> Inputs:
        self.adams[optimiser].schedule(moment.images_seen)
        rate, root = self.adams[optimiser].corrections(self.updates[optimiser] + ahead)
        return {"rate": np.asarray(rate, np.float32), "root": np.asarray(root, np.float32)}

    # Pure functions.

    def scope(self, state: State, given: Mapping[str, list[Any]]) -> Any:
        """Every variable of every network as in the state, with other weights for some."""
        pairs = []
        for name, network in self.networks.items():
            pairs += [*zip(network.weights, given.get(name, state[name]), strict=True)]
            pairs += [*zip(network.buffers, state[f"{name}.buffers"], strict=True)]
        return keras.StatelessScope(pairs)

    def descended(
        self, state: State, names: Iterable[str], loss: Callable[[Mapping[str, list[Any]]], tuple[Any, Any]], inputs: Any
    ) -> tuple[State, Any]:
        """Adam (Kingma & Ba 2015, ε outside the bias correction as torch has it) on networks; the state after it and [loss, …, norm].

        `loss` gives the loss and a pair: what is recorded, and the buffers by network.
        """
        total, (recorded, buffers), slopes = gradient(loss, {name: state[name] for name in names})
        norm = ops.sqrt(sum(ops.sum(ops.square(slope)) for each in slopes.values() for slope in each))
        after = {**state, **{f"{name}.buffers": values for name, values in buffers.items()}}
        clip = next(iter(self.adams.values())).train.gradient_clip
        scale = ops.minimum(1.0, clip / norm) if clip else 1.0
        for name, each in slopes.items():
            first, second = self.adams[self.networks[name].optimiser].betas
            moved: list[tuple[Any, Any, Any]] = []
            for p, m, v, longer in zip(state[name], state[f"{name}.mean"], state[f"{name}.square"], each, strict=True):
                slope = scale * longer if clip else longer
                mean, square = first * m + (1 - first) * slope, second * v + (1 - second) * ops.square(slope)
                moved.append((p - inputs["rate"] * (mean / (ops.sqrt(square) / inputs["root"] + EPSILON)), mean, square))
            after[name], after[f"{name}.mean"], after[f"{name}.square"] = (list(values) for values in zip(*moved, strict=True))
        return after, ops.stack([total, *recorded, norm])

    def averaged(self, state: State, weight: Any) -> State:
        """The averages moved towards the networks."""
        after = dict(state)
        for key, values in state.items():
            if key.startswith("average."):
                now = state[key.removeprefix("average.")]
                after[key] = [mean + weight * (value - mean) for mean, value in zip(values, now, strict=True)]
        return after
