"""latentlab: a laboratory for autoencoders, VAEs and GANs. See README.md; the public names are below.

Nothing heavy is imported until a name is used, so that `latentlab --help` answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from latentlab.base import __version__

if TYPE_CHECKING:
    from latentlab.base.errors import Damaged as Damaged
    from latentlab.base.errors import LabError as LabError
    from latentlab.config.presets import preset as preset
    from latentlab.config.schema import Config as Config
    from latentlab.data import Data as Data
    from latentlab.data import ImageSet as ImageSet
    from latentlab.data import load_data as load_data
    from latentlab.lab import questions as questions
    from latentlab.lab.python import compare as compare
    from latentlab.lab.python import explore as explore
    from latentlab.lab.python import measure as measure
    from latentlab.lab.python import report as report
    from latentlab.lab.python import runs as runs
    from latentlab.lab.python import sweep as sweep
    from latentlab.runs.trained import Latents as Latents
    from latentlab.train import Run as Run
    from latentlab.train import import_run as import_run
    from latentlab.train import open_run as open_run
    from latentlab.train import resume as resume
    from latentlab.train import train as train
    from latentlab.train.start import steps as steps


_HOMES = {
    "Config": "latentlab.config.schema",
    "Damaged": "latentlab.base.errors",
    "Data": "latentlab.data",
    "ImageSet": "latentlab.data",
    "LabError": "latentlab.base.errors",
    "Latents": "latentlab.runs.trained",
    "Run": "latentlab.train",
    "compare": "latentlab.lab.python",
    "explore": "latentlab.lab.python",
    "import_run": "latentlab.train",
    "load_data": "latentlab.data",
    "measure": "latentlab.lab.python",
    "open_run": "latentlab.train",
    "preset": "latentlab.config.presets",
    "report": "latentlab.lab.python",
    "resume": "latentlab.train",
    "runs": "latentlab.lab.python",
    "steps": "latentlab.train.start",
    "sweep": "latentlab.lab.python",
    "train": "latentlab.train",
}

__all__ = ["__version__", "questions", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name == "questions":
        return importlib.import_module("latentlab.lab.questions")
    if name not in _HOMES:
        raise AttributeError(f"module 'latentlab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
