"""Somebody's own code, found again in a run folder: what it was kept as, made by the statements that it needs. No torch.

Only torch's layers and activations, and kinds of values, are made again without being told to trust the folder.
"""

from __future__ import annotations
import __future__

import ast
import enum
import functools
import importlib
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import is_installed
from latentlab.base.texts import reason
from latentlab.runs.code import CELLS, FOLDER, TRUST, Form, definition, node_digest, resolved


class Rebuilding(BaseException):
    """Raised by whatever starts training while somebody's file is read for its definitions; its statement is left out."""


_rebuilding = 0


def refuse_while_rebuilding() -> None:
    """Raise Rebuilding while a run's own code is read."""
    if _rebuilding:
        raise Rebuilding


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
            thing = resolved(importlib.import_module(module), name)
            if thing is None:
                raise LabError(f"{name} is not in {module} here. Another version of it may be installed than the run was made with.")
            return thing
        if module not in loaded:
            loaded.update(read_modules(folder / FOLDER, module, [each for each in every if each["module"] == module]))
        thing = None if "<locals>" in name else resolved(loaded[module], name)
        text = Path(str(loaded[module].__file__)).read_text(encoding="utf-8")
        if thing is None or (node := definition(text, thing)) is None or node_digest(node) != form["sha256"]:
            # Within a function, or of a name that was given again later; else it is another Python that writes it otherwise.
            again = bynode_digest(loaded[module], text, form, value)
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


LAYERS = ("latentlab.models.nets", "latentlab.models.modules")  # where latentlab's own layers are
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
        return getattr(resolved(importlib.import_module(module), name), "__module__", "") == module
    if module in LAYERS or module.startswith(("torch.nn.modules.", "torch.nn.utils.parametriz")):
        thing, layer = resolved(importlib.import_module(module), name), importlib.import_module("torch.nn").Module
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


def bynode_digest(module: ModuleType, text: str, form: Form, value: Callable[[Any], Any]) -> Any:
    """The very definition that was kept, made by itself in a module; None where there is none."""
    name = form["name"].rpartition(".")[2]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name and node_digest(node) == form["sha256"]:
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
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef) and node_digest(node) in asked]
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
