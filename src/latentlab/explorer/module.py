"""The explorer's scripts as the one module that a page, the studio or a notebook holds, and its style sheet."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from latentlab import scripts

ENTRY = "explorer.js"  # what it exports is public
_EXPORTED = re.compile(r'^export \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)


@cache
def module() -> str:
    """All of `static/*.js` that `explorer.js` needs, as one ES module without imports: it exports what that file exports."""
    return scripts.module(folder(), public(), "latentlabExplorer")


def public() -> dict[str, str]:
    """The names that the entry exports, and the file of each."""
    entry = folder().joinpath(ENTRY).read_text(encoding="utf-8")
    return {name: file for names, file in _EXPORTED.findall(entry) for name in names.split(", ")}


@cache
def style() -> str:
    """The explorer's own style sheet."""
    return folder().joinpath("explorer.css").read_text(encoding="utf-8")


def folder() -> Traversable:
    """Where the scripts lie."""
    return resources.files("latentlab.explorer").joinpath("static")
