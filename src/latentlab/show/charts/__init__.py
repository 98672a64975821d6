"""The scripts of static/ as one script without imports, and their style sheets."""

from __future__ import annotations

from functools import cache

from latentlab.show import bundle
from latentlab.show.figures.style import ramps

PAGE = {"mount": "mount.js", "number": "numbers.js", "fill": "numbers.js", "player": "player.js"}
HOST = PAGE | {"chart": "chart.js", "film": "film.js", "element": "elements.js"}


@cache
def script() -> str:
    """What a report's page needs as a classic script, which defines `latentlabCharts`: mount, number, fill, player."""
    return f"globalThis.latentlabCharts = {bundle.joined(bundle.static('charts'), PAGE)};\n"


@cache
def module() -> str:
    """An ES module without imports for a host that makes charts itself: it exports chart, film, element and all of PAGE."""
    return bundle.module(bundle.static("charts"), HOST, "latentlabCharts")


@cache
def style() -> str:
    """The style sheet of the charts: colours come from the page's own, or from --chart-ink and its like."""
    return bundle.text("charts", "charts.css") + _ramps() + f"@media screen and (prefers-color-scheme: dark) {{ {_ramps(True)} }}\n"


@cache
def host_style() -> str:
    """The style sheets for a host: charts and films, light or dark by the class chart-light or chart-dark around them."""
    dark = f"@media screen {{ {_ramps(True, '.chart-dark ')} }}\n"
    return bundle.text("charts", "host.css", "charts.css", "film.css") + _ramps() + dark


def _ramps(dark: bool = False, below: str = "") -> str:
    """A rule for each step of each family's ramp."""
    return "".join(f"{below}.hue-{name} {{ --own: {color}; }}\n" for name, color in ramps(dark).items())
