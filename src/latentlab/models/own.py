"""Networks, a loss and a GAN's step of somebody's own: what they take and give, how they are checked, how they are used.

| part | takes | gives |
|---|---|---|
| `encoder` | images [N, C, H, W] in [0, 1] | AE: code [N, Z]. VAE: (mean, log-variance), each [N, Z], or both side by side [N, 2Z] |
| `decoder`, `generator` | z [N, Z] | logits [N, C, H, W]; the image is their sigmoid |
| `discriminator` | images [N, C, H, W] in [0, 1] | a logit for each image, [N] or [N, 1], large for real |
| `loss` (AE, VAE) | images x [N, C, H, W], logits [N, C, H, W], mean [N, Z], log_var [N, Z] (AE: None) | nats per image [N] |
| `step` (GAN) | generator, discriminator, x [M, C, H, W], noise, generator_optimizer, discriminator_optimizer | both losses |

A step gives the discriminator's loss, then the generator's. In it `noise(count)` draws z [count, Z], other ones at each call, and an
optimizer has `zero_grad()` and `step()`. A network is a torch module, or a class or function without arguments that makes one, which
then starts from the run's seed. It is copied: the one that was given stays as it is.
"""

from __future__ import annotations

import copy
import random
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import is_installed
from latentlab.base.seeding import seed_for, torch_generator
from latentlab.base.texts import reason
from latentlab.config.layers import Shape
from latentlab.config.parts import OWN
from latentlab.config.schema import Config
from latentlab.models.described import INNER, Form, Refer, described
from latentlab.models.learner import Learner, Moment, moved
from latentlab.models.nets import to_unit
from latentlab.models.optimiser import Adam, Compute

DRAWING, FUNCTIONS = ("decoder", "generator"), ("loss", "step")
EXAMPLES = 8  # images of the batch with which parts are tried
SQUASHED = {
    "HardsigmoidBackward0": "a hard sigmoid",
    "SoftplusBackward0": "softplus",
    "LogSigmoidBackward0": "the logarithm of a sigmoid",
    "AbsBackward0": "an absolute value",
    "SigmoidBackward0": "a sigmoid",
    "TanhBackward0": "tanh",
    "ReluBackward0": "ReLU",
    "SoftmaxBackward0": "softmax",
    "ClampBackward1": "clamp",
}
SCALED = ("Mul", "Add", "Sub", "Div", "Neg", "Rsub")
RESHAPED = ("View", "UnsafeView", "Reshape", "Unflatten", "Squeeze", "Unsqueeze", "Permute", "Transpose", "Clone", "T")


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
                _tried(name, networks[name].eval(), example(name, config, shape))  # makes what is built lazily, and moves nothing else
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


# The check.


def check(config: Config, shape: Shape, own: Own, images: Tensor, refer: Refer) -> dict[str, Form]:
    """Try every part on an example batch uint8 [N, H, W, C]; their forms. Raises LabError for the first thing that is wrong."""
    from latentlab.models import build

    images, tried = images[:EXAMPLES], own.copied()
    inputs = {"z": torch.randn(len(images), config.model.latent_dim, generator=torch_generator("cpu", config.train.seed, "example"))}
    inputs["x"] = to_unit(images)
    forms: dict[str, Form] = {}
    for name, network in tried.networks.items():
        with torch.random.fork_rng(devices=[]):
            forms[name] = _check_network(name, network, inputs["z" if name in DRAWING else "x"], config, shape, refer)
    for name in FUNCTIONS:
        if (function := getattr(own, name)) is not None:
            try:
                forms[name] = refer(function)
            except LabError as error:
                raise LabError(f"{name}: {error}") from None
    with theirs("an example batch was learned from"):
        try:
            _check_course(partial(build, config, shape, torch.device("cpu"), False, own), images)
        except LabError as error:
            raise LabError(re.sub(rf"\b({'|'.join(own.networks) or '^'})\.layers\.", r"\1.", str(error))) from error.__cause__
    return forms


def _check_course(begun: Callable[[], Learner], images: Tensor) -> None:
    """Two updates, and the second one again from what a checkpoint holds after the first, come to the same."""
    learner, later, size = begun(), begun(), len(images)
    learner.update(images, Moment(0, 0))
    kept = {name: value.clone() for name, value in learner.tensors().items()}
    learner.update(images, Moment(1, size))
    learner.held_out(images, 0, 0)  # which computes without gradients
    later.load_tensors(kept)
    later.update(images, Moment(1, size))
    again = later.tensors()
    if odd := [name for name, value in learner.tensors().items() if not torch.equal(value, again[name])]:
        remedy = "Is there a global variable, a class attribute or a random generator of its own? A checkpoint holds weights and buffers."
        raise LabError(f"{odd[0]} comes out otherwise when training is resumed: its update depends on something that is not kept. {remedy}")


