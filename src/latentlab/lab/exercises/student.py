"""A student's file in a process of its own: it is asked with arrays and answers with arrays. Nothing is judged here.

A message is its length (8 bytes) and an .npz of arrays without pickle, one of which holds the rest as JSON: an operation's name and
its settings, or {"error": where and what}. Networks of the small linear kind, whose every update has a closed form, are made here from
given arrays, and in the judging process from the same ones.

Run as: python -m latentlab.lab.exercises.student FILE BYTES
"""

from __future__ import annotations

import copy
import io
import json
import linecache
import os
import random
import runpy
import struct
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Arrays = dict[str, np.ndarray]
Space = Mapping[str, Any]
HEADER = "json"
LARGEST = 1 << 28  # bytes of a message
MOVED = 0.02  # deviation of what is added to weights
LINE = 200  # characters of an error


def packed(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A message."""
    out = io.BytesIO()
    np.savez(out, **{HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
    return struct.pack("<Q", out.tell()) + out.getvalue()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], Arrays]:
    """The next message. Raises EOFError where there is none, ValueError for what is no message."""
    size = stream.read(8)
    if len(size) < 8:
        raise EOFError
    (count,) = struct.unpack("<Q", size)
    if count > LARGEST:
        raise ValueError("a message that is too large")
    with np.load(io.BytesIO(stream.read(count)), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    if not isinstance(header, dict):
        raise ValueError("a message without a header")
    return header, arrays


# What is asked of a file. Each operation takes the file's names, settings and arrays, and gives more of both.

Answer = tuple[dict[str, Any], Arrays]


def names(space: Space) -> Answer:
    """What the file defines, and its numbers."""
    plain = {name: value for name, value in space.items() if type(value) in (bool, int, float, str)}
    numbers = {name: value for name, value in (space.get("answers") or {}).items() if type(value) in (int, float)}
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

    Its weights are moved a little, so that nothing depends on how they begin (with zeros, say), and multiplied by `scale`. With `of`,
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
            weight.add_(MOVED * torch.randn_like(weight)).mul_(scale)
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

    encoder, decoder = linear_vae(arrays)
    codes: list[torch.Tensor] = []
    decoder.register_forward_pre_hook(lambda _, given: codes.append(given[0].detach().clone()))
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer, after, losses = torch.optim.SGD(weights, rate), [_flat(weights)], []
    torch.manual_seed(seed)
    steps = []
    _before(optimizer, lambda: steps.append(1))
    for images in arrays["images"]:
        (loss,) = _tensors(space["vae_step"](encoder, decoder, optimizer, torch.from_numpy(images.copy())))
        losses.append(_array(loss))
        after.append(_flat(weights))
    found = {f"code{number}": _array(code) for number, code in enumerate(codes)}
    return {"updates": len(steps)}, found | {"weights": np.stack(after), "losses": np.stack(losses)}


def gan_step(space: Space, rates: list[float], mixed: bool, **arrays: np.ndarray) -> Answer:
    """The file's step on the linear GAN of these arrays, once for each of `images` [K, N, 1, 2, 2], with noise in its order.

    Which optimizer stepped (0 generator, 1 discriminator), and both networks' weights before and after each update, and at the end.
    """
    import torch

    generator, discriminator = linear_gan(arrays, mixed)
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

    given = 0
    for images in arrays["images"]:
        out = _tensors(space["step"](generator, discriminator, torch.from_numpy(images.copy()), noise, *optimizers))
        given = len(out) if all(one.numel() == 1 for one in out) else 0
    keep()
    told = {"order": order, "losses": given, "drawn": drawn[0], "training": [net.training for net in nets]}
    return told, {"generator": np.stack(trace[0]), "discriminator": np.stack(trace[1])}


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

    generator = decoder_net(arrays).train()
    codes: list[torch.Tensor] = []
    generator.register_forward_pre_hook(lambda _, given: codes.append(given[0].detach().clone()))
    torch.manual_seed(seed)
    images = space["new_images"](generator, count, latent)
    told = {"training": generator.training, "gradient": bool(images.requires_grad)}
    moved = [_array(value) for name, value in generator.named_buffers() if name.endswith("running_mean")]
    return told, {"images": _array(images), "z": _array(torch.cat(codes)), "running_mean": moved[0]}


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


# The process.


def read(path: Path) -> Space:
    """What a file defines at its top."""
    sys.path.insert(0, str(path.parent))
    return runpy.run_path(str(path), run_name=path.stem)


def answer(space: Space, header: Mapping[str, Any], arrays: Arrays) -> Answer:
    """One operation on a file, every global generator of random numbers set before it."""
    settings = {key: value for key, value in header.items() if key not in ("operation", "aliases")}
    space = {**space, **{name: space[other] for name, other in header.get("aliases", {}).items()}}  # one function in another's place
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - a student may draw from it
    return OPERATIONS[header["operation"]](space, **settings, **arrays)


def blame(error: BaseException, path: Path) -> str:
    """An error with the last line of the student's file that led to it."""
    told = f"{type(error).__name__}: {error}".partition("\n")[0][:LINE]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}, line {error.lineno}: {told}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(path):
            return f"{path.name}, line {frame.lineno}, in {frame.name}: {told}"
    return told


@contextmanager
def quiet() -> Iterator[BinaryIO]:
    """The stream of answers; whatever the file prints goes nowhere."""
    with os.fdopen(os.dup(1), "wb") as out:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield out


def limit(size: int) -> None:
    """Give this process no more memory than so many bytes, where the system can."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, ValueError, OSError):  # Windows; macOS: who started it looks
        pass


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]).resolve()
    limit(int(arguments[1]))
    with quiet() as out:
        import torch

        out.write(packed({"torch": torch.__version__}, {}))  # from now on the time is the student's
        out.flush()
        space: Space | None = None
        while True:
            try:
                header, arrays = read_message(sys.stdin.buffer)
            except EOFError:
                return
            try:
                linecache.checkcache(str(path))
                space = space if space is not None else read(path)
                told = packed(*answer(space, header, arrays))
            except (Exception, SystemExit) as error:
                told = packed({"error": blame(error, path)}, {})
            out.write(told)
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
