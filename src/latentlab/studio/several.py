"""Several runs from one form: some values of a setting or two, some seeds; `latentlab sweep` trains and measures each, the page Compare
shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from latentlab.base import core_count
from latentlab.base.errors import LabError
from latentlab.base.texts import number
from latentlab.config.field import Field, written
from latentlab.config.fitting import arguments
from latentlab.config.schema import Config
from latentlab.show.charts.payload import capital
from latentlab.studio import estimate, tasks
from latentlab.studio.form import all_fields, essential
from latentlab.studio.library import Library
from latentlab.studio.state import lang, params, plain, say, told

MOST_FIELDS, MOST = 2, 24  # settings, and runs, that are tried from the page
FIRST = ("train.beta", "train.learning_rate", "train.generator_learning_rate")  # what is tried first, where there is one
KEYS = "train:several"


def several(library: Library, config: Config, seconds: float | None) -> None:
    """Values and seeds, how many runs that makes and about how long they take, and the button that starts them.

    `config` is what the form says; `seconds` about how long one run takes, None where that is not known.
    """
    fields = {one.name: one for one in all_fields(config) if is_swept(one)}
    order = list(dict.fromkeys([*(one.name for one in essential(list(fields.values()))), *fields]))
    first = [name for name in FIRST if name in fields][:1]
    names = st.multiselect(
        say("studio.several.fields"), order, default=first, max_selections=MOST_FIELDS, key=f"{KEYS}:fields:{config.family}",
        format_func=lambda name: capital(say(f"field.{name}")),
    )  # fmt: skip
    tried, refused = {}, []
    for name in names:
        now = number(config.values()[name], lang()) if config.values()[name] is not None else ""
        label = say("studio.several.values", name=capital(say(f"field.{name}")))
        text = st.text_input(label, key=f"{KEYS}:{name}", placeholder=say("studio.several.how", value=now), help=f"`{name}`")
        try:
            tried[name] = values_of(fields[name], text, lang())
            for value in tried[name]:
                config.replace(**{name: value})
        except LabError as error:
            refused.append(told(error))
    seeds = int(st.number_input(say("studio.several.seeds"), 1, MOST, 1, key=f"{KEYS}:seeds"))
    count = math.prod(map(len, tried.values())) * seeds
    if not refused and not all(tried.values()):
        st.caption(say("studio.several.none"))
    elif not refused and not 2 <= count <= MOST:
        refused.append(say("studio.several.count", count=number(count, lang()), most=MOST))
    for why in refused:
        st.error(plain(why), icon=":material/error:")
    ready = not refused and all(tried.values()) and count > 1
    if ready:
        time = "" if seconds is None else say("studio.several.time", time=estimate.about(count * seconds, lang()))
        st.markdown(say("studio.several.ahead", count=number(count, lang())) + time)
    if st.button(say("studio.train.start"), type="primary", icon=":material/play_arrow:", disabled=not ready, key=f"{KEYS}:start"):
        st.switch_page(st.session_state["pages"]["compare"], query_params=params(sweep=start(library, config, tried, seeds)))


def is_swept(field: Field) -> bool:
    """Whether several values of a field can be tried: a number that says what a run is or how long it trains."""
    return field.kind in (int, float) and field.role in ("essence", "length") and field.part != "data"


def values_of(field: Field, text: str, language: str) -> list[Any]:
    """The values that a text names, each once: "1, 3, 10", in French also "0,5; 1,5". Raises LabError for one that is none."""
    decimal = ";" in text or "," in number(0.5, language)
    parts = re.split(r";|,?\s+", text.strip()) if decimal else re.split(r"[,\s]+", text)
    parts = [part.replace(",", ".") if decimal else part for part in parts]
    return list(dict.fromkeys(field.read(part.strip()) for part in parts if part.strip()))


def sweep_words(config: Config, tried: Mapping[str, Sequence[Any]], seeds: int, out: str, language: str) -> list[str]:
    """The command that trains, measures and compares every combination; of an option that is given twice the last one counts."""
    values = [f"--{name}={','.join(map(written, each))}" for name, each in tried.items()]
    words = ["sweep", config.preset, *arguments(config), *values, "--out", out, "--jobs", str(max(1, core_count() - 1)), "--lang", language]
    return words + (["--seeds", str(seeds)] if seeds > 1 else [])


def start(library: Library, config: Config, tried: Mapping[str, Sequence[Any]], seeds: int) -> str:
    """Start a sweep; the name of its folder."""
    name = library.new(f"sweep-{config.preset}", config.data.spec)
    tasks.start(library, "sweep", name, sweep_words(config, tried, seeds, str(library.path(name)), lang()))
    return name
