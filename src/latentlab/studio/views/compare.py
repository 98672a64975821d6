"""The page Compare: runs side by side, step by step, curve by curve, number by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, duration, number, significant
from latentlab.measure.compare import Once, comparison_of, read_entry
from latentlab.measure.compare.tables import diagnosis_words, explained, measure_rows, provenance
from latentlab.measure.compare.verdict import COVERING, Answer, unsound, verdict
from latentlab.measure.table import title
from latentlab.show import palette
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
from latentlab.studio.sweep import SWEEP, draw_sweep, follow, swept
from latentlab.studio.views import MOST, empty, several_trained, trained_runs

CURVES = "curves"  # of the address
FIRST_CURVES = 4
Part = Callable[[list[Overview], Mapping[str, Any]], None]  # of runs that are compared
TICK_SECONDS = 2.0


def draw() -> None:
    """The page Compare: a verdict in words and the samples; curves and scores are folded."""
    parts.style("compare", palette.both(".latentlab-{hue} {{ --kind: {color}; }}\n"))
    folder = (asked(SWEEP) or "").strip("/")
    head, choice = st.columns([1, 2], vertical_alignment="center")
    head.title(say("studio.compare.title"), anchor=False)
    if not folder and len(trained := trained_runs()) < 2:
        empty(say("studio.compare.two" if trained else "studio.chosen.none"))
        return
    with choice:
        runs = several_trained("compare", say("studio.compare.runs"), MOST, folder=folder)
    if folder:
        in_one_line(follow)(folder)
    if runs:
        compared = _compared(runs)

        def fold(name: str, icon: str, part: Part, opened: bool = False) -> None:
            with st.expander(say(f"studio.compare.{name}"), opened, icon=icon, key=f"compare:fold:{name}"):
                in_one_line(part)(runs, compared)

        in_one_line(_verdict)(runs, compared)
        if swept(runs):
            fold("sweep", ":material/tune:", draw_sweep, bool(folder))
        in_one_line(_films)(runs, compared)
        fold("curves", ":material/show_chart:", _curves)
        fold("scores", ":material/table:", _scores)


def _compared(runs: list[Overview]) -> Mapping[str, Any]:
    """What comparison.json would hold of those whose records can be read; empty without any."""
    whole = {run.name: folder for run in runs if _is_whole(run.name, folder := Once(run.path))}
    try:
        return comparison_of(whole) if whole else {}
    except LabError as error:  # the pictures stand all the same
        st.error(plain(told(error)), icon=":material/error:")
        return {}


def _verdict(runs: list[Overview], compared: Mapping[str, Any]) -> None:
    """Five rows in words, why runs are not ranked, and what can be measured yet."""
    groups = compared.get("groups", {})
    if len(runs) < 2:
        st.caption(say("studio.compare.one"))
    elif any(group.get("scores") for group in groups.values()):
        hue = dict(zip((run.name for run in runs), hues_of([run.config for run in runs if run.config is not None]), strict=True))
        st.html(rows(groups, {name: hue[group["runs"][0]] for name, group in groups.items()}))
        whys = dict.fromkeys(why for group in groups.values() for why in unsound(group))
        sick = {why: ", ".join(name for name, group in groups.items() if why in unsound(group)) for why in whys}
        least = number(COVERING, lang())
        st.caption("  \n".join(plain(_unranked(why, names, least)) for why, names in sick.items()))
    for remark in map(Phrase.from_json, compared.get("remarks", [])):
        if remark.key != "unscored.runs":  # what is not measured yet is offered
            st.info(plain(spoken(remark)), icon=":material/info:")
    if tasks.working(here(), ("sweep",), asked(SWEEP) or "") is not None:
        return  # which measures its runs itself
    names = [run.name for run in runs]
    measured = [name for name in names if tasks.working(here(), ("evaluate",), name) is not None]
    st.fragment(in_one_line(_measure), run_every=TICK_SECONDS if measured else None)(names, measured)


def rows(groups: Mapping[str, Any], hue: Mapping[str, str]) -> str:
    """The verdict as HTML: in each row the question, who is first, who is next, and whether that is settled."""
    short = dict(zip(groups, parts.short(list(groups)), strict=True))

    def one(answer: Answer, place: int) -> str:
        if place >= len(answer.ranked):
            return ""
        name, score = answer.ranked[place]
        value = duration(score["value"], lang()) if answer.measure == "seconds" else significant(score["value"], lang(), 3)
        run = f'<i class="latentlab-{hue[name]}"></i>{escape(short[name])}'
        first = f"<strong>{escape(value)}</strong> <span>{run}</span>"
        return first if place == 0 else say("studio.compare.then", run=run, value=f"<b>{escape(value)}</b>")

    told = []
    for answer in verdict(groups):
        question = f"{escape(say(f'studio.compare.best.{answer.question}'))}<small>{escape(title(answer.measure, lang()))}</small>"
        state = say(f"studio.compare.state.{answer.state}")
        cells = (("question", question), ("first", one(answer, 0)), ("then", one(answer, 1)), (f"state {answer.state}", escape(state)))
        told.append('<li class="latentlab-row">' + "".join(f'<span class="{kind}">{words}</span>' for kind, words in cells) + "</li>")
    return f'<ul class="latentlab-verdict" aria-label="{escape(say("studio.compare.verdict"))}">{"".join(told)}</ul>'


def _unranked(why: str, runs: str, least: str) -> str:
    if why == "uncovered":
        return say("studio.compare.uncovered", runs=runs, least=least)
    return say("studio.compare.unsound", runs=runs, why=diagnosis_words(why, lang()))


def _films(runs: list[Overview], compared: Mapping[str, Any]) -> None:
    """Every saved grid of every run under one slider."""
    parts.film([run.name for run in runs], ["samples"], key="compare:samples")
    copying = [run.name for run in runs if run.folder.pictures("reconstructions")]
    if copying:
        with st.expander(say("studio.compare.reconstructions"), icon=":material/compare:"):
            parts.film(copying, ["reconstructions"], key="compare:reconstructions")


def _curves(runs: list[Overview], compared: Mapping[str, Any]) -> None:
    """Quantities that the runs recorded, a line for each run."""
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


def _scores(runs: list[Overview], compared: Mapping[str, Any]) -> None:
    """The table of scores with floors and intervals."""
    if not any(group.get("scores") for group in compared.get("groups", {}).values()):
        st.caption(say("studio.compare.no_scores"))
        return
    st.html(table(compared))
    st.caption(plain(provenance(compared, lang())))
    st.markdown("\n".join("- " + plain(note) for note in explained(compared, lang())))


def _is_whole(name: str, folder: Once) -> bool:
    """Whether what a run tells of itself can be read; if not, it is left out of the table, and a line says why."""
    try:
        folder.scores()
        read_entry(folder)
    except LabError as error:
        said = told(error)
    except (TypeError, ValueError, KeyError, AttributeError):
        said = say("studio.compare.foreign", run=name)
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
