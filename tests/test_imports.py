"""What shows runs starts at once: no torch, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


CONTRACTS = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
LIGHT = next(contract for contract in CONTRACTS if contract["name"] == "what shows runs loads no torch")
# A module and every one below it. `app` is the script that Streamlit runs: it draws a page when imported.
EVERY_ONE = """
import importlib, pkgutil
top = importlib.import_module({name!r})
for found in pkgutil.walk_packages(getattr(top, "__path__", []), {name!r} + "."):
    if found.name != "latentlab.studio.app":
        importlib.import_module(found.name)
"""


@pytest.mark.parametrize("name", LIGHT["source_modules"])
def test_modules_that_show_runs_load_no_torch(name: str) -> None:
    """The contract reads the import lines of latentlab; here its modules run, and other people's packages with them."""
    if name == "latentlab.studio":
        pytest.importorskip("streamlit")
    assert not set(LIGHT["forbidden_modules"]) & loaded_by(EVERY_ONE.format(name=name))


def test_names_of_the_package_that_need_no_torch_load_none() -> None:
    assert "torch" not in loaded_by("import latentlab; latentlab.preset('sn-gan'); latentlab.load_data")


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not {"numpy", "torch", "PIL", "sklearn", "matplotlib"} & loaded_by("import latentlab")


def test_public_names_are_there() -> None:
    import latentlab

    for name in latentlab.__all__:
        assert getattr(latentlab, name) is not None
    with pytest.raises(AttributeError):
        _ = latentlab.nonsense


def test_what_exports_need_is_loaded_when_one_is_written() -> None:
    assert not {"torch", "onnx", "onnxscript", "onnxruntime", "tensorboardX"} & loaded_by("import latentlab.cli.export")
