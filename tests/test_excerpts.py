"""The code beside each equation is the project's own, whole, and short enough to be read there."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap

import pytest

from latentlab.show.card import FORMULAS
from latentlab.show.excerpts import CODE, excerpt, excerpts

ALL = sorted({where for formulas in CODE.values() for functions in formulas for where in functions})


def test_each_formula_has_its_code():
    assert {name: len(formulas) for name, formulas in CODE.items()} == {name: len(formulas) for name, formulas in FORMULAS.items()}
    assert excerpts("kl", 2) == ("models/objectives.py", excerpt("models/objectives.py:kl_to_standard_normal"))
    files, code = excerpts("ae-vs-vae-vs-gan", 3)
    assert files == "models/gan.py"
    assert [line.split("(")[0] for line in code.splitlines() if line.startswith("def ")] == ["def _judge", "def _fool"]


@pytest.mark.parametrize("where", ALL)
def test_an_excerpt_is_the_function_without_its_docstring(where: str):
    file, _, name = where.partition(":")
    module = importlib.import_module("latentlab." + file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    function = module
    for part in name.split("."):
        function = getattr(function, part)
    found = excerpt(where)
    (shown,), (whole,) = ast.parse(found).body, ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(shown, ast.FunctionDef)
    assert isinstance(whole, ast.FunctionDef)
    assert ast.get_docstring(shown) is None
    body = whole.body[1:] if ast.get_docstring(whole) else whole.body
    assert [ast.dump(part) for part in shown.body] == [ast.dump(part) for part in body]
    assert len(found.splitlines()) <= 25


def test_there_is_no_excerpt_of_what_is_not_there():
    with pytest.raises(KeyError):
        excerpt("models/objectives.py:nothing")
    with pytest.raises(KeyError):
        excerpt("models/objectives.py:Likelihood")
