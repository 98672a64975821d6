"""The page's language: in the address, else the browser's."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, get_args, get_origin

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, languages, number, text
from latentlab.config.schema import Unfit

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


# What was refused, in the reader's language where that can be told; other refusals in the command line's words.


def told(error: LabError) -> str:
    """One line that says what a value must be. Not escaped."""
    if not isinstance(error, Unfit):
        return str(error)
    return say("studio.refused", name=error.name, must_be=required(error.kind, error.info), got=repr(error.value))


def required(kind: Any, info: typing.Mapping[str, Any]) -> str:
    """What a field must be: "an integer of at least 1"."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return say("studio.refused.choice", choices=", ".join(map(str, arguments)))
    if origin in (types.UnionType, typing.Union):
        return say("studio.refused.or").join("none" if each is type(None) else required(each, info) for each in arguments)
    if origin is tuple:
        return say("studio.refused.list", each=required(int, info))
    words = say(f"studio.refused.{kind.__name__}")
    numeric = kind in (int, float)
    bounds = [bound for bound in ("minimum", "above", "maximum") if numeric and info.get(bound) is not None]
    said = [say(f"studio.refused.{bound}", value=number(info[bound], lang())) for bound in bounds]
    return say("studio.refused.bounded", what=words, bounds=say("studio.refused.and").join(said)) if said else words
