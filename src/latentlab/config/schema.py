"""The whole configuration of a run: frozen, validated when built, written as JSON and read back strictly."""

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
from latentlab.base.texts import reason
from latentlab.config import GAMES, PENALTIES, PIXELS, Likelihood, Loss, Reconstruction
from latentlab.config.field import ROLES, Field, Role, declared, plain
from latentlab.config.parts import (
    OWN,
    PARTS,
    AnyTrain,
    AutoencoderModel,
    DataConfig,
    GANModel,
    GANTrain,
    JudgedConfig,
    ModelConfig,
    PriorConfig,
    VAEModel,
    VAETrain,
    check_part,
)
from latentlab.config.sources import named, of_points

Family = Literal["ae", "vae", "gan"]
Kind = Literal["ae", "vae", "gan", "gan-from-vae"]
OF_POINTS: Mapping[str, tuple[Any, ...]] = {  # what fields may be where points are learned from, in fp32 and without bytes
    "model.likelihood": ("auto", "gaussian", "gaussian-learned", "gaussian-optimal"),
    "model.conditional": (False,),
    "model.binarization": ("none",),
    "model.reconstruction": ("mse",),
    "train.augmentation": ("none",),
    "train.engine": ("torch",),
    "train.precision": ("fp32", "auto"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run. Raises LabError when a value is out of its bounds."""

    preset: str
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig
    train: AnyTrain
    own: tuple[tuple[str, str], ...] = ()  # what is somebody's own: part and "its name (digest)"; see `latentlab.runs.own`

    def __post_init__(self) -> None:
        for part, told in self.own:
            if part not in OWN[self.family] or not isinstance(told, str):
                raise refusal("own", f"of {', '.join(OWN[self.family])}", part)
        for name, part in self.parts():
            check_part(name, part)
        if type(self.train) is not PARTS[self.family][1]:
            raise LabError(f"a {self.family} model takes {PARTS[self.family][1].__name__}. Got {type(self.train).__name__}.")
        train = self.train
        if train.shards > 1 and (self.own or train.engine == "keras"):
            raise refusal("train.shards", reason("must.whole"), train.shards)
        if train.shards & (train.shards - 1) or train.batch_size % train.shards:
            raise refusal("train.shards", reason("must.shards", batch=train.batch_size), train.shards)
        if isinstance(train, GANTrain) and train.label_smoothing != 1.0 and not GAMES[train.loss].smoothed:
            usable = next(name for name, game in GAMES.items() if game.smoothed)
            remedy = reason("use", option=f"--train.loss {usable}")
            raise refusal("train.label_smoothing", reason("must.smoothing", loss=train.loss), train.label_smoothing, remedy)
        if len([origin for origin in self.values({"origin"}).values() if origin]) > 1:
            raise refusal("train.init_from", reason("must.origin"), train.init_from)
        self._check_blocks()
        if isinstance(train, GANTrain) and isinstance(self.model, GANModel):
            self._check_game(train, self.model)
        self._check_points()
        if isinstance(train, VAETrain) and isinstance(self.model, VAEModel):
            self._check_bound(train, self.model)
        if isinstance(self.model, PriorConfig) and self.model.conditional:
            if self.own:
                raise refusal("model.conditional", reason("must.unconditional"), True)
            if train.engine == "keras":
                raise refusal("model.conditional", reason("must.not_keras"), True, reason("use", option="--engine torch"))
            if isinstance(self.model, GANModel) and self.model.packing > 1:
                raise refusal("model.packing", reason("must.one_class"), self.model.packing)

    def _check_bound(self, train: VAETrain, model: VAEModel) -> None:
        """What a VAE's likelihood and the terms of its bound ask of each other. Raises LabError."""
        if model.likelihood not in ("auto", "bernoulli"):
            pixels = PIXELS[model.likelihood]
            if model.binarization != "none":
                raise refusal("model.binarization", reason("must.grey", likelihood=model.likelihood), model.binarization)
            if (pixels.scale != "none" or pixels.mean) and {"decoder", "loss"} & set(dict(self.own)):
                raise refusal("model.likelihood", reason("must.logits"), model.likelihood)
        charges = {"train.free_nats": train.free_nats, "train.capacity_nats": train.capacity_nats}
        charges |= {"train.importance_samples": train.importance_samples - 1}
        if len(names := [name for name, value in charges.items() if value]) > 1:
            raise refusal(names[0], reason("must.one_bound", other=names[1]), self.values()[names[0]])
        if train.importance_samples > 1 and "loss" in dict(self.own):
            raise refusal("train.importance_samples", reason("must.own_bound"), train.importance_samples)
        if train.importance_gradient == "doubly" and train.importance_samples == 1:
            raise refusal("train.importance_gradient", reason("must.many"), "doubly", reason("use", option="--train.importance-samples 5"))
        if 0 < train.beta_cycle_steps < max(train.beta_warmup_steps, 1) or (train.beta_cycle_steps and not train.beta_warmup_steps):
            raise refusal("train.beta_cycle_steps", reason("must.cycle", warmup=train.beta_warmup_steps), train.beta_cycle_steps)
        foreign = charges | {"model.likelihood": model.likelihood not in ("auto", "bernoulli")}
        if train.engine == "keras" and (names := [name for name, value in foreign.items() if value]):
            raise refusal(names[0], reason("must.not_keras"), self.values()[names[0]], reason("use", option="--engine torch"))
        if self.is_judged:
            self._check_judged(train, model)
        elif model.discriminator_hidden or train.feature_weight != 1.0:
            name = "model.discriminator_hidden" if model.discriminator_hidden else "train.feature_weight"
            remedy = reason("use", option="--model.discriminator-channels 32,64")
            raise refusal(name, reason("must.unjudged"), self.values()[name], remedy)

    def _check_judged(self, train: VAETrain, model: VAEModel) -> None:
        """What a VAE's discriminator asks of the rest: of p(x|z) nothing is learned but its mean. Raises LabError."""
        if model.likelihood in ("gaussian-learned", "logistic", "logistic-mixture"):
            raise refusal("model.likelihood", reason("must.mean_alone"), model.likelihood)
        if train.importance_samples > 1:
            raise refusal("train.importance_samples", reason("must.one_judged"), train.importance_samples)
        if train.patience_evaluations:
            raise refusal("train.patience_evaluations", reason("must.impatient"), train.patience_evaluations)
        if train.engine == "keras" or self.own or of_points(self.data.spec):
            raise refusal("model.discriminator_channels", reason("must.plain"), model.discriminator_channels)

    def _check_blocks(self) -> None:
        """What residual blocks ask of their network. Raises LabError."""
        for name, channels in (("blocks", "channels"), ("discriminator_blocks", "discriminator_channels")):
            if blocks := getattr(self.model, name, 0):
                if not getattr(self.model, channels):
                    raise refusal(f"model.{name}", reason("must.maps", channels=f"model.{channels}"), blocks)
                if self.train.engine == "keras":
                    raise refusal(f"model.{name}", reason("must.not_keras"), blocks, reason("use", option="--engine torch"))
        model = self.model
        if isinstance(model, JudgedConfig) and model.discriminator_normalization == "spectral" and model.discriminator_blocks:
            remedy = reason("use", option="--model.discriminator-normalization none")
            raise refusal("model.discriminator_blocks", reason("must.spectral"), model.discriminator_blocks, remedy)

    def _check_points(self) -> None:
        """What points ask for, and what only they have. Raises LabError."""
        values = self.values()
        if of_points(self.data.spec):
            for name, fits in OF_POINTS.items():
                if values.get(name, fits[0]) not in fits:
                    raise refusal(name, reason("must.points", value=fits[0]), values[name], reason("use", option=f"--{name} {fits[0]}"))

    def _check_game(self, train: GANTrain, model: GANModel) -> None:
        """What a GAN's loss, penalties and discriminator ask of each other. Raises LabError."""
        penalties = {name: getattr(train, name) for name in PENALTIES if getattr(train, name)}
        for name, weight in penalties.items():
            if model.discriminator_normalization == "batch":
                raise refusal(f"train.{name}", reason("must.r1"), weight, reason("use", option="--model.discriminator-normalization none"))
        if not GAMES[train.loss].bounded and not penalties and model.discriminator_normalization != "spectral":
            remedy = reason("use", option="--train.gradient-penalty 10")
            raise refusal("train.gradient_penalty", reason("must.penalty", loss=train.loss), train.gradient_penalty, remedy)
        if model.packing > 1 and "discriminator" in dict(self.own):
            raise refusal("model.packing", reason("must.single"), model.packing)
        if train.batch_size % (train.shards * model.packing):
            raise refusal("model.packing", reason("must.packing", batch=train.batch_size // train.shards), model.packing)
        if train.augmentation == "none" and train.augmentation_strength != "fixed":
            raise refusal("train.augmentation_strength", reason("must.fixed"), train.augmentation_strength)
        foreign: dict[str, float] = {
            "train.r2_weight": train.r2_weight,
            "train.gradient_penalty": train.gradient_penalty,
            "model.packing": model.packing - 1,
        }
        foreign["train.loss"] = GAMES[train.loss].paired
        foreign["train.augmentation"] = train.augmentation == "diffaugment"
        foreign["train.augmentation_strength"] = train.augmentation_strength == "adaptive"
        if train.engine == "keras" and (names := [name for name, value in foreign.items() if value]):
            raise refusal(names[0], reason("must.not_keras"), self.values()[names[0]], reason("use", option="--engine torch"))

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
    def is_judged(self) -> bool:
        """Whether it is a VAE with a discriminator: its loss in nats, of pixels, is then measured, and something else minimised."""
        return isinstance(self.model, VAEModel) and bool(self.model.discriminator_channels)

    @property
    def objective(self) -> Reconstruction | Likelihood | Loss:
        """What is minimised, by the name under which `latentlab.config` declares it."""
        match self.model:
            case AutoencoderModel(reconstruction=name):
                return name
            case VAEModel(likelihood=likelihood):
                return "bernoulli" if likelihood == "auto" else likelihood
            case GANModel():
                return cast(GANTrain, self.train).loss
            case _:
                assert_never(self.model)

    @property
    def kind(self) -> Kind:
        """The family, with a GAN that started as a decoder apart: what colours, marks and names go by."""
        return "gan-from-vae" if getattr(self.train, "generator_from", None) else self.family

    @property
    def statistics_of(self) -> int | None:
        """The images of a shard where batch statistics are taken over those; None where over the batch, or where there are none."""
        norms = [getattr(self.model, name, "") for name in ("normalization", "discriminator_normalization")]
        compares = "batch" in norms or getattr(self.model, "discriminator_deviation", False)
        return self.train.batch_size // self.train.shards if compares and self.train.shards > 1 else None

    def parts(self) -> tuple[tuple[str, Any], ...]:
        """("data", …), ("model", …), ("train", …)."""
        return ("data", self.data), ("model", self.model), ("train", self.train)

    def replace(self, **changes: Any) -> Config:
        """A copy with fields changed by dotted name: `config.replace(**{"model.latent_dim": 8})`.

        A name without a dot is looked for in all three parts. Raises LabError for a name that the family does not have.
        """
        if isinstance(changes.get("data"), str):
            changes["data.spec"] = changes.pop("data")
        whole: dict[str, Any] = {name: changes.pop(name) for name in ("preset", "data", "model", "train", "own") if name in changes}
        fields: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            part, leaf = self.locate(name)
            fields.setdefault(part, {})[leaf] = plain(value)
        for part, values in fields.items():
            if values.get("epochs") is not None:
                values = {"steps": None} | values  # those there were would override them
            whole[part] = dataclasses.replace(whole.get(part, getattr(self, part)), **values)
        return dataclasses.replace(self, **whole)

    def portable(self) -> Config:
        """The configuration as others may read it: without where its files lie on one machine, folders by their names."""
        started = {name: Path(origin).name for name, origin in self.values({"origin"}).items() if origin}
        return self.replace(**{"data.spec": named(self.data.spec), "data.root": None}, **started)

    def locate(self, name: str) -> tuple[str, str]:
        """The part and the field of a name, dotted or not."""
        prefix, _, leaf = name.rpartition(".")
        found = [field for field in self.fields().values() if field.leaf == leaf and prefix in ("", field.part)]
        if len(found) > 1:
            raise refusal("a field", "named with its part", name, f"There are {' and '.join(field.name for field in found)}.")
        if found:
            return found[0].part, leaf
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
        both = (self, other)
        its, others = ({"preset": each.preset} | {f"own.{part}": told for part, told in each.own} | each.values(roles) for each in both)
        its |= {name: None for name in others if name.startswith("own.") and name not in its}
        return {name: (value, others.get(name)) for name, value in its.items() if value != others.get(name)}

    def to_dict(self, roles: Collection[Role] = ROLES) -> dict[str, Any]:
        """Plain values, as config.json holds them."""
        values: dict[str, Any] = {"preset": self.preset, "family": self.family} | {part: {} for part, _ in self.parts()}
        if self.own:
            values["own"] = dict(self.own)
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
        if set(values) - {"own"} != expected or not isinstance(values.get("own", {}), dict):
            odd = sorted(set(values) - {"own"} ^ expected) or ["own"]
            raise refusal(f"the keys of {source}", ", ".join(sorted(expected)), odd, "Restore the file from a copy.")
        if not isinstance(values["family"], str) or values["family"] not in PARTS:
            raise refusal(f"family in {source}", "one of ae, vae, gan", values["family"])
        model, train = PARTS[values["family"]]
        kinds: dict[str, type[Any]] = {"data": DataConfig, "model": model, "train": train}
        parts = {name: _strict(kind, values[name], f"{name} in {source}") for name, kind in kinds.items()}
        return Config(preset=str(values["preset"]), own=tuple(values.get("own", {}).items()), **parts)

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


def one_length(changes: Mapping[str, Any]) -> None:
    """Raise LabError for a length given twice, in epochs and in steps."""
    if all(changes.get(f"train.{name}", changes.get(name)) is not None for name in ("epochs", "steps")):
        raise LabError(reason("length"))
