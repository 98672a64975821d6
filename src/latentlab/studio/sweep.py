"""Runs of one family beside each other by what was tried: how far a sweep is that the page started, and its parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from latentlab.base.files import read_json_or_nothing
from latentlab.base.texts import number
from latentlab.measure.compare.verdict import QUESTIONS
from latentlab.measure.table import score_of, title
from latentlab.show.charts.payload import capital
from latentlab.show.palette import FIXED, SEED, hues_of
from latentlab.studio import parts, tasks
from latentlab.studio.library import Library, here
from latentlab.studio.overview import Overview, overview
from latentlab.studio.state import lang, plain, say, told

SWEEP = "sweep"  # of the address: the folder of the runs that are compared
MOST_FIELDS = 4
WORDS = ("title", "keys", "brushed", "axis", "range", "run", "clear")


def followed(folder: str, trained: int) -> None:
    """How far a sweep is, and the button that stops it or lets it go on. `trained` is how many of its runs the page shows."""
    library = here()
    task = tasks.latest(library, ("sweep",), folder)
    if task is None:
        return
    runs = [overview(library, name) for name in library.names() if name.startswith(f"{folder}/")]
    measured = sum((run.path / "scores.json").is_file() for run in runs)
    grid = (read_json_or_nothing(library.path(folder) / "sweep.json") or {}).get("alternatives", {})
    count = math.prod(map(len, grid.values())) if grid else 0
    state, done = task.state, sum(run.state == "finished" for run in runs)
    if (state != "running" and st.session_state.get(f"sweep:{folder}") == "running") or sum(run.trained for run in runs) != trained:
        st.session_state[f"sweep:{folder}"] = state
        st.rerun()  # there is more to compare
    st.session_state[f"sweep:{folder}"] = state
    if state == "done" and count and measured >= count:
        return
    now = [f"{plain(run.path.name)} {number(100 * run.length[1] / (run.length[2] or 1), lang(), 0)}\u00a0%" for run in runs if run.live]
    words = say("studio.sweep.far", done=number(done, lang()), count=number(count, lang()), measured=number(measured, lang()))
    with st.container(horizontal=True, vertical_alignment="center", key="sweep-progress"):
        st.progress((done + measured) / (2 * count) if count else 0.0, " · ".join([words, *now]))
        if state == "running":
            st.button(say("studio.control.stop"), icon=":material/stop:", key="sweep:stop", on_click=tasks.stop, args=(task,))
        else:
            label, again = say("studio.control.go_on"), (library, folder, task.arguments)
            st.button(label, icon=":material/play_arrow:", key="sweep:go_on", on_click=_go_on, args=again)
    if state in ("failed", "lost"):
        st.error(plain(told(task.said())), icon=":material/error:")


def _go_on(library: Library, folder: str, words: Sequence[str]) -> None:
    """Start the same command: what is there is not trained again."""
    tasks.start(library, "sweep", folder, words)


def swept(runs: Sequence[Overview]) -> list[str]:
    """The numbers in which runs of one family differ, seeds apart; none where they are not of one family."""
    configs = [run.config for run in runs if run.config is not None]
    if len({config.kind for config in configs}) != 1:
        return []
    values = [config.values(FIXED) for config in configs]
    names = [name for name in values[0] if name != SEED and len({str(own.get(name)) for own in values}) > 1]
    return [name for name in names if all(isinstance(own.get(name), int | float) for own in values)][:MOST_FIELDS]


def coordinates(runs: Sequence[Overview], compared: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `parallel` of charts/static draws: the settings that differ, then the measures of the verdict; None without two axes."""
    fields, entries = swept(runs), compared.get("runs", {})
    scores = {name: {measure: _value(entry, measure) for _, measure, _ in QUESTIONS} for name, entry in entries.items()}
    measures = [(name, sign) for _, name, sign in QUESTIONS if sum(own[name] is not None for own in scores.values()) > 1]
    if not fields or not measures:
        return None
    axes = [{"name": [capital(say(f"field.{name}")), ""], "swept": True} for name in fields]
    for name, sign in measures:
        axes.append({"name": [title(name, lang()), say(f"compare.axis.up.{'lower' if sign > 0 else 'higher'}")], "swept": False})
    lines = []
    for run, hue in zip(runs, hues_of([run.config for run in runs if run.config is not None]), strict=True):
        given = run.config.values() if run.config is not None else {}
        values = [given.get(name) for name in fields] + [scores.get(run.name, {}).get(name) for name, _ in measures]
        lines.append({"name": run.path.name, "hue": hue, "values": values})
    return {"axes": axes, "lines": lines}


def _value(entry: Mapping[str, Any], measure: str) -> float | None:
    score = score_of({"scores": entry["scores"], "costs": {"seconds": {"value": entry.get("seconds")}}}, measure)
    return None if score is None else score["value"]


def draw_sweep(runs: Sequence[Overview], compared: Mapping[str, Any]) -> None:
    """The runs as lines over what was tried and what was measured, to be brushed."""
    if (data := coordinates(runs, compared)) is None:
        st.caption(say("studio.sweep.none"))
        return
    holes = {name: f"{{{name}}}" for name in ("shown", "all", "name", "low", "high")}
    words = {name: say(f"studio.sweep.{name}", **holes) for name in WORDS} | {"lang": lang()}
    parts.parallel(data, words, key="compare:sweep")
