"""What shows runs side by side: the page Compare, step by step, curve by curve, number by number, and the page Explore, their
latent spaces, live in the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase
from latentlab.measure.compare import comparison_of, read_entry
from latentlab.measure.compare.tables import explained, measure_rows, provenance
from latentlab.show.charts.columns import Columns
from latentlab.show.charts.curves import called, overlaid, overlays
from latentlab.show.charts.payload import capital
from latentlab.show.palette import hues_of
from latentlab.studio import parts, tasks
from latentlab.studio.actions import measure
from latentlab.studio.frame import in_one_line, waits
from latentlab.studio.library import Library, here
from latentlab.studio.overview import Overview, outdated
from latentlab.studio.parts import watched
from latentlab.studio.state import asked, chosen, lang, plain, say, spoken, told
from latentlab.studio.views import several_trained

CURVES = "curves"  # of the address
MOST, MOST_EXPLORED = 8, 6  # runs side by side; a request for the explorer may name eight
FIRST_CURVES = 4
TICK_SECONDS = 2.0


def explore() -> None:
    """The page Explore."""
    st.title(say("studio.explore.title"), anchor=False)
    if runs := several_trained("explore", say("studio.explore.runs"), MOST_EXPLORED):
        parts.explorer([run.name for run in runs], key="explore:explorer")


def draw() -> None:
    """The page Compare."""
    st.title(say("studio.compare.title"), anchor=False)
    if runs := several_trained("compare", say("studio.compare.runs"), MOST):
        for part in (_films, _curves, _scores):
            in_one_line(part)(runs)


def _films(runs: list[Overview]) -> None:
    """Every saved grid of every run under one slider."""
    st.header(say("studio.compare.samples"), anchor=False)
    parts.film([run.name for run in runs], ["samples"], key="compare:samples")
    copying = [run.name for run in runs if run.folder.pictures("reconstructions")]
    if copying:
        with st.expander(say("studio.compare.reconstructions"), icon=":material/compare:"):
            parts.film(copying, ["reconstructions"], key="compare:reconstructions")


def _curves(runs: list[Overview]) -> None:
    """Quantities that the runs recorded, a line for each run."""
    st.header(say("studio.compare.curves"), anchor=False)
    recorded: dict[str, tuple[Columns, Phrase, str]] = {}
    for run, hue in zip(runs, hues_of([run.config for run in runs if run.config is not None]), strict=True):
        recorded[run.name] = (watched(run.folder).columns, Phrase("page.verbatim", {"words": run.name}), hue)
        parts.damage(run.name, run.folder)
    quantities = {f"{metric}.{split}": (metric, split) for metric, split in overlays(columns for columns, _, _ in recorded.values())}
    if not quantities:
        st.caption(say("studio.compare.no_curves"))
        return

    def title(name: str) -> str:
        metric, split = quantities[name]
        return f"{capital(spoken(called(metric)))} ({say(f'split.{split}')})"

    shared = [
        name for name, (metric, split) in quantities.items() if sum(metric in rows.names(split) for rows, _, _ in recorded.values()) > 1
    ]
    usual = (shared or list(quantities))[:FIRST_CURVES]
    names = chosen(
        "compare:curves", CURVES, quantities, usual,
        partial(st.pills, say("studio.compare.quantities"), list(quantities), selection_mode="multi", format_func=title),
        read=lambda: [name for name in quantities if name in (asked(CURVES) or "").split(",")],
        write=lambda names: {CURVES: ",".join(names) or None}, anew=usual,
    )  # fmt: skip
    parts.charts([(f"compare:{name}", overlaid(recorded, *quantities[name])) for name in names])


def _scores(runs: list[Overview]) -> None:
    """The table of scores with floors and intervals; what was not measured can be."""
    st.header(say("studio.compare.scores"), anchor=False)
    names = [run.name for run in runs]
    measured = [name for name in names if tasks.working(here(), ("evaluate",), name) is not None]
    st.fragment(in_one_line(_measure), run_every=TICK_SECONDS if measured else None)(names, measured)
    whole = {run.name: run.folder for run in runs if _is_whole(run)}
    if not whole:
        return
    compared = comparison_of(whole)
    for remark in map(Phrase.from_json, compared.get("remarks", [])):
        if remark.key != "unscored.runs":  # what is not measured yet is offered above
            st.info(plain(spoken(remark)), icon=":material/info:")
    if not any(group.get("scores") for group in compared.get("groups", {}).values()):
        return
    st.html(table(compared))
    st.caption(plain(provenance(compared, lang())))
    with st.expander(say("studio.compare.explained"), icon=":material/help:"):
        for note in explained(compared, lang()):
            st.markdown("- " + plain(note))


def _is_whole(run: Overview) -> bool:
    """Whether what a run tells of itself can be read; if not, it is left out of the table, and a line says why."""
    try:
        run.folder.scores()
        read_entry(run.folder)
    except LabError as error:
        said = told(error)
    except (TypeError, ValueError, KeyError, AttributeError):
        said = say("studio.compare.foreign", run=run.name)
    else:
        return True
    st.error(plain(said), icon=":material/error:")
    return False


def _measure(names: list[str], before: list[str]) -> None:
    """Offer to measure what was not; show what is being measured. When one is done the page is drawn again."""
    library = here()
    latest = {name: task for name in names if (task := tasks.latest(library, ("evaluate",), name)) is not None}
    running = {name: task for name, task in latest.items() if task.state == "running"}
    if list(running) != before:
        st.rerun()
    for name, task in running.items():
        last = task.log()[-1:]
        with st.container(horizontal=True, vertical_alignment="center"):
            waits(say("studio.compare.measuring", run=plain(name)) + (f"  \n{plain(last[0])}" if last else ""))
            key = f"compare:stop:{name}"
            st.button(say("studio.control.stop"), icon=":material/stop:", key=key, on_click=tasks.stop, args=(task,))
    for name, task in latest.items():
        if task.state in ("failed", "lost") and not outdated(library.open(name), task):
            st.error(plain(say("chart.named", name=name, value=told(task.said()))), icon=":material/error:")
    missing = [name for name in names if name not in running and _is_missing(library, name)]
    if missing:
        st.write(say("studio.compare.unmeasured"))
        with st.container(horizontal=True):
            for name in missing:
                label, key = say("studio.compare.measure", run=plain(name)), f"compare:measure:{name}"
                if st.button(label, icon=":material/straighten:", key=key, disabled=bool(running)):
                    measure(library, name)
                    st.rerun()


def _is_missing(library: Library, name: str) -> bool:
    """Whether a run has no scores that can be read."""
    try:
        return not library.open(name).scores().get("scores")
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
