"""The scripts of static/ as one script without imports, and their style sheets."""

from __future__ import annotations

from functools import cache

from latentlab.show import bundle, palette

PAGE = {"mount": "mount.js", "number": "numbers.js", "fill": "numbers.js", "film": "film.js"}
OWN = ".hue-{hue} {{ --own: {color}; }}\n"  # what a series is drawn in
HOST = PAGE | {"chart": "chart.js", "player": "player.js", "element": "elements.js", "parallel": "parallel.js"}


@cache
def script() -> str:
    """What a report's page needs as a classic script, which defines `latentlabCharts`: mount, number, fill, film."""
    return f"globalThis.latentlabCharts = {bundle.joined(bundle.static('charts'), PAGE)};\n"


@cache
def module() -> str:
    """An ES module without imports for a host that makes charts itself: it exports what HOST names."""
    return bundle.module(bundle.static("charts"), HOST, "latentlabCharts")


@cache
def style() -> str:
    """The style sheet of the charts: colours come from the page's own, or from --chart-ink and its like."""
    return bundle.text("charts", "charts.css", "film.css") + palette.both(OWN)


@cache
def host_style() -> str:
    """The style sheets for a host: charts and films, light or dark by the class chart-light or chart-dark around them."""
    dark = f"@media screen {{\n{palette.rules('.chart-dark ' + OWN, True)}}}\n"
    return bundle.text("charts", "host.css", "charts.css", "film.css", "parallel.css") + palette.rules(OWN) + dark
