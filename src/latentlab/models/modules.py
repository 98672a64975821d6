"""A layer description as a torch module. Axes: N images, C channels, H height, W width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization

from latentlab.config import MIXED
from latentlab.config.layers import (
    LEAKY_SLOPE,
    Activation,
    BatchDeviation,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Mean,
    Reshape,
    ResidualBlock,
    Spread,
    TransposedConvolution,
)


def module(layer: Layer) -> nn.Module:
    """The torch module of one layer description."""
    match layer:
        case Dense():
            dense = Told(layer.inputs, layer.outputs, layer.classes) if layer.classes else nn.Linear(layer.inputs, layer.outputs)
            return spectral_norm(dense) if layer.spectral else dense
        case Convolution():
            convolution = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
            return spectral_norm(convolution) if layer.spectral else convolution
        case TransposedConvolution():
            sizes = layer.learned, layer.stride, layer.padding, layer.output_padding
            transposed = nn.ConvTranspose2d(layer.inputs, layer.outputs, *sizes)
            if layer.smooth:
                register_parametrization(transposed, "weight", Blurred(layer.smooth), unsafe=True)
            return transposed
        case BatchNorm():
            return nn.BatchNorm2d(layer.features) if layer.spatial else nn.BatchNorm1d(layer.features)
        case BatchDeviation():
            return Deviation()
        case Activation():
            return {"relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(LEAKY_SLOPE), "elu": nn.ELU(), "tanh": nn.Tanh()}[layer.name]
        case Flatten():
            return nn.Flatten()
        case Reshape():
            return nn.Unflatten(1, layer.shape)
        case Spread():
            return Scales(layer)
        case Mean():
            return MEANS[layer.likelihood]()
        case ResidualBlock():
            return as_its_skip(Residual(*map(module, layer.layers)), layer.blocks)
        case _:
            assert_never(layer)


class Told(nn.Linear):
    """A linear layer whose last inputs are a class, one-hot.

    The class is one number among many, and would be learned of long after the network has found it out by itself: its first weights are
    √F times as large as those of the F other inputs, so that it weighs as much as these together.
    """

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        self.classes = classes
        super().__init__(inputs, outputs)

    @torch.no_grad()
    def raise_class(self) -> None:
        """Bring first weights that are all alike to that."""
        self.weight[:, -self.classes :] *= (self.in_features - self.classes) ** 0.5


class Deviation(nn.Module):
    """Maps [N, C, H, W] to [N, C + 1, H, W]: the last is everywhere the mean standard deviation of the batch (Karras et al. 2018, 3)."""

    def forward(self, x: Tensor) -> Tensor:
        deviation = (x.float().var(0, correction=0) + 1e-8).sqrt().mean()  # the sum keeps the root's slope finite at no deviation
        return torch.cat([x, deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])], 1)


class Scales(nn.Module):
    """Logits [N, C, H, W] to [N, 2C, H, W]: beside them the log of a likelihood's scale, one number for each channel."""

    MOMENTUM = 0.05  # of the optimal scale, which the last batches' errors tell

    def __init__(self, layer: Spread) -> None:
        super().__init__()
        start = torch.full((layer.features,), layer.start)
        if layer.how == "learned":
            self.log_scale: Tensor = nn.Parameter(start)
        else:
            self.register_buffer("log_scale", start)

    def forward(self, logits: Tensor) -> Tensor:
        return torch.cat([logits, self.log_scale[:, None, None].expand_as(logits)], 1)

    @torch.no_grad()
    def record(self, log_scale: Tensor) -> None:
        """Come nearer to the scales [C] that were best for a batch, while training."""
        if self.training:
            self.log_scale.lerp_(log_scale, self.MOMENTUM)


class ContinuousBernoulliMean(nn.Module):
    """A continuous Bernoulli's logits η to those of its mean, 1 / (1 − e^−η) − 1 / η: [N, C, H, W] (Loaiza-Ganem 2019, eq. 8)."""

    def forward(self, logits: Tensor) -> Tensor:
        size = logits.abs().clamp_min(0.5)
        far = torch.log(1 / -torch.expm1(-size) - 1 / size) - torch.log(1 / size - 1 / torch.expm1(size))
        return torch.where(logits.abs() > 0.5, logits.sign() * far, logits / 3 - logits**3 / 405)


class LogisticMixtureMean(nn.Module):
    """What K mixed logistics have at each pixel, [N, K (1 + 2C), H, W], to the logits of the mean of their locations, [N, C, H, W]."""

    MIXED = MIXED

    def forward(self, outputs: Tensor) -> Tensor:
        weights, rest = outputs[:, : self.MIXED].softmax(1), outputs[:, self.MIXED :]
        locations = torch.unflatten(rest[:, : rest.shape[1] // 2], 1, (self.MIXED, -1)).sigmoid()  # [N, K, C, H, W]
        return torch.logit((weights[:, :, None] * locations).sum(1), eps=1e-6)


MEANS: Mapping[str, type[nn.Module]] = {"continuous-bernoulli": ContinuousBernoulliMean, "logistic-mixture": LogisticMixtureMean}


class Residual(nn.Sequential):
    """Maps [N, C, H, W] and what the layers make of them, added (He et al. 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        added = x
        for layer in self:
            added = layer(added)
        return x + added


def as_its_skip(block: Residual, blocks: int) -> Residual:
    """The block with the first weights of one of `blocks` in R3GAN (Huang et al. 2024, after Zhang et al. 2019, Fixup).

    The last convolution and all biases are 0; the others N(0, σ²) with σ = √(2 / (1 + slope²)) / √inputs · blocks^(−1/4).
    """
    *first, last = (layer for layer in block if isinstance(layer, nn.Conv2d))
    for layer in first:
        nn.init.normal_(layer.weight, 0.0, (2 / (1 + LEAKY_SLOPE**2) / layer.weight[0].numel()) ** 0.5 * blocks**-0.25)
    nn.init.zeros_(last.weight)
    for layer in (*first, last):
        nn.init.zeros_(cast(Tensor, layer.bias))
    return block


class Blurred(nn.Module):
    """Kernels [inputs, outputs, K, K] convolved with B boxes of 2 x 2: [inputs, outputs, K + B, K + B].

    Their even and odd rows and columns, which are what a stride of 2 tells apart, have the same sum. The first box adds four
    weights, as nearest-neighbour enlargement does; others take their mean.
    """

    def __init__(self, boxes: int) -> None:
        super().__init__()
        self.boxes = boxes

    def forward(self, weight: Tensor) -> Tensor:
        for box in range(self.boxes):
            weight = F.avg_pool2d(F.pad(weight, (1, 1, 1, 1)), 2, stride=1, divisor_override=4 if box else 1)
        return weight
