"""Code of somebody's own in a run folder: what of it is kept, and how it is found again. No torch.

    own/own.json    the networks' forms (`latentlab.models.described`), references to code, the sha256 of each file below
    own/*.py        the files that define their classes and functions, and what these import from beside them; of a notebook
                    cells.py, all its cells in order. A module of a package lies in the package's folder

Code in a run folder is somebody's. Only what is torch's own is made again without being told to trust it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import json
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from latentlab.base.errors import Damaged, LabError
from latentlab.base.files import is_installed, read_json, replace_json

Form = dict[str, Any]

FOLDER, RECORD, CELLS = "own", "own.json", "cells"
PLANE = "plane.npz"  # images of a network that no page can run, see `latentlab.show.explorer.own`
TRUST = "LATENTLAB_TRUST"  # set for the processes of a studio that was told to trust its folder
MOST_BYTES = 4_000_000  # of source in one run folder


def is_library(module: str) -> bool:
    """Whether a module is Python's, latentlab's or an installed package's: found again by its name wherever that is installed."""
    if module == "__main__" or module not in sys.modules:
        return False
    file = getattr(sys.modules[module], "__file__", None)
    return file is None or is_installed(file)


class Keeper:
    """Makes references to code, and collects the files that they need."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def refer(self, thing: Any) -> Form:
        """A class or a function by where it is defined. Raises LabError for one that could not be found again."""
        name, module = str(getattr(thing, "__qualname__", "")), getattr(thing, "__module__", None)
        if not hasattr(thing, "__name__"):
            raise LabError(f"it must be a function or a class, made with def or class. Got {type(thing).__name__}.")
        if module is None or is_library(module):
            for place in (module or "torch", "torch.nn.functional"):  # a builtin function does not always tell where it is
                for known in (name, thing.__name__):
                    if place in sys.modules and resolved(sys.modules[place], known) is thing:
                        return {"module": place, "name": known}
            raise LabError(f"{name} of {module} cannot be found again by its name.")
        if "<lambda>" in name.rpartition(".")[2]:
            raise LabError("a lambda cannot be found again: give it a name, with def.")
        file, source = source_of(thing)
        node = definition(source, thing)
        if node is None:
            raise LabError(f"the source of {name} cannot be found. Define it in a file or in a cell of a notebook.")
        where, used = self.keep(str(module), file), json.dumps(uses(thing, {thing}), sort_keys=True)
        form: Form = {"module": where, "name": name, "sha256": node_digest(node), "own": True}
        form["uses"] = hashlib.sha256(used.encode()).hexdigest()[:12]
        if "<locals>" in name:
            form["free"] = {key: self.value(value, name) for key, value in sorted(free(thing).items())}
        return form

    def value(self, value: Any, name: str) -> Any:
        """What a local definition uses of the function around it."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, ModuleType):
            return {"import": value.__name__}
        if isinstance(value, tuple | list):
            return {"list": [self.value(one, name) for one in value], "tuple": isinstance(value, tuple)}
        if isinstance(value, type | FunctionType) or (callable(value) and hasattr(value, "__name__")):
            return {"code": self.refer(value)}
        raise LabError(f"{name} uses a {type(value).__name__} of the function that it is defined in. Define it at the top of a file.")

    def keep(self, module: str, file: str) -> str:
        """Keep a module's file, and of what it imports all that lies below the same folder; the name under which it is found."""
        if module == "__main__" and not Path(file).is_file():
            self.files[f"{CELLS}.py"] = "\n\n".join(f"# %% [{n}]\n{cell}" for n, cell in enumerate(cells(), 1)) + "\n"
            self._beside("\n".join(cells()), "", Path.cwd())
            return CELLS
        name = Path(file).stem if module == "__main__" else module
        kept_in = next((folder for folder in Path(file).parents if (folder / RECORD).is_file()), None)
        if kept_in is not None:  # another run's folder, all of which belongs together
            self.files |= {path.relative_to(kept_in).as_posix(): path.read_text(encoding="utf-8") for path in kept_in.rglob("*.py")}
        else:
            self._collect(name, Path(file).resolve(), Path(file).resolve().parents[name.count(".") + (Path(file).name == "__init__.py")])
        if sum(map(len, self.files.values())) > MOST_BYTES:
            raise LabError(f"the code beside {file} is more than {MOST_BYTES / 1e6:.0f} MB. Define the networks in a folder of their own.")
        return name

    def _collect(self, name: str, file: Path, root: Path) -> None:
        is_package = file.name == "__init__.py"
        place = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        if place not in self.files:
            self.files[place] = text = file.read_text(encoding="utf-8")
            self._beside(text, name if is_package else name.rpartition(".")[0], root)

    def _beside(self, text: str, package: str, root: Path) -> None:
        """Keep what a text imports, anywhere in it, of somebody's own below a folder, and the packages that it is in."""
        for name in dict.fromkeys(imports(text, package)):
            if (file := _own_file(name)) is not None and file.is_relative_to(root):
                self._collect(name, file, root)


def imports(text: str, package: str) -> Iterator[str]:
    """The modules that a text may import, each behind the packages that it is in."""
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package) if node.level else str(node.module)
            names = [base, *(f"{base}.{name}" for name in names)]
        for name in [*names, package]:
            yield from (name.rsplit(".", up)[0] for up in range(name.count("."), -1, -1))


