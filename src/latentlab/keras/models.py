"""VAE and GAN as Keras models for `compile` and `fit`, under TensorFlow and JAX alike.

Images are [N, H, W, C], floats in [0, 1] or bytes; z is [N, Z].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from latentlab.base.errors import refusal
from latentlab.keras.backend import BACKEND, gradient
from latentlab.keras.layers import PACKAGE, Spectral, held
from latentlab.keras.networks import Decoder, Discriminator, Encoder, Network, Sampling
from latentlab.keras.objectives import ADVERSARIAL, NATS, kl_to_standard_normal


def unit(images: Any) -> Any:
    """Bytes or floats as floats in [0, 1]."""
    x = ops.cast(images, "float32")
    return x if "float" in keras.backend.standardize_dtype(images.dtype) else x / 255.0


class Assembled(keras.Model):
    """A model that is saved with the models it is made of."""

    parts: tuple[str, ...]
    options: tuple[str, ...]

    def get_config(self) -> dict[str, Any]:
        parts = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.parts}
        return parts | {name: getattr(self, name) for name in self.options} | {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        read = {name: keras.saving.deserialize_keras_object(config[name], custom_objects) for name in cls.parts}
        return cls(**{**config, **read})

    def _taken_in(self, values: dict[str, Any]) -> dict[str, Any]:
        for tracker in self.metrics:
            if tracker.name in values:
                tracker.update_state(values[tracker.name])
        return {tracker.name: tracker.result() for tracker in self.metrics if tracker.name in values}


@keras.saving.register_keras_serializable(PACKAGE)
class VAE(Assembled):
    """A variational autoencoder (Kingma & Welling 2014): `VAE(encoder, decoder)`, then `compile(optimizer)` and `fit(images)`.

    It minimises −log p(x|z) + β KL(q(z|x) ‖ N(0, I)) in nats per image, summed over pixels and latents. Called on images it
    gives logits [N, H, W, C], mean and log-variance [N, Z]. Any Keras models serve that take and give the same.
    """

    parts, options = ("encoder", "decoder"), ("beta", "likelihood", "seed")

    def __init__(
        self,
        encoder: Any = None,
        decoder: Any = None,
        beta: float = 1.0,
        likelihood: str = "bernoulli",
        seed: int | None = None,
        name: str = "vae",
    ) -> None:
        super().__init__(name=name)
        if likelihood not in NATS:
            raise refusal("likelihood", "one of " + ", ".join(NATS), likelihood)
        self.encoder = Encoder() if encoder is None else encoder
        self.decoder = mirror(self.encoder) if decoder is None else decoder
        self.sampling = Sampling(seed)
        self.beta, self.likelihood, self.seed = beta, likelihood, seed
        self.trackers = [keras.metrics.Mean(name) for name in ("reconstruction_nats", "kl_nats")]
        if (shape := getattr(self.encoder, "input_shape", None)) is not None:  # else the first batch tells it
            self(keras.Input(shape[1:]))  # from here on its shapes are known

    def call(self, images: Any, training: bool = False) -> tuple[Any, Any, Any]:
        mean, log_var = self.encoder(unit(images), training=training)
        return self.decoder(self.sampling((mean, log_var)), training=training), mean, log_var

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True) -> Any:
        """Reconstruction + β KL, the mean over the batch, in nats. `y` is not used: the images are their own target."""
        logits, mean, log_var = y_pred
        reconstruction = ops.mean(NATS[self.likelihood](logits, unit(x)))
        kl = ops.mean(ops.sum(kl_to_standard_normal(mean, log_var), 1))
        self._taken_in({"reconstruction_nats": reconstruction, "kl_nats": kl})
        return reconstruction + self.beta * kl

    def reconstruct(self, images: Any) -> Any:
        """What the decoder makes of the posterior's mean: images [N, H, W, C] to images in [0, 1]."""
        mean, _ = self.encoder(unit(ops.convert_to_tensor(images)), training=False)
        return ops.sigmoid(self.decoder(mean, training=False))

    def generate(self, z: Any) -> Any:
        """Codes [N, Z], such as draws of N(0, I), to images [N, H, W, C] in [0, 1]."""
        return ops.sigmoid(self.decoder(z, training=False))


def mirror(encoder: Any) -> Decoder:
    """The decoder that mirrors one of our encoders. Raises LabError for another one."""
    if not isinstance(encoder, Network):
        raise refusal("decoder", "given beside an encoder of your own", None)
    return Decoder(**{name: value for name, value in encoder.arguments.items() if name != "variational"})


