"""Torch modules drawn from the layer descriptions of `latentlab.config.layers`; no loss, no optimiser, no configuration.

Axes: N images, C channels, H height, W width, Z latent. Images inside a network are floats in [0, 1], [N, C, H, W].
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar, assert_never

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from latentlab.config.layers import Activation, BatchNorm, Convolution, Dense, Flatten, Layer, Layers, Reshape, TransposedConvolution

LEAKY_SLOPE = 0.2


def module(layer: Layer) -> nn.Module:
    """The torch module of one layer description."""
    match layer:
        case Dense():
            dense = nn.Linear(layer.inputs, layer.outputs)
            return spectral_norm(dense) if layer.spectral else dense
        case Convolution():
            convolution = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
            return spectral_norm(convolution) if layer.spectral else convolution
        case TransposedConvolution():
            return nn.ConvTranspose2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, layer.output_padding)
        case BatchNorm():
            return nn.BatchNorm2d(layer.features) if layer.spatial else nn.BatchNorm1d(layer.features)
        case Activation():
            return {"relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(LEAKY_SLOPE), "elu": nn.ELU(), "tanh": nn.Tanh()}[layer.name]
        case Flatten():
            return nn.Flatten()
        case Reshape():
            return nn.Unflatten(1, layer.shape)
        case _:
            assert_never(layer)


class Posterior(NamedTuple):
    """A diagonal Gaussian q(z|x)."""

    mean: Tensor  # [N, Z]
    log_var: Tensor  # [N, Z]


class Chain(nn.Module):
    """Layers one after the other, by their descriptions."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.layers = nn.Sequential(*map(module, layers))

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class Encoder(Chain):
    """Images [N, C, H, W] in [0, 1] to codes [N, Z]."""


class GaussianEncoder(Chain):
    """Images [N, C, H, W] in [0, 1] to the posterior's mean [N, Z] and log-variance [N, Z]."""

    def forward(self, x: Tensor) -> Posterior:  # [N, C, H, W]
        mean, log_var = self.layers(x).float().chunk(2, dim=1)  # [N, 2Z] → 2 × [N, Z]
        return Posterior(mean, log_var)


class Decoder(Chain):
    """Codes z [N, Z] to logits [N, C, H, W]; the image is their sigmoid. A GAN's generator is this class too."""


class Discriminator(Chain):
    """Images [N, C, H, W] in [0, 1] to one logit each [N], large for real.

    It brings them to its own range, [-1, 1]: with black as 0 the first layer would hardly learn from the background.
    """

    def forward(self, x: Tensor) -> Tensor:  # [N, C, H, W]
        logit: Tensor = self.layers(2 * x - 1)  # [N, 1]
        return logit.float().squeeze(1)  # [N]

    def features(self, x: Tensor) -> Tensor:
        """What the last layer makes its logit of: [N, C, H, W] to [N, F]."""
        hidden: Tensor = self.layers[:-1](2 * x - 1)
        return hidden.float().flatten(1)  # [N, F]


Network = TypeVar("Network", bound=nn.Module)


def initialized(network: Network, how: str) -> Network:
    """The network with its first weights drawn anew: "default" leaves torch's own.

    "xavier": uniform by Glorot & Bengio 2010, biases 0. "dcgan": N(0, 0.02²), batch-norm scale N(1, 0.02²), biases 0
    (Radford et al. 2016).
    """
    for layer in network.modules() if how != "default" else ():
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
    return network


def to_unit(images: Tensor) -> Tensor:
    """Bytes uint8 [N, H, W, C] to floats [N, C, H, W] in [0, 1]."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def to_bytes(unit: Tensor) -> Tensor:
    """Floats [N, C, H, W] in [0, 1] to bytes uint8 [N, H, W, C], rounded, not truncated."""
    return unit.permute(0, 2, 3, 1).mul(255.0).round_().clamp_(0, 255).to(torch.uint8)
