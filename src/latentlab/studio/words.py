"""The page's language: in the address, else the browser's."""

from __future__ import annotations

from typing import Any

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, languages, text
from latentlab.config.field import Unfit

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
    """Words of somebody's (a run's name, a student's text) for Streamlit's Markdown: shown as they are, whatever they hold."""
    escaped = "".join("\\" + letter if letter in "\\`*_{}[]()#+-.!|~<>$:@&\"'=" else letter for letter in words)
    return escaped.replace("\n", " ")


def told(error: LabError) -> str:
    """What was refused, in the reader's language where that can be told, else in the command line's words. Not escaped."""
    return error.say(lang()) if isinstance(error, Unfit) else str(error)
