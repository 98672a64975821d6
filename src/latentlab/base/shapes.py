"""What is read from JSON: its text, strictly, and the shape of its values. Nothing that a file holds is used before it passed here."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NoReturn

LARGEST = 2**53  # of a count or a size; more is exact in no float, and no count that training could reach


def parse(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for anything that is no JSON, nested too deep, or a number that no float holds."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass"))
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


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_finite, parse_constant=_refuse)  # one for all lines of a long file


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


def misfit(value: Any, shape: Any) -> tuple[str, str, Any] | None:
    """The first value that has not its shape: its dotted name, what it must be in words, and what it is; None where all fit."""
    kind = type(shape)  # and no `match`: a long run has millions of values
    if kind is FunctionType:
        whole = shape(value)
    elif kind is tuple:
        for option in shape:  # `any` of a generator takes twice as long
            if misfit(value, option) is None:
                return None
        whole = False
    elif kind is dict or kind is Each:
        if not isinstance(value, dict):
            return "", "an object", value
        return _misfit_within(value, {"*": shape.shape} if kind is Each else shape)
    elif kind is list:
        whole = isinstance(value, list)
        for i, inner in enumerate(value if whole else ()):
            if wrong := misfit(inner, shape[0]):
                return _below(f"[{i}]", wrong)
    elif shape is None:
        whole = value is None
    elif isinstance(shape, type):
        whole = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    else:
        whole = shape(value)
    return None if whole else ("", in_words(shape), value)


def _misfit_within(values: dict[str, Any], shape: dict[str, Any]) -> tuple[str, str, Any] | None:
    """`misfit` of an object: the keys that there must be first, then those that "*" is for."""
    known = set[str]()
    for key, inner in shape.items():
        leaf = key.removesuffix("?")
        known.add(leaf)
        if leaf in values:
            if wrong := misfit(values[leaf], inner):
                return _below(leaf, wrong)
        elif key == leaf != "*":
            return leaf, in_words(inner), "nothing"
    if "*" in shape:
        for leaf in values:
            if leaf not in known and (wrong := misfit(values[leaf], shape["*"])):
                return _below(leaf, wrong)
    return None


def _below(leaf: str, wrong: tuple[str, str, Any]) -> tuple[str, str, Any]:
    name, must_be, got = wrong
    return f"{leaf}.{name}" if name[:1] not in ("", "[") else leaf + name, must_be, got


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
