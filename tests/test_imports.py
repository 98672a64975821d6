"""What shows runs starts at once: no torch, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["runs.folder", "measure.compare", "show.figures", "show.report", "runs.verify", "data", "cli.show", "runs.checkpoints", "lab_free"],
)
def test_modules_that_show_runs_load_no_torch(module: str) -> None:
    if module == "lab_free":
        statement = "import latentlab; latentlab.preset('sn-gan'); latentlab.load_data"
    else:
        statement = f"import latentlab.{module}"
    assert "torch" not in loaded_by(statement)


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not {"numpy", "torch", "PIL", "sklearn", "matplotlib"} & loaded_by("import latentlab")


def test_public_names_are_there() -> None:
    import latentlab

    for name in latentlab.__all__:
        assert getattr(latentlab, name) is not None
    with pytest.raises(AttributeError):
        _ = latentlab.nonsense
