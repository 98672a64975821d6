"""What the page's address holds: the language, the run that is looked at, the configuration, and what a teacher hides;
and what a tab of the browser remembers besides: the choices of its widgets, and what was refused.

?lang=fr&run=lab/vae            the run
?preset=conv-vae&train.beta=4   fields of the configuration that are not the preset's, by their dotted names
?hide=train.seed,generate  controls and pages that are not shown; their values stay as the address says
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, languages, reworded, text
from latentlab.config.field import Unfit
from latentlab.runs.folder import KILLED
from latentlab.studio.library import without_paths

HIDE, RUN = "hide", "run"


def hidden() -> frozenset[str]:
    """The names of what is hidden."""
    return frozenset(name for name in st.query_params.get(HIDE, "").split(",") if name)


def shown(name: str) -> bool:
    """Whether a control or a page is shown."""
    return name not in hidden()


def params(**more: str | list[str] | None) -> dict[str, Any]:
    """The parameters of a link within the page: those that every page keeps, and `more` (None leaves one out)."""
    kept: dict[str, Any] = {KEY: lang()}
    if hidden():
        kept[HIDE] = st.query_params[HIDE]
    return kept | {name: value for name, value in more.items() if value not in (None, "", [])}


def asked(name: str) -> str | None:
    """A parameter of the address."""
    return st.query_params.get(name)


def put(values: Mapping[str, str | None]) -> None:
    """Change parameters of the address; None takes one out. What stands there already is not written again."""
    for name, value in values.items():
        if value is None:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != value:
            st.query_params[name] = value


def chosen(
    key: str,
    parameter: str,
    options: Collection[Any] | None,
    usual: Any,
    draw: Callable[..., Any] | None,
    read: Callable[[], Any] | None = None,
    write: Callable[[Any], Mapping[str, str | None]] | None = None,
    anew: object = None,
) -> Any:
    """A choice that begins with what the address says, or with the usual one, and that the reader changes there.

    `draw(key=key)` draws its widget, None where it is hidden. `options` are what can be chosen, any number of them where
    `usual` is a list; None for what needs no list. `read` tells what the address says, by default its parameter where that is
    an option; `write` how a choice stands there, by default as itself, and the usual one not at all. The widget keeps what the
    reader chose until the address says something else (a link, Back), `anew` changes, or it is no option any more.
    """
    state, several = st.session_state, isinstance(usual, list)

    def said() -> Any:
        if read is not None:
            return read()
        return asked(parameter) if options is None or asked(parameter) in options else None

    first = said() or usual
    if draw is None:
        return first
    if state.get(f"{key}:asked") != (said(), anew) or key not in state or not _is_option(state[key], options, several):
        state[key] = first
    choice = draw(key=key, **_beginning(draw, state[key]))
    # What a page begins with is not written: the way back would lead to the same page again.
    if (set(choice) != set(first)) if several else choice != first:
        put(write(choice) if write is not None else {parameter: choice if choice != usual else None})
    state[f"{key}:asked"] = said(), anew
    return choice


def _beginning(draw: Callable[..., Any], value: Any) -> dict[str, Any]:
    """A list's own beginning. The browser begins with it where the message that sets its value is lost, as all are that were not yet
    sent when a script is begun anew; without, it would begin with the first option, and tell so as if it had been chosen."""
    if not isinstance(draw, partial):
        return {}
    told = inspect.signature(draw.func).parameters
    if "index" in told:
        return {"index": list(draw.args[1]).index(value)}
    return {"default": value} if "default" in told else {}


def _is_option(choice: Any, options: Collection[Any] | None, several: bool) -> bool:
    return options is None or all(each in options for each in (choice if several else [choice]))


# What is refused stands in the session until the same is tried again.


def attempt(key: str, act: Callable[[], object], why: Callable[[Exception], str] | None = None) -> bool:
    """Do something; whether it was done. Why it was refused is kept under `key`, in the words of `why`."""
    st.session_state.pop(key, None)
    try:
        act()
    except (LabError, OSError) as error:
        st.session_state[key] = (why or told)(error)
        return False
    return True


def say_refused(key: str) -> None:
    """A line on why something was refused."""
    if why := st.session_state.get(key):
        st.error(plain(why), icon=":material/error:")


# The page's language: in the address, else the browser's.

KEY = "lang"


def lang() -> str:
    """The language of this reader's page."""
    chosen = st.query_params.get(KEY)
    if chosen in languages():
        return chosen
    preferred = (st.context.locale or "").partition("-")[0]
    return preferred if preferred in languages() else languages()[0]


def say(key: str, **values: Any) -> str:
    """The text of a key in this reader's language."""
    return text(key, lang(), **values)


def spoken(phrase: Phrase) -> str:
    """A phrase in this reader's language."""
    return phrase.say(lang())


def plain(words: str) -> str:
    """Words of somebody's (a run's name, a student's text) for Streamlit's Markdown: shown as they are, whatever they hold; but
    for the folders of this machine, where others read them."""
    words = without_paths(words)
    escaped = "".join("\\" + letter if letter in "\\`*_{}[]()#+-.!|~<>$:@&\"'=" else letter for letter in words)
    return escaped.replace("\n", " ")


def told(error: Exception | str) -> str:
    """What was refused or failed, in the reader's language where that can be told, else in the command line's own words, which
    are English. Not escaped."""
    if isinstance(error, Unfit):
        return error.say(lang())
    known = {"": "studio.watch.no_reason", KILLED: "studio.watch.killed"}
    return reworded(str(error), lang()) or say(known.get(str(error), "studio.said"), words=str(error))