def _check_network(name: str, network: nn.Module, given: Tensor, config: Config, shape: Shape, refer: Refer) -> Form:
    size, (height, width, channels) = config.model.latent_dim, shape
    out = _tried(name, network.train(), given)  # also makes what is built lazily
    wanted: list[tuple[int, ...]] = [(channels, height, width)]
    if name == "encoder":
        wanted = [(size,), (2 * size,)] if config.family == "vae" else [(size,)]
    elif name == "discriminator":
        wanted = [(), (1,)]
    _check_output(name, network, given, out, wanted, config)
    if name != "encoder":
        _check_range(name, out)
    if name == "discriminator" and config.values().get("train.r1_weight") and any(map(_mixes, network.modules())):
        raise refusal("train.r1_weight", reason("must.r1"), config.values()["train.r1_weight"])
    form = described(network, refer, name)
    _tried(name, network, given[: len(given) // 2])  # of another batch size
    if changed := _difference(form, described(network, refer, name), name):
        remedy = "Use self.register_buffer for what it must remember, a local variable for the rest."
        raise LabError(f"{changed} changes in forward, outside the buffers, so that no checkpoint holds it. {remedy}")
    once, again = (_tensors(_tried(name, network.eval(), given)) for _ in range(2))
    if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
        raise LabError(f"{name} gives two outputs for one input in evaluation mode. F.dropout needs training=self.training.")
    return form


def _mixes(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)


def _tried(name: str, network: nn.Module, given: Tensor) -> Any:
    """What a network gives; an error is told with the layer in which it arose, and what that was given."""
    inside: list[str] = []  # the layers that are computing, outermost first

    def watch(layer: nn.Module, path: str) -> list[Any]:
        def enter(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            inside.append(f"{name}.{path} was given {_sizes(inputs[0])}" if path and inputs else "")

        return [layer.register_forward_pre_hook(enter), layer.register_forward_hook(lambda *_: (inside.pop(), None)[1])]

    handles = [handle for path, layer in network.named_modules() for handle in watch(layer, path)]
    try:
        with theirs(f"{name} was given {_sizes(given)}"):
            return network(given)
    except LabError as error:
        at = inside[-1] if inside else ""
        raise LabError(f"{error} ({at})" if at else str(error)) from error.__cause__
    finally:
        for handle in handles:
            handle.remove()


def _tensors(out: Any) -> list[Tensor]:
    return list(out) if isinstance(out, tuple | list) else [out]


def _sizes(out: Any) -> str:
    sizes = [str(list(one.shape)) if isinstance(one, Tensor) else type(one).__name__ for one in _tensors(out)]
    return sizes[0] if not isinstance(out, tuple | list) else f"({', '.join(sizes)})"


def _check_output(name: str, network: nn.Module, given: Tensor, out: Any, wanted: Sequence[tuple[int, ...]], config: Config) -> None:
    count = len(given)
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else None for one in _tensors(out)]
    pair = isinstance(out, tuple | list)
    good = (
        shapes == [(count, *wanted[0])] * 2
        if pair and len(wanted) == 2 and name == "encoder"
        else not pair and shapes[0] in [(count, *one) for one in (wanted[1:] if name == "encoder" and len(wanted) == 2 else wanted)]
    )
    if not good:
        must_be = " or ".join(str([count, *one]) for one in wanted)
        if name == "encoder" and len(wanted) == 2:
            must_be = f"mean and log-variance, {[count, *wanted[0]]} each, or {[count, *wanted[1]]}"
        last = [path for path, layer in network.named_modules() if path and not list(layer.children())]
        remedy = f"Its last layer is {last[-1]}: {network.get_submodule(last[-1])}." if last else ""
        if name in ("encoder", *DRAWING):
            remedy += f" model.latent_dim is {config.model.latent_dim}."
        raise LabError(f"{name} must give {must_be} for {list(given.shape)}. Got {_sizes(out)}. {remedy}")
    for one in _tensors(out):
        if one.dtype != torch.float32 or not bool(one.isfinite().all()):
            odd = int((~one.isfinite()).sum())
            raise LabError(f"{name} must give finite float32. Got {str(one.dtype)[6:]}, {odd} of {one.numel()} not finite.")


def _check_range(name: str, out: Tensor) -> None:
    """Logits have both signs: what squashes them last is told by its operation, whatever the values happen to be."""
    made, (low, high) = out.grad_fn, out.detach().aminmax()
    passed = (*RESHAPED, *SCALED) if low >= 0 or high <= 0 else RESHAPED  # scaled on purpose, it has both signs
    while made is not None and re.sub(r"Backward\d*$", "", made.name()) in passed:
        made = made.next_functions[0][0]
    if made is not None and made.name() in SQUASHED:
        remedy = "Leave it out: the sigmoid is taken where the loss is." if "Sigmoid" in made.name() else "Leave it out."
        raise LabError(
            f"{name} must give logits, of both signs. Got {low:.3g} to {high:.3g}, from {SQUASHED[made.name()]} at its end. {remedy}"
        )


def _difference(one: Any, other: Any, path: str) -> str | None:
    """Where two forms differ first."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            inner = path if key in ("attributes", "modules", "parameters", "buffers", "list", "tuple", "dict", "holds") else f"{path}.{key}"
            if key not in one or key not in other:
                return inner
            if found := _difference(one[key], other[key], inner):
                return found
        return None
    return None if one == other else path


def _check_apart(networks: Mapping[str, nn.Module]) -> None:
    owners: dict[int, str] = {}
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            if (other := owners.setdefault(id(parameter), name)) != name:
                raise LabError(f"{name}.{key} must be a weight of its own: it is the {other}'s too. Give each network its own layers.")


def computes_narrow(config: Config, shape: Shape, own: Own) -> bool:
    """Whether somebody's own parts can take part in computing in bf16. A GAN's networks are cast as they compute, but for its step."""
    if config.family == "gan":
        return own.step is None
    return all(narrow(network, example(name, config, shape)) for name, network in own.networks.items())


def narrow(network: nn.Module, example: Tensor) -> bool:
    """Whether a network of somebody's own can compute in bf16 copies: each weight belongs to one layer, which is called as such."""
    every, apart = (list(network.named_parameters(remove_duplicate=flag)) for flag in (False, True))
    if len(every) != len(apart) or any(map(is_parametrized, network.modules())):
        return False
    held = [value for layer in network.modules() for key, value in vars(layer).items() if key not in INNER]
    if any(map(_reaches, held)):
        return False
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            Compute(copy.deepcopy(network), bf16=True).begin()(example)
    except Exception:
        return False
    return True


def _reaches(value: Any) -> bool:
    """Whether an attribute leads to a layer by another way than the module's own."""
    if isinstance(value, list | tuple | dict | set):
        return any(map(_reaches, value.values() if isinstance(value, dict) else value))
    return isinstance(value, nn.Module | MethodType)


# Their use.


def per_image(loss: Callable[..., Tensor], x: Tensor, logits: Tensor, mean: Tensor, log_var: Tensor | None) -> Tensor:
    """Somebody's own loss in nats, [N]. Raises LabError for another shape."""
    nats = loss(x, logits, mean, log_var)
    if not isinstance(nats, Tensor) or nats.shape != (len(x),) or (len(x) > 1 and nats.stride(0) == 0):  # one number, repeated
        remedy = "Sum over pixels and latent units, and leave the mean over the images to latentlab."
        remedy = remedy if isinstance(nats, Tensor) else "Does it return its result, as a tensor?"
        raise LabError(f"loss must give one number for each image, [{len(x)}]. Got {_sizes(nats)}. {remedy}")
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
        raise LabError(f"step must return two losses, the discriminator's and the generator's, one number each. Got {_sizes(given)}.")
    generator, discriminator = (one.norm for one in optimizers)
    if generator is None or discriminator is None:
        name = "generator" if generator is None else "discriminator"
        raise LabError(f"step must move both networks. It never called {name}_optimizer.step().")
    losses = {name: one.detach().float().reshape(()) for name, one in zip(("discriminator_loss", "generator_loss"), pair, strict=True)}
    return losses | {"gradient_norm": generator, "discriminator_gradient_norm": discriminator}


def seeded(function: Callable[..., Any], seed: int, phases: Sequence[str]) -> Callable[..., Any]:
    """A learner's `run_phase` or `after_phase` with torch's, NumPy's and Python's own generators set by its place, then put back."""

    def run(phase: str, images: Tensor, moment: Moment) -> Any:
        states = random.getstate(), np.random.get_state()  # noqa: NPY002 - whatever somebody's code draws from
        with torch.random.fork_rng(devices=[images.device] if images.device.type == "cuda" else []):
            number = seed_for(seed, "own", moment.step, phases.index(phase))
            torch.manual_seed(number)
            random.seed(number)
            np.random.seed(number % 2**32)  # noqa: NPY002
            try:
                return function(phase, images, moment)
            finally:
                random.setstate(states[0])
                np.random.set_state(states[1])  # noqa: NPY002

    return run
