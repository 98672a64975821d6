"""What is asked of a student's file, in the process in which it runs.

Networks of the small linear kind, whose every update has a closed form, are made here from given arrays, and in the judging process
from the same ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Space = Mapping[str, Any]
Answer = tuple[dict[str, Any], Arrays]
MOVED = 0.02  # deviation of what is added to weights

# What is asked of a file. Each operation takes the file's names, settings and arrays, and gives more of both.


def names(space: Space) -> Answer:
    """What the file defines, and its numbers."""
    plain = {name: value for name, value in space.items() if type(value) in (bool, int, float, str)}
    numbers: dict[str, float] = {}
    for name, value in (space.get("answers") or {}).items():
        with suppress(TypeError, ValueError, OverflowError):
            numbers[name] = float(value)  # also NumPy's and torch's
    return {"names": [name for name in space if not name.startswith("__")], "settings": plain, "answers": numbers}, {}


def call(space: Space, function: str, seed: int, of: int | None, **arrays: np.ndarray) -> Answer:
    """A function of float32 arrays: what it gives as out0, out1 …; the derivative of the sum of result `of` by each argument."""
    import torch

    torch.manual_seed(seed)
    given = {name: torch.from_numpy(value).requires_grad_(of is not None) for name, value in arrays.items()}
    out = _tensors(space[function](*given.values()))
    found = {f"out{number}": _array(one) for number, one in enumerate(out)}
    if of is not None:
        slopes = _slopes(out[of].sum(), list(given.values()))
        found |= {f"by_{name}": _array(slope) for name, slope in zip(given, slopes, strict=True) if slope is not None}
    return {}, found


def network(space: Space, part: str, seed: int, train: bool, scale: float, of: int | None, **arrays: np.ndarray) -> Answer:
    """A network that the file defines, made anew with a seed: what it gives for each array in turn.

    Weights that are all alike are moved a little, so that nothing depends on a start at zero; all are multiplied by `scale`. With `of`,
    also the derivatives of result `of` of the first array, each of its numbers weighted at random: by that array (`by_input`), and the
    largest by each weight (`by_weights`); `strays` are the shapes of tensors that learn and belong to no layer.
    """
    import torch

    torch.manual_seed(seed)
    made = _made(space[part])
    given = [torch.from_numpy(value).requires_grad_(of is not None) for value in arrays.values()]
    made.eval()(given[0])  # what is built lazily
    with torch.no_grad():
        for weight in made.parameters():
            if bool((weight == weight.flatten()[0]).all()):  # not at random: zeros, say
                weight.add_(MOVED * torch.randn_like(weight))
            weight.mul_(scale)
    made.train(train)
    results = [_tensors(made(one)) for one in given]
    found = {f"out{number}_{at}": _array(one) for number, out in enumerate(results) for at, one in enumerate(out)}
    weights: list[str] = []
    strays: list[str] = []
    if of is not None:
        out = results[0][of]
        total = (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(seed))).sum()
        named = {name: weight for name, weight in made.named_parameters() if weight.requires_grad}
        slopes = _slopes(total, [given[0], *named.values()])
        weights, known = list(named), {id(given[0]), *map(id, made.parameters())}
        strays = [str(list(leaf.shape)) for leaf in _leaves(total) if id(leaf) not in known]
        found["by_weights"] = np.array([0.0 if slope is None else float(slope.abs().max()) for slope in slopes[1:]])
        if slopes[0] is not None:
            found["by_input"] = _array(slopes[0])
    return {"weights": weights, "strays": strays}, found


def vae_step(space: Space, rate: float, seed: int, **arrays: np.ndarray) -> Answer:
    """The file's step on the linear VAE of these arrays, once for each of `images` [K, N, 1, 2, 2]: codes, weights after each, losses."""
    import torch

    encoder, decoder = map(_recorded, linear_vae(arrays))
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer, after, losses = torch.optim.SGD(weights, rate), [_flat(weights)], []
    torch.manual_seed(seed)
    steps = []
    _before(optimizer, lambda: steps.append(1))
    found, modes = {}, []
    for number, images in enumerate(arrays["images"]):
        (loss,) = _tensors(space["vae_step"](encoder, decoder, optimizer, torch.from_numpy(images.copy())))
        losses.append(_array(loss))
        after.append(_flat(weights))
        found[f"code{number}"] = decoder.seen.codes()
        modes += [mode for network in (encoder, decoder) for _, mode, _ in network.seen]
        decoder.seen.clear()
    told = {"updates": len(steps), "training": [encoder.training, decoder.training, *modes]}
    return told, found | {"weights": np.stack(after), "losses": np.stack(losses)}


