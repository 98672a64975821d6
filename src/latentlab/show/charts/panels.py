"""What a figure shows, without a language and without a way to draw it.

A panel is data and phrases. `latentlab.show.figures.panels` draws it with matplotlib, the pages' own script draws it in a
browser, so that a figure in a file and the one on a page are the same numbers. Everything here goes to JSON and back.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latentlab.base.texts import Phrase

Values = Sequence[float | None]  # None: not measured, or not finite


@dataclass(frozen=True)
class Series:
    """One line, or one bar in each group.

    `low` and `high` are the ends of an interval around `y`. `kind` gives the colour: "ae", "vae", "gan", "gan-from-vae",
    "real", or "" for the next free one. `x` is left out for bars.
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


def panel_json(panel: Panel) -> dict[str, Any]:
    """A panel as JSON holds it."""
    common = {"title": panel.title.to_json(), "summary": panel.summary.to_json()}
    match panel:
        case Lines():
            own: dict[str, Any] = {
                "kind": "lines",
                "x_label": panel.x_label.to_json(),
                "y_label": panel.y_label.to_json(),
                "series": [_series_json(series) for series in panel.series],
                "log_x": panel.log_x,
                "log_y": panel.log_y,
                "marks": [[x, said.to_json()] for x, said in panel.marks],
            }
        case Bars():
            own = {
                "kind": "bars",
                "y_label": panel.y_label.to_json(),
                "groups": [group.to_json() for group in panel.groups],
                "series": [_series_json(series) for series in panel.series],
                "log_y": panel.log_y,
                "lines": [[y, said.to_json()] for y, said in panel.lines],
            }
        case Pictures():
            items = [[said.to_json(), base64.b64encode(png).decode("ascii")] for said, png in panel.items]
            own = {"kind": "pictures", "items": items}
    return common | own


def panel_read(found: Mapping[str, Any]) -> Panel:
    """The panel that `panel_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    say = Phrase.from_json
    title, summary = say(found["title"]), say(found["summary"])
    match found["kind"]:
        case "lines":
            return Lines(
                title,
                say(found["x_label"]),
                say(found["y_label"]),
                tuple(map(_series_read, found["series"])),
                summary,
                found["log_x"],
                found["log_y"],
                tuple((x, say(said)) for x, said in found["marks"]),
            )
        case "bars":
            groups, series = tuple(map(say, found["groups"])), tuple(map(_series_read, found["series"]))
            lines = tuple((y, say(said)) for y, said in found["lines"])
            return Bars(title, say(found["y_label"]), groups, series, summary, found["log_y"], lines)
        case "pictures":
            return Pictures(title, tuple((say(said), base64.b64decode(png)) for said, png in found["items"]), summary)
        case other:
            raise ValueError(f"a panel must be lines, bars or pictures. Got {other!r}")


def _series_json(series: Series) -> dict[str, Any]:
    parts = {name: list(getattr(series, name)) for name in ("y", "x", "low", "high")}
    return {"name": series.name.to_json(), "series_kind": series.kind} | parts


def _series_read(found: Mapping[str, Any]) -> Series:
    y, x, low, high = (tuple(found[name]) for name in ("y", "x", "low", "high"))
    return Series(Phrase.from_json(found["name"]), y, x, low, high, found["series_kind"])
