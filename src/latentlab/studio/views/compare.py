"""The page Compare: runs side by side, step by step, curve by curve, number by number."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase
from latentlab.measure.compare import comparison_of
from latentlab.measure.compare.entries import read_entry
from latentlab.measure.compare.tables import explained, measure_rows, provenance
from latentlab.show.charts.curves import METRICS, overlaid, overlays
from latentlab.studio import parts, tasks
from latentlab.studio.frame import in_one_line, waits
from latentlab.studio.library import Place, here
from latentlab.studio.overview import Overview, outdated, scores
from latentlab.studio.parts import watched
from latentlab.studio.state import asked, put
from latentlab.studio.views import in_order, several_trained
from latentlab.studio.words import lang, plain, say, spoken

RUNS, CURVES = "runs", "curves"
MOST = 8
FIRST_CURVES = 4
TICK_SECONDS = 2.0


def draw() -> None:
    """The page."""
    st.title(say("studio.compare.title"), anchor=False)
    chosen = in_order(several_trained("compare", say("studio.compare.runs"), RUNS, MOST))
    if not chosen:
        return
    for part in (_films, _curves, _scores):
        in_one_line(part)(chosen)


def _films(chosen: list[Overview]) -> None:
    """Every saved grid of every run under one slider."""
    names = [one.name for one in chosen]
    st.header(say("studio.compare.samples"), anchor=False)
    parts.film(names, "samples", key="compare:samples")
    copying = [one.name for one in chosen if one.folder.pictures("reconstructions")]
    if copying:
        with st.expander(say("studio.compare.reconstructions"), icon=":material/compare:"):
            parts.film(copying, "reconstructions", key="compare:reconstructions")


def _curves(chosen: list[Overview]) -> None:
    """Quantities that the runs recorded, a line for each run."""
    st.header(say("studio.compare.curves"), anchor=False)
    recorded: dict[str, tuple[Any, Phrase, str]] = {}
    for one in chosen:
        try:
            recorded[one.name] = (watched(one.folder).columns, Phrase("page.verbatim", {"words": one.name}), one.kind)
        except LabError as error:
            st.warning(plain(str(error)), icon=":material/warning:")
    names = [f"{metric}.{split}" for metric, split in overlays(columns for columns, _, _ in recorded.values())]
    if not names:
        st.caption(say("studio.compare.no_curves"))
        return
    shared = [name for name in names if sum(_recorded(columns, name) for columns, _, _ in recorded.values()) > 1]
    shown = _quantities(names, (shared or names)[:FIRST_CURVES])
    for start in range(0, len(shown), 2):
        for column, name in zip(st.columns(2), shown[start : start + 2], strict=False):
            metric, _, split = name.rpartition(".")
            panel = overlaid(recorded, metric, split)
            if panel is not None:
                with column:
                    parts.chart(panel, key=f"compare:{name}")


def _quantities(names: list[str], usual: list[str]) -> list[str]:
    """Those that the address names, else the usual ones, changed here by the reader."""
    state, key = st.session_state, "compare:curves"
    given = asked(CURVES) or ""
    first = [name for name in names if name in given.split(",")] or usual
    if state.get(f"{key}:first") != (given, first) or key not in state:
        state[key] = first
    shown = st.pills(say("studio.compare.quantities"), names, selection_mode="multi", key=key, format_func=_title)
    if set(shown) != set(first):
        put({CURVES: ",".join(shown) or None})
        given, first = asked(CURVES) or "", shown or usual
    state[f"{key}:first"] = given, first
    return shown


def _recorded(columns: Any, name: str) -> bool:
    metric, _, split = name.rpartition(".")
    return metric in columns.names(split)


def _title(name: str) -> str:
    metric, _, split = name.rpartition(".")
    words = spoken(Phrase(METRICS[metric].name))
    return f"{words[:1].upper()}{words[1:]} ({say(f'split.{split}')})"


def _scores(chosen: list[Overview]) -> None:
    """The table of scores with floors and intervals; what was not measured can be."""
    st.header(say("studio.compare.scores"), anchor=False)
    running = [one.name for one in chosen if _measuring(one) is not None]
    st.fragment(in_one_line(_measure), run_every=TICK_SECONDS if running else None)([one.name for one in chosen], running)
    whole = [one for one in chosen if _is_whole(one)]
    if not whole:
        return
    compared = comparison_of({one.name: one.folder for one in whole})
    for remark in map(Phrase.from_json, compared.get("remarks", [])):
        if remark.key != "unscored.runs":  # what is not measured yet is offered above
            st.info(plain(spoken(remark)), icon=":material/info:")
    groups = compared.get("groups", {})
    if not any(group.get("scores") for group in groups.values()):
        return
    st.html(table(compared))
    st.caption(plain(provenance(compared, lang())))
    with st.expander(say("studio.compare.explained"), icon=":material/help:"):
        for note in explained(compared, lang()):
            st.markdown("- " + plain(note))


def _is_whole(one: Overview) -> bool:
    """Whether what a run tells of itself can be read; if not, it is left out of the table, and a line says why."""
    try:
        scores(one.folder)
        read_entry(one.folder)
    except LabError as error:
        said = str(error)
    except (TypeError, ValueError, KeyError, AttributeError):
        said = say("studio.compare.foreign", run=one.name)
    else:
        return True
    st.error(plain(said), icon=":material/error:")
    return False


def _measuring(one: Overview) -> tasks.Task | None:
    """The evaluation of a run that goes on now."""
    task = tasks.latest(here(), ("evaluate",), one.name)
    return task if task is not None and task.state == "running" else None


def _measure(names: list[str], running: list[str]) -> None:
    """Offer to measure what was not; show what is being measured. When one is done the page is drawn again."""
    place = here()
    latest = {name: tasks.latest(place, ("evaluate",), name) for name in names}
    now = [name for name, task in latest.items() if task is not None and task.state == "running"]
    if now != running:
        st.rerun()
    for name in now:
        task = latest[name]
        assert task is not None  # noqa: S101 - else it would not be running
        last = task.log()[-1:]
        with st.container(horizontal=True, vertical_alignment="center"):
            waits(say("studio.compare.measuring", run=plain(name)) + (f"  \n{plain(last[0])}" if last else ""))
            stop, about = say("studio.control.stop"), f"compare:stop:{name}"
            st.button(stop, icon=":material/stop:", key=about, on_click=tasks.stop, args=(task,))
    for name, task in latest.items():
        if task is not None and task.state in ("failed", "lost") and not outdated(place.open(name), task):
            st.error(plain(f"{name}: {task.said()}"), icon=":material/error:")
    missing = [name for name in names if name not in now and _is_missing(place, name)]
    if missing:
        st.write(say("studio.compare.unmeasured"))
        with st.container(horizontal=True):
            for name in missing:
                if st.button(
                    say("studio.compare.measure", run=plain(name)),
                    icon=":material/straighten:",
                    key=f"compare:measure:{name}",
                    disabled=bool(now),
                ):
                    tasks.start(place, "evaluate", name, ["evaluate", str(place.path(name))])
                    st.rerun()


def _is_missing(place: Place, name: str) -> bool:
    """Whether a run has no scores that can be read."""
    try:
        return not scores(place.open(name)).get("scores")
    except LabError:
        return True  # measuring it anew is the remedy


def table(compared: Mapping[str, Any]) -> str:
    """The scores as an HTML table: measures as rows, groups of runs as columns, the best of a row in bold."""
    head, *rows = measure_rows(compared, list(compared["groups"]), lang(), {})
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(f'<tr><th scope="row">{escape(row[0])}</th>{"".join(map(_cell, row[1:]))}</tr>' for row in rows)
    return f'<div class="latentlab-scores" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(words: str) -> str:
    best = words.startswith("**") and words.endswith("**")
    value, _, interval = words.strip("*").partition(" [")
    shown = f"<b>{escape(value)}</b> <span class='latentlab-best'>★</span>" if best else escape(value)
    return f"<td>{shown}{'<small>[' + escape(interval) + '</small>' if interval else ''}</td>"
