"""Networks, a loss and a GAN's step of somebody's own. What each takes and gives is the table of docs/own.md; `tried.check` holds to it.

A network is a torch module, or a class or function without arguments that makes one, which then starts from the run's seed. It is
copied: the one that was given stays as it is.
"""

from __future__ import annotations

import copy
import random
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import is_installed
from latentlab.base.seeding import seed_for
from latentlab.config.layers import Shape
from latentlab.config.parts import OWN
from latentlab.config.schema import Config
from latentlab.models.learner import Moment, moved
from latentlab.models.optimiser import Adam

EXAMPLES = 8  # images of the batch with which parts are tried
DRAWING, FUNCTIONS = ("decoder", "generator"), ("loss", "step")


@dataclass(frozen=True)
class Own:
    """The parts of a run that are somebody's own, ready for use."""

    networks: dict[str, nn.Module] = field(default_factory=dict)
    loss: Callable[..., Tensor] | None = None
    step: Callable[..., Any] | None = None

    @property
    def parts(self) -> dict[str, Any]:
        """All that there are, by name."""
        return self.networks | {name: part for name in FUNCTIONS if (part := getattr(self, name)) is not None}

    def copied(self) -> Own:
        """The same with networks of its own, apart from those of these."""
        return replace(self, networks=copy.deepcopy(self.networks))


def taken(config: Config, shape: Shape, given: Mapping[str, Any]) -> Own:
    """The parts that were given for a run on images of `shape` (H, W, C), copied. Raises LabError for what cannot be one."""
    known = OWN[config.family]
    for name, part in given.items():
        if name not in known:
            raise refusal("a part of one's own", f"one that {config.preset} ({config.family}) has: {', '.join(known)}", name)
        if name in FUNCTIONS and not isinstance(part, FunctionType):
            raise refusal(name, "a function, made with def", type(part).__name__)
        if not callable(part) or isinstance(part, torch.jit.ScriptModule):
            raise refusal(name, "a torch module that is not scripted, or a function that makes one", type(part).__name__)
    _check_apart({name: part for name, part in given.items() if isinstance(part, nn.Module)})
    networks = {}
    for name in [name for name in given if name not in FUNCTIONS]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(config.train.seed, "weights", *name.encode()))
            networks[name] = _module(name, given[name])
            with torch.no_grad():
                tried(name, networks[name].eval(), example(name, config, shape))  # makes what is built lazily, and moves nothing else
    return Own(networks, given.get("loss"), given.get("step"))


def example(name: str, config: Config, shape: Shape) -> Tensor:
    """Two empty inputs of a network."""
    height, width, channels = shape
    return torch.zeros(2, config.model.latent_dim) if name in DRAWING else torch.zeros(2, channels, height, width)


def _module(name: str, part: Any) -> nn.Module:
    if not isinstance(part, nn.Module):
        with theirs(f"{name}() was called"):
            part = part()
        if not isinstance(part, nn.Module):
            raise refusal(name, "a torch module, or a class or function without arguments that makes one", type(part).__name__)
    part = getattr(part, "_orig_mod", part)  # of torch.compile, whose kernels belong to one process
    try:
        network: nn.Module = copy.deepcopy(part)
    except Exception as error:
        raise LabError(f"{name} must be a module that can be copied. Copying it raised {type(error).__name__}: {error}") from error
    for layer in network.modules():
        layer._non_persistent_buffers_set.clear()  # a checkpoint holds all that the next step depends on
        for key, parameter in list(layer._parameters.items()):
            if parameter is not None and not parameter.requires_grad:
                if isinstance(layer, ParametrizationList):
                    remedy = "Take the parametrization off first: torch.nn.utils.parametrize.remove_parametrizations."
                    raise LabError(f"{name} has a parametrized weight that is frozen, which no run folder can keep. {remedy}")
                del layer._parameters[key]
                layer.register_buffer(key, parameter.data)
    return network


@contextmanager
def theirs(when: str) -> Iterator[None]:
    """An error in somebody's code is told as theirs: file, line and message. Raises LabError."""
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        raise LabError(f"{blamed(error) or f'{type(error).__name__}: {error}'}, when {when}") from error


