"""The page Runs: the list of all runs, the report that is written of them, and the trash."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from latentlab.base.texts import languages, number
from latentlab.show.answers import NOTES, Answers
from latentlab.show.answers.record import RUNS
from latentlab.show.card import NAMES
from latentlab.studio import answers as answers_book
from latentlab.studio import tasks
from latentlab.studio.actions import REPORT, is_own, report, report_file, restore
from latentlab.studio.answers import Entry, line_field, prediction_field, text_field
from latentlab.studio.frame import NAMES as LANGUAGES
from latentlab.studio.library import Library, here
from latentlab.studio.listing import ORDERS, PAGE, USUAL, Listed, in_order, listed, matching, turned
from latentlab.studio.parts import style
from latentlab.studio.row import NOTICE, SEARCH, TICKED, draw_row, refused, remove, tick_box, ticked
from latentlab.studio.state import RUN, asked, attempt, chosen, lang, params, plain, put, say, say_refused, shown, told
from latentlab.studio.views import MOST, empty
from latentlab.studio.views import RUNS as NAMED
from latentlab.studio.watch import BADGES

VIEWS = {"list": ":material/list:", "report": ":material/description:", "trash": ":material/delete:"}
VIEW, SORT = "view", "sort"  # of the address
PRECISIONS = ("int8", "fp16")  # of the weights in the report
TICK_SECONDS = 1.0
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")


def draw() -> None:
    """The view that the address names."""
    style("runs")
    library = here()
    views = [view for view in VIEWS if view == "list" or shown(f"runs.{view}")]
    with st.container(horizontal=True, vertical_alignment="center", key="runs-head"):
        st.title(say("studio.page.runs"), anchor=False, width="content")
        st.space("stretch")
        thrown = len(library.discarded())
        counts = {"trash": f" ({number(thrown, lang())})" if thrown else ""}
        choice = partial(
            st.segmented_control, say("studio.runs.view"), views, required=True, label_visibility="collapsed",
            format_func=lambda view: f"{VIEWS[view]} {say(f'studio.runs.view.{view}')}{counts.get(view, '')}",
        )  # fmt: skip
        view = chosen("runs-view", VIEW, views, "list", choice if len(views) > 1 else None)
    draws: dict[str, Callable[[Library], None]] = {"list": _list, "report": _report, "trash": _trash}
    draws[view](library)


def _list(library: Library) -> None:
    _notice(library)
    runs = listed(library)
    if not runs:
        empty(say("studio.chosen.none"))
        return
    there = {each.name for each in runs}
    st.session_state[TICKED] = [name for name in ticked() if name in there]
    search, questions = _search(runs)
    words = {state: say(f"studio.state.{state}") for state in BADGES}
    matches, folded_away = matching(runs, search, questions, words)
    if not matches:
        st.info(say("studio.runs.found.none"), icon=":material/search_off:")
    order = asked(SORT) or USUAL
    order = order if order in {*ORDERS, *map(turned, ORDERS)} else USUAL
    page = _page(in_order(matches, order), f"{questions:d}-{order}-{search}")
    with st.container(key="runs-list", gap=None):
        if page:
            _heads(page, order)
        for each in page:
            draw_row(library, each)
    if folded_away and (search or not matches):
        st.caption(say("studio.runs.folded", count=number(folded_away, lang())))
    if ticked():
        _foot(library, [each for each in runs if each.name in ticked()])


def _heads(page: list[Listed], order: str) -> None:
    """Over each column the button that sorts by it, with an arrow at the one that does; a box for all that is shown."""
    with st.container(key="runs-heads"):
        tick_box(say("studio.runs.tick.all"), [each.name for each in page if not each.unfit], "runs-all")
        for first in ORDERS:
            name, then = first.removeprefix("-"), turned(first) if order == first else first
            label = say(f"studio.runs.sort.{name}")
            if order.removeprefix("-") == name:
                label = f"**{label}** " + ("↓" if order.startswith("-") else "↑")
            st.button(label, key=f"runs-sort-{name}", type="tertiary", on_click=put, args=({SORT: then if then != USUAL else None},))


def _foot(library: Library, runs: list[Listed]) -> None:
    """What can be done with the runs that are ticked, with how many of them."""
    trained = [each.name for each in runs if each.run.trained]
    told = [each.name for each in runs if each.run.trained and not each.of_question]
    own = [each.name for each in runs if not each.run.live and is_own(library, each.name)]
    with st.container(key="runs-foot", horizontal=True, vertical_alignment="center"):
        st.markdown(say("studio.runs.ticked", count=number(len(runs), lang())), width="content")

        def button(words: str, icon: str, names: list[str], least: int = 1, **how: Any) -> bool:
            label, key = f"{words} ({number(len(names), lang())})", f"runs-foot-{icon}"
            return st.button(label, icon=f":material/{icon}:", key=key, disabled=len(names) < least, **how)

        if shown("compare") and button(say("studio.page.compare"), "compare_arrows", trained[:MOST], least=2):
            st.switch_page(st.session_state["pages"]["compare"], query_params=params(**{NAMED: ",".join(trained[:MOST])}))
        if shown("runs.report"):
            button(say("studio.runs.view.report"), "description", told, on_click=_to_report, args=(told,))
        if shown("runs.delete"):
            button(say("studio.runs.discard"), "delete", own, on_click=remove, args=(own,))
        st.button(say("studio.runs.ticked.none"), key="runs-foot-none", type="tertiary", on_click=ticked().clear)


def _to_report(names: list[str]) -> None:
    """Show the form of the report, with these runs."""
    put({VIEW: "report"})
    st.session_state["report-runs"] = names


def _notice(library: Library) -> None:
    """What was just done, and how to undo it."""
    if NOTICE not in st.session_state:
        return
    done, names, new = st.session_state[NOTICE]
    said = say(f"studio.runs.done.{done}", name=plain(names[0]), new=plain(new))
    with st.container(key="runs-notice", horizontal=True, vertical_alignment="center"):
        said = said if len(names) == 1 else say("studio.runs.done.several", count=number(len(names), lang()))
        st.markdown(":material/info: " + said, width="stretch")
        if done == "discarded":
            st.button(say("studio.runs.undo"), icon=":material/undo:", key="runs-undo", on_click=_undo, args=(library, names))
        st.button(say("studio.runs.close"), key="runs-close", type="tertiary", on_click=lambda: st.session_state.pop(NOTICE, None))


def _undo(library: Library, names: list[str]) -> None:
    """Bring runs back, each as it was thrown away last."""
    st.session_state.pop(NOTICE, None)
    moments = {name: moment for moment, name in reversed(library.discarded())}
    for name in [name for name in names if name in moments]:
        attempt(refused(name), partial(restore, library, moments[name], name))


def _search(runs: list[Listed]) -> tuple[str, bool]:
    """What is looked for, and whether the questions' runs are wanted; both stay in this tab, the search in the address too."""
    st.session_state.setdefault("runs-search", asked(SEARCH) or "")
    count = sum(each.of_question for each in runs)
    with st.container(horizontal=True, vertical_alignment="center", key="runs-tools"):
        st.text_input(
            say("studio.runs.search"), key="runs-search", type="search", icon=":material/search:", live=True, max_chars=200,
            placeholder=say("studio.runs.search.how"), label_visibility="collapsed",
            on_change=lambda: put({SEARCH: st.session_state["runs-search"] or None}),
        )  # fmt: skip
        wanted = count > 0 and st.toggle(say("studio.runs.questions", count=number(count, lang())), key="runs-questions")
    return st.session_state["runs-search"], wanted


