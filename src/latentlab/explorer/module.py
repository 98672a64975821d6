"""The explorer's scripts as the one module that a page, the studio or a notebook holds."""

from __future__ import annotations

import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import resources

ENTRY = "explorer.js"  # what it exports is public
IMPORT = re.compile(r'^(import|export) \{ (\w+(?:, \w+)*) \} from "\./(\w+\.js)";\n', re.MULTILINE)
ELSEWHERE = re.compile(r"^(?:import|export) .* from .*$|^import\b.*$", re.MULTILINE)  # what joining would have to leave in
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
NAMED = re.compile(r"^(?:async )?(?:function\*?|class|const|let|var) (\w+|\[[\w, ]+\]|\{[\w, ]+\})", re.MULTILINE)


@cache
def module() -> str:
    """All of `static/*.js` that `explorer.js` needs, as one ES module without imports: it exports what that file exports.

    A page that is opened from a disk cannot import files, so that all stand in one module, each after those that it imports.
    Raises AssertionError for files that cannot be joined: a circle of imports, an import of another form, a name that two have.
    """
    files, public = files_needed()
    try:
        order = list(
            TopologicalSorter({name: {other for _, _, other in IMPORT.findall(text)} for name, text in files.items()}).static_order()
        )
    except CycleError as error:
        raise AssertionError(f"the scripts import each other in a circle: {' → '.join(error.args[1])}") from None
    bodies = [EXPORT.sub("", IMPORT.sub("", files[name])).strip() + "\n" for name in order]
    check(order, bodies)
    return "\n".join(bodies) + f"\nexport {{ {', '.join(public)} }};\n"


def files_needed() -> tuple[dict[str, str], list[str]]:
    """Every script that the entry imports, directly or not, by its name; and the names that the entry exports."""
    static = resources.files("latentlab.explorer").joinpath("static")
    files: dict[str, str] = {}
    wanted = [ENTRY]
    while wanted:
        name = wanted.pop()
        if name not in files:
            files[name] = static.joinpath(name).read_text(encoding="utf-8")
            wanted += [other for _, _, other in IMPORT.findall(files[name])]
    public = [word for kind, words, _ in IMPORT.findall(files[ENTRY]) if kind == "export" for word in words.split(", ")]
    return files, public


def check(order: list[str], bodies: list[str]) -> None:
    """Raises AssertionError where the joined scripts would not be one module."""
    owner: dict[str, str] = {}
    for name, body in zip(order, bodies, strict=True):
        if left := ELSEWHERE.search(body):
            raise AssertionError(f'{name} must import as `import {{ a, b }} from "./other.js";`, in one line. Got {left[0]!r}')
        for found in NAMED.findall(body):
            for word in re.findall(r"\w+", found):
                if word in owner:
                    raise AssertionError(f"{word} is at the top of {owner[word]} and of {name}: in one module a name is there once")
                owner[word] = name


def style() -> str:
    """The explorer's own style sheet."""
    return resources.files("latentlab.explorer").joinpath("static", "explorer.css").read_text(encoding="utf-8")
