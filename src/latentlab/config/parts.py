"""The fields of a run, in three parts: `data`, `model` and `train`.

Each field is declared once, by `option(...)`, with its help, its bounds and its role; the command line, forms and docs are
drawn from that declaration. What `model` and `train` hold depends on the family ("ae", "vae" or "gan"), so that a field which
means nothing to a family does not exist for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from latentlab.config import GAMES, EngineName, Likelihood, Loss, Reconstruction
from latentlab.config.field import Field, again, declared, option
from latentlab.config.sources import valid


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is learned from, and how it is cut into train, val and test."""

    spec: str = option("digits", f"data set: {valid()}", short="--data")
    root: str | None = option(
        None, "data root; default LATENTLAB_DATA, else the platform's cache folder", role="files", short="--data-root"
    )
    offline: bool = option(False, "never download: refuse when a named set is not at hand", role="files")
    image_size: int | None = option(
        None, "height and width in pixels; default: 28 for digits, 64 for a folder, as published for the others", minimum=8, maximum=256
    )
    fit: Literal["crop", "pad"] = option("crop", "how an image that is not square becomes square: centre crop, or pad")
    channels: Literal["auto", "grey", "rgb"] = option("auto", "grey or rgb; auto: grey only if every image of the folder is grey")
    val_images: int = option(5000, "idx sets: how many of the last training images are held out as val", minimum=1)
    val_share: float = option(0.1, "digits and folders: share of the images held out as val, by content", above=0, maximum=0.5)
    test_share: float = option(0.1, "digits and folders: share of the images held out as test, by content", above=0, maximum=0.5)
    train_images: int | None = option(None, "use only the first N training images", minimum=1)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The encoder and its mirror, the decoder. A GAN's generator is that decoder."""

    latent_dim: int = option(32, "size Z of the latent code", minimum=1, maximum=4096, short="--latent-dim")
    hidden: tuple[int, ...] = option(
        (256,), "widths of the encoder's dense layers, in order; the decoder mirrors them", minimum=1, maximum=16_384, short="--hidden"
    )
    channels: tuple[int, ...] = option(
        (32, 64), "output channels of the encoder's stride-2 convolutions; empty: fully connected", minimum=1, maximum=4096
    )
    blocks: int = option(
        0,
        "residual blocks without normalisation after each convolution and before each of its mirror (Huang et al. 2024)",
        minimum=0,
        maximum=8,
    )
    activation: Literal["relu", "leaky_relu", "elu", "tanh"] = option("relu", "activation of encoder and decoder")
    normalization: Literal["none", "batch"] = option("none", "normalisation in encoder and decoder")
    initialization: Literal["default", "xavier", "dcgan"] = option(
        "default", "first weights: torch's own, xavier (Glorot & Bengio 2010, biases 0) or dcgan (N(0, 0.02²), Radford et al. 2016)"
    )
    stages: Literal["fit", "exact"] = option(
        "fit", "fit: drop or add stride-2 convolutions so that the smallest map is 2 to 12 pixels wide; exact: as given"
    )
    upsampling: Literal["auto", "free", "smooth"] = option(
        "auto",
        "the decoder's transposed convolutions: free, or smooth (each kernel blurred, so that the stride weaves no pattern: "
        "Odena et al. 2016); auto: smooth above 32 pixels",
    )


@dataclass(frozen=True, kw_only=True)
class PriorConfig(NetworkConfig):
    """Networks that draw images of z from a prior, and perhaps of a class."""

    conditional: bool = option(
        False, "the class of each image is given: to encoder and decoder, to a GAN's discriminator by projection (Miyato & Koyama 2018)"
    )
    classes: int = option(0, "how many classes there are; of the data", minimum=0, maximum=1000)


@dataclass(frozen=True, kw_only=True)
class JudgedConfig(PriorConfig):
    """Those, and a discriminator of what they draw."""

    discriminator_channels: tuple[int, ...] = option(
        (),
        "output channels of the discriminator's stride-2 convolutions; a VAE has no discriminator without them (Larsen et al. 2016)",
        minimum=1,
        maximum=4096,
    )
    discriminator_hidden: tuple[int, ...] = option((), "widths of the discriminator's dense layers", minimum=1, maximum=16_384)
    discriminator_blocks: int = option(0, "residual blocks after each of the discriminator's convolutions", minimum=0, maximum=8)
    discriminator_normalization: Literal["none", "batch", "spectral"] = option(
        "spectral", "spectral: every layer divided by its largest singular value (Miyato et al. 2018)"
    )


