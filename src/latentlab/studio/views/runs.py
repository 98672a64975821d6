"""The page Runs: the list of all runs, the report, and the trash."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from latentlab.base.texts import number
from latentlab.studio.frame import link
from latentlab.studio.library import Place, here
from latentlab.studio.listing import PAGE, Listed, listed, matching
from latentlab.studio.parts import style
from latentlab.studio.report_view import draw_report
from latentlab.studio.run_menu import draw_trash
from latentlab.studio.run_row import draw_row, notice
from latentlab.studio.state import asked, put, shown
from latentlab.studio.watch import ICONS
from latentlab.studio.words import lang, say

VIEWS = {"list": ":material/list:", "report": ":material/description:", "trash": ":material/delete:"}
VIEW, SEARCH = "view", "search"


def draw() -> None:
    """The view that the address names."""
    style("runs")
    place = here()
    views = [view for view in VIEWS if view == "list" or shown(f"runs.{view}")]
    chosen = asked(VIEW) if asked(VIEW) in views else "list"
    with st.container(horizontal=True, vertical_alignment="center", key="runs-head"):
        st.title(say("studio.page.runs"), anchor=False, width="content")
        st.space("stretch")
        if len(views) > 1:
            _views(place, views, str(chosen))
    draws: dict[str, Callable[[Place], None]] = {"list": _list, "report": draw_report, "trash": draw_trash}
    draws[str(chosen)](place)


def _views(place: Place, views: list[str], chosen: str) -> None:
    """The choice of the view, which is kept in the address."""
    thrown = len(place.discarded())

    def label(view: str) -> str:
        count = f" ({number(thrown, lang())})" if view == "trash" and thrown else ""
        return f"{VIEWS[view]} {say(f'studio.runs.view.{view}')}{count}"

    if st.session_state.get("runs-view") != chosen:
        st.session_state["runs-view"] = chosen
    st.segmented_control(
        say("studio.runs.view"), views, key="runs-view", required=True, format_func=label, label_visibility="collapsed",
        on_change=lambda: put({VIEW: None if st.session_state["runs-view"] == "list" else st.session_state["runs-view"]}),
    )  # fmt: skip


def _list(place: Place) -> None:
    notice(place)
    runs = listed(place)
    if not runs:
        st.info(say("studio.runs.none"), icon=":material/model_training:")
        link("train", say("studio.train.start"), ":material/play_arrow:")
        return
    search, questions = _search(runs)
    words = {state: say(f"studio.state.{state}") for state in ICONS}
    found, folded_away = matching(runs, search, questions, words)
    if not found:
        st.info(say("studio.runs.found.none"), icon=":material/search_off:")
    for each in _page(found, search, questions):
        draw_row(place, each)
    if folded_away and (search or not found):
        st.caption(say("studio.runs.folded", count=number(folded_away, lang())))


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


def _page(found: list[Listed], search: str, questions: bool) -> list[Listed]:
    """The part of the list that is shown; a new search begins at its first page."""
    pages = -(-len(found) // PAGE)
    if pages <= 1:
        return found
    count, choice = st.columns([1, 2], vertical_alignment="center")
    count.caption(say("studio.runs.count", count=number(len(found), lang())))
    with choice, st.container(horizontal_alignment="right", key="runs-pages"):
        at = st.pagination(pages, key=f"runs-page-{pages}-{questions:d}-{search}")
    return found[(at - 1) * PAGE : at * PAGE]
