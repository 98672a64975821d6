"""The form that a configuration is changed in. What is changed goes into the address, so that it can be sent as a link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from latentlab.config import Config
from latentlab.errors import LabError
from latentlab.options import read_value, written
from latentlab.studio.address import shown
from latentlab.studio.fields import Field, all_fields, essential
from latentlab.studio.refused import told
from latentlab.studio.words import lang, plain, say
from latentlab.texts import number

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
