"""A run's network in numpy: its layers with their weights, and a decoder run forwards and backwards.

Batch norm is folded into the linear layer before it; output channels come first. The passes show which weights a decoder's
images depend on, in single precision.

Axes: N draws, C channels, H height, W width, O output channels, K the kernel's side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError
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

BATCH_NORM_EPSILON = 1e-5  # torch's
KINDS = {Dense: "dense", Convolution: "convolution", TransposedConvolution: "transposed_convolution"}

Doubles = NDArray[np.float64]
Floats = NDArray[Any]  # float32
Function = Callable[[Floats], Floats]
Find = Callable[[str], NDArray[Any]]  # a tensor by its name within the network
ACTIVATIONS: dict[str, tuple[Function, Function]] = {  # the function and its derivative
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(np.float32)),
    "leaky_relu": (lambda x: np.where(x > 0, x, LEAKY_SLOPE * x), lambda x: np.where(x > 0, 1, LEAKY_SLOPE).astype(np.float32)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}


@dataclass(frozen=True)
class Affine:
    """A linear layer, or a factor and a shift for each channel ("scale")."""

    entry: dict[str, Any]  # its description, tensors left out
    weight: Doubles  # [outputs, inputs] or [outputs, inputs, kernel, kernel]; of a "scale" [channels]
    bias: Doubles  # [outputs]
    classes: Doubles | None = None  # [K, outputs]: what each class adds to it

    @property
    def kind(self) -> str:
        """dense, convolution, transposed_convolution or scale."""
        return str(self.entry["layer"])

    def then(self, factor: Doubles, shift: Doubles) -> Affine:
        """This layer followed by y · factor + shift for each output."""
        return replace(self, weight=self.weight * along_outputs(factor, self.weight), bias=self.bias * factor + shift)


Part = Affine | dict[str, Any]  # a layer with weights, or the description of one without


def affine_parts(parts: Sequence[Part]) -> list[tuple[int, Affine]]:
    """The parts with weights, and where they stand."""
    return [(index, part) for index, part in enumerate(parts) if isinstance(part, Affine)]


def along_outputs(values: Doubles, weight: NDArray[Any]) -> Doubles:
    """One number for each output, in a shape that multiplies a weight."""
    return values.reshape(-1, *[1] * (weight.ndim - 1))


def named(layers: Sequence[Layer]) -> list[tuple[str, Layer]]:
    """The layers of latentlab's own networks, each behind what its tensors' names begin with."""
    return [(f"layers.{index}.", layer) for index, layer in enumerate(layers)]


def folded(layers: Sequence[tuple[str, Layer]], find: Find) -> list[Part]:
    """The layers, each behind what its tensors' names begin with, with their weights.

    A batch norm that no linear layer precedes directly stays, as a "scale".

    Raises ValueError for a weight of another shape than its layer's, LabError for a layer that no single image goes through, and what
    `find` raises.
    """
    parts: list[Part] = []
    last: int | None = None  # the linear layer whose output nothing but a change of shape has touched
    for prefix, layer in layers:
        match layer:
            case Dense() | Convolution() | TransposedConvolution():
                last = len(parts)
                parts.append(linear(layer, prefix, find))
            case BatchNorm():
                factor, shift = normalization(prefix, find)
                before = parts[last] if last is not None else None
                if last is not None and isinstance(before, Affine):
                    pixels = len(before.bias) // len(factor)  # a Reshape has made that many dense outputs one channel
                    parts[last] = before.then(factor.repeat(pixels), shift.repeat(pixels))
                else:
                    parts.append(Affine({"layer": "scale"}, factor, shift))
            case BatchDeviation():
                raise LabError("a network to show must take one image at a time. This discriminator compares those of a batch.")
            case Activation():
                last = None
                parts.append({"layer": "activation", "name": layer.name})
            case Reshape():
                parts.append({"layer": "reshape", "shape": list(layer.shape)})
            case Flatten():
                parts.append({"layer": "flatten"})
            case ResidualBlock():
                last = None
                inner = folded([(f"{prefix}{index}.", each) for index, each in enumerate(layer.layers)], find)
                parts += [{"layer": "skip"}, *map(turned, inner), {"layer": "add"}]
            case Mean():
                parts.append({"layer": "mean", "of": layer.likelihood, "mixed": MIXED})
            case Spread():
                pass  # no part of the image
            case _:
                assert_never(layer)
    return parts


def turned(part: Part) -> Part:
    """A convolution of stride 1 as the transposed one that it is too, by the same kernel turned by 180°: that is what `forward` knows."""
    if not isinstance(part, Affine):
        return part
    padding = part.entry["kernel"] - 1 - part.entry["padding"]
    entry = part.entry | {"layer": KINDS[TransposedConvolution], "padding": padding, "output_padding": [0, 0]}
    return replace(part, entry=entry, weight=part.weight[..., ::-1, ::-1].copy())


def linear(layer: Dense | Convolution | TransposedConvolution, prefix: str, find: Find) -> Affine:
    """A linear layer as torch keeps it, but for the output channel, which a transposed convolution has second there."""
    entry: dict[str, Any] = {"layer": KINDS[type(layer)], "inputs": layer.inputs, "outputs": layer.outputs}
    side: tuple[int, ...] = ()
    if not isinstance(layer, Dense):
        entry |= {"kernel": layer.kernel, "stride": layer.stride, "padding": layer.padding}
        side = (layer.kernel, layer.kernel)
    if isinstance(layer, TransposedConvolution):
        entry["output_padding"] = list(layer.output_padding)
        plain = blurred(find(prefix + "parametrizations.weight.original"), layer.smooth) if layer.smooth else find(prefix + "weight")
        weight = plain.swapaxes(0, 1)
    elif layer.spectral:
        weight = spectrally_normalized(prefix + "parametrizations.weight.", find)
    else:
        weight = find(prefix + "weight")
    if weight.shape != (layer.outputs, layer.inputs, *side):
        raise ValueError(f"{prefix} has a weight of another shape: {weight.shape}")
    return Affine(entry, weight.astype(np.float64), find(prefix + "bias").astype(np.float64))


def blurred(weight: NDArray[Any], boxes: int) -> NDArray[Any]:
    """A smooth transposed convolution's kernels as a plain one's: those learned [C, O, K, K], convolved with boxes of 2 x 2."""
    kernels = weight
    for box in range(boxes):
        padded = np.pad(kernels, ((0, 0), (0, 0), (1, 1), (1, 1)))
        rows = padded[:, :, 1:] + padded[:, :, :-1]
        kernels = (rows[..., 1:] + rows[..., :-1]) / (4 if box else 1)
    return kernels


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


def of_first_class(parts: Sequence[Part], classes: int) -> list[Part]:
    """A class-conditional network, its first dense layer [H, F + K] as one of F features alone, and what each class adds to the first's."""
    at, part = next((index, part) for index, part in affine_parts(parts) if part.kind == "dense")
    features, columns = part.weight[:, :-classes], part.weight[:, -classes:].T  # [H, F], [K, H]
    entry = part.entry | {"inputs": features.shape[1]}
    first = replace(part, entry=entry, weight=features, bias=part.bias + columns[0], classes=columns - columns[0])
    return [*parts[:at], first, *parts[at + 1 :]]


