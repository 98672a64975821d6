"""The explorer's scripts as the one module that a page, the studio or a notebook holds."""

from __future__ import annotations

from importlib import resources

IMPORT = 'import { open } from "./explorer.js";\n'


def module() -> str:
    """`explorer.js` (networks) and `view.js` (what a reader drags in) as one ES module without imports.

    It exports `network`, `open` and `explore`. A page that is opened from a disk cannot import files, so that both stand in
    one module and the line by which the second would import the first is left out.
    """
    static = resources.files("latentlab.explorer").joinpath("static")
    engine, view = (static.joinpath(name).read_text(encoding="utf-8") for name in ("explorer.js", "view.js"))
    if view.count(IMPORT) != 1:
        raise AssertionError("view.js must import explorer.js in the one line that is left out here")
    return engine + "\n" + view.replace(IMPORT, "")


def style() -> str:
    """The explorer's own style sheet."""
    return resources.files("latentlab.explorer").joinpath("static", "explorer.css").read_text(encoding="utf-8")
