"""Keras layers drawn from the layer descriptions of `latentlab.config.layers`; they compute what the torch modules compute.

Axes: N images, H height, W width, C channels; maps are [N, H, W, C] here. Where Keras's own layers differ from torch's (running
variances, spectral norm, blurred kernels) there is one of our own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, assert_never

import keras
from keras import ops

from latentlab.base.errors import refusal
from latentlab.base.texts import reason
from latentlab.config.layers import (
    LEAKY_SLOPE,
    Activation,
    BatchDeviation,
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
from latentlab.config.layers import BatchNorm as Normalization

PACKAGE = "latentlab"
MOMENTUM, EPSILON = 0.1, 1e-5  # torch's


@keras.saving.register_keras_serializable(PACKAGE)
class BatchNorm(keras.layers.Layer):
    """Batch normalisation (Ioffe & Szegedy 2015) over all axes but the last; it keeps the unbiased variance, as torch does."""

    hold = False  # computes as in training, keeps nothing

    def build(self, shape: tuple[int | None, ...]) -> None:
        size = (shape[-1],)
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=size, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(shape=size, initializer="ones", trainable=False, name="moving_variance")

    def call(self, x: Any, training: bool = False) -> Any:
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            axes = tuple(range(len(x.shape) - 1))
            mean = ops.mean(x, axes)
            variance = ops.mean(ops.square(x - mean), axes)
            if not self.hold:
                count = ops.cast(ops.size(x), x.dtype) / x.shape[-1]
                self._keep(self.moving_mean, mean)
                self._keep(self.moving_variance, variance * (count / (count - 1)))
        return (x - mean) * (ops.rsqrt(variance + EPSILON) * self.gamma) + self.beta

    def _keep(self, kept: Any, seen: Any) -> None:
        kept.assign((1 - MOMENTUM) * kept + MOMENTUM * ops.stop_gradient(seen))


@keras.saving.register_keras_serializable(PACKAGE)
class Spectral(keras.layers.Wrapper):
    """A dense or convolutional layer whose kernel is divided by its largest singular value (Miyato et al. 2018, alg. 1).

    The gradient flows through the singular value, not through the vectors that estimate it: one power iteration in each
    training call. Keras's own SpectralNormalization writes the quotient over the kernel, with another gradient in each backend.
    """

    hold = False  # the vectors stay

    def build(self, shape: tuple[int | None, ...]) -> None:
        super().build(shape)
        *rows, outputs = self.layer.kernel.shape
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.u = self.add_weight(shape=(outputs,), initializer=normal, trainable=False, name="u")
        self.v = self.add_weight(shape=(math.prod(rows),), initializer=normal, trainable=False, name="v")

    def call(self, x: Any, training: bool = False) -> Any:
        kernel = self.layer.kernel
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))  # [rows, outputs]
        if training and not self.hold:
            still = ops.stop_gradient(matrix)
            self.u.assign(_unit(ops.matmul(self.v, still)))
            self.v.assign(_unit(ops.matmul(still, self.u)))
        normed = kernel / ops.sum(ops.matmul(self.v, matrix) * self.u)
        if isinstance(self.layer, keras.layers.Dense):
            return ops.matmul(x, normed) + self.layer.bias
        return ops.conv(x, normed, self.layer.strides, "valid") + self.layer.bias


def _unit(vector: Any) -> Any:
    return vector / ops.maximum(ops.norm(vector), 1e-12)


@keras.saving.register_keras_serializable(PACKAGE)
class BlurredConv2DTranspose(keras.layers.Layer):
    """A transposed convolution of stride 2 whose kernel is convolved with boxes of 2 x 2 (`TransposedConvolution.smooth`)."""

    def __init__(self, filters: int, kernel_size: int, boxes: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters, self.kernel_size, self.boxes = filters, kernel_size, boxes

    def build(self, shape: tuple[int | None, ...]) -> None:
        side = self.kernel_size
        kernel, bias = first_weights(self.filters * side**2)
        self.kernel = self.add_weight(shape=(side, side, self.filters, shape[-1]), initializer=kernel, name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer=bias, name="bias")

    def call(self, x: Any) -> Any:
        kernel = self.kernel
        for box in range(self.boxes):
            wide = ops.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
            kernel = wide[1:, 1:] + wide[:-1, 1:] + wide[1:, :-1] + wide[:-1, :-1]
            kernel = kernel / 4 if box else kernel
        return ops.conv_transpose(x, kernel, 2, "valid") + self.bias

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sides = [None if side is None else 2 * (side - 1) + self.kernel_size + self.boxes for side in shape[1:3]]
        return (shape[0], *sides, self.filters)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"filters": self.filters, "kernel_size": self.kernel_size, "boxes": self.boxes}


@keras.saving.register_keras_serializable(PACKAGE)
class Deviation(keras.layers.Layer):
    """Maps [N, H, W, C] to [N, H, W, C + 1]: the last is everywhere the mean standard deviation of the batch (Karras et al. 2018, 3)."""

    def call(self, x: Any) -> Any:
        variance = ops.mean(ops.square(x - ops.mean(x, 0)), 0)
        deviation = ops.mean(ops.sqrt(variance + 1e-8))
        return ops.concatenate([x, ops.zeros_like(x[..., :1]) + deviation], -1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], (shape[-1] or 0) + 1)


class Drawn(NamedTuple):
    """The Keras layers of one description; the weights are in those that have any."""

    description: Layer
    layers: list[Any]

    @property
    def weighted(self) -> list[Any]:
        """Those that learn: one, or the two heads of a VAE's encoder."""
        return [layer for layer in self.layers if layer.weights]


