"""Parts of somebody's own, tried on an example batch before the first step: each thing that is wrong is said in one line."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from latentlab.base.errors import LabError, refusal
from latentlab.base.seeding import torch_generator
from latentlab.base.texts import reason
from latentlab.config import PENALTIES
from latentlab.config.layers import Shape
from latentlab.config.schema import Config
from latentlab.models import build
from latentlab.models.described import INNER, Form, Refer, described
from latentlab.models.learner import Learner, Moment
from latentlab.models.nets import values_of
from latentlab.models.optimiser import Compute
from latentlab.models.own import DRAWING, EXAMPLES, FUNCTIONS, Own, example, sizes, tensors_of, theirs, tried

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


def check(config: Config, shape: Shape, own: Own, images: Tensor, refer: Refer) -> dict[str, Form]:
    """Try every part on an example batch uint8 [N, H, W, C]; their forms. Raises LabError for the first thing that is wrong."""
    images, tried = images[:EXAMPLES], own.copied()
    inputs = {"z": torch.randn(len(images), config.model.latent_dim, generator=torch_generator("cpu", config.train.seed, "example"))}
    inputs["x"] = values_of(shape).seen(images)
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
    learner, later = begun(), begun()
    size = learner.images_per_step
    images = images.repeat(-(-size // len(images)), 1, 1, 1)[:size]
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
    out = tried(name, network.train(), given)  # also makes what is built lazily
    wanted: list[list[tuple[int, ...]]] = [[(channels, height, width)]]  # each way of giving it: the shapes of its tensors
    if name == "encoder":
        wanted = [[(size,), (size,)], [(2 * size,)]] if config.family == "vae" else [[(size,)]]
    elif name == "discriminator":
        wanted = [[()], [(1,)]]
    _check_output(name, network, given, out, wanted, config)
    if name != "encoder":
        _check_range(name, out)
    penalties = [penalty for penalty in PENALTIES if getattr(config.train, penalty, 0)] if name == "discriminator" else []
    if penalties and any(map(_mixes, network.modules())):
        raise refusal(f"train.{penalties[0]}", reason("must.r1"), getattr(config.train, penalties[0]))
    form = described(network, refer, name)
    tried(name, network, given[: max(1, len(given) // 2)])  # of another batch size
    if changed := _difference(form, described(network, refer, name), name):
        remedy = "Use self.register_buffer for what it must remember, a local variable for the rest."
        raise LabError(f"{changed} changes in forward, outside the buffers, so that no checkpoint holds it. {remedy}")
    once, again = (tensors_of(tried(name, network.eval(), given)) for _ in range(2))
    if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
        raise LabError(f"{name} gives two outputs for one input in evaluation mode. F.dropout needs training=self.training.")
    return form


def _mixes(layer: nn.Module) -> bool:
    return isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)


def _check_output(name: str, network: nn.Module, given: Tensor, out: Any, wanted: list[list[tuple[int, ...]]], config: Config) -> None:
    ways = [[(len(given), *shape) for shape in way] for way in wanted]
    shapes = [tuple(one.shape) if isinstance(one, Tensor) else None for one in tensors_of(out)]
    if shapes not in ways or isinstance(out, Tensor) != (len(shapes) == 1):
        must_be = " or ".join(", ".join(str(list(shape)) for shape in way) for way in ways)
        if name == "encoder" and len(ways) == 2:
            must_be = f"mean and log-variance, {list(ways[0][0])} each, or {list(ways[1][0])}"
        last = [path for path, layer in network.named_modules() if path and not list(layer.children())]
        remedy = f"Its last layer is {last[-1]}: {network.get_submodule(last[-1])}." if last else ""
        if name in ("encoder", *DRAWING):
            remedy += f" model.latent_dim is {config.model.latent_dim}."
        raise LabError(f"{name} must give {must_be} for {list(given.shape)}. Got {sizes(out)}. {remedy}")
    for one in tensors_of(out):
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
