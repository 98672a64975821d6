"""The metrics of runs in memory, for all readers at once: each line of metrics.jsonl is read once, however many look."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentlab.charts.columns import Columns
from latentlab.runs import RunFolder

KEPT = 16  # runs in memory
RECENT = 12  # lines that speed is measured over


class Watched:
    """One run's numbers, read on from where they ended."""

    def __init__(self, folder: RunFolder) -> None:
        self.lock = threading.Lock()
        self.tail = folder.tail()
        self._begin()

    def _begin(self) -> None:
        self.columns = Columns()
        self.recent: deque[Mapping[str, Any]] = deque(maxlen=RECENT)

    def read(self) -> None:
        """Take in what was written since. Raises LabError at a damaged line."""
        with self.lock:
            rows, restarted = self.tail.read()
            if restarted:
                self._begin()
            self.columns.extend(rows)
            self.recent.extend(row for row in rows if row.get("split") == "train" and "request" not in row and "failure" not in row)

    def images_per_second(self) -> float | None:
        """Training images read per second of training, over the last lines; None before there are two."""
        with self.lock:
            if len(self.recent) < 2:
                return None
            first, last = self.recent[0], self.recent[-1]
        seconds = float(last["seconds"]) - float(first["seconds"])
        return (float(last["images_seen"]) - float(first["images_seen"])) / seconds if seconds > 0 else None


_kept: OrderedDict[Path, Watched] = OrderedDict()
_lock = threading.Lock()


def watched(folder: RunFolder) -> Watched:
    """The numbers of a run as they are now. Raises LabError when its metrics are damaged."""
    with _lock:
        if folder.path not in _kept:
            _kept[folder.path] = Watched(folder)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(folder.path)
        found = _kept[folder.path]
    found.read()
    return found
