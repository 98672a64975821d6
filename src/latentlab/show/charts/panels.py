"""What a figure shows, without a language and without a way to draw it.

A panel is data and phrases. `latentlab.show.figures.painter` draws it with matplotlib, the pages' own script draws it in a
browser, so that a figure in a file and the one on a page are the same numbers. Everything here goes to JSON and back.
"""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args, get_type_hints

from latentlab.base.texts import Phrase
from latentlab.show.palette import FREE, hues

Values = Sequence[float | None]  # None: not measured, or not finite


@dataclass(frozen=True)
class Series:
    """One line, or one bar in each group.

    `low` and `high` are the ends of an interval around `y`. `kind` gives the colour: "ae", "vae", "gan", "gan-from-vae",
    "real", a step such as "vae-3" (`palette.hues`), or "" for the next free one. `x` is left out for bars.
    """

    name: Phrase
    y: Values
    x: Values = ()
    low: Values = ()
    high: Values = ()
    kind: str = ""

    def __post_init__(self) -> None:
        lengths = {len(part) for part in (self.y, self.x, self.low, self.high) if len(part)}
        if len(lengths) > 1:
            raise ValueError(f"x, y, low and high of a series must have one length. Got {sorted(lengths)}")


@dataclass(frozen=True)
class Lines:
    """Lines over a numeric axis. `summary` says in words what is to be seen; `marks` are (x, what happened there).

    `log_x` is a logarithmic axis; with a 0 among the x values they stand at equal distances instead.
    """

    title: Phrase
    x_label: Phrase
    y_label: Phrase
    series: tuple[Series, ...]
    summary: Phrase
    log_x: bool = False
    log_y: bool = False
    marks: tuple[tuple[float, Phrase], ...] = ()


@dataclass(frozen=True)
class Bars:
    """Groups of bars, one bar for each series in each group; `lines` are levels to compare with, (value, name)."""

    title: Phrase
    y_label: Phrase
    groups: tuple[Phrase, ...]
    series: tuple[Series, ...]
    summary: Phrase
    log_y: bool = False
    lines: tuple[tuple[float, Phrase], ...] = ()


@dataclass(frozen=True)
class Pictures:
    """Pictures under each other, each with its caption: PNG bytes that hold no text."""

    title: Phrase
    items: tuple[tuple[Phrase, bytes], ...]
    summary: Phrase


Panel = Lines | Bars | Pictures


KINDS = {"lines": Lines, "bars": Bars, "pictures": Pictures}
_KEYS = {"kind": "series_kind"}  # of a series: `kind` in JSON is that of the panel
_HEAD = ("title", "summary", "kind", "name", "series_kind")  # stand first in JSON


def panel_json(panel: Panel) -> dict[str, Any]:
    """A panel as JSON holds it: its fields by name, and `kind` for what it is."""
    written: dict[str, Any] = _written(panel)
    return written


def panel_read(content: Mapping[str, Any]) -> Panel:
    """The panel that `panel_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    kind = content["kind"]
    if kind not in KINDS:
        raise ValueError(f"a panel must be lines, bars or pictures. Got {kind!r}")
    panel: Panel = _read(KINDS[kind], content)
    return panel


def _written(value: Any) -> Any:
    """A panel, or a part of one, as JSON holds it."""
    match value:
        case Series() | Lines() | Bars() | Pictures():
            parts = {_KEYS.get(name, name): _written(part) for name, part in vars(value).items()}
            if not isinstance(value, Series):
                parts["kind"] = type(value).__name__.lower()
            return {name: parts[name] for name in _HEAD if name in parts} | parts
        case Phrase():
            return value.to_json()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case str() | bool() | float() | int() | None:
            return value
    return [_written(part) for part in value]


def _read(kind: Any, value: Any) -> Any:
    """A value of a kind, which is what a field of a panel is annotated with, out of JSON."""
    if kind in (Series, Lines, Bars, Pictures):
        return kind(**{name: _read(part, value[_KEYS.get(name, name)]) for name, part in get_type_hints(kind).items()})
    if kind is Phrase:
        return Phrase.from_json(value)
    if kind is bytes:
        return base64.b64decode(value)
    match get_args(kind):
        case (part, end) if end is Ellipsis:
            return tuple(_read(part, each) for each in value)
        case (_, _) as parts:
            return tuple(_read(part, each) for part, each in zip(parts, value, strict=True))
    return tuple(value) if kind == Values else value


# How the series of a panel look, alike in figure files and on pages: a hue, and a dash and a mark so that nothing is
# told by colour alone.

LIKE = ("ae", "vae", "gan", "gan-from-vae", "real")  # whose marks are the first ones, in this order
DASHES, MARKS = 6, 8  # that there are


class Look(NamedTuple):
    """`hue` is one of `palette.colors`, or "real"; `dash` and `mark` count from 0; no two of a panel share all three."""

    hue: str
    dash: int
    mark: int


def looks(series: Sequence[Series]) -> list[Look]:
    """The look of each series of a panel: a kind keeps its hue and mark in every panel, a repeated one takes steps and dashes.

    >>> looks([Series(Phrase("a"), (), kind=kind) for kind in ("vae", "vae", "", "")])
    [Look(hue='vae-1', dash=0, mark=1), Look(hue='vae-6', dash=1, mark=0), Look(hue='1', dash=0, mark=2), Look(hue='2', dash=1, mark=3)]
    """
    kinds = [one.kind.rstrip("-01234567") for one in series]  # a step's family
    kept = {LIKE.index(kind) for kind in kinds if kind}
    free = itertools.cycle([mark for mark in range(MARKS) if mark not in kept])
    seen: Counter[str] = Counter()
    chosen = []
    for kind, hue in zip(kinds, hues([one.kind for one in series]), strict=True):
        times = seen[kind]
        seen[kind] += 1
        mark = LIKE.index(kind) if kind and not times else next(free)
        chosen.append(Look(hue or str(times % len(FREE) + 1), times % DASHES, mark))
    return chosen
