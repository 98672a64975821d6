"""Every sentence that a user reads, in each language: locales/LANG/*.json, flat dotted keys, one file a surface.

A text is plain, without markup; `{name}` stands for a value that the caller gives. A `Phrase` is a text's key with the
values that fill it, so that what is said can be kept and said in each language. Numbers are written as the language writes
them.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from string import Formatter
from typing import Any

from latentlab.base.errors import refusal

_NARROW_SPACE, _MINUS = "\u202f", "\u2212"
_DECIMAL_MARK = {"en": ".", "fr": ","}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALL = 1e-4  # smaller numbers are written with a power of ten


def languages() -> tuple[str, ...]:
    """The languages that there are texts in: ("en", "fr")."""
    return tuple(_DECIMAL_MARK)


def text(key: str, lang: str, **values: Any) -> str:
    """The text of a key with its placeholders filled in.

    Raises LabError for a language that there is none of, KeyError for a key or a placeholder that nobody filled in.
    """
    try:
        pattern = catalogue(lang)[key]
    except KeyError:
        raise KeyError(f"no text {key!r} in locales/{lang}") from None
    try:
        return pattern.format_map(values)
    except KeyError as error:
        raise KeyError(f"text {key!r} needs a value for {error}") from None


def reason(key: str, **values: Any) -> str:
    """Why something is refused or failed, in English, as the command line and the records say it; see `reworded`."""
    return text(f"refusal.{key}", "en", **values)


def reworded(words: str, lang: str) -> str | None:
    """What `reason` gave, in a language, known by its form, so that a log and a record of another process can be said in it too.

    What stands before it as "PATH: " stays. None for words of another origin.
    """
    for key, form in _reasons():
        if found := form.fullmatch(words):
            given = found.groupdict().items()
            values = {name: reworded(value, lang) or (None if name in _SENTENCES else _digits(value, lang)) for name, value in given}
            if "named" in values:  # files, each with its reason
                values["named"] = re.sub(r"(?<=\()[^()]+(?=\))", lambda why: reworded(why[0], lang) or why[0], str(values["named"]))
            if None not in values.values():
                return text(key, lang, **values)
    before, colon, rest = words.partition(": ")
    said = reworded(rest, lang) if colon else None
    return None if said is None else text("studio.refused.at", lang, at=before, said=said)


_SENTENCES = ("must_be", "remedy")  # of a reason; the other values may be names


def _digits(value: str, lang: str) -> str:
    """A number in English digits as a language writes it; anything else as it is."""
    if lang == "en" or not re.fullmatch(r"-?\d+(,\d{3})*(\.\d+)?", value):
        return value
    return value.replace(",", _NARROW_SPACE).replace(".", _DECIMAL_MARK[lang])


@functools.cache
def _reasons() -> list[tuple[str, re.Pattern[str]]]:
    """Every reason's key with the form of its English text, those with most words of their own first."""
    english = {key: pattern for key, pattern in catalogue("en").items() if key.startswith("refusal.")}
    ordered = sorted(english.items(), key=lambda item: -len(re.sub(r"\{\w+\}", "", item[1])))
    return [(key, re.compile(_form(pattern), re.DOTALL)) for key, pattern in ordered]


