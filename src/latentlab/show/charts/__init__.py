"""The scripts of static/ as one script without imports, and their style sheets."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from latentlab.show import bundle

PAGE = {"mount": "mount.js", "number": "numbers.js", "fill": "numbers.js", "player": "player.js"}
HOST = PAGE | {"chart": "chart.js", "film": "film.js"}


@cache
def script() -> str:
    """What a report's page needs as a classic script, which defines `latentlabCharts`: mount, number, fill, player."""
    return f"globalThis.latentlabCharts = {bundle.joined(_static(), PAGE)};\n"


@cache
def module() -> str:
    """An ES module without imports for a host that makes charts itself: it exports chart, film and all of PAGE."""
    return bundle.module(_static(), HOST, "latentlabCharts")


@cache
def style() -> str:
    """The style sheet of the charts: colours come from the page's own, or from --chart-ink and its like."""
    return _static().joinpath("charts.css").read_text(encoding="utf-8")


@cache
def host_style() -> str:
    """The style sheets for a host: charts and films, light or dark by the class chart-light or chart-dark around them."""
    return "".join(_static().joinpath(name).read_text(encoding="utf-8") for name in ("host.css", "charts.css", "film.css"))


def _static() -> Traversable:
    return resources.files("latentlab.show.charts").joinpath("static")
