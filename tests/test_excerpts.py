"""The code beside each equation is the project's own, whole, and short enough to be read there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap

import pytest

from latentlab.base.texts import catalogue
from latentlab.show.card import FORMULAS, Card
from latentlab.show.excerpts import CODE, excerpt, excerpts
from latentlab.show.report import write_card_page

ALL = sorted({where for formulas in CODE.values() for functions in formulas for where in functions})


def test_each_formula_has_its_code():
    assert {name: len(formulas) for name, formulas in CODE.items()} == {name: len(formulas) for name, formulas in FORMULAS.items()}
    assert excerpts("kl", 2) == ("models/objectives.py", excerpt("models/objectives.py:kl_to_standard_normal"))
    files, code = excerpts("encoder-vs-discriminator", 3)
    assert files == "models/gan.py, models/objectives.py"
    assert re.findall(r"^def (\w+)", code, re.MULTILINE) == ["_judge", "non_saturating_discriminator"]


# What a formula says and the function that computes it; nothing computes the best discriminator, which needs the densities.
COMPUTED = {
    r"D^*(x)": None,
    r"\sigma_{\max}(W)": "spectrally_normalized",
    r"\log (1 - \sigma(D(G(z))))": "non_saturating_discriminator",
    r"\mathcal{L}_G = -\mathbb{E}_z \log \sigma(D(G(z)))": "non_saturating_generator",
    r"-\mathbb{E}_z\, D(G_\theta(z))": "hinge_generator",
    r"\frac{1}{2} \sum_{j=1}^{Z}": "kl_to_standard_normal",
}


def test_the_code_beside_a_formula_is_what_computes_it():
    beside = [(latex, found) for name, formulas in FORMULAS.items() for latex, found in zip(formulas, CODE[name], strict=True)]
    for part, function in COMPUTED.items():
        all_found = [found for latex, found in beside if part in latex]
        assert all_found, part
        for found in all_found:
            names = [where.rpartition(":")[2] for where in found]
            assert names == [] if function is None else function in names, part
    assert excerpts("gan-stability", 3) == ("", "")


def test_a_formula_without_code_has_nothing_to_unfold(tmp_path):
    card = Card("gan-stability", "digits", 1.0, {}, {}, (), (), (), {}, ())
    page = write_card_page(card, tmp_path / "card.html", "en").read_text(encoding="utf-8")
    for lang in ("en", "fr"):
        said = catalogue(lang)["card.code"].format(file="")
        assert page.count(said) == 3
        assert f"{said}</summary>" not in page


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
        excerpt("models/likelihoods.py:Likelihood")
