"""Torch modules drawn from the layer descriptions of `latentlab.config.layers`; no loss, no optimiser, no configuration.

Axes: N images, C channels, H height, W width, Z latent. Images inside a network are floats in [0, 1], [N, C, H, W]; points of the
plane are their coordinates, [N, 2, 1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from latentlab.base.errors import LabError
from latentlab.base.images import is_point
from latentlab.config.layers import (
    Layers,
    Shape,
)
from latentlab.models.modules import MEANS, Residual, Scales, Told, module


class Posterior(NamedTuple):
    """A diagonal Gaussian q(z|x)."""

    mean: Tensor  # [N, Z]
    log_var: Tensor  # [N, Z]


class Chain(nn.Module):
    """Layers one after the other, by their descriptions, or a module of somebody's own that takes and gives the same."""

    def __init__(self, layers: Layers | nn.Module) -> None:
        super().__init__()
        self.is_own = isinstance(layers, nn.Module)
        self.layers: Any = layers if isinstance(layers, nn.Module) else nn.Sequential(*map(module, layers))

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class Encoder(Chain):
    """Images [N, C, H, W] in [0, 1] to codes [N, Z]."""


class GaussianEncoder(Chain):
    """Images [N, C, H, W] in [0, 1] to the posterior's mean [N, Z] and log-variance [N, Z].

    Of a class-conditional model with the images' classes [N, K], one-hot (Kingma et al. 2014, M2; Sohn et al. 2015).
    """

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Posterior:
        if labels is None and any(isinstance(layer, Told) for layer in self.modules()):
            raise LabError("a class-conditional encoder takes images [N, C, H, W] and their classes [N, K], one-hot. Got no classes.")
        out = self.layers(x) if labels is None else self._of_class(x, labels)  # [N, 2Z], or of somebody's own a pair of [N, Z]
        mean, log_var = out if isinstance(out, tuple | list) else out.float().chunk(2, dim=1)
        return Posterior(mean.float(), log_var.float())

    def _of_class(self, x: Tensor, labels: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.Flatten):
                x = torch.cat([x, labels], 1)
        return x


class Decoder(Chain):
    """Codes z [N, Z] to logits [N, C, H, W]; the image is their sigmoid. A GAN's generator is this class too.

    Of a VAE whose likelihood needs more than logits of its mean, to all that it needs: see `latentlab.models.likelihoods`.
    """


def pictured(decoder: Chain, likelihood: str) -> Chain:
    """The decoder of a likelihood as what draws images, of the same layers: codes z [N, Z] to logits of the image [N, C, H, W]."""
    layers = [decoder.layers] if decoder.is_own else [layer for layer in decoder.layers if not isinstance(layer, Scales)]
    layers += [MEANS[likelihood]()] if likelihood in MEANS else []
    if len(layers) == (1 if decoder.is_own else len(decoder.layers)):
        return decoder
    drawing = Decoder(nn.Sequential(*layers))
    drawing.is_own = decoder.is_own
    return drawing


class Discriminator(Chain):
    """Images [N, C, H, W] in [0, 1] to one logit each [N], large for real.

    It brings them to its own range, [-1, 1]: with black as 0 the first layer would hardly learn from the background. One of
    somebody's own takes them as they are, and points are taken so by each. With labels [N, K], one-hot, it adds what the features say of
    that class (Miyato & Koyama 2018, eq. 3); without, it judges as of no class. With a `packing` of m it judges m images at once, as
    channels (Lin et al. 2018).
    """

    def __init__(self, layers: Layers | nn.Module, packing: int = 1) -> None:
        super().__init__(layers)
        self.packing = packing

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """A logit for each image, or each pack of them: [N, C, H, W] and classes [N, K], one-hot, to [N / packing]."""
        packed = x.reshape(-1, self.packing * x.shape[1], *x.shape[2:]) if self.packing > 1 else x
        as_is = self.is_own or is_point((*x.shape[2:], x.shape[1]))
        logit: Tensor = self.layers(packed if as_is else 2 * packed - 1).float()  # [N / packing, 1], or [N, 1 + K]
        if labels is not None:
            return logit[:, 0] + (logit[:, 1:] * labels).sum(1)
        return logit.reshape(len(packed), -1)[:, 0]  # [N / packing]

    def alone(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """A logit for each image [N, C, H, W], beside copies of itself where it judges several at once: [N]."""
        logit: Tensor = self(x.repeat_interleave(self.packing, 0), labels)
        return logit

    def features(self, x: Tensor) -> Tensor:
        """What the last linear layer makes its logit of: [N, C, H, W] to [N, F]. LabError where it is not one such layer's."""
        return self.seen(x)[0]

    def seen(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features [N, F] as `features` has them, and the logits [N] that come of them."""
        seen: list[Tensor] = []
        last = [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1:]
        if not last:
            raise LabError("a discriminator must have a linear layer, before whose last one its features are looked at.")
        with last[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0])):
            logits = self.alone(x, labels)
        return seen[-1].float().flatten(1), logits


Network = TypeVar("Network", bound="Chain")


def drawn(kind: Callable[[Any], Network], layers: Layers, how: str, own: nn.Module | None) -> Network:
    """A network of some kind with its first weights, or round a module of somebody's own, which has its own.

    The former is drawn in either case, so that one half of a preset starts alike whether or not the other one is replaced.
    """
    network = initialized(kind(layers), how)
    return network if own is None else kind(own).train()  # it, and what is inside


def initialized(network: Network, how: str) -> Network:
    """The network with its first weights drawn anew: "default" leaves torch's own. Residual blocks keep theirs.

    "xavier": uniform by Glorot & Bengio 2010, biases 0. "dcgan": N(0, 0.02²), batch-norm scale N(1, 0.02²), biases 0
    (Radford et al. 2016).
    """
    kept = {layer for block in network.modules() if isinstance(block, Residual) for layer in block}
    for layer in (layer for layer in network.modules() if layer not in kept) if how != "default" else ():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            parametrizations: Any = layer.parametrizations if is_parametrized(layer) else None
            weight = parametrizations.weight.original if parametrizations else layer.weight
            if how == "xavier":
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.normal_(weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d) and how == "dcgan":
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
    for told in (layer for layer in network.modules() if isinstance(layer, Told)):
        told.raise_class()
    return network


def to_unit(images: Tensor) -> Tensor:
    """Bytes uint8 [N, H, W, C] to floats [N, C, H, W] in [0, 1]."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def to_bytes(unit: Tensor) -> Tensor:
    """Floats [N, C, H, W] in [0, 1] to bytes uint8 [N, H, W, C], rounded, not truncated."""
    return unit.permute(0, 2, 3, 1).mul(255.0).round_().clamp_(0, 255).to(torch.uint8)


class Values(NamedTuple):
    """How what a data set holds, [N, H, W, C], is seen by networks, [N, C, H, W], and how their outputs become the same again."""

    seen: Callable[[Tensor], Tensor]  # what is held, as networks see it
    mean: Callable[[Tensor], Tensor]  # outputs, as networks see them
    held: Callable[[Tensor], Tensor]  # what networks see, as it is held


IMAGES = Values(to_unit, torch.sigmoid, to_bytes)
POINTS = Values(lambda points: points.permute(0, 3, 1, 2), lambda outputs: outputs, lambda x: x.permute(0, 2, 3, 1).float())


def values_of(shape: Shape) -> Values:
    """Those of images or of points of `shape` (H, W, C)."""
    return POINTS if is_point(shape) else IMAGES
