"""The scripts and style sheets that pages hold: JavaScript files joined into one script without imports.

A page cannot fetch files where it is opened from a disk, or by a host. Each file is an ES module whose imports are lines
`import { a, b } from "./file.js";` and whose exports are declarations. Joined, each becomes a function that is called once
and returns what it exports, so that no two names can collide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

IMPORT = re.compile(r'^import \{ (\w+(?:, \w+)*) \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?function\*? (\w+)|const (\w+) =|class (\w+))", re.MULTILINE)
LEFT = re.compile(r"^\s*(?:import|export)\b|\bimport\(|\bimport\.meta\b", re.MULTILINE)


def static(part: str) -> Traversable:
    """Where the files of "charts", "explorer" or "report" lie."""
    return resources.files(f"latentlab.show.{part}").joinpath("static")


def text(part: str, *names: str) -> str:
    """Files of a part as they are, one behind the other."""
    return "".join(static(part).joinpath(name).read_text(encoding="utf-8") for name in names)


def joined(folder: Traversable, entries: Mapping[str, str]) -> str:
    """An expression that runs every file of a folder that `entries` (exported name: its file) need, and gives an object of these names.

    Raises ValueError for an import of what a file does not export, for a circle of imports, and for other kinds of both.
    """
    done: dict[str, str] = {}
    for name, file in entries.items():
        _add(folder, file, {name}, done, ())
    offered = ", ".join(f"{name}: {_scope(file)}.{name}" for name, file in entries.items())
    return '(() => {\n"use strict";\n' + "".join(done.values()) + f"return {{ {offered} }};\n}})()"


def module(folder: Traversable, entries: Mapping[str, str], name: str) -> str:
    """The same as an ES module that exports these names; `name` is that of the constant which holds them."""
    return f"const {name} = {joined(folder, entries)};\nexport const {{ {', '.join(entries)} }} = {name};\n"


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
    body = EXPORT.sub("", IMPORT.sub(lambda line: f"const {{ {line[1]} }} = {_scope(line[2])};\n", source))
    if left := LEFT.search(body):
        raise ValueError(f"{file} must import and export in the plain forms only. Got {body[left.start() :].splitlines()[0]!r}")
    done[file] = f"const {_scope(file)} = (() => {{\n{body}return {{ {', '.join(sorted(offered))} }};\n}})();\n"


def _scope(file: str) -> str:
    return "$" + file.removesuffix(".js").replace("-", "_")
