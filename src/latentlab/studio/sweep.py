"""Runs of one family beside each other by what was tried: how far a sweep is that the page started, and its parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from latentlab.base.files import read_json_or_nothing
from latentlab.base.texts import number
from latentlab.measure.compare.verdict import QUESTIONS
from latentlab.measure.table import score_of, title
from latentlab.show.charts.payload import capital
from latentlab.show.palette import FIXED, SEED, hues_of
from latentlab.studio import parts, tasks
from latentlab.studio.actions import is_own
from latentlab.studio.frame import in_one_line
from latentlab.studio.library import Library, here
from latentlab.studio.overview import Overview, overview
from latentlab.studio.state import lang, plain, say, told

SWEEP = "sweep"  # of the address: the folder of the runs that are compared
MOST_FIELDS = 4
TICK_SECONDS = 2.0
WORDS = ("title", "keys", "brushed", "axis", "range", "run", "clear")


class Standing(NamedTuple):
    """How far a sweep is: its process, and how many of its runs have begun, are trained, are measured, of how many planned."""

    state: str
    begun: int
    trained: int
    measured: int
    planned: int


def standing(library: Library, folder: str) -> Standing | None:
    """How far the sweep in a folder is now; None where the page started none there."""
    if (task := tasks.latest(library, ("sweep",), folder)) is None:
        return None
    runs = [overview(library, name) for name in library.names() if name.startswith(f"{folder}/")]
    grid = (read_json_or_nothing(library.path(folder) / "sweep.json") or {}).get("alternatives", {})
    trained, measured = sum(run.state == "finished" for run in runs), sum((run.path / "scores.json").is_file() for run in runs)
    return Standing(task.state, sum(run.trained for run in runs), trained, measured, math.prod(map(len, grid.values())) if grid else 0)


def follow(folder: str) -> None:
    """How far the sweep in a folder is, with a button that stops it or lets it go on; the page is drawn anew when there is more of it."""
    if (now := standing(here(), folder)) is not None and (now.state, now.measured) != ("done", now.planned):
        st.fragment(in_one_line(_follow), run_every=TICK_SECONDS if now.state == "running" else None)(here(), folder, now)


def _follow(library: Library, folder: str, before: Standing) -> None:
    now, task = standing(library, folder), tasks.latest(library, ("sweep",), folder)
    if now is None or task is None or now != before:
        st.rerun()
    done, measured, count = (number(each, lang()) for each in (now.trained, now.measured, now.planned))
    with st.container(horizontal=True, vertical_alignment="center", key="sweep-progress"):
        share = (now.trained + now.measured) / (2 * now.planned) if now.planned else 0.0
        st.progress(min(1.0, share), say("studio.sweep.far", done=done, count=count, measured=measured))
        own = is_own(library, folder)
        if own and now.state == "running":
            st.button(say("studio.control.stop"), icon=":material/stop:", key="sweep:stop", on_click=tasks.stop, args=(task,))
        elif own:
            label, again = say("studio.control.go_on"), (library, folder, task.arguments)
            st.button(label, icon=":material/play_arrow:", key="sweep:go_on", on_click=_go_on, args=again)
    if now.state in ("failed", "lost"):
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
    return [
        name for name in names if all(isinstance(own.get(name), int | float) and not isinstance(own.get(name), bool) for own in values)
    ][:MOST_FIELDS]


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
