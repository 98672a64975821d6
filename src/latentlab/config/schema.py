"""The whole configuration of a run: frozen, validated when built, written as JSON and read back strictly.

Each field is declared once, by `option(...)`, with its help, its bounds and its role; the command line, forms and docs are
drawn from that declaration. A configuration has three parts: `data`, `model` and `train`; what `model` and `train` hold
depends on the family ("ae", "vae" or "gan"), so that a field which means nothing to a family does not exist for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, assert_never, cast

from latentlab.base.errors import LabError, refusal
from latentlab.base.shapes import parse
from latentlab.config import GAMES, Likelihood, Loss, Reconstruction
from latentlab.config.field import ROLES, Field, Role, declared, option, plain
from latentlab.config.sources import named, valid

Family = Literal["ae", "vae", "gan"]
Kind = Literal["ae", "vae", "gan", "gan-from-vae"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is learned from, and how it is cut into train, val and test."""

    spec: str = option("digits", f"data set: {valid()}", short="--data")
    root: str | None = option(
        None, "data root; default LATENTLAB_DATA, else the platform's cache folder", role="files", short="--data-root"
    )
    offline: bool = option(False, "never download: refuse when a named set is not at hand", role="files")
    image_size: int | None = option(
        None, "height and width in pixels; default: 28 for digits, 64 for a folder, as published for the others", minimum=8, maximum=128
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
class AutoencoderModel(NetworkConfig):
    """An autoencoder (Rumelhart, Hinton & Williams 1986): code = encoder(x), reconstruction = sigmoid(decoder(code))."""

    reconstruction: Reconstruction = option("mse", "mse: half the squared error (a Gaussian of unit variance); bce: binary cross-entropy")


@dataclass(frozen=True, kw_only=True)
class VAEModel(NetworkConfig):
    """A variational autoencoder (Kingma & Welling 2014): Gaussian posterior, standard normal prior."""

    likelihood: Likelihood = option("bernoulli", "p(x|z); on grey pixels the Bernoulli is a surrogate, and is labelled so")
    binarization: Literal["none", "dynamic"] = option("none", "dynamic: draw each pixel as 0 or 1 anew at every step")


@dataclass(frozen=True, kw_only=True)
class GANModel(NetworkConfig):
    """A generative adversarial network (Goodfellow et al. 2014): the decoder as generator, and a discriminator."""

    discriminator_channels: tuple[int, ...] = option(
        (32, 64), "output channels of the discriminator's stride-2 convolutions", minimum=1, maximum=4096
    )
    discriminator_hidden: tuple[int, ...] = option((128,), "widths of the discriminator's dense layers", minimum=1, maximum=16_384)
    discriminator_normalization: Literal["none", "batch", "spectral"] = option(
        "spectral", "spectral: every layer divided by its largest singular value (Miyato et al. 2018)"
    )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long, with which optimiser, on which machine, and what is kept. Schedules count steps or images."""

    epochs: float = option(20.0, "total length in passes over the training images", above=0, role="length", short="--epochs")
    steps: int | None = option(None, "total length in steps; overrides epochs", minimum=1, role="length", short="--steps")
    batch_size: int = option(128, "images in a batch", minimum=1, short="--batch-size")
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
    engine: Literal["torch"] = option("torch", "training engine", short="--engine")
    adam_beta1: float = option(0.9, "Adam's decay of the first moment", minimum=0.0, maximum=0.99999)
    adam_beta2: float = option(0.999, "Adam's decay of the second moment", minimum=0.0, maximum=0.999999)
    ema_halflife_images: int = option(0, "half-life of the weights' exponential moving average, in training images; 0: none", minimum=0)
    log_steps: int = option(20, "steps between two lines of metrics.jsonl", minimum=1, role="recording")
    evaluate_epochs: float = option(1.0, "epochs between two evaluations (samples, reconstructions, val losses)", above=0, role="recording")
    sample_count: int = option(64, "images of a sample grid", minimum=1, maximum=400, role="recording")
    checkpoint_seconds: float = option(
        30.0, "a checkpoint at the end of an epoch, at most one in so many seconds", minimum=0, role="recording"
    )


@dataclass(frozen=True, kw_only=True)
class AutoencoderTrain(TrainConfig):
    """Training of an autoencoder."""

    learning_rate: float = option(1e-3, "Adam's learning rate", above=0, live=True, short="--learning-rate")


@dataclass(frozen=True, kw_only=True)
class VAETrain(TrainConfig):
    """Training of a VAE: minimise reconstruction + beta KL."""

    learning_rate: float = option(1e-3, "Adam's learning rate", above=0, live=True, short="--learning-rate")
    beta: float = option(1.0, "weight of the KL term (Higgins et al. 2017); 1 is the ELBO", minimum=0, live=True, short="--beta")
    beta_warmup_steps: int = option(0, "steps over which beta rises linearly from 0", minimum=0)


@dataclass(frozen=True, kw_only=True)
class GANTrain(TrainConfig):
    """Training of a GAN. One step is the discriminator's updates, then the generator's."""

    loss: Loss = option("hinge", " or ".join(f"{name} ({game.source})" for name, game in GAMES.items()))
    generator_learning_rate: float = option(
        2e-4, "Adam's learning rate of the generator", above=0, live=True, short="--generator-learning-rate"
    )
    discriminator_learning_rate: float = option(
        2e-4, "Adam's learning rate of the discriminator", above=0, live=True, short="--discriminator-learning-rate"
    )
    rate_halflife_images: int = option(0, "half-life of both learning rates, in training images; 0: they stay", minimum=0)
    generator_updates: int = option(1, "generator updates per step", minimum=1, maximum=100, live=True)
    discriminator_updates: int = option(1, "discriminator updates per step, each on a batch of its own", minimum=1, maximum=100, live=True)
    label_smoothing: float = option(
        1.0, "target of real images in the non-saturating loss; 0.9 is one-sided smoothing (Salimans et al. 2016)", above=0.5, maximum=1.0
    )
    r1_weight: float = option(
        0.0, "weight of R1, half the discriminator's squared gradient at real images (Mescheder et al. 2018); 0: none", minimum=0
    )
    r1_steps: int = option(8, "steps between two R1 penalties, each of which counts for all of them (Karras et al. 2020)", minimum=1)
    augmentation: Literal["none", "shift-mirror"] = option(
        "none",
        "of what the discriminator sees, real and generated alike: shifted by up to an eighth, half mirrored (Zhao et al. 2020)",
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


ModelConfig = AutoencoderModel | VAEModel | GANModel
AnyTrain = AutoencoderTrain | VAETrain | GANTrain

_PARTS: dict[str, tuple[type[Any], type[Any]]] = {
    "ae": (AutoencoderModel, AutoencoderTrain),
    "vae": (VAEModel, VAETrain),
    "gan": (GANModel, GANTrain),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run. Raises LabError when a value is out of its bounds."""

    preset: str
    data: DataConfig = DataConfig()
    model: ModelConfig
    train: AnyTrain

    def __post_init__(self) -> None:
        for name, part in self.parts():
            check_part(name, part)
        if type(self.train) is not _PARTS[self.family][1]:
            raise LabError(f"a {self.family} model takes {_PARTS[self.family][1].__name__}. Got {type(self.train).__name__}.")
        train = self.train
        if isinstance(train, GANTrain) and train.label_smoothing != 1.0 and not GAMES[train.loss].smoothed:
            usable = next(name for name, game in GAMES.items() if game.smoothed)
            raise refusal("train.label_smoothing", f"1 with the {train.loss} loss", train.label_smoothing, f"Use --train.loss {usable}.")
        if isinstance(train, GANTrain) and train.r1_weight and getattr(self.model, "discriminator_normalization", "") == "batch":
            must = "0 with batch norm in the discriminator, which mixes the images of a batch"
            raise refusal("train.r1_weight", must, train.r1_weight, "Use --model.discriminator-normalization none.")

    @property
    def family(self) -> Family:
        """ "ae", "vae" or "gan"."""
        match self.model:
            case AutoencoderModel():
                return "ae"
            case VAEModel():
                return "vae"
            case GANModel():
                return "gan"
            case _:
                assert_never(self.model)

    @property
    def objective(self) -> Reconstruction | Likelihood | Loss:
        """What is minimised, by the name under which `latentlab.config` declares it."""
        match self.model:
            case AutoencoderModel(reconstruction=name) | VAEModel(likelihood=name):
                return name
            case GANModel():
                return cast(GANTrain, self.train).loss
            case _:
                assert_never(self.model)

    @property
    def kind(self) -> Kind:
        """The family, with a GAN that started as a decoder apart: what colours, marks and names go by."""
        return "gan-from-vae" if getattr(self.train, "generator_from", None) else self.family

    def parts(self) -> tuple[tuple[str, Any], ...]:
        """("data", …), ("model", …), ("train", …)."""
        return ("data", self.data), ("model", self.model), ("train", self.train)

    def replace(self, **changes: Any) -> Config:
        """A copy with fields changed by dotted name: `config.replace(**{"model.latent_dim": 8})`.

        A name without a dot is looked for in all three parts. Raises LabError for a name that the family does not have.
        """
        if isinstance(changes.get("data"), str):
            changes["data.spec"] = changes.pop("data")
        whole: dict[str, Any] = {name: changes.pop(name) for name in ("preset", "data", "model", "train") if name in changes}
        fields: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            part, leaf = self.locate(name)
            fields.setdefault(part, {})[leaf] = plain(value)
        for part, values in fields.items():
            whole[part] = dataclasses.replace(whole.get(part, getattr(self, part)), **values)
        return dataclasses.replace(self, **whole)

    def portable(self) -> Config:
        """The configuration as others may read it: without where its files lie on one machine, folders by their names."""
        origin = getattr(self.train, "generator_from", None)
        started = {"train.generator_from": Path(origin).name} if origin else {}
        return self.replace(**{"data.spec": named(self.data.spec), "data.root": None}, **started)

    def locate(self, name: str) -> tuple[str, str]:
        """The part and the field of a name, dotted or not."""
        prefix, _, leaf = name.rpartition(".")
        for field in self.fields().values():
            if field.leaf == leaf and prefix in ("", field.part):
                return field.part, leaf
        raise refusal("a field", f"one that {self.preset} ({self.family}) has", name, f"It has {', '.join(self.fields())}.")

    def fields(self) -> dict[str, Field]:
        """The fields that the family has, by dotted name, in the order of their declaration."""
        return {name: field for part, holder in self.parts() for name, field in declared(part, holder.__class__).items()}

    def values(self, roles: Collection[Role] = ROLES) -> dict[str, Any]:
        """The values by dotted name of all fields, or of those with certain roles."""
        parts = dict(self.parts())
        return {name: getattr(parts[field.part], field.leaf) for name, field in self.fields().items() if field.role in roles}

    def differs(self, other: Config, roles: Collection[Role] = ROLES) -> dict[str, tuple[Any, Any]]:
        """In what it is another run than `other`, by dotted name ("preset" too): its value, and the other's, None where it has none."""
        its, others = ({"preset": each.preset} | each.values(roles) for each in (self, other))
        return {name: (value, others.get(name)) for name, value in its.items() if value != others.get(name)}

    def to_dict(self, roles: Collection[Role] = ROLES) -> dict[str, Any]:
        """Plain values, as config.json holds them."""
        values: dict[str, Any] = {"preset": self.preset, "family": self.family} | {part: {} for part, _ in self.parts()}
        for name, value in self.values(roles).items():
            part, _, leaf = name.partition(".")
            values[part][leaf] = value
        return values

    def to_json(self) -> str:
        """The text of config.json."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def fingerprint(self) -> str:
        """The sha256 of what a checkpoint's tensors depend on: not the length, nor where the data lies."""
        return hashlib.sha256(json.dumps(self.to_dict(ROLES - {"length", "files"}), sort_keys=True).encode()).hexdigest()

    @staticmethod
    def from_dict(values: Any, source: str = "the configuration") -> Config:
        """The strict reading of `to_dict`: an unknown, a missing or an ill-typed key is refused by name."""
        if not isinstance(values, dict):
            raise refusal(source, "a JSON object", type(values).__name__)
        expected = {"preset", "family", "data", "model", "train"}
        if set(values) != expected:
            odd = sorted(set(values) ^ expected)
            raise refusal(f"the keys of {source}", ", ".join(sorted(expected)), odd, "Restore the file from a copy.")
        if not isinstance(values["family"], str) or values["family"] not in _PARTS:
            raise refusal(f"family in {source}", "one of ae, vae, gan", values["family"])
        model, train = _PARTS[values["family"]]
        kinds: dict[str, type[Any]] = {"data": DataConfig, "model": model, "train": train}
        parts = {name: _strict(kind, values[name], f"{name} in {source}") for name, kind in kinds.items()}
        return Config(preset=str(values["preset"]), **parts)

    @staticmethod
    def from_json(text: str, source: str = "config.json") -> Config:
        """The configuration in the text of a config.json."""
        try:
            values = parse(text)
        except ValueError as error:
            raise LabError(f"{source} is not JSON ({error}). Restore it from a copy.") from None
        return Config.from_dict(values, source)


def _strict(kind: type[Any], values: Any, source: str) -> Any:
    names = {f.name for f in fields(kind)}
    if not isinstance(values, dict) or set(values) != names:
        odd = sorted(set(values) ^ names) if isinstance(values, dict) else values
        raise refusal(f"the keys of {source}", "those of this version, each once", odd, "Run `latentlab show` on another run to see them.")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def check_part(name: str, part: Any) -> None:
    """Raise LabError for the first field of a part that is out of its type or bounds."""
    for field in declared(name, part.__class__).values():
        field.check(getattr(part, field.leaf))


def one_length(changes: Mapping[str, Any]) -> None:
    """Raise LabError for a length given twice, in epochs and in steps."""
    if all(changes.get(f"train.{name}", changes.get(name)) is not None for name in ("epochs", "steps")):
        raise LabError("epochs and steps were both given; the length must be one of them. Leave one out.")


def every_field() -> dict[str, Field]:
    """The fields of all families by dotted name, in the order of their declaration."""
    models, trains = zip(*_PARTS.values(), strict=True)
    kinds = [("data", DataConfig), *(("model", kind) for kind in models), *(("train", kind) for kind in trains)]
    return {name: field for part, kind in kinds for name, field in declared(part, kind).items()}
