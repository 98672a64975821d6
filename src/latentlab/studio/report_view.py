"""The report: which runs, in which language, with which answers; written by `latentlab report` beside the runs."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from latentlab.base.texts import languages, number
from latentlab.show.answers import NOTES, Answers
from latentlab.show.answers.record import RUNS
from latentlab.show.card import NAMES, found_cards
from latentlab.studio import answers as answers_book
from latentlab.studio import tasks
from latentlab.studio.answers import Entry, line_field, prediction_field, text_field
from latentlab.studio.frame import NAMES as LANGUAGES
from latentlab.studio.library import Place
from latentlab.studio.listing import QUESTIONS, Listed, listed
from latentlab.studio.state import asked
from latentlab.studio.words import lang, plain, say

PRECISIONS = ("int8", "fp16")
TICK_SECONDS = 1.0
SUBJECT = "report"  # of its task


def draw_report(place: Place) -> None:
    """The form, the answers, and what was written."""
    st.markdown(say("studio.report.intro"))
    runs = [each for each in listed(place) if each.run.trained and not each.of_question]
    if not runs:
        st.info(say("studio.report.none"), icon=":material/model_training:")
        return
    answers = answers_book.read(place)  # a sheet that somebody broke is refused by one line on the page
    chosen, language, precision = _choices(runs)
    _answers(place, answers)
    st.header(say("studio.report.write"), anchor=False)
    running = _running(place)
    st.button(
        say("studio.report.write.button"), type="primary", icon=":material/description:", key="report-write",
        disabled=not chosen or running, on_click=_write, args=(place, chosen, language, precision),
    )  # fmt: skip
    if not chosen:
        st.caption(say("studio.report.choose"))
    st.fragment(_written, run_every=TICK_SECONDS if running else None)(place, running)


def target(place: Place) -> Path:
    """Where the report goes: beside the runs, to be seen."""
    return place.runs / "report.html"


def _choices(runs: list[Listed]) -> tuple[list[str], str, str]:
    names = in_order([each.name for each in runs])
    st.session_state.setdefault("report-runs", first_choice(names, asked("run")))
    st.session_state["report-runs"] = [name for name in st.session_state["report-runs"] if name in names]
    chosen = st.multiselect(say("studio.report.runs"), names, key="report-runs")
    with st.container(horizontal=True):
        language = st.segmented_control(
            say("studio.report.language"), languages(), default=lang(), required=True, format_func=LANGUAGES.__getitem__, key="report-lang"
        )
        precision = st.segmented_control(
            say("studio.report.precision"), PRECISIONS, default=PRECISIONS[0], required=True, key="report-precision",
            format_func=lambda one: say(f"studio.report.precision.{one}"), help=say("studio.report.precision.help"),
        )  # fmt: skip
    return chosen, str(language), str(precision)


def in_order(names: list[str]) -> list[str]:
    """Names with the lab's four first, as a report shows them."""
    order = {f"lab/{kind}": place for place, kind in enumerate(RUNS)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def first_choice(names: list[str], named: str | None) -> list[str]:
    """The runs that are chosen at first: the one that the address names, else the lab's, else the first."""
    if named in names:
        return [str(named)]
    return [name for name in names if name.startswith("lab/")] or names[:1]


def _answers(place: Place, answers: Answers) -> None:
    """Name, group, and an answer to each question."""
    st.header(say("studio.report.answers"), anchor=False)
    st.caption(say("studio.report.answers.how"))
    with st.container(horizontal=True):
        line_field(answers, Entry("name"), say("studio.report.name"), "report-name", help=say("studio.report.name.help"))
        line_field(answers, Entry("group"), say("studio.report.group"), "report-group")
    for name in NAMES:
        part = answers.parts.get(name)
        sign = ":material/edit_note:" if part is None else ":material/check:" if part.text else ":material/lightbulb:"
        with st.expander(plain(say(f"question.{name}.title")), icon=sign, key=f"report-open-{name}"):
            st.markdown(plain(say(f"question.{name}.ask")))
            prediction_field(answers, name, f"report-prediction-{name}")
            text_field(answers, Entry("text", name), say("studio.answers.own"), f"report-text-{name}")
    with st.expander(say("card.notes"), icon=":material/check:" if NOTES in answers.parts else ":material/edit_note:"):
        text_field(answers, Entry("text", NOTES), say("card.notes"), "report-text-notes")
    if (path := answers_book.file(place)).is_file():
        st.download_button(
            say("studio.report.sheet"), path.read_bytes(), path.name, "text/markdown", key="report-sheet",
            icon=":material/download:", on_click="ignore", type="tertiary", help=say("studio.report.sheet.help"),
        )  # fmt: skip


def _running(place: Place) -> bool:
    task = tasks.latest(place, ("report",), SUBJECT)
    return task is not None and task.state == "running"


def _write(place: Place, chosen: list[str], language: str, precision: str) -> None:
    tasks.start(place, "report", SUBJECT, arguments(place, chosen, language, precision))


def arguments(place: Place, chosen: list[str], language: str, precision: str) -> list[str]:
    """The command that writes the report. Raises LabError for a name that is no run."""
    words = ["report", *(str(place.open(name).path) for name in chosen)]
    words += ["--out", str(target(place)), "--lang", language, "--weights", precision]
    if answers_book.file(place).is_file():
        words += ["--answers", str(answers_book.file(place))]
    if found_cards(place.runs / QUESTIONS, say=lambda refused: None):
        words += ["--questions", str(place.runs / QUESTIONS)]
    return words


def _written(place: Place, running: bool) -> None:
    """How the writing goes, and the file once there is one."""
    task, file = tasks.latest(place, ("report",), SUBJECT), target(place)
    state = task.state if task is not None else None
    if running and state != "running":
        st.rerun()
    if state == "running":
        st.info(say("studio.report.writing"), icon=":material/hourglass_top:")
    elif task is not None and state in ("failed", "lost"):
        st.error(plain(task.said() or say("studio.watch.no_reason")), icon=":material/error:")
    if state != "running" and file.is_file():
        about = file.stat()
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
        st.markdown(":material/check_circle: " + say("studio.report.written", size=number(about.st_size / 1e6, lang(), 2), when=moment))
        st.code(str(file), language=None, wrap_lines=True)
        st.download_button(
            say("studio.report.download"), file.read_bytes, "report.html", "text/html", key="report-download",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
