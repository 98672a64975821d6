"""Fields in which the reader's own answers are typed, on the pages Learn and Runs. What is typed is kept at once.

Each tab remembers what it read of an entry. A field that was not touched follows the file; one whose entry another tab changed
meanwhile is not written: the reader chooses between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import lock, read_json_or_nothing, replace_text
from latentlab.base.shapes import is_time_or_nothing
from latentlab.base.texts import moment
from latentlab.show.answers import LONGEST_WORDS, Answers, Part, as_kept, read_answers, with_kept, written
from latentlab.show.answers.prediction import Prediction, all_kept, keep, kept, said
from latentlab.show.card import options
from latentlab.show.report.markup import as_html
from latentlab.studio.library import Library, here
from latentlab.studio.state import lang, plain, say


def line_field(answers: Answers, entry: Entry, label: str, key: str, **options: Any) -> None:
    """A name, a group or a number."""
    _field(answers, entry, key, partial(st.text_input, label, max_chars=LONGEST_WORDS, **options))


def text_field(answers: Answers, entry: Entry, label: str, key: str, help: str | None = None) -> None:
    """An answer in Markdown, and below it how the report will show it."""
    placeholder = say("studio.answers.placeholder")
    _field(answers, entry, key, partial(st.text_area, label, height=160, max_chars=LONGEST_TEXT, placeholder=placeholder, help=help))
    if words := entry.of(answers).strip():
        with st.container(key=f"answer-preview-{key}"):
            st.caption(say("studio.answers.preview"))
            st.html(as_html(words))


def prediction_field(answers: Answers, question: str, key: str) -> None:
    """What can be predicted of a question, until it is kept."""

    def words(option: str) -> str:
        return plain(say(f"question.{question}.option.{option}"))

    library = here()
    try:
        there, card = kept(library.questions / question, question, library.mine), library.questions / question / "card.json"
    except LabError as error:  # somebody changed it: nothing is kept over it
        st.error(plain(str(error)), icon=":material/error:")
        return
    draw = partial(st.radio, say(f"question.{question}.predict"), options(question), format_func=words, disabled=there is not None)
    _field(answers, Entry("prediction", question), key, draw)
    if there is None:
        st.button(
            say("studio.learn.keep"), key=f"{key}-commit", on_click=keep_choice, args=(question, key),
            help=say("studio.learn.keep.help"), disabled=st.session_state.get(key) is None, icon=":material/lock:", type="primary",
        )  # fmt: skip
    elif there.chosen:
        st.caption(plain(said(there, str(read_json_or_nothing(card, {"ended": is_time_or_nothing}).get("ended", ""))).say(lang())))
    else:
        st.caption(plain(say("studio.learn.looked", time=moment(there.time))))


def keep_choice(question: str, key: str | None = None) -> None:
    """Keep what a field holds as the prediction of a question; without a field that the result is looked at without one."""
    library = here()
    chosen = [st.session_state[key]] if key is not None else []
    with suppress(LabError):  # another tab was faster: what it kept is shown
        keep(library.questions / question, question, chosen, library.mine)


def _field(answers: Answers, entry: Entry, key: str, draw: Callable[..., object]) -> None:
    """A widget that holds an entry; below it, what is said where its content is not kept."""
    _follow(answers, entry, key)
    draw(key=key, on_change=_store, args=(entry, key))
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
        kept = put(here(), entry, mine or "", state.get(f"{key}-read", "") if over is None else over, lang())
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


# The reader's own answers: a sheet, RUNS/.studio/answers.md or answers-READER.md, which `latentlab report --answers` reads.
#
# The file is the truth for every tab and after every reload. A tab writes one entry at a time, and only over what it has read:
# where another tab wrote that entry since, `put` refuses.

PATIENCE_SECONDS = 5.0
LONGEST_TEXT = 20_000  # characters of an answer: eight of them fill no more than a sheet may have
NOBODY = Answers("", "", {})
_EMPTY = Part(None, "")


class Entry(NamedTuple):
    """One thing that can be written: the name, the group, the student's number, or a section's prediction or text."""

    kind: Literal["name", "group", "student", "prediction", "text"]
    section: str = ""

    def of(self, answers: Answers) -> str:
        """What is written there; "" for nothing."""
        if not self.section:
            return str(getattr(answers, self.kind))
        part = answers.parts.get(self.section, _EMPTY)
        return part.text if self.kind == "text" else part.prediction or ""

    def put_into(self, answers: Answers, words: str) -> Answers:
        """The answers with that entry changed; a section in which nothing is left is left out."""
        if not self.section:
            about: Any = {self.kind: " ".join(words.split())}
            return replace(answers, **about)
        before = answers.parts.get(self.section, _EMPTY)
        part = replace(before, text=as_kept(words)) if self.kind == "text" else replace(before, prediction=words or None)
        parts = {**answers.parts, self.section: part}
        return replace(answers, parts={section: part for section, part in parts.items() if part != _EMPTY})


class Changed(Exception):
    """Another tab, or somebody's editor, wrote an entry since it was read. `now` is what stands there."""

    def __init__(self, now: str) -> None:
        super().__init__(now)
        self.now = now


def file(library: Library) -> Path:
    """Where the answers are kept: one sheet, or where the studio is shared one for each reader."""
    return library.own / f"answers{library.mine}.md"


def read(library: Library) -> Answers:
    """The answers; nobody's where there are none yet. Raises LabError for a sheet that cannot be read."""
    path = file(library)
    written = read_answers(path) if path.is_file() else NOBODY
    return with_kept(
        written, {name: one for name, one in all_kept(library.questions, lambda said: None, library.mine).items() if one.chosen}
    )


def put(library: Library, entry: Entry, words: str, before: str, lang: str) -> str:
    """Write an entry where `before` stands now, and return it as it is kept.

    Raises Changed where something else stands there, and LabError for what a sheet cannot hold or a file that cannot be read.
    """
    library.own.mkdir(parents=True, exist_ok=True)
    with lock(file(library).with_suffix(".lock"), PATIENCE_SECONDS, f"{file(library)} is being written by another process. Try again."):
        answers = read(library)
        changed = entry.put_into(answers, words)
        kept, now = entry.of(changed), entry.of(answers)
        if now not in (before, kept):
            raise Changed(now)
        if now != kept and entry.kind == "prediction" and prediction(library, entry.section) is not None:
            raise refusal("a prediction", "left as it was kept", words)
        if now != kept:
            replace_text(file(library), written(changed, lang))
        return kept


def prediction(library: Library, question: str) -> Prediction | None:
    """The reader's prediction of a question, once it is kept; from then on the result is shown. None for one that was changed."""
    with suppress(LabError):
        return kept(library.questions / question, question, library.mine)
    return None