def gan_step(space: Space, rates: list[float], mixed: bool, **arrays: np.ndarray) -> Answer:
    """The file's step on the linear GAN of these arrays, once for each of `images` [K, N, 1, 2, 2], with noise in its order.

    Which optimizer stepped (0 generator, 1 discriminator), and both networks' weights before and after each update, and at the end.
    """
    import torch

    generator, discriminator = map(_recorded, linear_gan(arrays, mixed))
    noises: Iterator[torch.Tensor] = iter(torch.from_numpy(arrays["noise"]))
    nets = [generator, discriminator]
    order: list[int] = []
    trace: list[list[np.ndarray]] = [[], []]
    optimizers = [torch.optim.SGD(net.parameters(), rate) for net, rate in zip(nets, rates, strict=True)]

    def keep(*_: Any) -> None:
        for kept, net in zip(trace, nets, strict=True):
            kept.append(_flat(net.parameters()))

    for which, optimizer in enumerate(optimizers):
        _before(optimizer, partial(order.append, which))
        _before(optimizer, keep)
        optimizer.register_step_post_hook(keep)
    drawn = [0]

    def noise(count: int = len(arrays["images"][0])) -> torch.Tensor:
        drawn[0] += 1
        return next(noises)[:count].clone()

    losses = []
    for images in arrays["images"]:
        out = _tensors(space["step"](generator, discriminator, torch.from_numpy(images.copy()), noise, *optimizers))
        losses.append(np.concatenate([_array(one).ravel() for one in out]))
    keep()
    modes = [mode for net in nets for _, mode, _ in net.seen]
    told = {"order": order, "drawn": drawn[0], "training": [net.training for net in nets] + modes}
    return told, {"losses": np.stack(losses), "generator": np.stack(trace[0]), "discriminator": np.stack(trace[1])}


def generator_from(space: Space, rate: float, **arrays: np.ndarray) -> Answer:
    """What the file makes of a decoder of these arrays: both on z, and both again after the generator alone was moved."""
    import torch

    decoder = decoder_net(arrays)
    decoder.eval()
    for weight in decoder.parameters():
        weight.requires_grad_(False)  # as it may be after its own training
    generator = space["generator_from"](decoder)
    z = torch.from_numpy(arrays["z"])
    told = {"training": generator.training, "learns": [weight.requires_grad for weight in generator.parameters()]}
    before = decoder(z).clone()
    made = copy.deepcopy(generator).eval()(z)
    free = [weight for weight in generator.parameters() if weight.requires_grad]
    if free:
        generator(z).square().sum().backward()
        torch.optim.SGD(free, rate).step()
    found = {"decoder": before, "generator": made, "decoder_after": decoder.eval()(z), "generator_after": generator.eval()(z)}
    return told, {name: _array(one) for name, one in found.items()}


def new_images(space: Space, count: int, latent: int, seed: int, **arrays: np.ndarray) -> Answer:
    """Images that the file draws from a generator of these arrays, the z that it was given, and its mode before and after."""
    import torch

    generator = _recorded(decoder_net(arrays)).train()
    torch.manual_seed(seed)
    images = space["new_images"](generator, count, latent)
    codes = generator.seen.codes()
    told = {"training": generator.training, "gradient": bool(images.requires_grad)}
    told["learns"] = all(weight.requires_grad for weight in generator.parameters())
    moved = [_array(value) for name, value in generator.named_buffers() if name.endswith("running_mean")]
    again = space["new_images"](generator.eval(), count, latent)
    told["left"] = not generator.training
    return told, {"images": _array(images), "z": codes, "running_mean": moved[0], "again": _array(again)}


# Small networks of given arrays.


def linear_vae(arrays: Arrays) -> tuple[Any, Any]:
    """An encoder (images [N, 1, 2, 2] to mean and log-variance [N, Z]) and a decoder (z to logits), linear both."""
    import torch
    from torch import nn

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.log_var = _linear(arrays["mean"]), _linear(arrays["log_var"])

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.mean(x.flatten(1)), self.log_var(x.flatten(1))

    return Encoder(), nn.Sequential(_linear(arrays["decoder"]), nn.Unflatten(1, (1, 2, 2)))