def _form(pattern: str) -> str:
    """A text with placeholders as a regular expression; one that comes twice has the same value twice."""
    seen = set[str]()
    form = ""
    for literal, name, _, _ in Formatter().parse(pattern):
        form += re.escape(literal) + ("" if name is None else f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
        seen.add(name or "")
    return form


def catalogue(lang: str) -> dict[str, str]:
    """Every text of a language by key. Raises LabError for a language that there is none of."""
    if lang not in languages():
        raise refusal("lang", "one of " + ", ".join(languages()), lang)
    return _read(lang)


@functools.cache
def _read(lang: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in sorted(resources.files("latentlab.base").joinpath("locales", lang).iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".json"):
            continue
        for key, value in json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list):
            if key in texts:
                raise KeyError(f"text {key!r} stands twice in locales/{lang}")
            texts[key] = value
    return texts


@dataclass(frozen=True)
class Phrase:
    """A text by its key with the values that fill its placeholders.

    A value is a number (an integer as it is, a float to three figures), a pair (value, standard error), a phrase, or words
    that are the same in every language.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def say(self, lang: str) -> str:
        """The phrase in a language."""
        return text(self.key, lang, **{name: spoken(value, lang) for name, value in self.values.items()})

    def to_json(self) -> dict[str, Any]:
        """{"key", "values"}."""
        return {"key": self.key, "values": {name: _value_json(value) for name, value in self.values.items()}}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Phrase:
        """The phrase that `to_json` wrote."""
        return cls(written["key"], {name: _value_read(value) for name, value in written["values"].items()})


def spoken(value: Any, lang: str) -> str:
    """A value as a sentence says it."""
    match value:
        case Phrase():
            return value.say(lang)
        case bool() | None:
            return "–" if value is None else str(value)
        case int():
            return number(value, lang)
        case float():
            return significant(value, lang) if not 0 < abs(value) < SMALL else number(float(f"{value:.3g}"), lang)
        case (float() | int() as first, float() | int() | None as error):
            return measured(float(first), error, lang)
        case _:
            return str(value)


def _value_json(value: Any) -> Any:
    return value.to_json() if isinstance(value, Phrase) else list(value) if isinstance(value, tuple) else value


def _value_read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Phrase.from_json(value)
    return tuple(value) if isinstance(value, list) else value


def clauses(parts: Iterable[str], lang: str) -> str:
    """Parts of a sentence that hold commas themselves, told apart by semicolons as the language spaces them."""
    return text("page.semicolon", lang).join(parts)


def number(value: float, lang: str, decimals: int | None = None) -> str:
    """A number as the language writes it: `decimals` digits after the mark, or as few as it has (at most six figures).

    Thousands are set apart by a narrow space from 10 000 on; what is not finite is "–".
    """
    if not math.isfinite(value):
        return "–"
    if decimals is None and float(value).is_integer() and abs(value) < 1e12:
        decimals = 0
    plain = f"{value:.{decimals}f}" if decimals is not None else f"{value:.6g}"
    if "e" in plain:
        mantissa, _, power = plain.partition("e")
        return f"{_local(mantissa, lang)} × 10{str(int(power)).translate(RAISED)}"
    return _local(plain, lang)


def _local(plain: str, lang: str) -> str:
    sign = _MINUS if plain.startswith("-") and float(plain) != 0 else ""
    whole, _, part = plain.lstrip("-").partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", _NARROW_SPACE)
    return sign + whole + (_DECIMAL_MARK[lang] + part if part else "")


def measured(value: float, stderr: float | None, lang: str) -> str:
    """A value with its standard error, both to the error's second figure: "0.01264 ± 0.00046" (with spaces that do not break)."""
    if stderr is None or not stderr > 0 or not math.isfinite(stderr):
        return significant(value, lang, 4)
    decimals = max(0, 1 - math.floor(math.log10(stderr)))
    return f"{number(value, lang, decimals)}\u00a0±\u00a0{number(stderr, lang, decimals)}"


def significant(value: float, lang: str, figures: int = 3) -> str:
    """A number to so many significant figures, without a power of ten where it can be done without."""
    if value == 0 or not math.isfinite(value):
        return number(value, lang)
    return number(value, lang, min(6, max(0, figures - 1 - math.floor(math.log10(abs(value))))))


def moment(time: str) -> str:
    """ "2026-11-20 15:13 UTC" of a time in ISO 8601; another text as it is."""
    try:
        return datetime.datetime.fromisoformat(time).astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return time


def duration(seconds: float, lang: str) -> str:
    """Seconds as a reader says them: "16 s", "2 min 05 s", "1 h 12 min", with spaces that do not break."""
    whole = round(seconds)
    if whole < 60:
        return f"{significant(seconds, lang, 2)}\u00a0s"
    if whole < 3600:
        return f"{whole // 60}\u00a0min\u00a0{whole % 60:02d}\u00a0s"
    return f"{whole // 3600}\u00a0h\u00a0{whole % 3600 // 60:02d}\u00a0min"


def aligned(rows: Sequence[Sequence[str]], left: Collection[int], ruled: bool = False) -> list[str]:
    """Cells as lines of a terminal: the columns in `left` begin below each other, the others end so; `ruled` under the first line."""
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        gaps = [" " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True)]
        return "  ".join(cell + gap if i in left else gap + cell for i, (cell, gap) in enumerate(zip(row, gaps, strict=True))).rstrip()

    head, *others = map(line, rows)
    return [head, *(["  ".join("─" * width for width in widths)] if ruled else []), *others]


def _columns(words: str) -> int:
    """How many columns of a terminal a text takes: two for a wide letter, none for a mark upon one."""
    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in words)
