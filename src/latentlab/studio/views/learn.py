"""The page Learn: the questions of the labs. Predict, run the experiment, see what came true, write your own answer."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.show.answers import Answers
from latentlab.show.card import NAMES, Card, found_cards
from latentlab.studio import answers as answers_book
from latentlab.studio.frame import link
from latentlab.studio.library import Place, here
from latentlab.studio.listing import QUESTIONS
from latentlab.studio.parts import style
from latentlab.studio.question import draw_question, running
from latentlab.studio.state import asked
from latentlab.studio.words import plain, say

QUESTION = "question"


def draw() -> None:
    """The question that the address names, else all of them."""
    style("learn")
    place = here()
    try:
        answers = answers_book.read(place)
    except LabError as error:  # somebody edited the sheet: the questions can be read all the same
        st.error(plain(str(error)), icon=":material/error:")
        answers = None
    name = asked(QUESTION)
    if name in NAMES:
        draw_question(place, str(name), answers)
        return
    st.title(say("studio.page.learn"), anchor=False)
    st.markdown(plain(say("card.intro")))
    _overview(place, answers or answers_book.NOBODY)


def _overview(place: Place, answers: Answers) -> None:
    """Every question with what was done about it."""
    cards = found_cards(place.runs / QUESTIONS, say=lambda refused: None)
    for number, name in enumerate(NAMES, 1):
        with st.container(key=f"learn-row-{name}"):
            title, done = st.columns([3, 2], vertical_alignment="center")
            with title:
                link("learn", f"**{number}. {plain(say(f'question.{name}.title'))}**", question=name)
                st.caption(plain(say(f"question.{name}.ask")))
            with done, st.container(horizontal=True, key=f"learn-done-{name}"):
                for word, is_done in stages(place, name, answers, cards).items():
                    _stage(word, is_done)


def stages(place: Place, name: str, answers: Answers, cards: Mapping[str, Card]) -> dict[str, bool]:
    """What can be done about a question, and whether it is: predicted, run, answered."""
    part = answers.parts.get(name)
    running_now = running(place, name)
    return {
        "predicted": bool(answers_book.predicted(answers, name)),
        "running" if running_now else "run": running_now or name in cards,
        "answered": part is not None and bool(part.text),
    }


def _stage(word: str, is_done: bool) -> None:
    """A stage with a sign of its own, so that no colour is needed."""
    if word == "running":
        st.badge(say("studio.learn.stage.running"), icon=":material/hourglass_top:", color="orange")
    elif is_done:
        st.badge(say(f"studio.learn.stage.{word}"), icon=":material/check:", color="green")
    else:
        st.badge(say(f"studio.learn.stage.not_{word}"), icon=":material/radio_button_unchecked:", color="gray")