def linear_gan(arrays: Arrays, mixed: bool) -> tuple[Any, Any]:
    """A generator (z to logits [N, 1, 2, 2]) and a discriminator (images to a logit [N, 1]), linear; `mixed`: with batch norm first."""
    from torch import nn

    norm = [nn.BatchNorm1d(4, affine=False)] if mixed else []
    generator = nn.Sequential(_linear(arrays["generator"]), nn.Unflatten(1, (1, 2, 2)))
    return generator, nn.Sequential(nn.Flatten(), *norm, _linear(arrays["discriminator"]))


def decoder_net(arrays: Arrays) -> Any:
    """z to logits [N, 1, 2, 2] with batch norm, whose means and variances are not those of any batch."""
    import torch
    from torch import nn

    norm = nn.BatchNorm1d(len(arrays["first"]))
    with torch.no_grad():
        assert norm.running_mean is not None  # noqa: S101 - it tracks them
        assert norm.running_var is not None  # noqa: S101
        norm.running_mean.copy_(torch.from_numpy(arrays["running_mean"]))
        norm.running_var.copy_(torch.from_numpy(arrays["running_var"]))
    return nn.Sequential(_linear(arrays["first"]), norm, nn.ELU(), _linear(arrays["second"]), nn.Unflatten(1, (1, 2, 2)))


class Seen(list[tuple[np.ndarray, bool, bool]]):
    """What a network was given, whether in training mode, whether gradients were kept: one list, also of its copies."""

    def __deepcopy__(self, _: Any) -> Seen:
        return self

    def codes(self) -> np.ndarray:
        """All that was given where something was learned from it, else (where images are drawn) all."""
        learned = [given for given, _, kept in self if kept]
        return np.concatenate(learned or [given for given, *_ in self])


def _recorded(network: Any) -> Any:
    """A network around another one that keeps what it `seen`; also what it is given by `forward` alone."""
    from torch import Tensor, is_grad_enabled, nn

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.seen = network, Seen()

        def forward(self, x: Tensor) -> Any:
            self.seen.append((_array(x), self.training, is_grad_enabled()))
            return self.inner(x)

    return Recorder()


def _linear(weights: np.ndarray) -> Any:
    """A dense layer of [outputs, inputs + 1], the last column its bias."""
    import torch
    from torch import nn

    layer = nn.Linear(weights.shape[1] - 1, len(weights))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights[:, :-1].copy()))
        layer.bias.copy_(torch.from_numpy(weights[:, -1].copy()))
    return layer


def _made(part: Any) -> Any:
    from torch import nn

    made = copy.deepcopy(part) if isinstance(part, nn.Module) else part()
    if not isinstance(made, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed here. Got {type(made).__name__}")
    return made


def _slopes(total: Any, by: list[Any]) -> list[Any]:
    """The derivatives of a number; None by what it does not depend on, or not for autograd."""
    import torch

    return list(torch.autograd.grad(total, by, allow_unused=True)) if total.requires_grad else [None] * len(by)


def _leaves(total: Any) -> list[Any]:
    """The tensors that a number's gradient would reach."""
    seen, waiting, leaves = set[Any](), [total.grad_fn], []
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            leaves += [node.variable] if hasattr(node, "variable") else []
            waiting += [inner for inner, _ in node.next_functions]
    return leaves


def _before(optimizer: Any, tell: Callable[[], object]) -> None:
    """Be told before each update of an optimizer."""
    optimizer.register_step_pre_hook(lambda *_: tell() and None)


def _tensors(out: Any) -> list[Any]:
    import torch

    if out is None:
        raise TypeError("it returned None: is `return` missing?")
    each = list(out) if isinstance(out, tuple | list) else [out]
    return [one if isinstance(one, torch.Tensor) else torch.tensor(float(one)) for one in each]


def _array(tensor: Any) -> np.ndarray:
    array: np.ndarray = tensor.detach().numpy().copy()
    return array


def _flat(weights: Any) -> np.ndarray:
    return np.concatenate([_array(weight).ravel() for weight in weights])


OPERATIONS: dict[str, Callable[..., Answer]] = {
    operation.__name__: operation for operation in (names, call, network, vae_step, gan_step, generator_from, new_images)
}
