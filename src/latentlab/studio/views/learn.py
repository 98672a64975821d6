"""The page Learn: the questions of the labs. Predict, run the experiment, see what came true, write your own answer.

The result of a question stays closed until there is a prediction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Literal

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import duration, languages, number, text
from latentlab.show.answers import Answers
from latentlab.show.card import FORMULAS, NAMES, Card, count, found_cards, options_in_words, read_card
from latentlab.show.excerpts import excerpts
from latentlab.studio import answers as answers_book
from latentlab.studio import parts, tasks
from latentlab.studio.actions import experiment
from latentlab.studio.answers import Entry, keep_choice, prediction_field, text_field
from latentlab.studio.frame import link
from latentlab.studio.library import Library, here, without_paths
from latentlab.studio.sketch import RING, image, ring, sketch, small
from latentlab.studio.state import asked, lang, plain, say, told

QUESTION = "question"  # of the address
DATA = ("digits", "mnist")
ARCS = ("predicted", "run", "answered")
TICK_SECONDS = 1.0
LINES = 5  # of an experiment's log that are shown

VERDICTS = {
    "holds": (":material/check_circle:", "green"),
    "contradicted": (":material/cancel:", "red"),
    "unclear": (":material/help:", "gray"),
}


def draw() -> None:
    """The question that the address names, else all of them."""
    parts.style("learn")
    library = here()
    try:
        answers = answers_book.read(library)
    except LabError as error:  # somebody edited the sheet: the questions can be read all the same
        st.error(plain(told(error)), icon=":material/error:")
        answers = None
    name = asked(QUESTION)
    if name in NAMES:
        _question(library, str(name), answers)
        return
    st.title(say("studio.page.learn"), anchor=False)
    st.markdown(plain(say("card.intro")))
    _overview(library, answers or answers_book.NOBODY)


def _overview(library: Library, answers: Answers) -> None:
    """Every question as a card that leads to it: a picture, and how far the reader is."""
    cards = found_cards(library.questions, say=lambda refused: None)
    with st.container(key="learn-key", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(image(ring(dict.fromkeys(ARCS, True)), "", RING, RING), width="content")
        st.caption(say("studio.learn.arcs"), width="content")
    with st.container(key="learn-cards"):
        for position, name in enumerate(NAMES, 1):
            with st.container(key=f"learn-row-{name}"):
                opened = name in cards and answers_book.prediction(library, name) is not None  # whose result is no secret any more
                st.html(image(small(cards[name].panels[0]) if opened and cards[name].panels else sketch(name)))
                link("learn", f"{position}. {plain(say(f'question.{name}.title'))}", question=name)
                st.html(_ring(stages(library, name, answers, cards))[0])
                st.caption(plain(say(f"question.{name}.ask")))


def stages(library: Library, name: str, answers: Answers, cards: Mapping[str, Card]) -> dict[str, bool]:
    """What can be done about a question, and whether it is: predicted, run, answered."""
    part, kept = answers.parts.get(name), answers_book.prediction(library, name)
    runs = tasks.working(library, ("question",), name) is not None
    return {
        "predicted": kept is not None and bool(kept.chosen),
        "running" if runs else "run": name in cards and not runs,
        "answered": part is not None and bool(part.text),
    }


def _ring(stages: Mapping[str, bool]) -> tuple[str, str]:
    """The one sign of how far a reader is, and the same in words."""
    told = [say(f"studio.learn.stage.{name}") for name, done in stages.items() if done or name == "running"] or [say("studio.learn.arcs")]
    words = say("chart.named", name=say("studio.learn.progress", done=sum(stages.values())), value=", ".join(told))
    return image(ring(stages), words, RING, RING), words


def _question(library: Library, name: str, answers: Answers | None) -> None:
    """The whole card. `answers` is None where they cannot be read; then nothing can be written either."""
    with st.container(key="learn-card"):
        _way(name)
        card = _card(library, name)
        with st.container(key="learn-head"):
            st.title(plain(say(f"question.{name}.title")), anchor=False)
            st.markdown(plain(say(f"question.{name}.ask")))
            sign, words = _ring(stages(library, name, answers or answers_book.NOBODY, {} if card is None else {name: card}))
            st.html(f'<p class="latentlab-ring">{sign}<span aria-hidden="true">{escape(words)}</span></p>')
            st.html(image(sketch(name)))
        _heading(1, "card.predict")
        if answers is not None:
            prediction_field(answers, name, f"learn-prediction-{name}")
        kept = answers_book.prediction(library, name)
        _heading(2, "card.experiment")
        _paragraphs(name, "experiment")
        _experiment(library, name, card)
        if kept is None:
            _closed(name, card)
            return
        if card is not None:
            _heading(3, "studio.learn.result")
            _result(name, card, kept.chosen)
        _heading(4 if card is not None else 3, "studio.learn.own")
        if answers is not None:
            text_field(answers, Entry("text", name), say("studio.answers.own"), f"learn-text-{name}", help=say("studio.answers.help"))
        with st.expander(say("card.show_answer"), icon=":material/menu_book:", key=f"learn-answer-{name}"):
            _answer(name)
        _way(name, below=True)


def _heading(step: int, key: str) -> None:
    st.header(f"{step}. {plain(say(key).rstrip('.'))}", anchor=False)


def _way(name: str, below: bool = False) -> None:
    """To the other questions."""
    index = NAMES.index(name)
    with st.container(horizontal=True, key=f"learn-way-{'below' if below else 'above'}"):
        link("learn", say("studio.learn.all"), ":material/arrow_back:")
        st.space("stretch")
        if index > 0 and not below:
            link("learn", say("studio.learn.previous"), ":material/chevron_left:", question=NAMES[index - 1])
        if index + 1 < len(NAMES):
            link("learn", say("studio.learn.next"), ":material/chevron_right:", question=NAMES[index + 1])


def _card(library: Library, name: str) -> Card | None:
    """What the experiment gave. A card that cannot be read is said, and counts as none."""
    folder = library.questions / name
    if not (folder / "card.json").is_file():
        return None
    try:
        card = read_stamped(folder, (folder / "card.json").stat().st_mtime_ns)
    except LabError as error:
        st.error(plain(told(error)), icon=":material/error:")
        return None
    return card if card.question == name else None


@st.cache_resource(max_entries=16, show_spinner=False)
def read_stamped(folder: Path, written: int) -> Card:
    """The card in a folder as it was written at that moment."""
    return read_card(folder)


def _closed(name: str, card: Card | None) -> None:
    """What opens the result: a prediction, or the reader's wish to see it without one."""
    with st.container(key="learn-closed", horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/lock: " + plain(say("studio.learn.closed" if card is not None else "studio.learn.closed.answer")), width="stretch"
        )
        st.button(say("studio.learn.open"), key=f"learn-show-{name}", type="tertiary", on_click=keep_choice, args=(name,))


