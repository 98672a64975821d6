"""A field of a run's configuration, declared once: options, forms, refusals, fingerprints and comparisons are drawn from it.

Its type is its annotation: bool, int, float, str, a Literal of words, tuple[int, ...], or one of these or else None or a word.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from latentlab.base.errors import Refused
from latentlab.base.texts import number, text

# What a field decides: what a run is, what its weights and its random numbers start from, how long it trains, which machine
# trains it, where data lie there, and what is written down on the way.
Role = Literal["essence", "origin", "seed", "length", "machine", "files", "recording"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
BOUNDS = ("minimum", "above", "maximum")
MOST, LARGEST = 10**12, 1e30  # of a count, and of a number in float32, where nothing less is declared


def option(default: Any, help: str, **about: Any) -> Any:
    """The declaration of a field: its default, its help and whatever else `Field` has (bounds, role, short name)."""
    return dataclasses.field(default=default, metadata={"help": help, **about})


def again(holder: type[Any], leaf: str, default: Any) -> Any:
    """The declaration of a field that `holder` has, with another default."""
    return dataclasses.field(default=default, metadata=next(f.metadata for f in dataclasses.fields(holder) if f.name == leaf))


@dataclass(frozen=True)
class Field:
    """A named value with its type and bounds, the same for the command line, a form and a file."""

    name: str  # dotted, as in the contract
    type: Any
    help: str = ""
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    role: Role = "essence"
    short: str = ""  # of its option; every field also has its dotted name
    live: bool = False  # whether it may change while a run trains

    @property
    def part(self) -> str:
        """ "data", "model" or "train"."""
        return self.name.partition(".")[0]

    @property
    def leaf(self) -> str:
        """Its name without its part."""
        return self.name.rpartition(".")[2]

    @property
    def option(self) -> str:
        """Its option: the short one where there is one, else its dotted name."""
        return self.short or f"--{self.name.replace('_', '-')}"

    @property
    def annotation(self) -> str:
        """Its type as source has it."""
        words = [each.__name__ if isinstance(each, type) and get_origin(each) is None else str(each) for each in self.alternatives]
        return " | ".join(word.replace("typing.", "").replace("NoneType", "None").replace("'", '"') for word in words)

    @functools.cached_property
    def alternatives(self) -> tuple[Any, ...]:
        """The types that a value may have."""
        return get_args(self.type) if get_origin(self.type) in (types.UnionType, typing.Union) else (self.type,)

    @functools.cached_property
    def kind(self) -> type:
        """What its values are, but for what stands for nothing: bool, int, float, str or tuple."""
        kinds = [get_origin(each) or each for each in self.alternatives if each is not types.NoneType]
        return next((kind for kind in kinds if kind is not Literal), str)

    @property
    def choices(self) -> tuple[str, ...]:
        """Its words, where it can have no other value."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def optional(self) -> bool:
        """Whether nothing need be given."""
        return len(self.alternatives) > 1

    @property
    def empty(self) -> str | None:
        """What stands for nothing given: None, or a word such as "auto"."""
        return next((get_args(each)[0] for each in self.alternatives if get_origin(each) is Literal), None) if self.optional else None

    @property
    def metavar(self) -> str:
        """What stands for its value in a usage line."""
        path = {"origin": "RUN", "files": "DIR"}.get(self.role) if self.kind is str else None
        return path or "|".join(self.choices) or {tuple: "N[,N…]", int: "N", float: "X", bool: "true|false"}.get(self.kind, "TEXT")

    @property
    def bounds(self) -> dict[str, float]:
        """Those of its bounds that it has, but for the one that every number has."""
        return {bound: value for bound in BOUNDS if (value := getattr(self, bound)) not in (None, MOST, LARGEST)}

    def fits(self, value: Any) -> bool:
        """Whether a value has the field's type and lies within its bounds."""
        return any(self._is(value, each) for each in self.alternatives)

    def _is(self, value: Any, kind: Any) -> bool:
        if get_origin(kind) is Literal:
            return isinstance(value, str) and value in get_args(kind)
        if get_origin(kind) is tuple:
            return isinstance(value, tuple) and all(self._is(each, int) for each in value)
        if kind in (str, bool, types.NoneType):
            return isinstance(value, kind)
        if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)) or not abs(value) <= sys.float_info.max:
            return False
        if 0 < abs(value) < 1 / LARGEST:
            return False  # float32 would lose it
        low, above, high = self.minimum, self.above, self.maximum
        return (low is None or value >= low) and (above is None or value > above) and (high is None or value <= high)

    def check(self, value: Any) -> None:
        """Raise LabError for a value that has not the field's type or lies outside its bounds."""
        if not self.fits(value):
            raise Unfit(self, value, nothing="nothing")

    def read(self, text: str, name: str = "") -> Any:
        """The value that a text means. Raises LabError that calls it `name`, its own without."""
        for value in self._readings(text):
            if self.fits(value):
                return value
        raise Unfit(self, text, name)

    def _readings(self, text: str) -> Iterator[Any]:
        if text == "none" and types.NoneType in self.alternatives:
            yield None  # where nothing is allowed, also for a text: a folder of that name is ./none
        for kind in self.alternatives:
            if get_origin(kind) is tuple:
                parts = [part.strip() for part in text.split(",") if part.strip()]
                if all(re.fullmatch(r"-?\d{1,18}", part) for part in parts):
                    yield tuple(map(int, parts))
            elif kind is bool:
                yield {"true": True, "false": False}.get(text, text)
            elif kind in (int, float):
                try:
                    yield kind(text)
                except ValueError:
                    pass
            elif kind is not types.NoneType:
                yield text

    def must_be(self, lang: str | None = None, nothing: str = "none") -> str:
        """What a value must be, in words: "an integer of at least 1". Without a language as the command line says it."""
        each = (nothing if kind is types.NoneType else self._words(kind, lang) for kind in self.alternatives)
        return text("studio.refused.or", lang or "en").join(each)

    def _words(self, kind: Any, lang: str | None) -> str:
        say = functools.partial(text, lang=lang or "en")
        if get_origin(kind) is Literal:
            return say("studio.refused.choice", choices=", ".join(get_args(kind)))
        if get_origin(kind) is tuple:
            return say("studio.refused.list", each=self._words(int, lang))
        words = say(f"studio.refused.{kind.__name__}")
        if kind not in (int, float) or not self.bounds:
            return words

        def shown(value: float) -> str:
            return number(value, lang) if lang else str(value) if kind is int else format(value, "g")  # a count in all its digits

        said = [say(f"studio.refused.{bound}", value=shown(value)) for bound, value in self.bounds.items()]
        return say("studio.refused.bounded", what=words, bounds=say("studio.refused.and").join(said))


