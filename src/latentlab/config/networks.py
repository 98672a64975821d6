"""A model's networks as lists of layer descriptions, for images of any size. Shapes of images are (H, W, C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from latentlab.base.errors import refusal
from latentlab.base.images import is_point
from latentlab.base.texts import reason
from latentlab.config import PIXELS, Likelihood
from latentlab.config.layers import (
    Activation,
    BatchDeviation,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Layers,
    Mean,
    Reshape,
    ResidualBlock,
    Shape,
    Spread,
    TransposedConvolution,
)
from latentlab.config.parts import AutoencoderModel, GANModel, JudgedConfig, ModelConfig, NetworkConfig, PriorConfig, VAEModel

SMALLEST_MAP, LARGEST_MAP, WIDEST_STAGE = 2, 12, 256
COLOUR: Likelihood = "logistic"  # of colour images: a proper one, of bytes
LARGEST_FREE = 32  # pixels: up to here "auto" leaves transposed convolutions free (digits show no pattern)


def fit_stages(channels: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Stages of stride 2 that bring `size` pixels down to 2 … 12: the last are dropped, or wider ones are added.

    >>> fit_stages((32, 64), 28), fit_stages((32, 64), 64), fit_stages((64, 128, 256, 512), 28)
    ((32, 64), (32, 64, 128), (64, 128, 256))
    """
    if not channels:
        return channels
    fitted: list[int] = []
    for width in channels:
        if size // 2 < SMALLEST_MAP:
            break
        fitted.append(width)
        size //= 2
    while size > LARGEST_MAP:
        fitted.append(min(2 * fitted[-1], max(WIDEST_STAGE, fitted[-1])))
        size //= 2
    return tuple(fitted)


def fit_model(model: ModelConfig, shape: Shape, plain: bool = False) -> ModelConfig:
    """The model adapted to images of `shape` (H, W, C): what is "auto", and with `model.stages` "fit" its convolutions.

    A colour VAE's likelihood is one of bytes, unless only the `plain` one is known to whatever trains it.
    """
    size = min(shape[0], shape[1])
    if isinstance(model, VAEModel) and model.likelihood == "auto" and is_point(shape):
        model = replace(model, likelihood="gaussian")
    elif isinstance(model, VAEModel) and model.likelihood == "auto":
        binary, judged = plain or shape[2] == 1 or model.binarization != "none", model.discriminator_channels
        model = replace(model, likelihood="bernoulli" if binary else "gaussian-optimal" if judged else COLOUR)
    if model.upsampling == "auto":
        model = replace(model, upsampling="smooth" if size > LARGEST_FREE else "free")
    if model.stages == "exact":
        return model
    channels = fit_stages(model.channels, size)
    if isinstance(model, JudgedConfig):
        return replace(model, channels=channels, discriminator_channels=fit_stages(model.discriminator_channels, size))
    return replace(model, channels=channels)


def classes_of(model: NetworkConfig) -> int:
    """The classes that are given to a model's networks; 0 for one that is not conditional."""
    return model.classes if isinstance(model, PriorConfig) and model.conditional else 0


def map_sizes(channels: Sequence[int], height: int, width: int) -> list[tuple[int, int]]:
    """Heights and widths before, between and after the stages. Raises LabError when a map would vanish."""
    sizes = [(height, width)]
    for _ in channels:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    if min(sizes[-1]) < 1:
        most = int(math.log2(min(height, width)))
        raise refusal("model.channels", reason("must.stages", most=most, height=height, width=width), tuple(channels))
    return sizes


def _downward(
    channels: Sequence[int],
    hidden: Sequence[int],
    activation: str,
    normalization: str,
    shape: Shape,
    outputs: int,
    first_normalized: bool = True,
    deviation: bool = False,
    blocks: int = 0,
    classes: int = 0,
) -> Layers:
    height, width, depth = shape
    spectral = normalization == "spectral"
    layers: list[Layer] = []
    for index, size in enumerate(channels):
        layers.append(Convolution(depth, size, spectral=spectral))
        if normalization == "batch" and (index or first_normalized):
            layers.append(BatchNorm(size, spatial=True))
        layers += [Activation(activation), *blocks * [ResidualBlock(size, blocks * len(channels))]]
        depth = size
    last = map_sizes(channels, height, width)[-1]
    layers += [BatchDeviation(), Flatten(classes)] if deviation else [Flatten(classes)]
    features = (depth + deviation) * last[0] * last[1] + classes
    for size in hidden:
        layers.append(Dense(features, size, spectral=spectral, classes=classes))
        if normalization == "batch":
            layers.append(BatchNorm(size, spatial=False))
        layers.append(Activation(activation))
        features, classes = size, 0
    layers.append(Dense(features, outputs, spectral=spectral, classes=classes))
    return tuple(layers)