def _page(runs: list[Listed], listed_as: str) -> list[Listed]:
    """The part of the list that is shown; a new search or order begins at its first page."""
    pages = -(-len(runs) // PAGE)
    if pages <= 1:
        return runs
    count, choice = st.columns([1, 2], vertical_alignment="center")
    count.caption(say("studio.runs.count", count=number(len(runs), lang())))
    with choice, st.container(horizontal_alignment="right", key="runs-pages"):
        at = st.pagination(pages, key=f"runs-page-{pages}-{listed_as}")
    return runs[(at - 1) * PAGE : at * PAGE]


# The report: which runs, in which language, with which answers; written by `latentlab report` beside the runs.


def _report(library: Library) -> None:
    """The form, the answers, and what was written."""
    st.markdown(say("studio.report.intro"))
    names = as_shown([each.name for each in listed(library) if each.run.trained and not each.of_question])
    if not names:
        empty(say("studio.chosen.none"))
        return
    answers = answers_book.read(library)  # a sheet that somebody broke is refused by one line on the page
    runs, language, precision = _choices(names)
    _answers(library, answers)
    st.header(say("studio.report.write"), anchor=False)
    running = tasks.working(library, ("report",), REPORT + library.mine) is not None
    st.button(
        say("studio.report.write.button"), type="primary", icon=":material/description:", key="report-write",
        disabled=not runs or running, on_click=report, args=(library, runs, language, precision),
    )  # fmt: skip
    if not runs:
        st.caption(say("studio.report.choose"))
    st.fragment(_written, run_every=TICK_SECONDS if running else None)(library, running)


def _choices(names: list[str]) -> tuple[list[str], str, str]:
    """The runs, the language, the precision of the weights."""
    before = st.session_state.get("report-runs", first_choice(names, asked(RUN)))
    st.session_state["report-runs"] = [name for name in before if name in names]
    runs = st.multiselect(say("studio.report.runs"), names, key="report-runs")
    with st.container(horizontal=True):
        language = st.segmented_control(
            say("studio.report.language"), languages(), default=lang(), required=True, format_func=LANGUAGES.__getitem__, key="report-lang"
        )
        precision = st.segmented_control(
            say("studio.report.precision"), PRECISIONS, default=PRECISIONS[0], required=True, key="report-precision",
            format_func=lambda one: say(f"studio.report.precision.{one}"), help=say("studio.report.precision.help"),
        )  # fmt: skip
    return runs, str(language), str(precision)


def as_shown(names: list[str]) -> list[str]:
    """Names with the lab's four first, as a report shows them."""
    order = {f"lab/{kind}": rank for rank, kind in enumerate(RUNS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def first_choice(names: list[str], named: str | None) -> list[str]:
    """The runs that are chosen at first: the one that the address names, else the lab's, else the first."""
    if named in names:
        return [str(named)]
    return [name for name in names if name.startswith("lab/")] or names[:1]


def _answers(library: Library, answers: Answers) -> None:
    """Name, group, and an answer to each question."""
    st.header(say("studio.report.answers"), anchor=False)
    st.caption(say("studio.report.answers.how"))
    with st.container(horizontal=True):
        line_field(answers, Entry("name"), say("studio.report.name"), "report-name", help=say("studio.report.name.help"))
        line_field(answers, Entry("group"), say("studio.report.group"), "report-group")
        line_field(answers, Entry("student"), say("studio.report.student"), "report-student", help=say("studio.report.student.help"))
    for name in NAMES:
        part = answers.parts.get(name)
        sign = ":material/edit_note:" if part is None else ":material/check:" if part.text else ":material/lightbulb:"
        with st.expander(plain(say(f"question.{name}.title")), icon=sign, key=f"report-open-{name}"):
            st.markdown(plain(say(f"question.{name}.ask")))
            prediction_field(answers, name, f"report-prediction-{name}")
            text_field(answers, Entry("text", name), say("studio.answers.own"), f"report-text-{name}")
    with st.expander(say("card.notes"), icon=":material/check:" if NOTES in answers.parts else ":material/edit_note:"):
        text_field(answers, Entry("text", NOTES), say("card.notes"), "report-text-notes")
    if (path := answers_book.file(library)).is_file():
        st.download_button(
            say("studio.report.sheet"), path.read_bytes(), path.name, "text/markdown", key="report-sheet",
            icon=":material/download:", on_click="ignore", type="tertiary", help=say("studio.report.sheet.help"),
        )  # fmt: skip


def _written(library: Library, running: bool) -> None:
    """How the writing goes, and the file once there is one."""
    task, file = tasks.latest(library, ("report",), REPORT + library.mine), report_file(library)
    state = task.state if task is not None else None
    if running and state != "running":
        st.rerun()
    if state == "running":
        st.info(say("studio.report.writing"), icon=":material/hourglass_top:")
    elif task is not None and state in ("failed", "lost"):
        st.error(plain(told(task.said())), icon=":material/error:")
    if state != "running" and file.is_file():
        about = file.stat()
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
        st.markdown(":material/check_circle: " + say("studio.report.written", size=number(about.st_size / 1e6, lang(), 2), when=moment))
        if not library.reader:
            st.code(str(file), language=None, wrap_lines=True)
        st.download_button(
            say("studio.report.download"), file.read_bytes, "report.html", "text/html", key="report-download",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip


# The trash: runs that were thrown away, each with the way back.


def _trash(library: Library) -> None:
    """Every run in it, the last one first."""
    thrown = library.discarded()
    if not thrown:
        st.info(say("studio.runs.trash.empty"), icon=":material/delete:")
        return
    if not library.reader:
        st.caption(say("studio.runs.trash.how"))
        st.code(str(library.trash), language=None, wrap_lines=True)
    for moment, name in thrown:
        with st.container(key=f"runs-thrown-{moment}-{name}", horizontal=True, vertical_alignment="center"):
            with st.container():
                st.markdown(f"**{plain(name)}**")
                st.caption(plain(say("studio.runs.trash.when", when=when(moment))))
            key = f"runs-restore-{moment}-{name}"
            st.button(say("studio.runs.restore"), icon=":material/restore_from_trash:", key=key, on_click=_restore, args=(moment, name))
        say_refused(f"runs-unrestored-{moment}-{name}")


def when(moment: str) -> str:
    """A moment as a folder of the trash is named by it, as a reader reads it; the name itself for any other folder."""
    match = _MOMENT.match(moment)
    return f"{match[1]}-{match[2]}-{match[3]} {match[4]}:{match[5]}" if match else moment


def _restore(moment: str, name: str) -> None:
    attempt(f"runs-unrestored-{moment}-{name}", lambda: restore(here(), moment, name))
