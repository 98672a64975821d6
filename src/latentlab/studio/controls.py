"""The controls of a run that trains: requests in its control.json, which the process that trains it takes up, whoever asks."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from latentlab.base.texts import Phrase, number, significant
from latentlab.show.charts.curves import METRICS
from latentlab.show.charts.payload import capital
from latentlab.studio.actions import resume, stop, way_out
from latentlab.studio.form import all_fields, widget
from latentlab.studio.frame import numbered
from latentlab.studio.library import here
from latentlab.studio.overview import Overview
from latentlab.studio.state import attempt, lang, plain, say, say_refused, shown, told

PHASES = ("discriminator", "generator", "encoder", "decoder", "elbo", "reconstruction", "step")  # of a step, or what a whole one is called


def controls(run: Overview) -> None:
    """Pause, resume, stop, one step, one phase, slow motion, and the settings that may change; or, at rest, going on."""
    if run.live:
        _pace(run)
        if run.state != "starting":
            _phase(run)
            _settings(run)
    elif run.config is not None and run.state in ("stopped", "failed", "finished"):
        if run.refused:
            st.error(plain(told(run.refused)), icon=":material/error:")
        _go_on(run)
    say_refused(_refused(run.name))


def _refused(name: str) -> str:
    """Under which the session keeps why the last request was refused."""
    return f"control:{name}:refused"


def _pace(run: Overview) -> None:
    name, mode, waiting = run.name, run.status.get("mode", "fast"), run.state == "starting"
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
        if run.config is not None and (run.config.family == "gan" or run.config.is_judged):
            others = ("encoder", "decoder") if run.config.is_judged else ("generator",)
            following = dict(zip(("discriminator", *others), others, strict=False)).get(str(run.status.get("phase")), "discriminator")
            _button(name, "phase", ":material/step:", still, label=say(f"studio.control.phase.{following}"))


def _button(name: str, action: str, icon: str, disabled: bool, label: str | None = None, primary: bool = False, key: str = "") -> None:
    st.button(
        label or say(f"studio.control.{action}"), icon=icon, disabled=disabled, type="primary" if primary else "secondary",
        help=say(f"studio.control.{action}.help"), key=f"control:{name}:{key or action}", on_click=_ask, args=(name, action),
    )  # fmt: skip


def stopping(name: str) -> None:
    """The button that stops the run that is looked at."""
    stop_button(name, f"control:{name}:stop", _refused(name))


def stop_button(name: str, key: str, refused: str) -> None:
    """The button that stops a run, also one that still loads. Why it cannot be stopped is kept under `refused`."""
    st.button(
        say("studio.control.stop"), icon=":material/stop:", help=say("studio.control.stop.help"), key=key,
        on_click=_stop, args=(name, refused),
    )  # fmt: skip


def _stop(name: str, refused: str) -> None:
    attempt(refused, lambda: stop(here(), name))


def _ask(name: str, action: str, settings: dict[str, float] | None = None) -> None:
    """Hand a request in; what is refused at once is said on the page."""
    attempt(_refused(name), lambda: here().open(name).request(action, settings))


def _phase(run: Overview) -> None:
    """What the last phase of a step did, in numbers before and after it, on one line."""
    done = run.status.get("half")
    if not isinstance(done, dict):
        return
    after = done["after"] if isinstance(done.get("after"), dict) else {}
    rows = [(key, value, after.get(key)) for key, value in done.items() if key not in ("phase", "step", "after")]
    phase = say(f"studio.phase.{done['phase']}") if done.get("phase") in PHASES else "?"
    said = say("studio.control.half", step=str(done.get("step", "?")), phase=phase)
    values = ((_quantity(key), " → ".join(map(_written, (was,) if now is None else (was, now)))) for key, was, now in rows)
    numbered([(said, ""), *values])


def _quantity(key: str) -> str:
    """A quantity in words, where there are some."""
    return capital(Phrase(METRICS[key].name).say(lang())) if key in METRICS else key


def _written(value: Any) -> str:
    return significant(float(value), lang(), 4) if isinstance(value, int | float) else "–"


def _settings(run: Overview) -> None:
    """A form of the settings that may change now; each change is a mark on the curves and stays."""
    if run.config is None or not shown("live"):
        return
    told = run.status.get("settings", {})
    now = {name: value for name, value in told.items() if isinstance(value, int | float) and math.isfinite(value)}
    with st.expander(say("studio.control.settings"), icon=":material/tune:"):
        with st.form(f"control:{run.name}:settings", border=False):
            asked: dict[str, float] = {}
            fields, usual = [one for one in all_fields(run.config) if one.live], run.config.values()
            for column, one in zip(st.columns(len(fields)), fields, strict=True):
                value = now.get(one.name, usual[one.name])
                with column:
                    given = widget(one, one.kind(value), usual[one.name], f"train:live:{run.name}:{value}")
                    if given is not None and given != value:
                        asked[one.name] = given
            if st.form_submit_button(say("studio.control.apply"), icon=":material/check:") and asked:
                _ask(run.name, "set", asked)


def _go_on(run: Overview) -> None:
    """Resume a run at rest: as far as it was meant to go, or to a new total; after a loss that was not finite, more slowly."""
    out, label = way_out(run), say("studio.control.go_on")
    if out is not None:
        label = say("studio.control.go_on.slower", value=number(out.value, lang()), name=say(f"field.{out.field}"))
        st.caption(say("studio.control.go_on.from", step=number(out.step, lang())))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        total = total_field(run, f"control:{run.name}:total:{run.state}", width=200)
        if st.button(label, icon=":material/play_arrow:", key=f"control:{run.name}:go_on", type="primary"):
            resume(here(), run, total)
            st.rerun()


def total_field(run: Overview, key: str, **layout: Any) -> float:
    """The field of a run's new total length; a total from before it went on is forgotten."""
    unit, done, _ = run.length
    if float(st.session_state.get(key, done)) < done:
        del st.session_state[key]
    words = say(f"studio.control.total.{unit}")
    return float(st.number_input(words, min_value=done, value=run.longer, step=1.0, format="%g", key=key, **layout))
