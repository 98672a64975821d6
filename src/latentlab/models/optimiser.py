"""Adam (Kingma & Ba 2015) by torch's fused kernel, its state in plain tensors that are saved and restored like weights.

`torch.optim.Adam` does the same arithmetic, but its bookkeeping at each step (hooks, groups, profiler records) takes as
long as the kernel itself on a small network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim.adam import adam

from latentlab.config.parts import TrainConfig

EPSILON = 1e-8


def rate_scale(train: TrainConfig, images_seen: int) -> float:
    """What a learning rate is multiplied by after so many training images: warm-up x cosine x half-life, each 1 where there is none.

    It rises linearly from 0 (Goyal et al. 2017, 2.2) and falls as half a cosine from 1 to `rate_final`, where it stays (Loshchilov &
    Hutter 2017, eq. 5, without restarts), or by half in each half-life. All count from the first image on, not from each other.
    """
    warmup, decay, halflife = train.rate_warmup_images, train.rate_decay_images, train.rate_halflife_images
    scale = 0.5 ** (images_seen / halflife) if halflife else 1.0
    if warmup:
        scale *= min(1.0, images_seen / warmup)
    if decay:
        scale *= train.rate_final + (1.0 - train.rate_final) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, images_seen / decay)))
    return scale


class Adam:
    """Updates `named` parameters from their gradients; `learning_rate` may be changed at any time, a schedule multiplies it."""

    def __init__(self, named: Sequence[tuple[str, nn.Parameter]], learning_rate: float, train: TrainConfig) -> None:
        self.named, self.train = list(named), train
        self.learning_rate, self.betas = learning_rate, (train.adam_beta1, train.adam_beta2)
        self.scale = 1.0
        self._parameters: list[Tensor] = [parameter for _, parameter in self.named]
        self._means = [torch.zeros_like(p) for p in self._parameters]
        self._squares = [torch.zeros_like(p) for p in self._parameters]
        self._steps = [torch.zeros((), device=p.device) for p in self._parameters]

    def corrections(self, step: int) -> tuple[float, float]:
        """The rate of its `step`-th update (from 1) over the first moment's bias correction, and the root of the second one's."""
        first, second = (1.0 - beta**step for beta in self.betas)
        return self.learning_rate * self.scale / first, second**0.5

    def schedule(self, images_seen: int) -> None:
        """Take the rate that there is after so many training images."""
        self.scale = rate_scale(self.train, images_seen)

    @torch.no_grad()
    def clip(self, norm: Tensor) -> None:
        """Bring gradients of this norm [] to at most that of the configuration (Pascanu et al. 2013, algorithm 1)."""
        if self.train.gradient_clip:
            gradients = [p.grad for p in self._parameters if p.grad is not None]
            torch._foreach_mul_(gradients, (self.train.gradient_clip / norm).clamp(max=1.0))

    @torch.no_grad()
    def step(self) -> None:
        """One update. Every parameter must have its gradient."""
        adam(
            self._parameters,
            [p.grad for p in self._parameters if p.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.learning_rate * self.scale,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """The moments and step counts, by parameter."""
        tensors: dict[str, Tensor] = {}
        for (name, _), mean, square, step in zip(self.named, self._means, self._squares, self._steps, strict=True):
            tensors |= {f"{name}.mean": mean, f"{name}.square": square, f"{name}.step": step}
        return tensors


# The exponential moving average of a network's weights, from which everything is sampled.


def apart(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network, tied weights once."""
    first: dict[int, str] = {}
    state = network.state_dict(keep_vars=True)  # else each is a new object
    return {name: value.detach() for name, value in state.items() if first.setdefault(id(value), name) == name}


