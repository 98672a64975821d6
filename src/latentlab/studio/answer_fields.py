"""Fields in which the reader's own answers are typed, on the pages Learn and Runs. What is typed is kept at once.

Each tab remembers what it read of an entry. A field that was not touched follows the file; one whose entry another tab changed
meanwhile is not written: the reader chooses between the two.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from latentlab.answers.markdown import as_html
from latentlab.answers.sheet import LONGEST_WORDS, Answers
from latentlab.cards.card import options
from latentlab.errors import LabError
from latentlab.studio import answers_book
from latentlab.studio.answers_book import Changed, Entry
from latentlab.studio.place import here
from latentlab.studio.words import lang, plain, say


def line_field(answers: Answers, entry: Entry, label: str, key: str, **options: Any) -> None:
    """A name or a group."""
    _follow(answers, entry, key)
    st.text_input(label, key=key, max_chars=LONGEST_WORDS, on_change=_store, args=(entry, key), **options)
    _conflict(answers, entry, key)


def text_field(answers: Answers, entry: Entry, label: str, key: str, help: str | None = None) -> None:
    """An answer in Markdown, and below it how the report will show it."""
    _follow(answers, entry, key)
    st.text_area(
        label, key=key, height=160, max_chars=answers_book.LONGEST_TEXT, placeholder=say("studio.answers.placeholder"), help=help,
        on_change=_store, args=(entry, key),
    )  # fmt: skip
    _conflict(answers, entry, key)
    if words := entry.of(answers).strip():
        with st.container(key=f"answer-preview-{key}"):
            st.caption(say("studio.answers.preview"))
            st.html(as_html(words))


def prediction_field(answers: Answers, question: str, key: str) -> None:
    """What can be predicted of a question."""
    entry = Entry("prediction", question)
    _follow(answers, entry, key)
    st.radio(
        say(f"question.{question}.predict"),
        options(question),
        format_func=lambda option: plain(say(f"question.{question}.option.{option}")),
        key=key,
        on_change=_store,
        args=(entry, key),
    )
    _conflict(answers, entry, key)


def _follow(answers: Answers, entry: Entry, key: str) -> None:
    """Let a field show what the file holds, unless something stands in it that could not be kept."""
    state, kept = st.session_state, entry.of(answers)
    if f"{key}-mine" in state:
        state.setdefault(key, state[f"{key}-mine"])
        return
    if key not in state or f"{key}-read" not in state or state[key] == _shown(entry, state[f"{key}-read"]):
        if key not in state or state[key] != _shown(entry, kept):
            state[key] = _shown(entry, kept)
        state[f"{key}-read"] = kept


def _shown(entry: Entry, words: str) -> str | None:
    """An entry as its field shows it: of several predictions, which only a file can hold, the first."""
    return words if entry.kind != "prediction" else words.partition(",")[0] or None


def _store(entry: Entry, key: str, over: str | None = None) -> None:
    """Write what stands in a field, where the file still says what was read; or `over` what the reader was shown since."""
    state = st.session_state
    mine = state[key] if over is None else state[f"{key}-mine"]
    try:
        kept = answers_book.put(here(), entry, mine or "", state.get(f"{key}-read", "") if over is None else over, lang())
    except (Changed, LabError, OSError) as error:
        state[f"{key}-mine"] = mine
        state[f"{key}-refused"] = "" if isinstance(error, Changed) else str(error)
    else:
        state[key], state[f"{key}-read"] = _shown(entry, kept), kept
        _forget(key)


def _forget(key: str) -> None:
    for part in ("mine", "refused"):
        st.session_state.pop(f"{key}-{part}", None)


def _take(entry: Entry, key: str) -> None:
    """Give up what stands in a field."""
    _forget(key)
    del st.session_state[key]


def _conflict(answers: Answers, entry: Entry, key: str) -> None:
    """What is said of a field whose content is not kept."""
    if f"{key}-mine" not in st.session_state:
        return
    now, refused = entry.of(answers), st.session_state.get(f"{key}-refused", "")
    if not refused and now == st.session_state[f"{key}-mine"]:
        _forget(key)  # both tabs wrote the same
        st.session_state[f"{key}-read"] = now
        return
    with st.container(key=f"answer-conflict-{key}"):
        st.warning(plain(refused) if refused else say("studio.answers.changed"), icon=":material/sync_problem:")
        if not refused:
            st.code(_told(entry, now), language=None, wrap_lines=True)
        with st.container(horizontal=True):
            st.button(say("studio.answers.mine"), key=f"{key}-keep", on_click=_store, args=(entry, key, now))
            st.button(say("studio.answers.theirs"), key=f"{key}-take", on_click=_take, args=(entry, key))


def _told(entry: Entry, words: str) -> str:
    """An entry as the other tab left it."""
    if entry.kind == "prediction" and words:
        return "\n".join(say(f"question.{entry.section}.option.{option}") for option in words.split(","))
    return words or say("studio.answers.nothing")
