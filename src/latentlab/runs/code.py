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
import inspect
import json
import linecache
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from latentlab.base.errors import Damaged, LabError, refusal
from latentlab.base.files import is_installed, read_json, replace_json
from latentlab.base.texts import reason

Form = dict[str, Any]

FOLDER, RECORD, CELLS = "own", "own.json", "cells"
PLANE = "plane.npz"  # images of a network that no page can run, see `latentlab.show.explorer.own`
MOST_BYTES = 4_000_000  # of source in one run folder


class Rebuilding(BaseException):
    """Raised by whatever starts training while somebody's file is read for its definitions; its statement is left out."""


_rebuilding = 0


def refuse_while_rebuilding() -> None:
    """Raise Rebuilding while a run's own code is read."""
    if _rebuilding:
        raise Rebuilding


# What is kept.


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
        if module is None or is_library(module):
            for place in (module or "torch", "torch.nn.functional"):  # a builtin function does not always tell where it is
                for known in (name, thing.__name__):
                    if place in sys.modules and _resolved(sys.modules[place], known) is thing:
                        return {"module": place, "name": known}
            raise LabError(f"{name} of {module} cannot be found again by its name.")
        if "<lambda>" in name.rpartition(".")[2]:
            raise LabError("a lambda cannot be found again: give it a name, with def.")
        file, source = source_of(thing)
        node = definition(source, thing)
        if node is None:
            raise LabError(f"the source of {name} cannot be found. Define it in a file or in a cell of a notebook.")
        form: Form = {"module": self.keep(str(module), file), "name": name, "sha256": _digest(node), "own": True}
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
            self._beside(homes(sys.modules["__main__"]), Path.cwd())
            return CELLS
        name = Path(file).stem if module == "__main__" else module
        root = Path(file).resolve().parents[module.count(".") + (Path(file).name == "__init__.py")]
        if module in sys.modules:
            self._collect(name, sys.modules[module], root)
        else:  # loaded by hand, or from another run's folder
            kept_in = next((folder for folder in Path(file).parents if (folder / RECORD).is_file()), None)
            beside = {str(path.relative_to(kept_in)): path for path in kept_in.rglob("*.py")} if kept_in else {f"{name}.py": Path(file)}
            self.files |= {place: path.read_text(encoding="utf-8") for place, path in beside.items()}
        if sum(map(len, self.files.values())) > MOST_BYTES:
            raise LabError(f"the code beside {file} is more than {MOST_BYTES / 1e6:.0f} MB. Define the networks in a folder of their own.")
        return name

    def _collect(self, name: str, module: ModuleType, root: Path) -> None:
        file = Path(str(module.__file__)).resolve()
        place = name.replace(".", "/") + ("/__init__.py" if file.name == "__init__.py" else ".py")
        if place not in self.files:
            self.files[place] = file.read_text(encoding="utf-8")
            parents = [name.rsplit(".", up)[0] for up in range(1, name.count(".") + 1)]
            self._beside([*parents, *homes(module)], root)

    def _beside(self, names: Iterable[str], root: Path) -> None:
        """Keep those of these modules that are somebody's own and lie below a folder."""
        for name in dict.fromkeys(names):
            file = None if name == "__main__" or is_library(name) else getattr(sys.modules.get(name), "__file__", None)
            if file and Path(file).suffix == ".py" and Path(file).resolve().is_relative_to(root):
                self._collect(name, sys.modules[name], root)


def homes(module: ModuleType) -> list[str]:
    """The modules that define what a module knows: what it imports, among them."""
    found = []
    for value in vars(module).values():
        with suppress(Exception):  # whatever an object makes of being asked
            found.append(value.__name__ if isinstance(value, ModuleType) else value.__module__)
    return [name for name in found if isinstance(name, str)]


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
    return [each for each in inner if isinstance(each, FunctionType) and linecache.getlines(each.__code__.co_filename)]


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


def _digest(node: ast.stmt) -> str:
    return hashlib.sha256(ast.unparse(node).encode()).hexdigest()


