"""What a network is made of, in plain Python: descriptions of layers, how much they learn, what shapes they give.

The torch modules, the parameter counts and the browser's decoder are all drawn from these lists, so none of them is a
copy by hand. Shapes are (C, H, W) for maps and (F,) for vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from latentlab.config import Likelihood, Scale

Shape = tuple[int, ...]

LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class Dense:
    """(inputs,) to (outputs,): weight [outputs, inputs], bias [outputs].

    Of its inputs the last `classes` are a class, one-hot, whose first weights are so large that it counts as much as all others.
    """

    inputs: int
    outputs: int
    spectral: bool = False
    classes: int = 0


@dataclass(frozen=True)
class Convolution:
    """(inputs, H, W) to (outputs, H // 2, W // 2) for the kernel 4, stride 2, padding 1 that bring every map to the next."""

    inputs: int
    outputs: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1
    spectral: bool = False


@dataclass(frozen=True)
class TransposedConvolution:
    """(inputs, H, W) to (outputs, 2H + a, 2W + b); the output padding (a, b) restores odd sizes.

    A smooth one learns a kernel that is smaller by `smooth` pixels and is convolved with as many boxes of 2 x 2: with one it is
    nearest-neighbour enlargement, then a convolution, under which a flat map stays flat (Odena et al. 2016).
    """

    inputs: int
    outputs: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1
    output_padding: tuple[int, int] = (0, 0)
    smooth: int = 0

    @property
    def learned(self) -> int:
        """The side of the kernel that is learned."""
        return self.kernel - self.smooth


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over `features` channels (Ioffe & Szegedy 2015)."""

    features: int
    spatial: bool


@dataclass(frozen=True)
class BatchDeviation:
    """(C, H, W) to (C + 1, H, W): beside the maps how unlike each other the batch's images are in them (Karras et al. 2018, 3)."""


@dataclass(frozen=True)
class Activation:
    """Element by element: "relu", "leaky_relu" (LEAKY_SLOPE), "elu" or "tanh"."""

    name: str


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) to (C * H * W + classes,), channel first; behind that the class, one-hot, where one is given."""

    classes: int = 0


@dataclass(frozen=True)
class Reshape:
    """(C * H * W,) to `shape`."""

    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Spread:
    """(C, H, W) to (2C, H, W): beside the logits the log of a likelihood's scale, one number for each channel.

    "fixed" at `start`, "learned" from there, or "optimal": what the last batches' errors were (Rybkin et al. 2021).
    """

    features: int
    how: Scale
    start: float


@dataclass(frozen=True)
class Mean:
    """What `likelihood` has at each pixel, (its outputs, H, W), to the logits of its mean, (C, H, W)."""

    likelihood: Likelihood
    channels: int


@dataclass(frozen=True)
class ResidualBlock:
    """(channels, H, W) to the same: what it is given, and what three convolutions make of it, added; without norm (Huang et al. 2024).

    It starts as its skip: the last convolution at 0, the others the smaller the more such blocks the network has, as they write
    (after Fixup, Zhang et al. 2019).
    """

    channels: int
    blocks: int  # of the whole network

    @property
    def layers(self) -> tuple[Convolution | Activation, ...]:
        """What is added: 1 x 1, leaky ReLU, 3 x 3, leaky ReLU, 1 x 1."""
        point = Convolution(self.channels, self.channels, kernel=1, stride=1, padding=0)
        leaky = Activation("leaky_relu")
        return point, leaky, replace(point, kernel=3, padding=1), leaky, point


Layer = (
    Dense
    | Convolution
    | TransposedConvolution
    | BatchNorm
    | BatchDeviation
    | Activation
    | Flatten
    | Reshape
    | ResidualBlock
    | Spread
    | Mean
)
Layers = tuple[Layer, ...]


def parameter_count(layers: Sequence[Layer]) -> int:
    """How many numbers the layers learn."""
    total = 0
    for layer in layers:
        match layer:
            case Dense():
                total += (layer.inputs + 1) * layer.outputs
            case Convolution():
                total += layer.inputs * layer.outputs * layer.kernel**2 + layer.outputs
            case TransposedConvolution():
                total += layer.inputs * layer.outputs * layer.learned**2 + layer.outputs
            case BatchNorm():
                total += 2 * layer.features
            case Spread():
                total += layer.features if layer.how == "learned" else 0
            case ResidualBlock():
                total += parameter_count(layer.layers)
            case BatchDeviation() | Activation() | Flatten() | Reshape() | Mean():
                pass
            case _:
                assert_never(layer)
    return total


def shape_after(layer: Layer, shape: Shape) -> Shape:
    """The shape that a layer gives for an input of `shape`, (C, H, W) or (F,)."""
    match layer:
        case Dense():
            return (layer.outputs,)
        case Convolution():
            return (layer.outputs, *((s + 2 * layer.padding - layer.kernel) // layer.stride + 1 for s in shape[1:]))
        case TransposedConvolution():
            extra = zip(shape[1:], layer.output_padding, strict=True)
            return (layer.outputs, *((s - 1) * layer.stride - 2 * layer.padding + layer.kernel + pad for s, pad in extra))
        case BatchNorm() | Activation() | ResidualBlock():
            return shape
        case BatchDeviation():
            return (shape[0] + 1, *shape[1:])
        case Flatten():
            return (math.prod(shape) + layer.classes,)
        case Reshape():
            return layer.shape
        case Spread():
            return (2 * shape[0], *shape[1:])
        case Mean():
            return (layer.channels, *shape[1:])
        case _:
            assert_never(layer)