def drawn(layer: Layer, channels: int, published: bool = False) -> list[Any]:
    """The Keras layers of a description, for maps of so many channels. Vectors of maps count channel first, as in torch."""
    match layer:
        case Dense():
            kernel, bias = first_weights(layer.inputs)
            dense = keras.layers.Dense(layer.outputs, kernel_initializer=kernel, bias_initializer=bias)
            return [Spectral(dense) if layer.spectral else dense]
        case Convolution():
            kernel, bias = first_weights(layer.inputs * layer.kernel**2)
            first = {"kernel_initializer": kernel, "bias_initializer": bias}
            convolution = keras.layers.Conv2D(layer.outputs, layer.kernel, layer.stride, **first)
            return [keras.layers.ZeroPadding2D(layer.padding), Spectral(convolution) if layer.spectral else convolution]
        case TransposedConvolution():
            return [_transposed(layer), keras.layers.Cropping2D([(layer.padding, layer.padding - more) for more in layer.output_padding])]
        case Normalization():
            return [keras.layers.BatchNormalization(momentum=1 - MOMENTUM, epsilon=EPSILON) if published else BatchNorm()]
        case BatchDeviation():
            return [Deviation()]
        case Activation():
            return [keras.layers.LeakyReLU(LEAKY_SLOPE) if layer.name == "leaky_relu" else keras.layers.Activation(layer.name)]
        case Flatten():
            return [*([keras.layers.Permute((3, 1, 2))] if channels > 1 else []), keras.layers.Flatten()]
        case Reshape():
            depth, height, width = layer.shape
            if depth == 1:
                return [keras.layers.Reshape((height, width, 1))]
            return [keras.layers.Reshape(layer.shape), keras.layers.Permute((2, 3, 1))]
        case Spread() | Mean():
            raise refusal("the likelihood", reason("must.bernoulli"), layer.likelihood if isinstance(layer, Mean) else "one with a scale")
        case ResidualBlock():
            raise refusal("model.blocks", reason("must.not_keras"), layer.blocks, reason("use", option="--format onnx"))
        case _:
            assert_never(layer)


def _transposed(layer: TransposedConvolution) -> Any:
    if layer.smooth:
        return BlurredConv2DTranspose(layer.outputs, layer.learned, layer.smooth)
    kernel, bias = first_weights(layer.outputs * layer.kernel**2)
    return keras.layers.Conv2DTranspose(layer.outputs, layer.kernel, layer.stride, kernel_initializer=kernel, bias_initializer=bias)


def first_weights(fan_in: int) -> tuple[Any, Any]:
    """What kernel and bias are drawn from: torch's default, uniform on ±1/√fan_in both."""
    bound = 1 / math.sqrt(fan_in)
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"), keras.initializers.RandomUniform(-bound, bound)


@contextmanager
def held(layers: Iterable[Any], kinds: tuple[Any, ...] = (BatchNorm, Spectral)) -> Iterator[None]:
    """Within it batch norm keeps no statistics and spectral norm its vectors: read when a program is traced."""
    still: list[Any] = [layer for layer in layers if isinstance(layer, kinds)]
    for layer in still:
        layer.hold = True
    try:
        yield
    finally:
        for layer in still:
            layer.hold = False
