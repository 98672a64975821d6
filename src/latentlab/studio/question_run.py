"""The experiment of a question as a process of its own: started, followed by its own words, stopped, tried again."""

from __future__ import annotations

import time

import streamlit as st

from latentlab.cards.card import Card
from latentlab.studio import tasks
from latentlab.studio.listing import QUESTIONS
from latentlab.studio.place import Place, here
from latentlab.studio.words import lang, plain, say
from latentlab.texts import duration, languages, text

DATA = ("digits", "mnist")
TICK_SECONDS = 1.0
LINES = 5  # of the log that are shown


def running(place: Place, name: str) -> bool:
    """Whether a question's experiment runs."""
    task = tasks.latest(place, ("question",), name)
    return task is not None and task.state == "running"


def draw_run(place: Place, name: str, card: Card | None) -> None:
    """The button that runs it, or how it goes."""
    now = running(place, name)
    st.fragment(_follow, run_every=TICK_SECONDS if now else None)(place, name, now)
    if now:
        return
    if card is None:
        _start_form(name, "studio.learn.start", fresh=False)
    else:
        with st.popover(say("studio.learn.again"), icon=":material/replay:", key=f"learn-again-{name}"):
            st.caption(say("studio.learn.again.how"))
            _start_form(name, "studio.learn.start", fresh=True)


def _start_form(name: str, label: str, fresh: bool) -> None:
    st.segmented_control(
        say("studio.learn.data"), DATA, default=DATA[0], required=True, key=f"learn-data-{name}",
        format_func=lambda data: say(f"studio.learn.data.{data}"),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(say(label), icon=":material/science:", type="primary", key=f"learn-start-{name}", on_click=_start, args=(name, fresh))
        st.caption(say("studio.learn.time"), width="content")


def _start(name: str, fresh: bool, data: str | None = None) -> None:
    """Start it, unless another tab did."""
    place = here()
    if not running(place, name):
        chosen = data if data is not None else str(st.session_state.get(f"learn-data-{name}", DATA[0]))
        tasks.start(place, "question", name, arguments(place, name, chosen, lang(), fresh))


def arguments(place: Place, name: str, data: str, language: str, fresh: bool) -> list[str]:
    """The command that runs a question's experiment."""
    words = ["question", name, "--out", str(place.runs / QUESTIONS / name), "--data", data, "--lang", language]
    words += ["--data-root", place.data_root] if place.data_root is not None else []
    return words + (["--fresh"] if fresh else [])


def _follow(place: Place, name: str, before: bool) -> None:
    """How it goes, or how it ended, where that is worth a word."""
    task = tasks.latest(place, ("question",), name)
    if task is None:
        return
    state = task.state
    if before and state != "running":
        st.rerun()
    if state == "running":
        with st.container(border=True):
            st.markdown(":material/hourglass_top: " + say("studio.learn.running", seconds=duration(time.time() - task.started, lang())))
            if lines := progress(task):
                st.code("\n".join(lines), language=None, wrap_lines=True)
            with st.container(horizontal=True, vertical_alignment="center"):
                stop = say("studio.learn.stop")
                st.button(stop, icon=":material/stop:", key=f"learn-stop-{name}", on_click=tasks.stop, args=(task,))
                st.caption(say("studio.learn.leave"), width="content")
    elif state in ("failed", "lost"):
        st.error(plain(task.said() or say("studio.watch.no_reason")), icon=":material/error:")
        with st.container(horizontal=True):
            data = _data_of(task)
            st.button(
                say("studio.learn.retry"), icon=":material/refresh:", key=f"learn-retry-{name}", on_click=_start, args=(name, False, data)
            )
            st.button(
                say("studio.learn.afresh"), icon=":material/replay:", key=f"learn-afresh-{name}", on_click=_start, args=(name, True, data)
            )


def progress(task: tasks.Task) -> list[str]:
    """The last lines that the experiment wrote, without the program's name before each, and without the question itself."""
    own = f"question.{task.subject}"
    asked = {text(f"{own}.{part}", language) for part in ("ask", "predict") for language in languages()}
    lines = [line.removeprefix("latentlab: ") for line in task.log()]
    return [line for line in lines if line not in asked and not line.startswith("  ")][-LINES:]


def _data_of(task: tasks.Task) -> str:
    """The data that a task was started with."""
    words = task.arguments
    return words[words.index("--data") + 1] if "--data" in words[:-1] else DATA[0]
