"""Code of somebody's own in a run folder: what of it is kept, and how it is found again. No torch.

    own/own.json    the networks' forms (`latentlab.models.described`), references to code, the sha256 of each file below
    own/*.py        the files that define their classes and functions, and what these import from beside them; of a notebook
                    cells.py, all its cells in order. A module of a package lies in the package's folder

Code in a run folder is somebody's. Only what is torch's own is made again without being told to trust it.
"""

from __future__ import annotations
import __future__

import ast
import enum
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from latentlab.base.errors import Damaged, LabError, refusal
from latentlab.base.files import is_installed, read_json, replace_json
from latentlab.base.texts import reason

Form = dict[str, Any]

FOLDER, RECORD, CELLS = "own", "own.json", "cells"
PLANE = "plane.npz"  # images of a network that no page can run, see `latentlab.show.explorer.own`
TRUST = "LATENTLAB_TRUST"  # set for the processes of a studio that was told to trust its folder
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
        if not hasattr(thing, "__name__"):
            raise LabError(f"it must be a function or a class, made with def or class. Got {type(thing).__name__}.")
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
        where, used = self.keep(str(module), file), json.dumps(uses(thing, {thing}), sort_keys=True)
        form: Form = {"module": where, "name": name, "sha256": _digest(node), "own": True}
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
            if isinstance(value, str | int | float | tuple) or value is None:
                found.append([name, repr(value)])
            elif isinstance(value, type | FunctionType) and value not in seen and (node := definition(source_of(value)[1], value)):
                seen.add(value)
                found.append([name, _digest(node), uses(value, seen)])
    for base in thing.__bases__ if isinstance(thing, type) else ():
        if base not in seen and (node := definition(source_of(base)[1], base)):
            seen.add(base)
            found.append([base.__name__, _digest(node), uses(base, seen)])
    return found


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


def _digest(node: ast.stmt) -> str:
    return hashlib.sha256(ast.unparse(node).encode()).hexdigest()


def _resolved(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


# What is made of it again.


def found(folder: Path, trust: bool, forms: Mapping[str, Form]) -> Callable[[Form], Any]:
    """What a reference in these forms stands for. Without `trust` only what is plain; raises LabError for others."""
    trust = trust or bool(os.environ.get(TRUST))
    loaded: dict[str, ModuleType] = {}
    every = list(references(forms))
    parts = ", ".join(f"{name}=…" for name, form in forms.items() if any(not is_plain(each) for each in references(form)))

    def find(form: Form) -> Any:
        module, name = form["module"], form["name"]
        if not trust and not is_plain(form):
            raise LabError(reason("own", path=folder, name=name, folder=folder / FOLDER, parts=parts))
        if not form.get("own"):
            thing = _resolved(importlib.import_module(module), name)
            if thing is None:
                raise LabError(f"{name} is not in {module} here. Another version of it may be installed than the run was made with.")
            return thing
        if module not in loaded:
            loaded.update(read_modules(folder / FOLDER, module, [each for each in every if each["module"] == module]))
        thing = None if "<locals>" in name else _resolved(loaded[module], name)
        text = Path(str(loaded[module].__file__)).read_text(encoding="utf-8")
        if thing is None or (node := definition(text, thing)) is None or _digest(node) != form["sha256"]:
            # Within a function, or of a name that was given again later; else it is another Python that writes it otherwise.
            again = by_digest(loaded[module], text, form, value)
            thing = thing if again is None else again
        if str(folder / FOLDER) not in sys.path:
            sys.path.append(str(folder / FOLDER))  # for what is imported only when it computes
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


PLAIN = {  # what may be used of torch's and Python's without trust: it computes, and touches nothing else
    "torch": {"relu", "sigmoid", "tanh", "Size", "device"},
    "builtins": {"set", "frozenset", "slice", "range", "complex"},
    "collections": {"OrderedDict"},
}


def is_plain(form: Form) -> bool:
    """Whether a reference is to one of torch's layers or activations, or to a kind of value."""
    module, name = str(form["module"]), str(form["name"])
    if form.get("own") or not name.isidentifier():
        return False
    if module == "torch.nn.functional":
        return getattr(_resolved(importlib.import_module(module), name), "__module__", "") == module
    if module.startswith(("torch.nn.modules.", "torch.nn.utils.parametriz")) or module == "latentlab.models.nets":
        thing, layer = _resolved(importlib.import_module(module), name), importlib.import_module("torch.nn").Module
        return isinstance(thing, type) and issubclass(thing, (layer, enum.Enum))
    return name in PLAIN.get(module, ())


def references(form: Any) -> Iterator[Form]:
    """Every reference to code in forms."""
    if isinstance(form, dict):
        if isinstance(form.get("module"), str) and isinstance(form.get("name"), str):
            yield form
        form = list(form.values())
    for each in form if isinstance(form, list) else ():
        yield from references(each)


def by_digest(module: ModuleType, text: str, form: Form, value: Callable[[Any], Any]) -> Any:
    """The very definition that was kept, made by itself in a module; None where there is none."""
    name = form["name"].rpartition(".")[2]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name and _digest(node) == form["sha256"]:
            space = vars(module) | {key: value(kept) for key, kept in form.get("free", {}).items()}
            run(node, str(module.__file__), space)
            return space[name]
    return None


def run(node: ast.stmt, file: str, space: dict[str, Any], flags: int = 0) -> None:
    """Run one statement of a file."""
    exec(compile(ast.Module([node], []), file, "exec", flags, dont_inherit=True), space)


def read_modules(folder: Path, name: str, wanted: Iterable[Form]) -> dict[str, ModuleType]:
    """The kept module of that name and those that it imports, by name, apart from whatever else of these names is loaded here.

    Of the first one only the statements run that what is wanted needs. Raises LabError for one that fails.
    """
    names = {".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in folder.rglob("*.py")}
    path = folder / (name.replace(".", "/") + ".py")
    path = path if path.is_file() else folder / name.replace(".", "/") / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    asked = {form["sha256"]: form["name"].partition(".")[0] for form in wanted}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef) and _digest(node) in asked]
    with _alone(names, folder):
        for part in range(name.count(".")):
            importlib.import_module(name.rsplit(".", name.count(".") - part)[0])
        read_file(path, name, needed(tree.body, set(asked.values()) | set().union(*map(_used, nodes))))
        return {each: sys.modules[each] for each in names if each in sys.modules}


