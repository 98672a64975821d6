"""The controls of a run that trains: requests in its control.json, which the process that trains it takes up, whoever asks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, significant
from latentlab.config.schema import Config
from latentlab.show.charts.curves import METRICS
from latentlab.studio import tasks
from latentlab.studio.form import Field, all_fields, widget
from latentlab.studio.library import here
from latentlab.studio.overview import Overview, stop
from latentlab.studio.state import shown
from latentlab.studio.words import lang, plain, say, spoken

PHASES = ("discriminator", "generator", "elbo", "reconstruction")  # what a half of a step, or a whole one, is called


def controls(found: Overview) -> None:
    """Pause, resume, stop, one step, one half, slow motion, and the settings that may change; or, at rest, going on."""
    if found.live:
        _pace(found)
        if found.state != "starting":
            _half(found)
            _settings(found)
    elif found.config is not None and found.state in ("stopped", "failed", "finished"):
        if found.refused:
            st.error(plain(found.refused), icon=":material/error:")
        _go_on(found)
    if refused := st.session_state.get(f"control:{found.name}:refused"):
        st.error(plain(refused), icon=":material/error:")


def _pace(found: Overview) -> None:
    name, mode, waiting = found.name, found.status.get("mode", "fast"), found.state == "starting"
    with st.container(horizontal=True):
        # What is pressed again and again stays one button, so that the keyboard does not lose it.
        if mode == "fast":
            _button(name, "pause", ":material/pause:", waiting)
        else:
            _button(name, "resume", ":material/fast_forward:", waiting, primary=True, key="pause")
        stopping(name)
        if mode == "slow":
            _button(name, "pause", ":material/pause:", waiting, key="slow")
        else:
            _button(name, "slow", ":material/slow_motion_video:", waiting)
        still = waiting or mode == "fast"
        _button(name, "step", ":material/skip_next:", still)
        if found.config is not None and found.config.family == "gan":
            after = found.status.get("phase")
            following = "generator" if after == "discriminator" else "discriminator"
            _button(name, "phase", ":material/step:", still, label=say(f"studio.control.phase.{following}"))


def _button(name: str, action: str, icon: str, disabled: bool, label: str | None = None, primary: bool = False, key: str = "") -> None:
    st.button(
        label or say(f"studio.control.{action}"),
        icon=icon,
        disabled=disabled,
        type="primary" if primary else "secondary",
        help=say(f"studio.control.{action}.help"),
        key=f"control:{name}:{key or action}",
        on_click=_ask,
        args=(name, action),
    )


def stopping(name: str) -> None:
    """The button that stops a run, also one that still loads."""
    st.button(
        say("studio.control.stop"),
        icon=":material/stop:",
        help=say("studio.control.stop.help"),
        key=f"control:{name}:stop",
        on_click=_stop,
        args=(name,),
    )


def _stop(name: str) -> None:
    _try(name, lambda: stop(here(), name))


def _ask(name: str, action: str, settings: dict[str, float] | None = None) -> None:
    """Hand a request in."""
    _try(name, lambda: here().open(name).request(action, settings))


def _try(name: str, act: Callable[[], object]) -> None:
    """Do something; what is refused at once is said on the page."""
    try:
        act()
    except LabError as error:
        st.session_state[f"control:{name}:refused"] = str(error)
    else:
        st.session_state.pop(f"control:{name}:refused", None)


def _half(found: Overview) -> None:
    """What the last half of a step did, in numbers before and after it."""
    half = found.status.get("half")
    if not isinstance(half, dict):
        return
    after = half["after"] if isinstance(half.get("after"), dict) else {}
    rows = [(key, value, after.get(key)) for key, value in half.items() if key not in ("phase", "step", "after")]
    phase = half.get("phase")
    said = say(
        "studio.control.half", step=plain(str(half.get("step", "?"))), phase=say(f"studio.phase.{phase}") if phase in PHASES else "?"
    )
    columns = [say(f"studio.control.half.{column}") for column in ("what", "before", "after")]
    lines = [f"| {' | '.join(columns)} |", "|:--|--:|--:|"]
    lines += [f"| {_quantity(key)} | {_written(before)} | {_written(after)} |" for key, before, after in rows]
    with st.container(border=True):
        st.markdown(f"**{said}**\n\n" + "\n".join(lines))


def _quantity(key: str) -> str:
    """A quantity in words, where there are some."""
    words = spoken(Phrase(METRICS[key].name)) if key in METRICS else key
    return plain(words[:1].upper() + words[1:] if key in METRICS else words)


def _written(value: Any) -> str:
    return significant(float(value), lang(), 4) if isinstance(value, int | float) else "–"


def live_settings(config: Config) -> list[Field]:
    """The fields that may change while a run trains."""
    return [one for one in all_fields(config) if one.live]


def _settings(found: Overview) -> None:
    """A form of the settings that may change now; each change is a mark on the curves and stays."""
    config = found.config
    if config is None or not shown("live"):
        return
    told = found.status.get("settings", {})
    now = {name: value for name, value in told.items() if isinstance(value, int | float) and math.isfinite(value)}
    with st.expander(say("studio.control.settings"), icon=":material/tune:"):
        with st.form(f"control:{found.name}:settings", border=False):
            asked: dict[str, float] = {}
            fields = live_settings(config)
            for place, one in zip(st.columns(len(fields)), fields, strict=True):
                value = now.get(one.name, one.value)
                with place:
                    current = Field(one.name, one.kind, one.kind(value), one.choices, one.empty, one.optional, one.info, one.type)
                    given = widget(current, f"live:{found.name}:{value}", one.value)
                    if given is not None and given != value:
                        asked[one.name] = given
            if st.form_submit_button(say("studio.control.apply"), icon=":material/check:") and asked:
                _ask(found.name, "set", asked)


def _go_on(found: Overview) -> None:
    """Resume a run at rest: as far as it was meant to go, or to a new total."""
    unit, done, _ = found.length
    key = f"control:{found.name}:total:{found.state}"
    if float(st.session_state.get(key, done)) < done:
        del st.session_state[key]  # written before it went on
    with st.container(horizontal=True, vertical_alignment="bottom"):
        total = st.number_input(
            say(f"studio.control.total.{unit}"),
            value=found.longer,
            min_value=done,
            step=1.0,
            format="%g",
            key=key,
            width=200,
        )
        if st.button(say("studio.control.go_on"), icon=":material/play_arrow:", key=f"control:{found.name}:go_on", type="primary"):
            length = str(int(total)) if unit == "steps" else f"{total:.10g}"
            tasks.start(here(), "resume", found.name, ["resume", str(found.path), f"--{unit}", length])
            st.rerun()
