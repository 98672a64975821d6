"""How good a run is: every measure, its scores, and runs side by side."""

from __future__ import annotations

from collections.abc import Callable

from latentlab.base import callable_room

Advance = Callable[[int], None]
Watcher = Callable[[str, int], Advance]  # what is measured, over how many units; returns what is told of every unit that is done


def unwatched(what: str, total: int) -> Advance:
    """Tells nobody how far a measurement is."""
    return lambda units: None


callable_room(__name__, "latentlab.lab.python")
