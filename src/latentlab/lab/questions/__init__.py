"""The questions of the labs, each answered by an experiment that runs here. Python: `latentlab.lab.questions`.

Loaded when first used: a worker process needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.lab.questions.ask import load as load
    from latentlab.lab.questions.ask import names as names
    from latentlab.lab.questions.ask import run as run


__all__ = ["load", "names", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'latentlab.lab.questions' has no attribute {name!r}")
    from latentlab.lab.questions import ask

    return getattr(ask, name)
