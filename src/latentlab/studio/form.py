"""The form that a configuration is changed in. What is changed goes into the address, so that it can be sent as a link."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import number
from latentlab.config.presets import preset, read_value, written
from latentlab.config.schema import Config, hints
from latentlab.studio.state import shown
from latentlab.studio.words import lang, plain, say, told

COLUMNS = 3


def form(config: Config, usual: Config) -> tuple[Config, list[LabError]]:
    """The configuration as the reader changes it, and why for each value that cannot be. `usual` is the preset's."""
    every = [one for one in all_fields(config) if shown(one.name)]
    presets = {one.name: one.value for one in all_fields(usual)}
    changed: dict[str, Any] = {}
    refused: list[LabError] = []
    first = essential(every)
    _grid(first, presets, usual.preset, changed, refused)
    rest = [one for one in every if one not in first]
    if rest and shown("advanced"):
        with st.expander(say("studio.train.all_settings"), icon=":material/tune:"):
            for part in ("data", "model", "train"):
                inside = [one for one in rest if one.name.startswith(part + ".")]
                if inside:
                    st.subheader(say(f"settings.part.{part}"), anchor=False)
                    _grid(inside, presets, usual.preset, changed, refused)
    for name, value in changed.items():
        try:
            config = config.replace(**{name: value})
        except LabError as error:
            refused.append(error)
    return config, refused


def _grid(group: Sequence[Field], presets: dict[str, Any], preset: str, changed: dict[str, Any], refused: list[LabError]) -> None:
    """Widgets in rows; on a narrow screen they stand under each other."""
    for start in range(0, len(group), COLUMNS):
        for place, one in zip(st.columns(COLUMNS), group[start : start + COLUMNS], strict=False):
            with place:
                try:
                    changed[one.name] = widget(one, preset, presets[one.name])
                except LabError as error:
                    refused.append(error)
                    st.caption(f":red[{plain(told(error))}]")


def widget(one: Field, preset: str, usual: Any) -> Any:
    """The widget of a field and the value that it has. Raises LabError for a text that is none."""
    label = one.leaf + (" ●" if one.value != usual else "")  # no markup: it would be read out
    common: dict[str, Any] = {"label": label, "help": explained(one, usual), "key": f"train:{preset}:{one.name}"}
    if one.choices:
        return st.selectbox(options=one.choices, index=one.choices.index(one.value), **common)
    if one.kind is bool:
        return st.toggle(value=one.value, **common)
    if one.kind is int or one.kind is float:
        value = _number(one, common)
        return one.empty if value is None else value
    text = st.text_input(value=written(one.value).replace(",", ", ") if one.kind is tuple else written(one.value), **common)
    return read_value(text.replace(" ", "") if one.kind is tuple else text, one.type, one.name, one.info)


def _number(one: Field, common: dict[str, Any]) -> int | float | None:
    """A number between the field's bounds; None where nothing is given and that means something."""
    whole = one.kind is int
    low, high = one.info.get("minimum"), one.info.get("maximum")
    if low is None and one.info.get("above") is not None:
        low = one.info["above"]  # the bound itself is refused by the configuration, in words
    start = None if one.value == one.empty and one.optional else one.value
    bounds: dict[str, Any] = {
        "min_value": None if low is None else int(low) if whole else float(low),
        "max_value": None if high is None else int(high) if whole else float(high),
        "step": 1 if whole else _step(one),
        "format": "%d" if whole else "%g",
    }
    if one.optional:
        bounds["placeholder"] = str(one.empty) if one.empty is not None else say("studio.train.none")
    given: int | float | None = st.number_input(value=start, **bounds, **common)
    return given


def _step(one: Field) -> float:
    """A click changes a number by about a tenth of it: rates of 1e-4 and lengths of 20 alike."""
    size = abs(float(one.value or 0)) or 1.0
    return float(10.0 ** (math.floor(math.log10(size)) - (0 if size < 1 else 1))) if size < 10 else 1.0


def explained(one: Field, usual: Any) -> str:
    """A field's help: its dotted name, what it is with its unit, its bounds, the preset's value."""
    said = [f"**`{one.name}`**", say(f"help.{one.name}")[:1].upper() + say(f"help.{one.name}")[1:] + "."]
    if bounds := bounded(one):
        said.append(bounds)
    said.append(say("studio.train.preset_value", value=_shown(usual)))
    if one.live:
        said.append(say("studio.train.live_field"))
    return "  \n".join(line.replace("[", "\\[").replace("$", "\\$") for line in said)


def bounded(one: Field) -> str:
    """A field's bounds in words; "" without any."""
    found = []
    for key in ("minimum", "above", "maximum"):
        if one.info.get(key) is not None:
            found.append(say(f"studio.train.bound.{key}", value=number(one.info[key], lang())))
    return say("studio.train.bounds", each=", ".join(found)) if found else ""


def _shown(value: Any) -> str:
    return say("studio.train.none") if value is None else written(value) or "–"


# The configuration as a form: its fields in groups, each with what a widget needs. Drawn from the configuration's own declarations.

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