@keras.saving.register_keras_serializable(PACKAGE)
class GAN(Assembled):
    """A generative adversarial network (Goodfellow et al. 2014): `GAN(generator=vae.decoder)`, then `compile` and `fit(images)`.

    A step is the discriminator's update, on real images and on fakes whose gradient stops there, then the generator's
    with z of its own. The generator gives logits; called on z [N, Z] the GAN gives images [N, H, W, C] in [0, 1]. `latent_dim` is
    Z, to be given where the generator does not know its input's shape.
    """

    parts, options = ("generator", "discriminator"), ("loss_name", "label_smoothing", "seed", "latent_dim")

    def __init__(
        self,
        generator: Any = None,
        discriminator: Any = None,
        loss_name: str = "hinge",
        label_smoothing: float = 1.0,
        seed: int | None = None,
        latent_dim: int | None = None,
        name: str = "gan",
    ) -> None:
        super().__init__(name=name)
        if loss_name not in ADVERSARIAL:
            raise refusal("loss_name", "one of " + ", ".join(ADVERSARIAL), loss_name)
        self.generator = Decoder(name="generator") if generator is None else generator
        self.latent_dim = latent_dim or (getattr(self.generator, "input_shape", None) or (None,))[-1]
        if self.latent_dim is None:
            raise refusal("latent_dim", "given beside a generator that does not know its input's shape", None)
        _, height, width, channels = self.generator(ops.zeros((1, self.latent_dim))).shape
        self.discriminator = Discriminator(image_shape=(height, width, channels)) if discriminator is None else discriminator
        self.loss_name, self.label_smoothing, self.seed = loss_name, label_smoothing, seed
        self.draws = keras.random.SeedGenerator(seed)
        self.trackers = [keras.metrics.Mean(name) for name in ("discriminator_loss", "generator_loss")]
        self.discriminator(ops.zeros((1, height, width, channels)))
        self(keras.Input((self.latent_dim,)))  # from here on its shapes are known

    def compile(self, generator_optimizer: Any = None, discriminator_optimizer: Any = None, **options: Any) -> None:
        """Adam with β₁ = 0 and a rate of 1e-3 for each network that is given none. Other options are those of `keras.Model`."""
        usual = [keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        given = [
            keras.optimizers.get(each or other) for each, other in zip((generator_optimizer, discriminator_optimizer), usual, strict=True)
        ]
        super().compile(optimizer=given[0], **options)
        self.discriminator_optimizer = given[1]
        for optimizer, network in zip(given, (self.generator, self.discriminator), strict=True):
            optimizer.build(network.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        names = {"generator_optimizer": self.optimizer, "discriminator_optimizer": self.discriminator_optimizer}
        return {name: keras.saving.serialize_keras_object(optimizer) for name, optimizer in names.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**{name: keras.saving.deserialize_keras_object(optimizer) for name, optimizer in config.items()})

    @property
    def non_trainable_variables(self) -> list[Any]:
        """With the second optimiser's, of which Keras's own trainer knows nothing."""
        second = getattr(self, "discriminator_optimizer", None)
        return [*super().non_trainable_variables, *(second.variables if second else ())]

    def call(self, z: Any, training: bool = False) -> Any:
        return ops.sigmoid(self.generator(z, training=training))

    def train_step(self, *given: Any) -> Any:
        """Both updates on a batch of images; the losses by name."""
        if BACKEND != "jax":
            return self._both(given[0])
        state, data = given
        kinds = [self.trainable_variables, self.non_trainable_variables, self.optimizer.variables, self.metrics_variables]
        pairs = [pair for kind, values in zip(kinds, state, strict=True) for pair in zip(kind, values, strict=True)]
        with keras.StatelessScope(pairs) as scope:
            logs = self._both(data)
        return logs, tuple([scope.get_current_value(variable) for variable in kind] for kind in kinds)

    def _both(self, data: Any) -> dict[str, Any]:
        images = unit(data[0] if isinstance(data, tuple | list) else data)
        game, count = ADVERSARIAL[self.loss_name], ops.shape(images)[0]

        def judge() -> Any:
            with held(self.generator.layers):
                fake = ops.stop_gradient(ops.sigmoid(self.generator(self._z(count), training=True)))
            real_logit = self.discriminator(images, training=True)
            with held(self.discriminator.layers, (Spectral,)):
                fake_logit = self.discriminator(fake, training=True)
            on_real, on_fake = game.discriminator(real_logit, fake_logit, self.label_smoothing)
            return ops.mean(on_real) + ops.mean(on_fake)

        def fool() -> Any:
            with held(self.discriminator.layers):
                logit = self.discriminator(ops.sigmoid(self.generator(self._z(count), training=True)), training=True)
            return ops.mean(game.generator(logit))

        return self._taken_in(
            {
                "discriminator_loss": self._descend(judge, self.discriminator.trainable_variables, self.discriminator_optimizer),
                "generator_loss": self._descend(fool, self.generator.trainable_variables, self.optimizer),
            }
        )

    def _z(self, count: Any) -> Any:
        return keras.random.normal((count, self.latent_dim), seed=self.draws)

    def _descend(self, loss: Callable[[], Any], weights: Sequence[Any], optimizer: Any) -> Any:
        """One update of some weights. Everything else that computing the loss changed, such as statistics and seeds, stays changed."""
        mine = {id(weight) for weight in weights}
        others = [variable for variable in self.variables if id(variable) not in mine]

        def given(values: Sequence[Any]) -> tuple[Any, Any]:
            pairs = [*zip(weights, values, strict=True), *((other, other.value) for other in others)]
            with keras.StatelessScope(pairs) as scope:
                return loss(), [scope.get_current_value(other) for other in others]

        value, kept, slopes = gradient(given, [weight.value for weight in weights])
        optimizer.apply(slopes, weights)
        for other, now in zip(others, kept, strict=True):
            if not other.trainable:
                other.assign(now)
        return value
