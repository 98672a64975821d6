"""Named configurations. Each says where it comes from and what it should reach."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from latentlab.base.errors import refusal
from latentlab.config.parts import AutoencoderModel, AutoencoderTrain, DataConfig, GANModel, GANTrain, VAEModel, VAETrain
from latentlab.config.schema import Config, one_length

DECODERS_DATA = "from-run"  # stands for the data of the run that --generator-from names


def mlp_ae() -> Config:
    """Fully connected autoencoder, 784-256-128-32 and its mirror, ReLU, squared error, Adam 1e-3, batch 128, 20 epochs.

    Source: the PyTorch AE/VAE/GAN lab; the weights' averaging and initialisation are ours. Should reach a test MSE of
    0.0063 per pixel on MNIST.
    """
    return Config(
        preset="mlp-ae",
        model=AutoencoderModel(latent_dim=32, hidden=(256, 128), channels=(), reconstruction="mse", initialization="xavier"),
        train=AutoencoderTrain(epochs=20.0, ema_halflife_images=5_000),
    )


def mlp_vae() -> Config:
    """Fully connected VAE, 784-400-(32, 32) and 32-400-784, ReLU, BCE + KL, Adam 1e-3, batch 128, 20 epochs.

    Source: the PyTorch AE/VAE/GAN lab, after pytorch/examples; the averaging of the weights is ours. With latent 20 it
    should reach a test BCE + KL of 112.5 nats after 3 epochs of MNIST and 105.9 after 10.
    """
    return Config(
        preset="mlp-vae",
        model=VAEModel(latent_dim=32, hidden=(400,), channels=()),
        train=VAETrain(epochs=20.0, ema_halflife_images=5_000),
    )


def iwae_1layer() -> Config:
    """Importance-weighted autoencoder, 784-200-200-(50, 50) and its mirror, tanh, k = 50, binarised pixels, Adam 1e-3, batch 20.

    Source: one stochastic layer of Burda, Grosse & Salakhutdinov 2016, which reaches an NLL of 84.78 nats on MNIST (86.76 as a VAE, k = 1)
    in 3,280 epochs with a rate that falls in eight stages to 1e-4. Ours: 40 epochs, one rate, and averaged weights.
    """
    return Config(
        preset="iwae-1layer",
        model=VAEModel(latent_dim=50, hidden=(200, 200), channels=(), activation="tanh", initialization="xavier", binarization="dynamic"),
        train=VAETrain(epochs=40.0, batch_size=20, importance_samples=50, ema_halflife_images=5_000),
    )


def keras_vae() -> Config:
    """`mlp-vae` with latent 20, trained by Keras: 784-400-(20, 20) and 20-400-784, ReLU, BCE + KL, Adam 1e-3, batch 128.

    Source: the Keras VAE → GAN lab, whose components are `latentlab.keras`. Should reach what `mlp-vae` reaches.
    """
    return mlp_vae().replace(preset="keras-vae", engine="keras", latent_dim=20)


def keras_gan() -> Config:
    """GAN whose generator is `keras-vae`'s decoder, 20-400-784, trained by Keras; from that very one with `--generator-from RUN`.

    Source: the Keras VAE → GAN lab. The discriminator is dense too and spectrally normalised, the rest as in `sn-gan`.
    """
    return sn_gan().replace(
        preset="keras-gan",
        engine="keras",
        latent_dim=20,
        hidden=(400,),
        activation="relu",
        discriminator_hidden=(400, 128),
        **{"model.channels": (), "model.discriminator_channels": ()},
    )


def conv_ae() -> Config:
    """Convolutional autoencoder: 4 x 4 convolutions of stride 2 (32, 64), dense 256, latent 32; mirrored; BCE, Adam 1e-3.

    Source: the PyTorch VAE/GAN notebook, without the sampling. The same networks as `conv-vae`.
    """
    return Config(
        preset="conv-ae",
        model=AutoencoderModel(reconstruction="bce", activation="elu"),
        train=AutoencoderTrain(epochs=10.0, ema_halflife_images=5_000),
    )


def conv_vae() -> Config:
    """Convolutional VAE: 4 x 4 convolutions of stride 2 (32, 64), dense 256, latent 32; mirrored; BCE + KL, Adam 1e-3.

    Source: the PyTorch VAE/GAN notebook. With latent 20 it should reach a test BCE + KL of 104.5 nats after 3 epochs of
    MNIST.
    """
    return Config(preset="conv-vae", model=VAEModel(activation="elu"), train=VAETrain(epochs=10.0, ema_halflife_images=5_000))


def vae_gan() -> Config:
    """VAE that reconstructs what a discriminator makes of an image; its decoder is the generator against that discriminator.

    Source: Larsen et al. 2016. `conv-vae`'s networks and `sn-gan`'s discriminator, whose last maps are what is reconstructed, in place
    of the paper's batch-normalised ones for faces; Adam in place of RMSProp, averaged weights. After 1,200 steps of MNIST (seed 0):
    squared error 0.013 per pixel, KL 15.6 nats, recall 0.82.
    """
    return Config(
        preset="vae-gan",
        model=VAEModel(activation="elu", discriminator_channels=(32, 64)),
        train=VAETrain(epochs=10.0, batch_size=64, adam_beta1=0.0, adam_beta2=0.99, ema_halflife_images=10_000),
    )


def conv_gan() -> Config:
    """Convolutional GAN: latent 100, dense to 7 x 7 x 256, transposed convolutions to 128 and to the image, batch norm.

    The discriminator has convolutions of 64 and 128 channels; non-saturating loss, Adam 2e-4 with beta1 0.5.
    Source: the PyTorch VAE/GAN notebook, after DCGAN (Radford et al. 2016).
    """
    return Config(
        preset="conv-gan",
        model=GANModel(
            latent_dim=100,
            hidden=(),
            channels=(128, 256),
            normalization="batch",
            discriminator_channels=(64, 128),
            discriminator_hidden=(),
            discriminator_normalization="none",
            initialization="dcgan",
        ),
        train=GANTrain(loss="non-saturating", epochs=10.0, adam_beta1=0.5, ema_halflife_images=10_000),
    )


def art_gan() -> Config:
    """GAN for some hundred pictures at 64 x 64 RGB: noise 100, transposed convolutions of 256, 128, 64 and 32 channels.

    Non-saturating loss with one-sided label smoothing 0.9, two learning rates and two generator updates per step, against a
    discriminator that wins. Source: the PyTorch AE/VAE/GAN lab on abstract art (an image folder). Ours, because with batch
    norm in both networks it made one grey tile of 748 paintings: a discriminator without it, half the channels, blurred
    kernels, R1, rates that fall, and pictures shifted and mirrored; and leaky ReLU, for the harmonics of ReLU's corner fall on
    the stride's frequencies and weave (Karras et al. 2021, section 2), while ELU weaves least and varies less. What it
    reaches: benchmarks/bench_art.py.
    """
    return conv_gan().replace(
        preset="art-gan",
        image_size=64,
        **{"model.channels": (32, 64, 128, 256)},
        discriminator_channels=(32, 64, 128, 256),
        activation="leaky_relu",
        epochs=80.0,
        evaluate_epochs=2.5,
        batch_size=32,
        adam_beta1=0.0,
        adam_beta2=0.99,
        label_smoothing=0.9,
        generator_learning_rate=5e-4,
        discriminator_learning_rate=1e-3,
        rate_halflife_images=28_000,
        generator_updates=2,
        r1_weight=0.1,
        augmentation="shift-mirror",
    )


def sn_gan() -> Config:
    """The default GAN: `conv-vae`'s decoder as generator against a spectrally normalised discriminator, hinge loss.

    Source: spectral normalisation (Miyato et al. 2018), the hinge loss (Lim & Ye 2017), weight averaging (Yazici et al.
    2019). Chosen by measurement at an equal budget, see benchmarks/. The decoder's activation is ELU because its mean is
    near zero: with ReLU a second dense layer acts as a large bias, and the generator collapses onto a few images.
    """
    return Config(
        preset="sn-gan",
        model=GANModel(activation="elu"),
        train=GANTrain(
            epochs=10.0,
            batch_size=64,
            generator_learning_rate=1e-3,
            discriminator_learning_rate=1e-3,
            adam_beta1=0.0,
            adam_beta2=0.99,
            ema_halflife_images=10_000,
        ),
    )


def robust_gan() -> Config:
    """GAN that is hard to make collapse: residual networks without norm, relativistic loss, R1 and R2 in every step.

    Source: R3GAN (Huang et al. 2024, arXiv 2501.05441): residual blocks of 1 x 1, 3 x 3, 1 x 1 that start as their skip, Adam with
    beta1 0 and beta2 0.99. Ours, to be affordable on a laptop: one block a stage and none at full size, stride-2 convolutions
    between the stages, a batch of 64 and rates of 1e-3 for it. Should reach a Frechet distance of 50 and a recall of 0.88 after
    2,000 steps of MNIST (one run, seed 0), with all ten digits; a step costs about twice `sn-gan`'s, which comes nearer sooner there.
    """
    return Config(
        preset="robust-gan",
        model=GANModel(
            latent_dim=64,
            hidden=(),
            blocks=1,
            activation="leaky_relu",
            discriminator_channels=(16, 32),
            discriminator_hidden=(),
            discriminator_blocks=1,
            discriminator_normalization="none",
        ),
        train=GANTrain(
            loss="relativistic",
            epochs=10.0,
            batch_size=64,
            adam_beta1=0.0,
            adam_beta2=0.99,
            generator_learning_rate=1e-3,
            discriminator_learning_rate=1e-3,
            r1_weight=1.0,
            r2_weight=1.0,
            r1_steps=1,
            ema_halflife_images=10_000,
        ),
    )


def point_gan() -> Config:
    """GAN for points of the plane: z of 2, dense layers in both networks, relativistic loss with R1 and R2, rates that fall.

    Source: the mixtures of PacGAN (Lin et al. 2018); the networks are smaller and the loss is R3GAN's (Huang et al. 2024). Reaches 8 of 8
    modes of `ring` and a high-quality share of 0.92 (seeds 0 to 2), of `grid` all 25 and 0.64 (seed 0): benchmarks/bench_points.py.
    """
    return Config(
        preset="point-gan",
        data=DataConfig(spec="ring"),
        model=GANModel(
            latent_dim=2,
            hidden=(64, 64, 64),
            channels=(),
            activation="leaky_relu",
            discriminator_channels=(),
            discriminator_hidden=(64, 64, 64),
            discriminator_normalization="none",
        ),
        train=GANTrain(
            loss="relativistic",
            epochs=32.0,
            evaluate_epochs=2.0,
            generator_learning_rate=3e-3,
            discriminator_learning_rate=3e-3,
            rate_halflife_images=700_000,
            adam_beta1=0.5,
            adam_beta2=0.99,
            r1_weight=0.02,
            r2_weight=0.02,
            r1_steps=4,
            ema_halflife_images=20_000,
            measure_samples=2_500,
            sample_count=400,
        ),
    )


def point_vae() -> Config:
    """VAE for points of the plane: a code of 2, dense layers, a Gaussian likelihood, Adam 1e-3, batch 128.

    Source: none; it is there to be held against `point-gan`. benchmarks/bench_points.py measures it.
    """
    return Config(
        preset="point-vae",
        data=DataConfig(spec="ring"),
        model=VAEModel(latent_dim=2, hidden=(64, 64, 64), channels=(), activation="leaky_relu", likelihood="gaussian", deviation=0.05),
        train=VAETrain(epochs=20.0, evaluate_epochs=1.0, ema_halflife_images=20_000, sample_count=400),
    )


def gan_from_vae() -> Config:
    """`sn-gan` whose generator starts as a VAE's decoder; `--generator-from RUN` is required.

    The generator takes its form (latent size, widths, activation) from that run, and its data when none is named.
    Source: the Keras VAE -> GAN lab. z is drawn from the prior, as for every GAN.
    """
    return sn_gan().replace(preset="gan-from-vae", data=DECODERS_DATA)


PRESETS: dict[str, Callable[[], Config]] = {
    "mlp-ae": mlp_ae,
    "mlp-vae": mlp_vae,
    "iwae-1layer": iwae_1layer,
    "conv-ae": conv_ae,
    "conv-vae": conv_vae,
    "vae-gan": vae_gan,
    "conv-gan": conv_gan,
    "art-gan": art_gan,
    "sn-gan": sn_gan,
    "robust-gan": robust_gan,
    "gan-from-vae": gan_from_vae,
    "keras-vae": keras_vae,
    "keras-gan": keras_gan,
    "point-gan": point_gan,
    "point-vae": point_vae,
}


def preset(name: str, **changes: Any) -> Config:
    """The configuration of that name, with fields changed as by `Config.replace`. Raises LabError for an unknown name."""
    if name not in PRESETS:
        raise refusal("a preset", "one of " + ", ".join(PRESETS), name, "`latentlab presets` describes them.")
    one_length(changes)
    config = PRESETS[name]()
    return config.replace(**changes) if changes else config


def about(name: str) -> str:
    """What a preset is, from its docstring: the paragraphs joined to plain text."""
    return inspect.cleandoc(PRESETS[name].__doc__ or "")
