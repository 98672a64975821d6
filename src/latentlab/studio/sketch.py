"""The pictures of the page Learn, as SVG in the palette's colours, light or dark as the screen is: what each question is about without a
word of its answer, a panel of its result in small, and the ring that tells how far a reader is. Lengths are CSS pixels.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from latentlab.show import palette
from latentlab.show.charts.panels import Bars, Panel, Pictures, Values, looks
from latentlab.show.charts.payload import categories
from latentlab.studio.parts import static

WIDTH, HEIGHT, EDGE = 352, 110, 10
RING = 28
INK = ("#1d1d1b", "#f4f1ea")
_STYLE = """svg { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; color: %s; }
.pale { fill: currentColor; fill-opacity: .28; } .open { stroke-dasharray: 3 5; } .soft { opacity: .5; }
.dots:not([stroke-width]) { stroke-width: 5; }
"""


def svg(body: str, hues: Iterable[str] = palette.FAMILIES, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A picture of shapes whose class may be one of the palette's hues."""
    style = _STYLE % INK[0] + f"{palette.DARK} {{ svg {{ color: {INK[1]}; }} }}\n"
    style += palette.both('[class="{hue}"] {{ color: {color}; }}\n', hues) if hues else ""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{style}</style>{body}</svg>'


def image(picture: str, alt: str = "", width: int = WIDTH, height: int = HEIGHT) -> str:
    """HTML of a picture for which nothing is fetched; without `alt` it is an ornament."""
    source = b64encode(picture.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(alt)}" width="{width}" height="{height}">'


def ring(stages: Mapping[str, bool]) -> str:
    """An arc for each stage, clockwise from the top: thick where it is done, dashed where it is "running"."""
    arcs = []
    for place, (stage, done) in enumerate(stages.items()):
        runs = stage == "running"
        look = f'stroke-width="{5 if done or runs else 1.5}" stroke-dasharray="{".2 .1 .2 .1 .2 9" if runs else ".8 9"}"'
        turn = f"translate({RING / 2:g} {RING / 2:g}) rotate({360 * (place + 0.1) / len(stages) - 90:.0f})"
        arcs.append(f'<circle r="10.5" pathLength="{len(stages)}" stroke-linecap="butt" {look} transform="{turn}"/>')
    return svg("".join(arcs), (), RING, RING)


def sketch(question: str) -> str:
    """What a question is about. Raises KeyError for one that nobody drew."""
    drawn = static("sketches.svg")
    own = {name: shapes for shapes, name in re.findall(r'(?s)\n(<g id="(.*?)".*?\n</g>)', drawn)}
    return svg(drawn[drawn.index("<defs>") : drawn.index("</defs>")] + "</defs>" + own[question])


def small(panel: Panel) -> str:
    """A panel without its words and axes: its lines, its bars or its first picture."""
    if isinstance(panel, Pictures):
        source = b64encode(panel.items[0][1]).decode()
        fit = f'width="{WIDTH}" height="{HEIGHT}" preserveAspectRatio="xMidYMin slice" style="image-rendering: pixelated"'
        return svg(f'<image href="data:image/png;base64,{source}" {fit}/>', ())
    hues, tops, pen = [look.hue for look in looks(panel.series)], [one.y for one in panel.series], 3.0
    if isinstance(panel, Bars):
        thick, logs, ends = 0.8 / len(tops), False, [0.0, float(len(panel.groups))]
        pen = 0.9 * thick * (WIDTH - 2 * EDGE) / len(panel.groups)
        xs: Sequence[Values] = [[group + 0.1 + thick * (place + 0.5) for group in range(len(row))] for place, row in enumerate(tops)]
    else:
        xs, places, ends = [one.x for one in panel.series], categories(panel), []
        logs = panel.log_x and places is None
        xs = xs if places is None else [[float(places.index(float(x))) for x in row if x is not None] for row in xs]
    zero = [0.0] if isinstance(panel, Bars) and not panel.log_y else []
    across = _placed([*xs, ends], logs, EDGE, WIDTH - EDGE)
    *up, foot = _placed([*tops, zero], panel.log_y, HEIGHT - EDGE, EDGE)
    drawn = ""
    for hue, x, y in zip(hues, across, up, strict=False):
        points = [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
        bars = "".join(f"M{point}V{foot[0] if zero else HEIGHT:.1f}" for point in points)
        line = bars if isinstance(panel, Bars) else "M" * bool(points) + "L".join(points)
        drawn += f'<path class="{hue}" d="{line}" stroke-width="{pen:.1f}"/>'
    return svg(f'<g stroke-linecap="butt">{drawn}</g>', hues)


def _placed(rows: Sequence[Values], log: bool, first: float, last: float) -> list[NDArray[np.float64]]:
    """Values as places from the least of them to the largest; NaN for what has none."""
    values = [np.array(row, np.float64) for row in rows]
    if log:
        values = [np.log10(np.where(row > 0, row, np.nan)) for row in values]
    every = np.concatenate(values)
    low, high = (np.nanmin(every), np.nanmax(every)) if np.isfinite(every).any() else (0.0, 1.0)
    return [first + (last - first) * (row - low) / ((high - low) or 1.0) for row in values]