def needed(body: Sequence[ast.stmt], names: set[str]) -> list[ast.stmt]:
    """The statements of a file that define these names or change them, and those that they need, in their order."""
    imported = {name for node in body if isinstance(node, ast.Import | ast.ImportFrom) for name in _bound(node)}
    chosen: set[int] = set()
    foreign = [isinstance(node, ast.Expr) and bool(_bound(node) & (imported - {"sys"})) for node in body]  # plt.show()
    while more := {
        at for at, node in enumerate(body) if at not in chosen and _bound(node) & (names | {"*", "sys"}) and not foreign[at]
    }:  # fmt: skip
        chosen |= more
        names = names.union(*(_used(body[at]) for at in more))
    return [body[at] for at in sorted(chosen)]


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement gives a value, or whose value it changes."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    found = set[str]()
    for each in ast.walk(node):
        target = each.func if isinstance(each, ast.Call) and isinstance(node, ast.Expr) else each
        stored = isinstance(getattr(target, "ctx", None), ast.Store) or isinstance(each, ast.Call)
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name) and stored:
            found.add(target.id)
        elif each is not node and isinstance(each, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            found |= _bound(each)
    return found


def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def read_file(path: Path, name: str, body: Sequence[ast.stmt] | None = None) -> ModuleType:
    """A file as a module; with a `body`, those of its statements alone. LabError where one fails, but in a notebook, where some have."""
    module = ModuleType(name)
    module.__file__, module.__package__ = str(path), name.rpartition(".")[0] if path.name != "__init__.py" else name
    if path.name == "__init__.py":
        module.__path__ = [str(path.parent)]
    linecache.checkcache(str(path))
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except SyntaxError as error:
        raise LabError(f"{error.filename}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    future = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__" for alias in node.names]
    flags = functools.reduce(int.__or__, (getattr(__future__, feature).compiler_flag for feature in future), 0)
    sys.modules[name] = module
    for node in tree.body if body is None else body:
        try:
            run(node, str(path), vars(module), flags)
        except Rebuilding:
            if body is None:
                raise LabError(f"{path} trains by itself: run it with `python {path}`, or leave its call of latentlab out.") from None
            if path.stem != CELLS:
                break
        except (Exception, SystemExit) as error:
            if path.stem != CELLS:
                frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_installed(frame.filename)]
                at = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else f"{path}, line {node.lineno}"
                raise LabError(f"{at}: {type(error).__name__}: {error}") from error
    return module


def definitions(path: Path) -> dict[str, Any]:
    """What a file defines at its top, read like any module. Raises LabError for one that fails, and says where."""
    if not path.is_file():
        raise refusal("a file of one's own networks", "there", str(path))
    sys.path.insert(0, str(path.resolve().parent))
    with _training_refused():
        return {key: value for key, value in vars(read_file(path.resolve(), path.stem)).items() if not key.startswith("__")}


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
