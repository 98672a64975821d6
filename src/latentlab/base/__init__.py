"""What anything may ask for without loading anything: the version, and the number of cores."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"


def callable_room(room: str, home: str) -> None:
    """Make a room also the public function of its name, which a module is the home of: `latentlab.train("mlp-vae")`, loaded or not."""
    name = room.rpartition(".")[2]

    class Room(ModuleType):
        @property
        def __signature__(self) -> inspect.Signature:
            return inspect.signature(getattr(importlib.import_module(home), name))

        def __call__(self, *given: Any, **named: Any) -> Any:
            return getattr(importlib.import_module(home), name)(*given, **named)

    sys.modules[room].__class__ = Room


def core_count() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