def _resolved(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


# What is made of it again.


def found(folder: Path, trust: bool) -> Callable[[Form], Any]:
    """What a reference stands for. Without `trust` only layers and functions of torch's; raises LabError for others."""
    loaded: dict[str, ModuleType] = {}

    def find(form: Form) -> Any:
        module, name = form["module"], form["name"]
        if not form.get("own"):
            if not trust and not is_plain(form):
                raise untrusted(folder, f"{module}.{name}")
            thing = _resolved(importlib.import_module(module), name)
        elif not trust:
            raise untrusted(folder, name)
        else:
            if module not in loaded:
                loaded.update(read_modules(folder / FOLDER, module))
            thing = local(loaded[module], form, value) if "<locals>" in name else _resolved(loaded[module], name)
        if thing is None:
            raise LabError(f"{name} is not defined when {folder / FOLDER} is read anew. Define it at the top of a file.")
        return thing

    def value(kept: Any) -> Any:
        if not isinstance(kept, dict):
            return kept
        if "import" in kept:
            return importlib.import_module(kept["import"])
        if "list" in kept:
            return (tuple if kept["tuple"] else list)(map(value, kept["list"]))
        return find(kept["code"])

    return find


def is_plain(form: Form) -> bool:
    """Whether a reference is to a layer or a function of torch's, which do nothing but compute."""
    module, name = str(form["module"]), str(form["name"])
    if form.get("own") or not name.isidentifier():
        return False
    if module in ("torch", "torch.nn.functional"):
        torch = importlib.import_module("torch")
        return hasattr(torch._C._VariableFunctions, name) or getattr(_resolved(torch.nn.functional, name), "__module__", "") == module
    if module.startswith(("torch.nn.modules.", "torch.nn.utils.parametriz")) or module == "latentlab.models.nets":
        thing, layer = _resolved(importlib.import_module(module), name), importlib.import_module("torch.nn").Module
        return isinstance(thing, type) and issubclass(thing, layer)
    return False


def untrusted(folder: Path, name: str) -> LabError:
    """What is said of code that nobody told to trust."""
    return LabError(reason("own", path=folder, name=name, folder=folder / FOLDER))


def local(module: ModuleType, form: Form, value: Callable[[Any], Any]) -> Any:
    """A definition from within a function, made without that function."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    name = form["name"].rpartition(".")[2]
    space = vars(module) | {key: value(kept) for key, kept in form.get("free", {}).items()}
    for node in nodes:
        if node.name == name and _digest(node) == form["sha256"]:
            run(node, str(module.__file__), space)
            return space[name]
    return None


def run(node: ast.stmt, file: str, space: dict[str, Any]) -> None:
    """Run one statement of a file."""
    exec(compile(ast.Module([node], []), file, "exec"), space)


def read_modules(folder: Path, name: str) -> dict[str, ModuleType]:
    """The kept module of that name and those that it imports, by name, apart from whatever else of these names is loaded here."""
    names = {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in folder.rglob("*.py")}
    with _alone(names, folder):
        for part in range(name.count(".")):
            importlib.import_module(name.rsplit(".", name.count(".") - part)[0])
        path = folder / (name.replace(".", "/") + ".py")
        read_file(path if path.is_file() else folder / name.replace(".", "/") / "__init__.py", name)
        return {each: sys.modules[each] for each in names if each in sys.modules}


def read_file(path: Path, name: str, strict: bool = False) -> ModuleType:
    """A file as a module, statement by statement: one that fails or would train is left out, unless `strict`.

    A script goes on behind its definitions with what it made them for; of a notebook's cells some have failed before.
    """
    module = ModuleType(name)
    module.__file__, module.__package__ = str(path), name.rpartition(".")[0] if path.name != "__init__.py" else name
    if path.name == "__init__.py":
        module.__path__ = [str(path.parent)]
    sys.modules[name] = module
    linecache.checkcache(str(path))
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        try:
            run(node, str(path), vars(module))
        except Rebuilding:
            if strict:
                raise
            if path.stem != CELLS:
                break
        except (Exception, SystemExit):
            if strict:
                raise
    return module


def definitions(path: Path) -> dict[str, Any]:
    """What a file defines at its top, read like any module. Raises LabError for one that fails, and says where."""
    if not path.is_file():
        raise refusal("a file of one's own networks", "there", str(path))
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with _training_refused():
            module = read_file(path.resolve(), path.stem, strict=True)
    except Rebuilding:
        raise LabError(f"{path} trains by itself: run it with `python {path}`, or leave its call of latentlab out.") from None
    except SyntaxError as error:
        raise LabError(f"{error.filename}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    except (Exception, SystemExit) as error:
        frame = next((each for each in reversed(traceback.extract_tb(error.__traceback__)) if Path(each.filename) == path.resolve()), None)
        at = f", line {frame.lineno}" if frame else ""
        raise LabError(f"{path}{at}: {type(error).__name__}: {error}") from error
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


@contextmanager
def _training_refused() -> Iterator[None]:
    global _rebuilding
    _rebuilding += 1
    try:
        yield
    finally:
        _rebuilding -= 1


@contextmanager
def _alone(names: set[str], folder: Path) -> Iterator[None]:
    """These modules are those of a folder, and nothing trains meanwhile."""
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with _training_refused():
            yield
    finally:
        sys.dont_write_bytecode = written
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(others)


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
    record = read_json(folder / RECORD, {"parts": dict, "files": dict})
    for name, digest in record["files"].items():
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise Damaged(f"{file} is not as it was when {path} was made. Restore it, or give the networks again in Python.")
    return dict(record["parts"])


def digest(form: Form) -> str:
    """What a part is, wherever its code lies: 12 digits of a sha256."""
    return hashlib.sha256(json.dumps(_placeless(form), sort_keys=True).encode()).hexdigest()[:12]


def _placeless(form: Any) -> Any:
    if isinstance(form, dict):
        return {key: _placeless(value) for key, value in form.items() if not (key == "module" and form.get("own"))}
    return [_placeless(value) for value in form] if isinstance(form, list) else form
