"""What was refused, in the reader's language where that can be told; other refusals in the command line's words."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal, get_args, get_origin

from latentlab.config import Unfit
from latentlab.errors import LabError
from latentlab.studio.words import lang, say
from latentlab.texts import number


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
