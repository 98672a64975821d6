"""A network's layers with their weights, batch norm folded into the linear layer before it. Output channels come first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from latentlab.layers import Activation, BatchNorm, Convolution, Dense, Flatten, Layer, Reshape, TransposedConvolution

BATCH_NORM_EPSILON = 1e-5  # torch's

Doubles = NDArray[np.float64]
Find = Callable[[str], NDArray[Any]]  # a tensor by its name within the network


@dataclass(frozen=True)
class Affine:
    """A linear layer, or a factor and a shift for each channel ("scale")."""

    entry: dict[str, Any]  # its description, tensors left out
    weight: Doubles  # [outputs, inputs] or [outputs, inputs, kernel, kernel]; of a "scale" [channels]
    bias: Doubles  # [outputs]

    @property
    def kind(self) -> str:
        """dense, convolution, transposed_convolution or scale."""
        return str(self.entry["layer"])

    def then(self, factor: Doubles, shift: Doubles) -> Affine:
        """This layer followed by y · factor + shift for each output."""
        return replace(self, weight=self.weight * along_outputs(factor, self.weight), bias=self.bias * factor + shift)


Part = Affine | dict[str, Any]  # a layer with weights, or the description of one without


def along_outputs(values: Doubles, weight: NDArray[Any]) -> Doubles:
    """One number for each output, in a shape that multiplies a weight."""
    return values.reshape(-1, *[1] * (weight.ndim - 1))


def folded(layers: Sequence[Layer], find: Find) -> list[Part]:
    """The layers with their weights. A batch norm that no linear layer precedes directly stays, as a "scale".

    Raises ValueError for a weight of another shape than its layer's, and what `find` raises.
    """
    parts: list[Part] = []
    last: int | None = None  # the linear layer whose output nothing but a change of shape has touched
    for index, layer in enumerate(layers):
        prefix = f"layers.{index}."
        match layer:
            case Dense() | Convolution() | TransposedConvolution():
                last = len(parts)
                parts.append(linear(layer, prefix, find))
            case BatchNorm():
                factor, shift = normalization(prefix, find)
                before = parts[last] if last is not None else None
                if last is not None and isinstance(before, Affine):
                    places = len(before.bias) // len(factor)  # a Reshape has made that many dense outputs one channel
                    parts[last] = before.then(factor.repeat(places), shift.repeat(places))
                else:
                    parts.append(Affine({"layer": "scale"}, factor, shift))
            case Activation():
                last = None
                parts.append({"layer": "activation", "name": layer.name})
            case Reshape():
                parts.append({"layer": "reshape", "shape": list(layer.shape)})
            case Flatten():
                parts.append({"layer": "flatten"})
            case _:
                assert_never(layer)
    return parts


def linear(layer: Dense | Convolution | TransposedConvolution, prefix: str, find: Find) -> Affine:
    """A linear layer as torch keeps it, but for the output channel, which a transposed convolution has second there."""
    entry: dict[str, Any] = {"inputs": layer.inputs, "outputs": layer.outputs}
    if not isinstance(layer, Dense):
        entry |= {"kernel": layer.kernel, "stride": layer.stride, "padding": layer.padding}
    match layer:
        case Dense():
            kind = "dense"
        case Convolution():
            kind = "convolution"
        case TransposedConvolution():
            kind, entry["output_padding"] = "transposed_convolution", list(layer.output_padding)
    if isinstance(layer, TransposedConvolution):
        weight = find(prefix + "weight").swapaxes(0, 1)
    elif layer.spectral:
        weight = spectrally_normalized(prefix + "parametrizations.weight.", find)
    else:
        weight = find(prefix + "weight")
    side = () if isinstance(layer, Dense) else (layer.kernel, layer.kernel)
    if weight.shape != (layer.outputs, layer.inputs, *side):
        raise ValueError(f"{prefix} has a weight of another shape: {weight.shape}")
    return Affine({"layer": kind} | entry, weight.astype(np.float64), find(prefix + "bias").astype(np.float64))


def spectrally_normalized(prefix: str, find: Find) -> Doubles:
    """weight / (uᵀ W v) with the stored u and v, as in evaluation mode (Miyato et al. 2018)."""
    weight, u, v = (find(prefix + key).astype(np.float64) for key in ("original", "0._u", "0._v"))
    normalized: Doubles = weight / (u @ weight.reshape(len(u), -1) @ v)
    return normalized


def normalization(prefix: str, find: Find) -> tuple[Doubles, Doubles]:
    """A batch norm in evaluation mode: factor and shift of each channel."""
    weight, bias, mean, variance = (find(prefix + key).astype(np.float64) for key in ("weight", "bias", "running_mean", "running_var"))
    factor = weight / np.sqrt(variance + BATCH_NORM_EPSILON)
    return factor, bias - mean * factor


def signed_range(channels: int) -> Affine:
    """x in [0, 1] to 2x − 1, as a discriminator takes it. (Its first layer cannot hold this: it pads with zeros afterwards.)"""
    return Affine({"layer": "scale"}, np.full(channels, 2.0), np.full(channels, -1.0))