@dataclass(frozen=True, kw_only=True)
class AutoencoderModel(NetworkConfig):
    """An autoencoder (Rumelhart, Hinton & Williams 1986): code = encoder(x), reconstruction = sigmoid(decoder(code))."""

    reconstruction: Reconstruction = option("mse", "mse: half the squared error (a Gaussian of unit variance); bce: binary cross-entropy")


@dataclass(frozen=True, kw_only=True)
class VAEModel(JudgedConfig):
    """A variational autoencoder (Kingma & Welling 2014): Gaussian posterior, standard normal prior.

    With a discriminator it reconstructs what that one makes of an image, and its decoder is a generator too (Larsen et al. 2016).
    """

    likelihood: Literal[Likelihood, "auto"] = option(
        "auto",
        "p(x|z); auto: bernoulli for grey images (between black and white a surrogate, and labelled so), logistic for colour ones",
    )
    deviation: float = option(
        0.1, "scale of a Gaussian or logistic p(x|z), of a pixel from 0 to 1: fixed, or where a learned one starts", above=0, maximum=10.0
    )
    binarization: Literal["none", "dynamic"] = option("none", "dynamic: draw each pixel as 0 or 1 anew at every step")


@dataclass(frozen=True, kw_only=True)
class GANModel(JudgedConfig):
    """A generative adversarial network (Goodfellow et al. 2014): the decoder as generator, and a discriminator."""

    discriminator_channels: tuple[int, ...] = again(JudgedConfig, "discriminator_channels", (32, 64))
    discriminator_hidden: tuple[int, ...] = again(JudgedConfig, "discriminator_hidden", (128,))
    packing: int = option(
        1, "images that the discriminator judges together, all real or all generated (Lin et al. 2018)", minimum=1, maximum=8
    )
    discriminator_deviation: bool = option(
        False, "beside the last maps how unlike each other a batch's images are in them (Karras et al. 2018)"
    )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long, with which optimiser, on which machine, and what is kept. Schedules count steps or images."""

    epochs: float = option(20.0, "total length in passes over the training images", above=0, role="length", short="--epochs")
    steps: int | None = option(None, "total length in steps; overrides epochs", minimum=1, role="length", short="--steps")
    batch_size: int = option(128, "images in a batch", minimum=1, short="--batch-size")
    shards: int = option(
        1,
        "equal parts of a batch, each computed whole by one process, a power of two: the same bits on any number of processes; "
        "batch norm then takes its statistics over a shard",
        minimum=1,
        maximum=1024,
    )
    order: Literal["all", "shard"] = option(
        "all", "each epoch's order: all images mixed, or those of each shard apart, so that a process reads only its own part of the set"
    )
    seed: int = option(0, "every random number is drawn from it", minimum=0, maximum=2**31 - 1, role="seed", short="--seed")
    threads: int | Literal["auto"] = option(
        "auto",
        "CPU threads; auto: the fastest number, measured once per machine",
        minimum=1,
        maximum=1024,
        role="machine",
        short="--threads",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option("auto", "auto: cuda, else mps, else cpu", role="machine", short="--device")
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto", "auto: bf16 where the processor has it in hardware, else fp32", short="--precision"
    )
    engine: EngineName = option(
        "torch", "what trains: torch, or Keras on TensorFlow (on JAX where KERAS_BACKEND says jax)", short="--engine"
    )
    adam_beta1: float = option(0.9, "Adam's decay of the first moment", minimum=0.0, maximum=0.99999)
    adam_beta2: float = option(0.999, "Adam's decay of the second moment", minimum=0.0, maximum=0.999999)
    gradient_clip: float = option(
        0.0, "largest norm of an update's gradient: a longer one is scaled to it (Pascanu et al. 2013); 0: none", minimum=0
    )
    rate_warmup_images: int = option(0, "training images over which the learning rates rise linearly from 0; 0: none", minimum=0)
    rate_decay_images: int = option(
        0, "training images over which the learning rates fall as half a cosine (Loshchilov & Hutter 2017); 0: they stay", minimum=0
    )
    rate_final: float = option(0.0, "share of the learning rates at which the cosine ends and they stay", minimum=0, maximum=1)
    rate_halflife_images: int = option(0, "half-life of the learning rates, in training images; 0: they stay", minimum=0)
    ema_halflife_images: int = option(0, "half-life of the weights' exponential moving average, in training images; 0: none", minimum=0)
    log_steps: int = option(20, "steps between two lines of metrics.jsonl", minimum=1, role="recording")
    evaluate_epochs: float = option(1.0, "epochs between two evaluations (samples, reconstructions, val losses)", above=0, role="recording")
    sample_count: int = option(64, "images of a sample grid", minimum=1, maximum=400, role="recording")
    checkpoint_seconds: float = option(
        30.0, "a checkpoint at the end of an epoch, at most one in so many seconds", minimum=0, role="recording"
    )
    init_from: str | None = option(
        None,
        "run folder whose networks, averaged, the new run's start as; its data too where none are named",
        role="origin",
        short="--init-from",
    )


@dataclass(frozen=True, kw_only=True)
class CoderTrain(TrainConfig):
    """Training of an encoder and a decoder, whose held-out loss says how good they are."""

    learning_rate: float = option(1e-3, "Adam's learning rate", above=0, live=True, short="--learning-rate")
    patience_evaluations: int = option(
        0,
        "evaluations without a new lowest val loss after which training stops early (Goodfellow et al. 2016, 7.8); 0: never",
        minimum=0,
        role="length",
    )


@dataclass(frozen=True, kw_only=True)
class AutoencoderTrain(CoderTrain):
    """Training of an autoencoder."""


@dataclass(frozen=True, kw_only=True)
class VAETrain(CoderTrain):
    """Training of a VAE: minimise reconstruction + beta KL."""

    beta: float = option(1.0, "weight of the KL term (Higgins et al. 2017); 1 is the ELBO", minimum=0, live=True, short="--beta")
    beta_warmup_steps: int = option(0, "steps over which beta rises linearly from 0", minimum=0)
    beta_cycle_steps: int = option(0, "steps after which that rise begins again (Fu et al. 2019); 0: it rises once", minimum=0)
    free_nats: float = option(0.0, "KL that each latent unit has for nothing, of a batch's mean (Kingma et al. 2016)", minimum=0)
    capacity_nats: float = option(
        0.0, "KL that the sum over units is held to: beta weighs its distance from that (Burgess et al. 2018); 0: beta weighs KL", minimum=0
    )
    capacity_steps: int = option(0, "steps over which capacity_nats rises linearly from 0", minimum=0)
    importance_samples: int = option(
        1, "z drawn for each image: with more than one the importance-weighted bound (Burda et al. 2016)", minimum=1, maximum=1000
    )
    feature_weight: float = option(
        1.0,
        "with a discriminator: weight, in the decoder's loss, of its features' reconstruction beside its verdict (γ, Larsen et al. 2016)",
        minimum=0,
    )
    importance_gradient: Literal["reparameterised", "doubly"] = option(
        "reparameterised",
        "the encoder's, of that bound; doubly: doubly reparameterised, which does not fade with more z (Tucker et al. 2019)",
    )


@dataclass(frozen=True, kw_only=True)
class GANTrain(TrainConfig):
    """Training of a GAN. One step is the discriminator's updates, then the generator's."""

    loss: Loss = option("hinge", ", ".join(f"{name} ({game.source})" for name, game in GAMES.items()))
    generator_learning_rate: float = option(
        2e-4, "Adam's learning rate of the generator", above=0, live=True, short="--generator-learning-rate"
    )
    discriminator_learning_rate: float = option(
        2e-4, "Adam's learning rate of the discriminator", above=0, live=True, short="--discriminator-learning-rate"
    )
    generator_updates: int = option(1, "generator updates per step", minimum=1, maximum=100, live=True)
    discriminator_updates: int = option(1, "discriminator updates per step, each on a batch of its own", minimum=1, maximum=100, live=True)
    label_smoothing: float = option(
        1.0, "target of real images in the non-saturating loss; 0.9 is one-sided smoothing (Salimans et al. 2016)", above=0.5, maximum=1.0
    )
    r1_weight: float = option(
        0.0, "weight of R1, half the discriminator's squared gradient at real images (Mescheder et al. 2018); 0: none", minimum=0
    )
    r2_weight: float = option(0.0, "weight of R2, the same at generated images (Mescheder et al. 2018); 0: none", minimum=0)
    gradient_penalty: float = option(
        0.0, "weight of (slope − 1)² between real and generated images (Gulrajani et al. 2017, who take 10); 0: none", minimum=0
    )
    r1_steps: int = option(8, "steps between two penalties, each of which counts for all of them (Karras et al. 2020)", minimum=1)
    augmentation: Literal["none", "shift-mirror", "diffaugment"] = option(
        "none",
        "of what the discriminator sees, real and generated alike: shifted by up to an eighth, half mirrored; "
        "diffaugment: in other colours and with a square cut out too (Zhao et al. 2020)",
    )
    augmentation_strength: Literal["fixed", "adaptive"] = option(
        "fixed",
        "fixed: every image is augmented; adaptive: a share of them, which grows while the discriminator overfits (Karras et al. 2020)",
    )
    generator_from: str | None = option(
        None, "run folder of a VAE or AE whose decoder the generator starts from", role="origin", short="--generator-from"
    )
    generator_frozen_images: int = option(
        0, "training images during which the generator stays as it started while the discriminator learns; then it is released", minimum=0
    )
    measure_samples: int = option(
        256,
        "samples drawn at each evaluation to measure their diversity, for curves and diagnosis; 0: none",
        minimum=0,
        maximum=50_000,
        role="recording",
    )


OWN: dict[str, tuple[str, ...]] = {  # what of a family can be somebody's own: networks, and a function last
    "ae": ("encoder", "decoder", "loss"),
    "vae": ("encoder", "decoder", "loss"),
    "gan": ("generator", "discriminator", "step"),
}

ModelConfig = AutoencoderModel | VAEModel | GANModel
AnyTrain = AutoencoderTrain | VAETrain | GANTrain

PARTS: dict[str, tuple[type[Any], type[Any]]] = {
    "ae": (AutoencoderModel, AutoencoderTrain),
    "vae": (VAEModel, VAETrain),
    "gan": (GANModel, GANTrain),
}


def check_part(name: str, part: Any) -> None:
    """Raise LabError for the first field of a part that is out of its type or bounds."""
    for field in declared(name, part.__class__).values():
        field.check(getattr(part, field.leaf))


def by_leaf() -> dict[str, Field]:
    """The fields that can be named without their part, of all families: those whose leaf no other part has."""
    fields = list(every_field().values())
    parts = {leaf: {field.part for field in fields if field.leaf == leaf} for leaf in (field.leaf for field in fields)}
    return {field.leaf: field for field in fields if len(parts[field.leaf]) == 1}


WIDEST = 141  # characters of a line of source, with its end


def options_source() -> str:
    """The source of options.py."""
    about = '"""The fields of a configuration as typed keyword arguments, which editors complete. Written by `make options`."""'
    head = f"{about}\n\nfrom __future__ import annotations\n\nfrom typing import Any, Literal, TypedDict\n\n\n"
    own = dict.fromkeys(part for parts in OWN.values() for part in parts)
    lines = [f"    {leaf}: {'Any' if leaf in own else field.annotation}\n" for leaf, field in by_leaf().items()]
    lines = [line if len(line) <= WIDEST else line.replace("[", "[\n        ", 1).replace("]\n", "\n    ]\n") for line in lines]
    lines += [f"    {part}: Any\n" for part in own if part not in by_leaf()]
    what = "`data` as `latentlab.data.spec_of` has it, parts of one's own as docs/own.md."
    told = f'    """What `latentlab.train` takes; {what}"""\n\n    data: Any\n'
    return f"{head}class Options(TypedDict, total=False):\n{told}{''.join(lines)}"


def every_field() -> dict[str, Field]:
    """The fields of all families by dotted name, in the order of their declaration."""
    models, trains = zip(*PARTS.values(), strict=True)
    kinds = [("data", DataConfig), *(("model", kind) for kind in models), *(("train", kind) for kind in trains)]
    return {name: field for part, kind in kinds for name, field in declared(part, kind).items()}
