"""The configuration as a form: its fields in groups, each with what a widget needs. Drawn from the configuration's own declarations."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from latentlab.config import Config, hints
from latentlab.errors import LabError
from latentlab.options import read_value, written
from latentlab.presets import preset

# What most readers change; the rest is folded away. A field that a family does not have is left out.
ESSENTIAL = (
    "model.latent_dim",
    "model.hidden",
    "model.channels",
    "train.epochs",
    "train.batch_size",
    "train.learning_rate",
    "train.beta",
    "train.beta_warmup_steps",
    "train.generator_learning_rate",
    "train.discriminator_learning_rate",
    "train.generator_updates",
    "train.discriminator_updates",
    "train.label_smoothing",
    "train.seed",
)
# Chosen elsewhere on the page, or a path, which no browser gives.
APART = ("data.spec", "data.root", "train.generator_from", "train.engine")


@dataclass(frozen=True)
class Field:
    """One field. `choices` are those of a fixed list; `optional` what stands for nothing given: None, or the word "auto"."""

    name: str  # dotted, as in the contract
    kind: type  # bool, int, float, str or tuple
    value: Any  # the preset's
    choices: tuple[str, ...]
    empty: Any
    optional: bool
    info: Mapping[str, Any]  # help and bounds
    type: Any  # as declared

    @property
    def leaf(self) -> str:
        """Its name without its part."""
        return self.name.partition(".")[2]

    @property
    def live(self) -> bool:
        """Whether it may change while a run trains."""
        return bool(self.info["live"])


def field(name: str, value: Any, declared: Any, info: Mapping[str, Any]) -> Field:
    """A field from its declaration."""
    kinds = [declared] if get_origin(declared) not in (types.UnionType, typing.Union) else list(get_args(declared))
    nothing = type(None) in kinds
    kinds = [kind for kind in kinds if kind is not type(None)]
    words = [kind for kind in kinds if get_origin(kind) is Literal]
    plain = [kind for kind in kinds if get_origin(kind) is not Literal]
    if words and not plain:
        return Field(name, str, value, get_args(words[0]), None, False, info, declared)
    kind = tuple if get_origin(plain[0]) is tuple else plain[0]
    empty = get_args(words[0])[0] if words else None
    return Field(name, kind, value, (), empty, nothing or bool(words), info, declared)


def all_fields(config: Config) -> list[Field]:
    """Every field of a configuration that a form shows, in the order of its declaration."""
    found = []
    for part, holder in config.parts():
        declared = hints(type(holder))
        for item in fields(holder):
            name = f"{part}.{item.name}"
            if name not in APART:
                found.append(field(name, getattr(holder, item.name), declared[item.name], item.metadata))
    return found


def essential(every: list[Field]) -> list[Field]:
    """The fields that stand open."""
    by_name = {one.name: one for one in every}
    return [by_name[name] for name in ESSENTIAL if name in by_name]


def from_address(config: Config, given: Mapping[str, str]) -> tuple[Config, list[LabError]]:
    """The preset's configuration with the fields that an address gives, and why for each that it cannot have."""
    refused = []
    for one in all_fields(config):
        if one.name in given:
            try:
                config = config.replace(**{one.name: read_value(given[one.name], one.type, one.name, one.info)})
            except LabError as error:
                refused.append(error)
    return config, refused


def to_address(config: Config) -> dict[str, str | None]:
    """The address's parameters for a configuration: each field that is not the preset's; None for the others."""
    usual = {one.name: one.value for one in all_fields(preset(config.preset))}
    return {one.name: written(one.value) if one.value != usual[one.name] else None for one in all_fields(config)}
