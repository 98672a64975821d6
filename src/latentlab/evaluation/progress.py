"""How an evaluation tells how far it is: the caller gives a watcher, which a terminal turns into progress bars."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int], None]
Watcher = Callable[[str, int], Advance]  # what is done, of how many units; returns what is told of every unit that is done


def unwatched(what: str, total: int) -> Advance:
    """Tells nobody."""
    return lambda units: None
