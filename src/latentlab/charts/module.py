"""The scripts of static/ as one script without imports, for pages that cannot fetch files, and their style sheets.

Each file is an ES module whose imports are lines `import { a, b } from "./file.js";` and whose exports are declarations.
Joined, each becomes a function that is called once and returns what it exports, so that no two names can collide.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

PAGE = {"mount": "mount.js", "number": "numbers.js", "fill": "numbers.js", "player": "player.js"}
HOST = PAGE | {"chart": "chart.js", "film": "film.js"}

IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?function\*? (\w+)|const (\w+) =|class (\w+))", re.MULTILINE)
LEFT = re.compile(r"^\s*(?:import|export)\b|\bimport\(|\bimport\.meta\b", re.MULTILINE)


@cache
def script() -> str:
    """What a report's page needs as a classic script, which defines `latentlabCharts`: mount, number, fill, player."""
    return f"globalThis.latentlabCharts = {joined(PAGE)};\n"


@cache
def module() -> str:
    """An ES module without imports for a host that makes charts itself: it exports chart, film and all of PAGE."""
    return f"const latentlabCharts = {joined(HOST)};\nexport const {{ {', '.join(HOST)} }} = latentlabCharts;\n"


@cache
def style() -> str:
    """The style sheet of the charts: colours come from the page's own, or from --chart-ink and its like."""
    return _static().joinpath("charts.css").read_text(encoding="utf-8")


@cache
def host_style() -> str:
    """The style sheets for a host: charts and films, light or dark by the class chart-light or chart-dark around them."""
    return "".join(_static().joinpath(name).read_text(encoding="utf-8") for name in ("host.css", "charts.css", "film.css"))


def joined(entries: dict[str, str], folder: Traversable | None = None) -> str:
    """An expression that runs every file that `entries` (exported name: its file) need, and gives an object of these names.

    Raises ValueError for an import of what a file does not export, for a circle of imports, and for other kinds of both.
    """
    folder = folder or _static()
    done: dict[str, str] = {}
    for name, file in entries.items():
        _add(folder, file, {name}, done, ())
    found = ", ".join(f"{name}: {_scope(file)}.{name}" for name, file in entries.items())
    return '(() => {\n"use strict";\n' + "".join(done.values()) + f"return {{ {found} }};\n}})()"


def _add(folder: Traversable, file: str, wanted: set[str], done: dict[str, str], path: tuple[str, ...]) -> None:
    """Put a file and, before it, those that it imports into `done`."""
    if file in path:
        raise ValueError(f"scripts must not import each other in a circle. Got {' > '.join((*path, file))}")
    source = folder.joinpath(file).read_text(encoding="utf-8")
    offered = {name for groups in EXPORT.findall(source) for name in groups if name}
    if missing := wanted - offered:
        raise ValueError(f"{file} must export {', '.join(sorted(missing))}, which {path[-1] if path else 'a host'} imports")
    if file in done:
        return
    for names, other in IMPORT.findall(source):
        _add(folder, other, set(names.split(", ")), done, (*path, file))
    body = EXPORT.sub("", IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_scope(found[2])};\n", source))
    if left := LEFT.search(body):
        raise ValueError(f"{file} must import and export in the plain forms only. Got {body[left.start() :].splitlines()[0]!r}")
    done[file] = f"const {_scope(file)} = (() => {{\n{body}return {{ {', '.join(sorted(offered))} }};\n}})();\n"


def _scope(file: str) -> str:
    return "$" + file.removesuffix(".js").replace("-", "_")


def _static() -> Traversable:
    return resources.files("latentlab.charts").joinpath("static")