def blamed(error: BaseException) -> str | None:
    """Where in somebody's own code an error arose, and what it says; None if none of it was running."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not is_installed(frame.filename):
            return f"{frame.filename}, line {frame.lineno}, in {frame.name}: {type(error).__name__}: {error}"
    return None


def tried(name: str, network: nn.Module, given: Tensor) -> Any:
    """What a network gives; an error is told with the layer in which it arose, and what that was given."""
    inside: list[str] = []  # the layers that are computing, outermost first

    def watch(layer: nn.Module, path: str) -> list[Any]:
        def enter(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            inside.append(f"{name}.{path} was given {sizes(inputs[0])}" if path and inputs else "")

        return [layer.register_forward_pre_hook(enter), layer.register_forward_hook(lambda *_: (inside.pop(), None)[1])]

    handles = [handle for path, layer in network.named_modules() for handle in watch(layer, path)]
    try:
        with theirs(f"{name} was given {sizes(given)}"):
            return network(given)
    except LabError as error:
        at = inside[-1] if inside else ""
        raise LabError(f"{error} ({at})" if at else str(error)) from error.__cause__
    finally:
        for handle in handles:
            handle.remove()


def tensors_of(out: Any) -> list[Tensor]:
    return list(out) if isinstance(out, tuple | list) else [out]


def sizes(out: Any) -> str:
    sizes = [str(list(one.shape)) if isinstance(one, Tensor) else type(one).__name__ for one in tensors_of(out)]
    return sizes[0] if not isinstance(out, tuple | list) else f"({', '.join(sizes)})"


def _check_apart(networks: Mapping[str, nn.Module]) -> None:
    owners: dict[int, str] = {}
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            if (other := owners.setdefault(id(parameter), name)) != name:
                raise LabError(f"{name}.{key} must be a weight of its own: it is the {other}'s too. Give each network its own layers.")


# Their use.


def per_image(loss: Callable[..., Tensor], x: Tensor, logits: Tensor, mean: Tensor, log_var: Tensor | None) -> Tensor:
    """Somebody's own loss in nats, [N]. Raises LabError for another shape."""
    nats = loss(x, logits, mean, log_var)
    if not isinstance(nats, Tensor) or nats.shape != (len(x),) or (len(x) > 1 and nats.stride(0) == 0):  # one number, repeated
        remedy = "Sum over pixels and latent units, and leave the mean over the images to latentlab."
        remedy = remedy if isinstance(nats, Tensor) else "Does it return its result, as a tensor?"
        raise LabError(f"loss must give one number for each image, [{len(x)}]. Got {sizes(nats)}. {remedy}")
    return nats.float()


class Optimizer:
    """An optimizer as a step of somebody's own calls it."""

    def __init__(self, adam: Adam, step: int, name: str) -> None:
        self.adam, self.at, self.name = adam, step, name
        self.norm: Tensor | None = None  # of the gradient of its last step

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for _, parameter in self.adam.named:
            parameter.grad = None

    def step(self) -> None:
        """Move the weights. Raises LabError for a weight without a gradient, NonFinite."""
        if bare := [name for name, parameter in self.adam.named if parameter.grad is None]:
            remedy = "Call zero_grad() first, then backward() of its loss, then step(); and use each weight in forward."
            raise LabError(f"{self.name}_optimizer.step() found no gradient of {bare[0]}. {remedy}")
        self.norm = moved(self.adam, self.at, self.name)


def given_losses(given: Any, optimizers: Sequence[Optimizer]) -> dict[str, Tensor]:
    """What somebody's own step gave, and the norms of its gradients. Raises LabError for another result than two losses."""
    pair = list(given) if isinstance(given, tuple | list) else []
    if len(pair) != 2 or not all(isinstance(one, Tensor) and one.numel() == 1 for one in pair):
        raise LabError(f"step must return two losses, the discriminator's and the generator's, one number each. Got {sizes(given)}.")
    generator, discriminator = (one.norm for one in optimizers)
    if generator is None or discriminator is None:
        name = "generator" if generator is None else "discriminator"
        raise LabError(f"step must move both networks. It never called {name}_optimizer.step().")
    losses = {name: one.detach().float().reshape(()) for name, one in zip(("discriminator_loss", "generator_loss"), pair, strict=True)}
    return losses | {"gradient_norm": generator, "discriminator_gradient_norm": discriminator}


def seeded(function: Callable[..., Any], seed: int, phases: Sequence[str]) -> Callable[..., Any]:
    """A learner's `run_phase` or `after_phase` with torch's, NumPy's and Python's own generators set by its place, then put back."""

    def run(phase: str, images: Tensor, moment: Moment, *labels: Tensor | None) -> Any:
        states = random.getstate(), np.random.get_state()  # noqa: NPY002 - whatever somebody's code draws from
        with torch.random.fork_rng(devices=[images.device] if images.device.type == "cuda" else []):
            number = seed_for(seed, "own", moment.step, phases.index(phase))
            torch.manual_seed(number)
            random.seed(number)
            np.random.seed(number % 2**32)  # noqa: NPY002
            try:
                return function(phase, images, moment, *labels)
            finally:
                random.setstate(states[0])
                np.random.set_state(states[1])  # noqa: NPY002

    return run