def signed_range(channels: int) -> Affine:
    """x in [0, 1] to 2x − 1, as a discriminator takes it. (Its first layer cannot hold this: it pads with zeros afterwards.)"""
    return Affine({"layer": "scale"}, np.full(channels, 2.0), np.full(channels, -1.0))


def is_followed(part: Part) -> bool:
    """Whether the passes below know a part: those of latentlab's own decoders."""
    if isinstance(part, Affine):
        return part.kind in ("dense", "transposed_convolution")
    return part["layer"] in ("activation", "reshape", "skip", "add")


def forward(parts: Sequence[Part], x: Floats, rows: int | None = None) -> list[Floats]:
    """What each part is given, then the result. With `rows`, later parts see fewer draws: about `rows` / (H · W) of them."""
    seen, skipped = [], x
    for part in parts:
        if rows is not None and x.ndim == 4:
            x = x[: max(1, rows // (x.shape[2] * x.shape[3]))]
        seen.append(x)
        if not isinstance(part, Affine) and part["layer"] in ("skip", "add"):
            skipped, x = (x, x) if part["layer"] == "skip" else (skipped, x + skipped)
        else:
            x = applied(part, x)
    return [*seen, x]


def applied(part: Part, x: Floats) -> Floats:
    """One part of a decoder."""
    if isinstance(part, Affine):
        weight, bias = part.weight.astype(np.float32), part.bias.astype(np.float32)
        if part.kind == "dense":
            return x @ weight.T + bias  # [N, inputs] → [N, outputs]
        products = as_rows(x) @ tap_matrix(weight)  # [N·H·W, C] → [N·H·W, O·K·K]
        return overlapped(products, x.shape, part.entry) + bias[:, None, None]
    if part["layer"] == "activation":
        return ACTIVATIONS[part["name"]][0](x)
    return x.reshape(len(x), *part["shape"])


def as_rows(x: Floats) -> Floats:
    """Each place of each map as a row: [N, C, H, W] → [N·H·W, C]."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def tap_matrix(weight: Floats) -> Floats:
    """A transposed convolution's weight as what multiplies such a row: [O, C, K, K] → [C, O·K·K]."""
    return weight.swapaxes(0, 1).reshape(weight.shape[1], -1)


def overlapped(products: Floats, shape: tuple[int, ...], entry: dict[str, Any]) -> Floats:
    """Every place's K × K patch added where it falls: [N·H·W, O·K·K] → [N, O, H', W']."""
    n, _, height, width = shape
    side, stride, padding, outputs = (entry[key] for key in ("kernel", "stride", "padding", "outputs"))
    patches = products.reshape(n, height, width, outputs, side, side)
    tall, wide = ((s - 1) * stride + side + extra for s, extra in zip((height, width), entry["output_padding"], strict=True))
    sheet = np.zeros((n, outputs, tall, wide), np.float32)
    for i in range(side):
        for j in range(side):
            sheet[:, :, i : i + height * stride : stride, j : j + width * stride : stride] += patches[..., i, j].transpose(0, 3, 1, 2)
    return sheet[:, :, padding : tall - padding, padding : wide - padding]


def cut(sheet: Floats, shape: tuple[int, ...], entry: dict[str, Any]) -> Floats:
    """The reverse reading of `overlapped`: [N, O, H', W'] → [N·H·W, O·K·K]."""
    n, _, height, width = shape
    side, stride, padding, outputs = (entry[key] for key in ("kernel", "stride", "padding", "outputs"))
    wide = np.pad(sheet, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    patches = np.empty((n, height, width, outputs, side, side), np.float32)
    for i in range(side):
        for j in range(side):
            patches[..., i, j] = wide[:, :, i : i + height * stride : stride, j : j + width * stride : stride].transpose(0, 2, 3, 1)
    return patches.reshape(n * height * width, -1)


def sensitivities(parts: Sequence[Part], codes: Floats, signs: Floats) -> dict[int, Floats]:
    """For each weight of each linear part, how much the image moves: E‖∂ image / ∂ weight‖², summed over the pixels.

    The image is sigmoid(logits), in [0, 1]. `signs` [N, C, H, W] are ±1 at random: the mean over them of the squared
    gradient of Σ signs · image is the sum of every pixel's squared gradient (Hutchinson 1990).
    """
    *seen, logits = forward(parts, codes)
    image = unit(logits)
    gradient = skipped = signs * image * (1 - image)  # with respect to the logits
    moves: dict[int, Floats] = {}
    for index in reversed(range(len(parts))):
        part, x = parts[index], seen[index]
        if not isinstance(part, Affine) and part["layer"] in ("skip", "add"):
            skipped, gradient = (gradient, gradient) if part["layer"] == "add" else (skipped, gradient + skipped)
            continue
        if not isinstance(part, Affine):
            gradient = gradient * ACTIVATIONS[part["name"]][1](x) if part["layer"] == "activation" else gradient.reshape(x.shape)
            continue
        weight = part.weight.astype(np.float32)
        if part.kind == "dense":
            moves[index] = (gradient**2).T @ x**2 / len(x)
            gradient = gradient @ weight
            continue
        patches = cut(gradient, x.shape, part.entry)  # [N·H·W, O·K·K]
        each = zip(as_rows(x).reshape(len(x), -1, x.shape[1]), patches.reshape(len(x), -1, patches.shape[1]), strict=True)
        total = np.sum([(rows.T @ patch) ** 2 for rows, patch in each], axis=0) / len(x)  # [C, O·K·K]
        moves[index] = total.reshape(weight.swapaxes(0, 1).shape).swapaxes(0, 1)
        gradient = (patches @ tap_matrix(weight).T).reshape(len(x), *x.shape[2:], -1).transpose(0, 3, 1, 2)
    return moves


def unit(logits: Floats) -> Floats:
    """The image of logits: sigmoid, in [0, 1]."""
    image: Floats = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return image
