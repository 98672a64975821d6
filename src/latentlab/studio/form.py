"""The form that a configuration is changed in. What is changed goes into the address, so that it can be sent as a link."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import number
from latentlab.config.field import Field, written
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.show.charts.payload import capital
from latentlab.studio.state import lang, plain, say, shown, told

COLUMNS = 4
# What most readers change stands open, in one row. A field that a family does not have is left out.
ESSENTIAL = (
    "model.latent_dim",
    "train.epochs",
    "train.learning_rate",
    "train.generator_learning_rate",
    "train.discriminator_learning_rate",
    "train.beta",
)
# The rest is folded away, by what it is about: the training's fields by their names, those that are not named are the optimiser's.
RECORDING = ("train.log_steps", "train.evaluate_epochs", "train.sample_count", "train.checkpoint_seconds", "train.measure_samples")
MACHINE = ("train.threads", "train.device", "train.precision", "train.shards")
GROUPS = {
    "networks": ":material/account_tree:",
    "training": ":material/trending_down:",
    "images": ":material/image:",
    "recording": ":material/videocam:",
    "machine": ":material/memory:",
}
# Chosen elsewhere on the page, or a path, which no browser gives.
APART = ("data.spec", "data.root", "train.generator_from", "train.init_from", "train.engine")


def form(config: Config, usual: Config) -> tuple[Config, list[LabError]]:
    """The configuration as the reader changes it, and why for each value that cannot be. `usual` is the preset's."""
    every = [field for field in all_fields(config) if shown(field.name)]
    values, presets = config.values(), usual.values()
    changed: dict[str, Any] = {}
    refused: list[LabError] = []

    def grid(fields: Sequence[Field]) -> None:
        """Widgets in rows; on a narrow screen they stand under each other."""
        for start in range(0, len(fields), COLUMNS):
            for column, field in zip(st.columns(COLUMNS), fields[start : start + COLUMNS], strict=False):
                with column:
                    try:
                        changed[field.name] = widget(field, values[field.name], presets[field.name], f"train:{usual.preset}")
                    except LabError as error:
                        refused.append(error)
                        st.caption(f":red[{plain(told(error))}]")

    grid(first := essential(every))
    for name, icon in GROUPS.items() if shown("advanced") else ():
        if inside := [field for field in every if field not in first and group(field) == name]:
            touched = " ●" * any(values[field.name] != presets[field.name] for field in inside)
            # Without a key it would shut whenever its label changes.
            with st.expander(say(f"studio.train.group.{name}") + touched, icon=icon, key=f"train:group:{name}"):
                grid(inside)
    for name, value in changed.items():
        try:
            config = config.replace(**{name: value})
        except LabError as error:
            refused.append(error)
    return config, refused


def widget(field: Field, value: Any, usual: Any, key: str) -> Any:
    """The widget of a field and the value that it has. Raises LabError for a text that is none."""
    label = capital(say(f"field.{field.name}")) + (" ●" if value != usual else "")  # no markup: it would be read out
    common: dict[str, Any] = {"label": label, "help": explained(field, usual), "key": f"{key}:{field.name}"}
    if field.choices:
        return st.selectbox(options=field.choices, index=field.choices.index(value), format_func=_option, **common)
    if field.kind is bool:
        return st.toggle(value=value, **common)
    if field.kind in (int, float):
        given = _number(field, value, common)
        return field.empty if given is None else given
    listed = field.kind is tuple
    text = st.text_input(value=written(value).replace(",", ", ") if listed else written(value), **common)
    return field.read(text.replace(" ", "") if listed else text)


def _number(field: Field, value: Any, common: dict[str, Any]) -> int | float | None:
    """A number between the field's bounds; None where nothing is given and that means something."""
    kind: type[int] | type[float] = int if field.kind is int else float
    low = field.minimum if field.minimum is not None else field.above  # which itself is refused by the configuration, in words
    limits: dict[str, Any] = {
        "min_value": None if low is None else kind(low),
        "max_value": None if field.maximum is None else kind(field.maximum),
        "step": 1 if kind is int else _step(value),
        "format": "%d" if kind is int else "%g",
    }
    if field.optional:
        limits["placeholder"] = field.empty or say("studio.train.none")
    given: int | float | None = st.number_input(value=None if field.optional and value == field.empty else value, **limits, **common)
    return given


def _step(value: float | None) -> float:
    """A click changes a number by about a tenth of it: rates of 1e-4 and lengths of 20 alike."""
    size = abs(float(value or 0)) or 1.0
    return float(10.0 ** (math.floor(math.log10(size)) - (0 if size < 1 else 1))) if size < 10 else 1.0


def _option(name: str) -> str:
    return say(f"option.{name}")


def explained(field: Field, usual: Any) -> str:
    """A field's help: its dotted name, what it is with its unit, its bounds, the preset's value."""
    help = say(f"help.{field.name}")
    said = [f"**`{field.name}`**", help[:1].upper() + help[1:] + "."]
    if bounds := [say(f"studio.train.bound.{bound}", value=number(value, lang())) for bound, value in field.bounds.items()]:
        said.append(say("studio.train.bounds", each=", ".join(bounds)))
    said.append(say("studio.train.preset_value", value=_told(usual)))
    if field.live:
        said.append(say("studio.train.live_field"))
    return "  \n".join(line.replace("[", "\\[").replace("$", "\\$") for line in said)


def _told(value: Any) -> str:
    """A value as the page's language writes it."""
    if value is None:
        return say("studio.train.none")
    return number(value, lang()) if isinstance(value, int | float) and not isinstance(value, bool) else written(value) or "–"


def all_fields(config: Config) -> list[Field]:
    """Every field of a configuration that a form shows, in the order of its declaration."""
    return [field for name, field in config.fields().items() if name not in APART]


def essential(every: list[Field]) -> list[Field]:
    """The fields that stand open."""
    by_name = {field.name: field for field in every}
    return [by_name[name] for name in ESSENTIAL if name in by_name]


def group(field: Field) -> str:
    """Under which of the folded headings a field stands."""
    by_part = {"model": "networks", "data": "images"}
    return by_part.get(field.part) or ("recording" if field.name in RECORDING else "machine" if field.name in MACHINE else "training")


def from_address(config: Config, given: Mapping[str, str]) -> tuple[Config, list[LabError]]:
    """The preset's configuration with the fields that an address gives, and why for each that it cannot have."""
    refused = []
    for field in all_fields(config):
        if field.name in given:
            try:
                config = config.replace(**{field.name: field.read(given[field.name])})
            except LabError as error:
                refused.append(error)
    return config, refused


def to_address(config: Config) -> dict[str, str | None]:
    """The address's parameters for a configuration: each field that is not the preset's; None for the others."""
    changed = config.differs(preset(config.preset))
    return {field.name: written(changed[field.name][0]) if field.name in changed else None for field in all_fields(config)}