def encoder_layers(model: AutoencoderModel | VAEModel, shape: Shape) -> Layers:
    """Images (C, H, W) to a code (Z,), or for a VAE to (2Z,): the mean, then the log-variance; of the image's class, where it is given."""
    outputs = 2 * model.latent_dim if isinstance(model, VAEModel) else model.latent_dim
    return _downward(
        model.channels,
        model.hidden,
        model.activation,
        model.normalization,
        shape,
        outputs,
        blocks=model.blocks,
        classes=classes_of(model),
    )


def decoder_layers(model: NetworkConfig, shape: Shape) -> Layers:
    """A code (Z,) to logits (C, H, W): the encoder's mirror, and a GAN's generator. `shape` is the images' (H, W, C).

    Of a class-conditional model a code is z and then the class, one-hot: (Z + K,).
    """
    height, width, depth = shape
    sizes = map_sizes(model.channels, height, width)
    layers: list[Layer] = []
    classes = classes_of(model)
    features = model.latent_dim + classes
    batch = model.normalization == "batch"
    for size in reversed(model.hidden):
        layers.append(Dense(features, size, classes=classes))
        if batch:
            layers.append(BatchNorm(size, spatial=False))
        layers.append(Activation(model.activation))
        features, classes = size, 0
    pixels = PIXELS.get(model.likelihood) if isinstance(model, VAEModel) else None
    scales: Layers = ()
    if isinstance(model, VAEModel) and pixels is not None:
        if pixels.scale != "none":
            scales = (Spread(depth, pixels.scale, math.log(model.deviation)),)
        depth = pixels.outputs(depth)
    if not model.channels:
        return (*layers, Dense(features, depth * height * width, classes=classes), Reshape((depth, height, width)), *scales)
    start = (model.channels[-1], *sizes[-1])
    layers += [Dense(features, math.prod(start), classes=classes), Reshape(start)]
    outputs = [*reversed(model.channels[:-1]), depth]
    for index, (inputs, size) in enumerate(zip(reversed(model.channels), outputs, strict=True)):
        if batch:
            layers.append(BatchNorm(inputs, spatial=True))
        layers += [Activation(model.activation), *model.blocks * [ResidualBlock(inputs, model.blocks * len(outputs))]]
        small, large = sizes[-1 - index], sizes[-2 - index]
        padding = (large[0] - 2 * small[0], large[1] - 2 * small[1])
        boxes = 0 if model.upsampling != "smooth" else 1 if index < len(outputs) - 1 else 2  # nothing comes after the last to smooth it
        kernel = {"kernel": 6, "padding": 2} if boxes == 2 else {}
        layers.append(TransposedConvolution(inputs, size, output_padding=padding, smooth=boxes, **kernel))
    return (*layers, *scales)


def discriminator_layers(model: VAEModel | GANModel, shape: Shape) -> Layers:
    """Images (C, H, W) to one logit (1,): large for real. Of a class-conditional one to 1 + K: what each class adds stands behind."""
    return _downward(
        model.discriminator_channels,
        model.discriminator_hidden,
        "leaky_relu",
        model.discriminator_normalization,
        (*shape[:2], shape[2] * (model.packing if isinstance(model, GANModel) else 1)),
        1 + classes_of(model),
        first_normalized=False,  # DCGAN: no batch norm at the discriminator's input
        deviation=isinstance(model, GANModel) and model.discriminator_deviation,
        blocks=model.discriminator_blocks,
    )


def networks(model: AutoencoderModel | VAEModel | GANModel, shape: Shape) -> dict[str, Layers]:
    """The networks of a model for images of `shape` (H, W, C), by name."""
    match model:
        case AutoencoderModel() | VAEModel():
            coders = {"encoder": encoder_layers(model, shape), "decoder": decoder_layers(model, shape)}
            if isinstance(model, VAEModel) and model.discriminator_channels:
                coders["discriminator"] = discriminator_layers(model, shape)
            return coders
        case GANModel():
            return {"generator": decoder_layers(model, shape), "discriminator": discriminator_layers(model, shape)}
        case _:
            assert_never(model)


def pictures(model: AutoencoderModel | VAEModel | GANModel, shape: Shape) -> dict[str, Layers]:
    """As `networks`, but of a decoder what draws: it ends in the logits of the image, whatever else the likelihood is given."""
    found = networks(model, shape)
    if isinstance(model, VAEModel):
        found["decoder"] = tuple(layer for layer in found["decoder"] if not isinstance(layer, Spread))
        if model.likelihood != "auto" and PIXELS[model.likelihood].mean:
            found["decoder"] += (Mean(model.likelihood, shape[2]),)
    return found
