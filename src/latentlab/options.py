"""A configuration as options of the command line: a field's value as text and back, and the options that make a run again."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

from latentlab.config import Config, Unfit, conforms
from latentlab.presets import preset


def arguments(config: Config) -> list[str]:
    """The options of `latentlab train PRESET` that make this configuration: one for each field that is not the preset's.

    >>> arguments(preset("mlp-vae", **{"train.beta": 4.0, "model.hidden": (400, 200)}))
    ['--model.hidden', '400,200', '--train.beta', '4.0']
    """
    words = []
    for (part, usual), (_, holder) in zip(preset(config.preset).parts(), config.parts(), strict=True):
        for item in fields(holder):
            value = getattr(holder, item.name)
            if value != getattr(usual, item.name):
                words += [f"--{part}.{item.name}", written(value)]
    return words


def written(value: Any) -> str:
    """A field's value as the command line takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_value(text: str, kind: Any, option: str, info: Mapping[str, Any]) -> Any:
    """A field's value from its text on the command line. Raises LabError in the one form."""
    for candidate in _readings(text, kind):
        if conforms(candidate, kind, info):
            return candidate
    raise Unfit(option, kind, info, text, nothing="none")


def _readings(text: str, kind: Any) -> list[Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return [text]
    if origin in (types.UnionType, typing.Union):
        # "none" is nothing where nothing is allowed, also for a text: a folder of that name is ./none.
        nothing: list[Any] = [None] if type(None) in arguments and text == "none" else []
        return nothing + [reading for a in arguments if a is not type(None) for reading in _readings(text, a)]
    if origin is tuple:
        parts = [p.strip() for p in text.split(",") if p.strip()]
        return [tuple(map(int, parts))] if all(re.fullmatch(r"-?\d{1,18}", p) for p in parts) else []
    if kind is bool:
        return [{"true": True, "false": False}[text]] if text in ("true", "false") else []
    try:
        return [kind(text)]
    except ValueError:
        return []