def _result(name: str, card: Card, chosen: tuple[str, ...]) -> None:
    """What came true, the figures, and each claim with its verdict."""
    images = card.machine.get("images", {})
    took = duration(card.seconds, lang())
    st.caption(plain(say("card.facts", data=card.data, train=number(images.get("train", 0), lang()), seeds=card.seeds, seconds=took)))
    if chosen:
        came_true = bool(set(chosen) & set(card.outcome))
        said = plain(say(f"card.prediction.{'right' if came_true else 'wrong'}"))
        st.markdown(f"{':green[:material/check_circle:]' if came_true else ':orange[:material/cancel:]'} **{said}**")
    outcome = say("card.outcome", each=options_in_words(name, card.outcome, lang())) if card.outcome else say("card.outcome.none")
    st.markdown(plain(outcome))
    with st.container(key="learn-panels"):
        for index, panel in enumerate(card.panels):
            with st.container(key=f"learn-panel-{index}"):
                parts.chart(panel, key=f"learn-{name}-{index}")
    st.subheader(say("card.claims"), anchor=False)
    st.caption(plain(card.judged.say(lang())))
    for claim in card.claims:
        icon, color = VERDICTS[claim.verdict]
        with st.container(key=f"learn-claim-{claim.name}"):
            st.markdown(f"**{plain(claim.said(name).say(lang()))}**")
            st.badge(say(f"card.verdict.{claim.verdict}"), icon=icon, color=color)  # type: ignore[arg-type]
            st.caption(plain(" ".join(phrase.say(lang()) for phrase in claim.told(name))))


