"""What is read from JSON: its text, strictly, and the shape of its values. Nothing that a file holds is used before it passed here."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

LARGEST = 2**53  # of a count or a size; more is exact in no float, and no count that training could reach


def parse(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for anything that is no JSON, nested too deep, or a number that no float holds."""
    try:
        return json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _integer(digits: str) -> int:
    if len(digits) > 300:
        raise ValueError(f"an integer of {len(digits)} digits is no number of ours")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse(digits[:20])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no finite number")


@dataclass(frozen=True)
class Each:
    """In a shape: an object with any keys, whose values have one shape."""

    shape: Any


def fits(value: Any, shape: Any) -> bool:
    """Whether a value read from JSON has a shape.

    A shape is a type (bool is no int), None, a tuple of shapes one of which fits, a list of one shape for all its elements,
    a dictionary of the keys that there must be (those that end with "?" may be absent; "*" is for all others), `Each`, or a
    function that says so, whose docstring says what it asks for.
    """
    return misfit(value, shape) is None


def misfit(value: Any, shape: Any, name: str = "") -> tuple[str, str, Any] | None:
    """The first value that has not its shape: its dotted name, what it must be in words, and what it is; None where all fit."""
    match shape:
        case dict() | Each() if not isinstance(value, dict):
            return name, "an object", value
        case dict():
            others = value.keys() - {key.removesuffix("?") for key in shape} if "*" in shape else ()
            wanted = [*((key.removesuffix("?"), inner) for key, inner in shape.items() if key != "*"), *((o, shape["*"]) for o in others)]
            for leaf, inner in wanted:
                if leaf not in value:
                    if leaf in shape:
                        return f"{name}.{leaf}".lstrip("."), in_words(inner), "nothing"
                elif wrong := misfit(value[leaf], inner, f"{name}.{leaf}".lstrip(".")):
                    return wrong
            return None
        case Each():
            named = ((f"{name}.{key}".lstrip("."), inner) for key, inner in value.items())
            return next((wrong for inner_name, inner in named if (wrong := misfit(inner, shape.shape, inner_name))), None)
        case list() if isinstance(value, list):
            return next((wrong for i, inner in enumerate(value) if (wrong := misfit(inner, shape[0], f"{name}[{i}]"))), None)
        case list():
            whole = False
        case tuple():
            whole = any(misfit(value, option) is None for option in shape)
        case None:
            whole = value is None
        case type():
            whole = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        case _:
            whole = bool(shape(value))
    return None if whole else (name, in_words(shape), value)


def in_words(shape: Any) -> str:
    """What a shape asks for, at its top."""
    match shape:
        case tuple():
            return " or ".join(map(in_words, shape))
        case list():
            return "a list"
        case dict() | Each():
            return "an object"
        case None:
            return "null"
        case type():
            return {int: "an integer", float: "a number", str: "a text", bool: "true or false", dict: "an object", list: "a list"}[shape]
    return str(shape.__doc__)


def is_count(value: Any) -> bool:
    """an integer of at least 0"""
    return type(value) is int and 0 <= value <= LARGEST


def is_number(value: Any) -> bool:
    """a number"""
    return type(value) in (int, float) and abs(value) <= 1e300


def is_amount(value: Any) -> bool:
    """a number of at least 0"""
    return is_number(value) and value >= 0


def is_time(value: Any) -> bool:
    """a time in ISO 8601 with its offset"""
    try:
        return isinstance(value, str) and datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_time_or_nothing(value: Any) -> bool:
    """a time in ISO 8601 with its offset, or nothing"""
    return value == "" or is_time(value)