def put_back(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """The reverse of `apart`. Raises what `load_state_dict` raises for other names and shapes."""
    first: dict[int, str] = {}
    tied = {name: first.setdefault(id(value), name) for name, value in network.state_dict(keep_vars=True).items()}
    again = {name: tensors[as_] for name, as_ in tied.items() if as_ != name and as_ in tensors}
    network.load_state_dict({**tensors, **again})


STRIDE = 4  # steps between two averagings of a small network: each costs as much as one of its layers
RAMP = 0.1  # the half-life is at most this share of the images seen, so that the first weights are soon forgotten


class Average:
    """An averaged copy of a network, parameters and buffers alike (a copy without buffers samples with stale batch norm).

    The decay over B images is 0.5^(B / half-life); the half-life rises with the images seen (Karras et al. 2022, EDM).
    Without averaging (half-life 0) `network` is the trained network itself.
    """

    def __init__(self, network: nn.Module, halflife_images: int, every: int = 1) -> None:
        self.source = network
        self.halflife_images = halflife_images
        self.every = every  # steps between two updates
        self.network = copy.deepcopy(network) if halflife_images else network
        self._pairs: tuple[list[Tensor], list[Tensor]] | None = None

    @property
    def active(self) -> bool:
        """Whether there is a copy."""
        return self.network is not self.source

    @torch.no_grad()
    def update(self, steps: int, images: int, images_seen: int) -> None:
        """Move the copy towards the network after `steps` steps and `images_seen` images, `images` of them in the last."""
        if not (weight := self.weight(steps, images, images_seen)):
            return
        if self._pairs is None:  # state_dict() costs more than the arithmetic, and its tensors stay the same objects
            mine, theirs = apart(self.network), apart(self.source)
            floats = [name for name, value in mine.items() if value.is_floating_point()]
            self._pairs = [mine[name] for name in floats], [theirs[name] for name in floats]
        torch._foreach_lerp_(self._pairs[0], self._pairs[1], weight)
        for (_, mine_), (_, theirs_) in zip(self.network.named_buffers(), self.source.named_buffers(), strict=True):
            if not mine_.is_floating_point():
                mine_.copy_(theirs_)

    def weight(self, steps: int, images: int, images_seen: int) -> float:
        """How far the copy goes towards the network after `steps` steps: 0 where it stays."""
        if not self.active or steps % self.every:
            return 0.0
        halflife = min(float(self.halflife_images), RAMP * images_seen)
        return 1.0 - 0.5 ** (self.every * images / halflife) if halflife > 0 else 1.0

    def sampler(self) -> nn.Module:
        """The network to sample from, in evaluation mode."""
        return self.network.eval()


# Computing in bf16 with fp32 weights, where it pays.
#
# Autocast casts every weight, bias and gradient by an operation of its own, each recorded for the backward pass; in a small
# network that costs as much as its arithmetic. Here bf16 copies of the large layers compute; all weights go in and all
# gradients come out in one call each. Weights, optimiser, normalisation and objectives stay in fp32.

WORTHWHILE = 2**15  # weights: a smaller product is over before bf16 has been prepared (measured with oneDNN)


class Typed(nn.Module):
    """A layer that takes any floating type and computes in that of its weights."""

    def __init__(self, layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.to(self.layer.weight.dtype))
        return out


class Cast(nn.Module):
    """A layer whose weights are computed, blurred ones or those of a spectral norm: in fp32, and cast as they come."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            out: Tensor = self.layer(x)
        return out


class Compute:
    """A network as it computes: itself in fp32, or a copy whose large dense and convolutional layers are bf16.

    Everything else in the copy, small layers, those whose weights are computed and normalisation, is the very same module as in the
    network.
    """

    def __init__(self, network: nn.Module, bf16: bool) -> None:
        self.source = network
        self.network = copy.deepcopy(network) if bf16 else network
        self._pairs: list[tuple[Tensor, Tensor]] = []
        for (name, mine), theirs in zip(list(self.network.named_modules()) if bf16 else [], network.modules(), strict=bf16):
            if is_parametrized(mine):
                self.network.set_submodule(name, Cast(theirs))
            elif isinstance(mine, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                if isinstance(mine, nn.Linear) and mine.weight.numel() < WORTHWHILE:
                    self.network.set_submodule(name, Typed(theirs))  # type: ignore[arg-type]
                    continue
                self._pairs += zip(theirs.parameters(), mine.to(torch.bfloat16).parameters(), strict=True)
                self.network.set_submodule(name, Typed(mine))
            elif isinstance(mine, nn.BatchNorm1d | nn.BatchNorm2d):
                self.network.set_submodule(name, theirs)
            else:  # somebody's own layer
                mine._parameters, mine._buffers = theirs._parameters, theirs._buffers
        self._masters = [master for master, _ in self._pairs]
        self._copies = [mine for _, mine in self._pairs]
        self._gradients: list[Tensor] = []

    def begin(self) -> nn.Module:
        """The network to compute with, in training mode, its weights those of the fp32 network."""
        if not self.source.training:  # walking through the modules costs as much as a small layer
            self.source.train()
        if self._pairs:
            if not self.network.training:
                self.network.train()
            with torch.no_grad():
                torch._foreach_copy_(self._copies, self._masters)
        return self.network

    def collect(self, fresh: bool = False) -> None:
        """After the backward pass: the gradients, in fp32, on the fp32 weights; `fresh` ones where the last are still in use."""
        if not self._pairs:
            return
        if fresh or not self._gradients:  # one set of buffers for the whole run: fresh pages cost more than the cast
            self._gradients = [torch.empty_like(master) for master in self._masters]
        torch._foreach_copy_(self._gradients, [c.grad for c in self._copies if c.grad is not None])
        for master, mine, gradient in zip(self._masters, self._copies, self._gradients, strict=True):
            master.grad, mine.grad = gradient, None