def _answer(name: str) -> None:
    """The answer in plain words, the mathematics, the analogy, what to try next, the sources."""
    _paragraphs(name, "answer")
    for n, latex in enumerate(FORMULAS[name], 1):
        st.latex(latex)
        st.caption(plain(say(f"question.{name}.formula.{n}")))
        files, code = excerpts(name, n)
        if code:
            with st.expander(plain(say("card.code", file=files))):
                st.code(code, language="python")
    st.markdown(f"> **{plain(say('card.analogy'))}** {plain(say(f'question.{name}.analogy'))}")
    for part in ("next", "source"):
        st.subheader(say(f"card.{part}"), anchor=False)
        st.markdown("\n".join(f"- {plain(say(f'question.{name}.{part}.{n}'))}" for n in range(1, count(name, part) + 1)))


def _paragraphs(name: str, part: str) -> None:
    st.markdown("\n\n".join(plain(say(f"question.{name}.{part}.{n}")) for n in range(1, count(name, part) + 1)))


# The experiment of a question as a process of its own: started, followed by its own words, stopped, tried again.


def _experiment(library: Library, name: str, card: Card | None) -> None:
    """The button that runs it, or how it goes."""
    now = tasks.working(library, ("question",), name) is not None
    st.fragment(_follow, run_every=TICK_SECONDS if now else None)(library, name, now)
    if now:
        return
    if card is None:
        _start_form(name, fresh=False)
    else:
        with st.popover(say("studio.learn.again"), icon=":material/replay:", key=f"learn-again-{name}"):
            st.caption(say("studio.learn.again.how"))
            _start_form(name, fresh=True)


def _start_form(name: str, fresh: bool) -> None:
    st.segmented_control(
        say("studio.learn.data"), DATA, default=DATA[0], required=True, key=f"learn-data-{name}",
        format_func=lambda data: say(f"studio.learn.data.{data}"),
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        kind: Literal["primary", "secondary"] = "secondary" if answers_book.prediction(here(), name) is None else "primary"
        label, key = say("studio.learn.start"), f"learn-start-{name}"
        st.button(label, icon=":material/science:", type=kind, key=key, on_click=_start, args=(name, fresh))
        st.caption(say("studio.learn.time"), width="content")


def _start(name: str, fresh: bool, data: str | None = None) -> None:
    chosen = data if data is not None else str(st.session_state.get(f"learn-data-{name}", DATA[0]))
    experiment(here(), name, chosen, lang(), fresh)


def _follow(library: Library, name: str, before: bool) -> None:
    """How it goes, or how it ended, where that is worth a word."""
    task = tasks.latest(library, ("question",), name)
    if task is None:
        return
    state = task.state
    if before and state != "running":
        st.rerun()
    if state == "running":
        with st.container(border=True):
            st.markdown(":material/hourglass_top: " + say("studio.learn.running", seconds=duration(time.time() - task.started, lang())))
            if lines := progress(task):
                st.code(without_paths("\n".join(lines)), language=None, wrap_lines=True)
            with st.container(horizontal=True, vertical_alignment="center"):
                stop = say("studio.learn.stop")
                st.button(stop, icon=":material/stop:", key=f"learn-stop-{name}", on_click=tasks.stop, args=(task,))
                st.caption(say("studio.learn.leave"), width="content")
    elif state in ("failed", "lost"):
        st.error(plain(told(task.said())), icon=":material/error:")
        with st.container(horizontal=True):
            for word, icon, fresh in (("retry", ":material/refresh:", False), ("afresh", ":material/replay:", True)):
                key, about = f"learn-{word}-{name}", (name, fresh, _data_of(task))
                st.button(say(f"studio.learn.{word}"), icon=icon, key=key, on_click=_start, args=about)


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
