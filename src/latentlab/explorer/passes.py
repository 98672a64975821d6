"""A decoder's parts run forwards and backwards in numpy, to learn which weights its images depend on.

Axes: N draws, C channels, H height, W width, O output channels, K the kernel's side. Single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.explorer.folding import Affine, Part

Floats = NDArray[Any]  # float32
Function = Callable[[Floats], Floats]

LEAKY_SLOPE = 0.2
ACTIVATIONS: dict[str, tuple[Function, Function]] = {  # the function and its derivative
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(np.float32)),
    "leaky_relu": (lambda x: np.where(x > 0, x, LEAKY_SLOPE * x), lambda x: np.where(x > 0, 1, LEAKY_SLOPE).astype(np.float32)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), lambda x: np.exp(np.minimum(x, 0))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}


def forward(parts: Sequence[Part], x: Floats, rows: int | None = None) -> list[Floats]:
    """What each part is given, then the result. With `rows`, later parts see fewer draws: about `rows` / (H · W) of them."""
    seen = []
    for part in parts:
        if rows is not None and x.ndim == 4:
            x = x[: max(1, rows // (x.shape[2] * x.shape[3]))]
        seen.append(x)
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
    gradient = signs * image * (1 - image)  # with respect to the logits
    found: dict[int, Floats] = {}
    for index in reversed(range(len(parts))):
        part, x = parts[index], seen[index]
        if not isinstance(part, Affine):
            gradient = gradient * ACTIVATIONS[part["name"]][1](x) if part["layer"] == "activation" else gradient.reshape(x.shape)
            continue
        weight = part.weight.astype(np.float32)
        if part.kind == "dense":
            found[index] = (gradient**2).T @ x**2 / len(x)
            gradient = gradient @ weight
            continue
        patches = cut(gradient, x.shape, part.entry)  # [N·H·W, O·K·K]
        each = zip(as_rows(x).reshape(len(x), -1, x.shape[1]), patches.reshape(len(x), -1, patches.shape[1]), strict=True)
        total = np.sum([(rows.T @ patch) ** 2 for rows, patch in each], axis=0) / len(x)  # [C, O·K·K]
        found[index] = total.reshape(weight.swapaxes(0, 1).shape).swapaxes(0, 1)
        gradient = (patches @ tap_matrix(weight).T).reshape(len(x), *x.shape[2:], -1).transpose(0, 3, 1, 2)
    return found


def unit(logits: Floats) -> Floats:
    """The image of logits: sigmoid, in [0, 1]."""
    image: Floats = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return image
