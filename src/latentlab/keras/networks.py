"""Encoder, Sampling, Decoder and Discriminator: functional Keras models drawn from the same descriptions as the torch modules.

Axes: N images, H height, W width, C channels, Z latent. Images are floats in [0, 1], [N, H, W, C].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from latentlab.config.layers import Dense, Layers
from latentlab.config.networks import decoder_layers, discriminator_layers, encoder_layers, fit_model
from latentlab.config.parts import AutoencoderModel, GANModel, VAEModel, check_part
from latentlab.keras.layers import PACKAGE, Drawn, drawn, first_weights

Shape = tuple[int, int, int]


def connected(layers: Layers, inputs: Any, heads: Sequence[str] = (), published: bool = False) -> tuple[Any, list[Drawn]]:
    """What the layers make of Keras inputs, and the Keras layers. With `heads` the last dense layer is cut into one for each.

    `published`: with Keras's own batch norm, which computes the same once it is trained.
    """
    made, x = list[Drawn](), inputs
    for description in layers:
        if heads and isinstance(description, Dense) and description is layers[-1]:
            kernel, bias = first_weights(description.inputs)
            size = description.outputs // len(heads)
            parts = [keras.layers.Dense(size, kernel_initializer=kernel, bias_initializer=bias, name=name) for name in heads]
            made.append(Drawn(description, parts))
            x = [part(x) for part in parts]
            break
        made.append(Drawn(description, drawn(description, x.shape[-1], published)))
        for layer in made[-1].layers:
            x = layer(x)
    return x, made


class Network(keras.Model):
    """A functional model that is made again from its arguments."""

    arguments: dict[str, Any]

    def get_config(self) -> dict[str, Any]:
        return {**self.arguments, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in config.items()})


@keras.saving.register_keras_serializable(PACKAGE)
class Encoder(Network):
    """Images [N, H, W, C] in [0, 1] to the posterior's mean and log-variance, [N, Z] each; not `variational`: to the code [N, Z].

    `hidden` are the widths of its dense layers; `channels` those of the 4 x 4 convolutions of stride 2 before them.
    """

    def __init__(
        self,
        latent_dim: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: tuple[int, ...] = (),
        image_shape: Shape = (28, 28, 1),
        activation: str = "relu",
        normalization: str = "none",
        variational: bool = True,
        name: str = "encoder",
    ) -> None:
        form = {"latent_dim": latent_dim, "hidden": hidden, "channels": channels, "activation": activation, "normalization": normalization}
        model = fitted(VAEModel if variational else AutoencoderModel, image_shape, form)
        inputs = keras.Input(image_shape, name="images")
        outputs, _ = connected(encoder_layers(model, image_shape), inputs, ("mean", "log_var") if variational else ())
        super().__init__(inputs, outputs, name=name)
        self.arguments = {**form, "image_shape": image_shape, "variational": variational}


@keras.saving.register_keras_serializable(PACKAGE)
class Decoder(Network):
    """Codes [N, Z] to logits [N, H, W, C]; the image is their sigmoid. The encoder's mirror, and a GAN's generator."""

    def __init__(
        self,
        latent_dim: int = 20,
        hidden: tuple[int, ...] = (400,),
        channels: tuple[int, ...] = (),
        image_shape: Shape = (28, 28, 1),
        activation: str = "relu",
        normalization: str = "none",
        upsampling: str = "auto",
        name: str = "decoder",
    ) -> None:
        form = {"latent_dim": latent_dim, "hidden": hidden, "channels": channels, "activation": activation, "normalization": normalization}
        form |= {"upsampling": upsampling}
        inputs = keras.Input((latent_dim,), name="z")
        outputs, _ = connected(decoder_layers(fitted(VAEModel, image_shape, form), image_shape), inputs)
        super().__init__(inputs, outputs, name=name)
        self.arguments = {**form, "image_shape": image_shape}


@keras.saving.register_keras_serializable(PACKAGE)
class Discriminator(Network):
    """Images [N, H, W, C] in [0, 1] to one logit each [N], large for real."""

    def __init__(
        self,
        hidden: tuple[int, ...] = (128,),
        channels: tuple[int, ...] = (32, 64),
        image_shape: Shape = (28, 28, 1),
        normalization: str = "spectral",
        name: str = "discriminator",
    ) -> None:
        form = {"discriminator_hidden": hidden, "discriminator_channels": channels, "discriminator_normalization": normalization}
        inputs = keras.Input(image_shape, name="images")
        outputs, _ = judged(discriminator_layers(fitted(GANModel, image_shape, form), image_shape), inputs)
        super().__init__(inputs, outputs, name=name)
        self.arguments = {"hidden": hidden, "channels": channels, "image_shape": image_shape, "normalization": normalization}


def judged(layers: Layers, inputs: Any) -> tuple[Any, list[Drawn]]:
    """A discriminator's logits [N] of images in [0, 1], which it brings to [-1, 1]; and its Keras layers."""
    logits, made = connected(layers, keras.layers.Rescaling(2.0, -1.0)(inputs))
    return keras.layers.Reshape(())(logits), made


def fitted(kind: Any, shape: Shape, form: dict[str, Any]) -> Any:
    """The description of a model of some kind, its convolutions adapted to images of `shape`. LabError for a field that cannot be."""
    model = kind(**form)
    check_part("model", model)
    return fit_model(model, shape, plain=True)


@keras.saving.register_keras_serializable(PACKAGE)
class Sampling(keras.layers.Layer):
    """The reparameterisation z = mean + exp(½ log σ²) ε with ε ~ N(0, I) drawn anew at each call: a pair of [N, Z] to [N, Z].

    Kingma & Welling 2014, section 2.4. The gradient reaches mean and log-variance; the draw has none.
    """

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed, self.draws = seed, keras.random.SeedGenerator(seed)

    def call(self, inputs: Any) -> Any:
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.draws)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"seed": self.seed}