class Unfit(Refused):
    """A value that has not its field's type or lies outside its bounds; what it must be can be said in other languages too."""

    def __init__(self, field: Field, value: object, name: str = "", nothing: str = "none") -> None:
        self.field, self.value = field, value
        try:
            is_huge = field.maximum in (MOST, LARGEST) and float(value) > field.maximum  # type: ignore[arg-type]
        except OverflowError:
            is_huge = True
        except (TypeError, ValueError):
            is_huge = False
        super().__init__(name or field.name, field.must_be(nothing=nothing) + (f", at most {field.maximum:g}" if is_huge else ""), value)

    def say(self, lang: str) -> str:
        """The refusal in a language."""
        return text("studio.refused", lang, name=self.name, must_be=self.field.must_be(lang), got=repr(self.value))


def plain(value: Any) -> Any:
    """A value as a field holds it: a NumPy number as Python's, a list as a tuple."""
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, bool | int | float):
        return value
    return int(value) if isinstance(value, Integral) else float(value) if isinstance(value, Real) else value


def written(value: Any) -> str:
    """A field's value as the command line takes it."""
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.cache
def declared(part: str, kind: type[Any]) -> Mapping[str, Field]:
    """The fields that a part of the configuration declares, by dotted name, in their order."""
    hints = get_type_hints(kind)  # slow: it compiles each annotation
    names = {f"{part}.{item.name}": item for item in dataclasses.fields(kind)}
    return {
        name: Field(name, hints[item.name], **{"maximum": LARGEST if hints[item.name] is float else MOST, **item.metadata})
        for name, item in names.items()
    }
