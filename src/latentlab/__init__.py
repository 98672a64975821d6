"""latentlab: a laboratory for autoencoders, VAEs and GANs. See README.md; the public names are below.

Nothing heavy is imported until a name is used, so that `latentlab --help` answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from latentlab.version import __version__

_HOMES = {
    "Config": "latentlab.config",
    "Damaged": "latentlab.errors",
    "Data": "latentlab.data",
    "ImageSet": "latentlab.data",
    "LabError": "latentlab.errors",
    "Latents": "latentlab.run",
    "Run": "latentlab.run",
    "load_data": "latentlab.data",
    "open_run": "latentlab.run",
    "preset": "latentlab.presets",
    "resume": "latentlab.jobs",
    "steps": "latentlab.jobs",
    "train": "latentlab.jobs",
}

__all__ = ["__version__", "questions", *sorted(_HOMES)]

if TYPE_CHECKING:
    from latentlab import questions as questions
    from latentlab.config import Config as Config
    from latentlab.data import Data as Data
    from latentlab.data import ImageSet as ImageSet
    from latentlab.data import load_data as load_data
    from latentlab.errors import Damaged as Damaged
    from latentlab.errors import LabError as LabError
    from latentlab.jobs import resume as resume
    from latentlab.jobs import steps as steps
    from latentlab.jobs import train as train
    from latentlab.presets import preset as preset
    from latentlab.run import Latents as Latents
    from latentlab.run import Run as Run
    from latentlab.run import open_run as open_run


def __getattr__(name: str) -> Any:
    if name == "questions":
        return importlib.import_module("latentlab.questions")
    if name not in _HOMES:
        raise AttributeError(f"module 'latentlab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