def _own_file(name: str) -> Path | None:
    """The file of a module that is somebody's own; what is installed is not loaded to be asked."""
    with suppress(Exception):  # whatever looking for it runs into: it is none
        top = importlib.util.find_spec(name.partition(".")[0])
        places = [] if top is None else [top.origin, *(top.submodule_search_locations or ())]
        if any(place and not is_installed(place) for place in places):
            spec = getattr(sys.modules.get(name), "__spec__", None) or importlib.util.find_spec(name)
            file = getattr(sys.modules.get(name), "__file__", None) or (spec.origin if spec else None)
            return Path(file).resolve() if file and file.endswith(".py") and not is_installed(file) else None
    return None


def uses(thing: Any, seen: set[Any]) -> list[Any]:
    """What a definition uses of its file: plain values, and functions and classes with what they use, in their turn."""
    found: list[Any] = []
    for function in functions(thing):
        names, codes = set[str](), [function.__code__]
        while codes:
            code = codes.pop()
            names |= set(code.co_names)
            codes += [each for each in code.co_consts if isinstance(each, CodeType)]
        for name in sorted(names & set(function.__globals__)):
            value = function.__globals__[name]
            if is_plain_value(value) and not name.startswith("__"):
                found.append([name, repr(value)])
            elif isinstance(value, type | FunctionType) and value not in seen and (node := definition(source_of(value)[1], value)):
                seen.add(value)
                found.append([name, node_digest(node), uses(value, seen)])
    for base in thing.__bases__ if isinstance(thing, type) else ():
        if base not in seen and (node := definition(source_of(base)[1], base)):
            seen.add(base)
            found.append([base.__name__, node_digest(node), uses(base, seen)])
    return found


def is_plain_value(value: Any) -> bool:
    """Whether a value is written alike in every process."""
    return value is None or type(value) in (bool, int, float, str) or (type(value) is tuple and all(map(is_plain_value, value)))


def free(thing: Any) -> dict[str, Any]:
    """What a definition takes from the functions around it: of a class what its methods do, and its bases that are as local."""
    if isinstance(thing, type):
        found = {base.__name__: base for base in thing.__bases__ if "<locals>" in base.__qualname__}
        for each in functions(thing):
            found |= free(each)
        return {key: value for key, value in found.items() if value is not thing}
    names = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in names if name != "__class__" and cell.cell_contents is not thing}


def functions(thing: Any) -> list[FunctionType]:
    """The function itself, or the methods of a class, those whose source is known."""
    members = list(vars(thing).values()) if isinstance(thing, type) else [thing]
    inner = [inspect.unwrap(getattr(each, "__func__", getattr(each, "fget", None) or each)) for each in members]
    files = ((each, each.__code__.co_filename) for each in inner if isinstance(each, FunctionType))
    return [each for each, file in files if linecache.getlines(file) and not is_installed(file)]


def source_of(thing: Any) -> tuple[str, str]:
    """The file that defines a class or a function, as Python calls it, and its text; "" where there is none."""
    for each in functions(thing):
        return each.__code__.co_filename, "".join(linecache.getlines(each.__code__.co_filename))
    file = str(getattr(sys.modules.get(thing.__module__), "__file__", None) or "")
    return file, "".join(linecache.getlines(file)) if file else "\n".join(cells())


def definition(source: str, thing: Any) -> ast.stmt | None:
    """The statement that defines a class or a function, the last of its name that fits."""
    try:
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    except SyntaxError:
        return None
    lines = [each.__code__.co_firstlineno for each in functions(thing)]
    named = [
        node for node in nodes if node.name == thing.__name__ and all(_first(node) <= line <= (node.end_lineno or 0) for line in lines)
    ]
    return named[-1] if named else None


def _first(node: ast.ClassDef | ast.FunctionDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def cells() -> list[str]:
    """All cells of the notebook that were run, in order, the present one last."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return [str(cell) for cell in shell.user_ns.get("In", [])[1:] if _is_python(str(cell))] if shell is not None else []


def _is_python(cell: str) -> bool:
    try:
        ast.parse(cell)
    except SyntaxError:
        return False
    return True


def node_digest(node: ast.stmt) -> str:
    return hashlib.sha256(ast.unparse(node).encode()).hexdigest()


def resolved(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


# The record.


def save(path: Path, parts: Mapping[str, Form], keeper: Keeper) -> None:
    """Write own/ into a run folder that is being made."""
    folder = path / FOLDER
    for name, text in keeper.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    folder.mkdir(exist_ok=True)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(keeper.files)}
    replace_json(folder / RECORD, {"parts": dict(parts), "files": files}, sealed=True)


def kept(path: Path) -> dict[str, Form]:
    """The forms and references that a run folder keeps, by part. Raises Damaged for a record or a file that is not as written."""
    folder = path / FOLDER
    try:
        record = read_json(folder / RECORD, {"parts": dict, "files": dict})
        changed = [name for name, known in record["files"].items() if hashlib.sha256((folder / name).read_bytes()).hexdigest() != known]
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"{folder} is damaged ({type(error).__name__}: {error}). Restore it from a copy of the run.") from None
    if changed:
        raise Damaged(f"{folder / changed[0]} is not as it was when {path} was made. Restore it, or give the networks again in Python.")
    return dict(record["parts"])


def digest(form: Form) -> str:
    """What a part is, wherever its code lies: 12 digits of a sha256."""
    return hashlib.sha256(json.dumps(_placeless(form), sort_keys=True).encode()).hexdigest()[:12]


def _placeless(form: Any) -> Any:
    if isinstance(form, dict):
        return {key: _placeless(value) for key, value in form.items() if not (key == "module" and form.get("own"))}
    return [_placeless(value) for value in form] if isinstance(form, list) else form
