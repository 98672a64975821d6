"""Weights as small integers times one step for each output channel, value = integer · step.

`nearest` rounds every weight on its own. For what draws images, `for_images` does better at the same size: it gives the
channels that images hardly depend on coarser steps, and lets the weights rounded last make up for those rounded first
(Frantar et al. 2023, GPTQ, with a decoder's own draws as data). Coarse steps make small integers, which deflate well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentlab.show.explorer.network import (
    Affine,
    Doubles,
    Floats,
    Part,
    affine_parts,
    along_outputs,
    as_rows,
    forward,
    sensitivities,
    unit,
)

NARROW, WIDE = 127, 32_767  # the largest integers of one byte and of two
COARSE = 15  # where each sum has MANY terms, whose errors leave little of it, in the layer that has most weights of what reads images
MANY = 1024
SMALL_SHARE = 1 / 8  # a layer of at most this share of all weights may take two bytes: it costs little and helps much
SMALL_FINER = 2  # and its steps are so much finer: where few inputs make up for each other, little is compensated
LEAST_LEVELS = 7  # no channel's steps are coarser than its largest weight / 7, however little the probes depend on it
EVEN_SHARE = 0.5  # of a layer's mean sensitivity, which each channel has at least: a few probes do not show everything
DAMPING = 0.01  # of the inputs' mean power, added to each: what the draws do not show is not free either
FIRST_TARGET = 0.6  # root mean square error of a pixel, of 255, before compensation; about a third is left after it
PROMISED = 0.2, 4.0  # of 255, on any draws: an image's mean error and its largest
MEAN_LIMIT, LARGEST_LIMIT = 0.1, 3.2  # on fresh ones, so that those are kept on any others
TRIALS = 7
BLOCK = 64  # inputs whose weights are rounded before the others move
CHECKED_PIXELS = 2**21
PROBES, DRAWS, ROWS = 64, 1024, 8192  # for sensitivities; for compensation; rows (draws or places) that a layer sees there


@dataclass(frozen=True)
class Rounded:
    """A weight as integers and steps, with the bias that goes with it."""

    integers: NDArray[np.int64]  # [outputs, …]
    steps: NDArray[np.float32]  # [outputs]
    bias: Doubles  # [outputs]

    @property
    def values(self) -> Doubles:
        """What a reader makes of it."""
        return self.integers * along_outputs(self.steps.astype(np.float64), self.integers)


def nearest(part: Affine, largest: int = NARROW) -> Rounded:
    """Each weight to the nearest of 2 · `largest` + 1 values in its channel, off by half a step at most."""
    steps = finest_steps(part.weight, largest)
    integers = np.rint(part.weight / along_outputs(steps.astype(np.float64), part.weight))
    return Rounded(integers.astype(np.int64), steps, part.bias)


def finest_steps(weight: Doubles, largest: int) -> NDArray[np.float32]:
    """The steps [outputs] with which every weight of a channel is at most `largest` steps."""
    steps = np.abs(weight).reshape(len(weight), -1).max(1) / largest
    return np.where(steps > 0, steps, 1).astype(np.float32)


def for_images(parts: Sequence[Part], codes: Floats) -> dict[int, Rounded]:
    """A decoder's linear parts by index, with the coarsest steps that keep its images; `codes` [N, Z] are its draws."""
    fit, probes = codes[:DRAWS], codes[:PROBES]
    pixels = forward(parts, codes[:1])[-1]
    fresh = codes[DRAWS:][: max(PROBES, CHECKED_PIXELS // pixels.size)]
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (len(probes), *pixels.shape[1:]))
    sensitive = sensitivities(parts, probes, signs)
    seen = forward(parts, fit, ROWS)
    exact = drawn(parts, fresh)
    for wide_share in (SMALL_SHARE, 1.0):  # where a byte is too coarse, as in steep residual networks, every layer may take two
        target = FIRST_TARGET
        for _ in range(TRIALS):
            steps = chosen_steps(parts, sensitive, target / 255, pixels.size, wide_share)
            rounded = {index: compensated(part, steps[index], seen[index]) for index, part in affine_parts(parts)}
            error = np.abs(drawn(replaced(parts, rounded), fresh) - exact)
            excess = max(error.mean() / MEAN_LIMIT, error.max() / LARGEST_LIMIT)
            if excess <= 1:
                return rounded
            target *= 0.97 / float(excess) ** 0.5  # the largest error is one pixel's: it falls unevenly
        if error.mean() <= PROMISED[0] and error.max() <= PROMISED[1]:
            break
    return rounded


def drawn(parts: Sequence[Part], codes: Floats) -> Floats:
    """The images of codes, 0 to 255 before they are rounded; a few at a time, for the products of a layer are many."""
    return np.concatenate([255 * unit(forward(parts, codes[i : i + PROBES])[-1]) for i in range(0, len(codes), PROBES)])


def replaced(parts: Sequence[Part], rounded: dict[int, Rounded]) -> list[Part]:
    """The parts as a reader of the rounded weights has them."""
    return [
        Affine(part.entry, rounded[index].values, rounded[index].bias) if isinstance(part, Affine) else part
        for index, part in enumerate(parts)
    ]


def chosen_steps(
    parts: Sequence[Part], sensitive: dict[int, Floats], rms: float, pixels: int, wide_share: float = SMALL_SHARE
) -> dict[int, NDArray[np.float32]]:
    """Steps with which every weight adds the same error to the image, together `rms` for each of its `pixels`.

    Rounding to a step d errs by d² / 12 in the mean square; with the sensitivity s of a weight, s d² / 12 is the same for
    all where bits are best spent (reverse water-filling). Layers of at most `wide_share` of the weights may take two bytes.
    """
    count = sum(values.size for values in sensitive.values())
    steps = {}
    for index, part in affine_parts(parts):
        s = sensitive[index].astype(np.float64).reshape(len(part.weight), -1).mean(1)
        s = np.maximum(s + EVEN_SHARE * s.mean(), 1e-30)
        wanted = np.sqrt(12 * rms**2 * pixels / count / s)
        small = part.weight.size <= SMALL_SHARE * count
        wide = part.weight.size <= wide_share * count
        bounds = finest_steps(part.weight, WIDE if wide else NARROW), finest_steps(part.weight, LEAST_LEVELS)
        steps[index] = np.clip(wanted / SMALL_FINER if small else wanted, *bounds).astype(np.float32)
    return steps


def compensated(part: Affine, steps: NDArray[np.float32], x: Floats) -> Rounded:
    """Round the weights of one input after the other; each time the weights of the inputs to come, and the bias, move to where
    the layer's outputs for `x` change least.

    `x` is what the layer is given: [N, inputs], or [N, inputs, H, W] for a transposed convolution, each tap of which is a
    dense layer on the places of x. (Its bias is shared by the taps and stays.)
    """
    dense = x.ndim == 2
    weight = part.weight.reshape(*part.weight.shape[:2], -1)  # [O, inputs, taps]
    outputs, inputs, taps = weight.shape
    order, factor = elimination(x if dense else as_rows(x), constant=dense)
    moved = weight.transpose(1, 0, 2).reshape(inputs, -1)[order]  # [inputs, O · taps]
    if dense:
        moved = np.concatenate([moved, part.bias[None]])  # the weights of the constant 1
    step = steps.astype(np.float64).repeat(taps)
    largest = WIDE if np.abs(moved[:inputs] / step).max() > NARROW + 0.5 else NARROW
    integers = np.empty((inputs, outputs * taps), np.int64)
    for start in range(0, inputs, BLOCK):  # what comes after a block moves once for all of it: a product of matrices
        stop = min(start + BLOCK, inputs)
        errors = np.empty((stop - start, outputs * taps))
        for k in range(start, stop):
            integers[order[k]] = whole = np.clip(np.rint(moved[k] / step), -largest, largest)
            errors[k - start] = (moved[k] - whole * step) / factor[k, k]
            moved[k + 1 : stop] -= factor[k, k + 1 : stop, None] * errors[k - start]
        moved[stop:] -= factor[start:stop, stop:].T @ errors
    bias = moved[inputs] if dense else part.bias
    return Rounded(integers.reshape(inputs, outputs, taps).swapaxes(0, 1).reshape(part.weight.shape), steps, bias)


def elimination(rows: Floats, constant: bool) -> tuple[NDArray[np.intp], Doubles]:
    """The inputs in the order of their power, and the upper factor U of (X Xᵀ)⁻¹ = Uᵀ U in that order, [inputs, inputs].

    Row k of U says how the inputs after k make up for an error at k. With `constant`, an input that is always 1 comes last.
    """
    x = rows.astype(np.float64)
    powers = (x**2).mean(0)
    order = np.argsort(-powers, kind="stable")
    x = x[:, order]
    gram = x.T @ x / len(x) + (DAMPING * powers.mean() + 1e-12) * np.eye(len(order))
    if constant:
        mean = x.mean(0)[:, None]
        gram = np.block([[gram, mean], [mean.T, np.ones((1, 1))]])
    upper: Doubles = np.linalg.cholesky(np.linalg.inv(gram)).T
    return order, upper
