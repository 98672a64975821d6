"""The lines of metrics.jsonl as columns of numbers, which grow with the run so that a live page reads each line once.

Long columns are thinned for a screen.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.measure.table import MEASURES

WHERE = frozenset(("step", "epoch", "images_seen", "seconds", "split"))  # say where a line is, not what was measured
SEEN = frozenset(measure.name for measure in MEASURES if measure.watched)  # by the extractor that the line names
MOST_POINTS = 1_200  # of one line on a page

Doubles = NDArray[np.float64]


class Column(NamedTuple):
    """One quantity on one split: [M] each, in the order of the file. A null is NaN, a gap in the line."""

    epoch: Doubles
    step: Doubles
    value: Doubles


class Change(NamedTuple):
    """A setting that was changed while the run trained."""

    epoch: float
    field: str  # dotted name, as in the configuration
    value: float


class Columns:
    """The numbers of a run's metrics by split and name. `extend` takes the lines that were written since.

    What an extractor saw bears its name too, as in scores: "kid@random-convolutions". Two extractors give two columns.
    A resumed run first takes back the lines after its checkpoint: where metrics.jsonl has become shorter, make new ones.
    One thread may extend it while others read.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._lock = threading.Lock()
        self.changes: list[Change] = []
        self._where: dict[str, tuple[array[float], array[float]]] = {}  # split: epoch and step of each line
        self._values: dict[str, dict[str, tuple[array[int], array[float]]]] = {}  # split: name: line within the split, value
        self.extend(rows)

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add the next lines of the file."""
        with self._lock:
            self._extend(rows)

    def _extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            split = row.get("split", "")
            epochs, steps = self._where.get(split) or self._where.setdefault(split, (array("d"), array("d")))
            columns = self._values.setdefault(split, {})
            index, seen = len(epochs), row.get("extractor")
            epochs.append(_double(row.get("epoch")))
            steps.append(_double(row.get("step")))
            for name, value in row.items():
                if name in WHERE:
                    continue
                if value is None:
                    value = np.nan
                elif type(value) is not float and type(value) is not int:
                    if name == "request":
                        self._note(row, value)
                    continue
                if seen and name in SEEN:
                    name = f"{name}@{seen}"
                try:
                    lines, values = columns[name]
                except KeyError:
                    lines, values = columns[name] = array("q"), array("d")
                lines.append(index)
                values.append(value)

    def column(self, split: str, name: str) -> Column:
        """A quantity; of length 0 where it was never recorded."""
        with self._lock:
            column = self._values.get(split, {}).get(name)
            if column is None:
                return Column(np.empty(0), np.empty(0), np.empty(0))
            # Copies, and by one reader at a time: an array that something looks into cannot grow.
            epochs, steps = (np.array(part) for part in self._where[split])
            lines, values = (np.array(part) for part in column)
        return Column(epochs[lines], steps[lines], values)

    def names(self, split: str) -> list[str]:
        """What was recorded on a split, in the order in which it first was."""
        with self._lock:
            return list(self._values.get(split, {}))

    @property
    def epochs_per_step(self) -> float | None:
        """How much of an epoch one step is, by the last line with a step above 0; None before."""
        with self._lock:
            for epochs, steps in self._where.values():
                for epoch, step in zip(reversed(epochs), reversed(steps), strict=True):
                    if step > 0 and np.isfinite(epoch):
                        return epoch / step
        return None

    def __len__(self) -> int:
        """How many lines were taken."""
        return sum(len(epochs) for epochs, _ in self._where.values())

    def _note(self, row: Mapping[str, Any], request: Any) -> None:
        """Keep what a "set" request changed."""
        if isinstance(request, Mapping) and request.get("action") == "set":
            for field, value in (request.get("set") or {}).items():
                self.changes.append(Change(float(row["epoch"]), str(field), float(value)))


def _double(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def thinned(x: Doubles, y: Doubles, most: int = MOST_POINTS) -> tuple[Doubles, Doubles]:
    """A line [M] of at most about `most` points, without a spike lost: of each of `most` / 2 stretches the lowest and the
    highest, and both ends.
    """
    if len(x) <= most:
        return x, y
    count = most // 2
    size, longer = divmod(len(x), count)  # the first stretches have one point more
    edge = longer * (size + 1)
    extremes = np.concatenate([
        [0, len(x) - 1],
        _extremes(y[:edge].reshape(longer, size + 1), 0),
        _extremes(y[edge:].reshape(count - longer, size), edge),
    ])  # fmt: skip
    kept = np.unique(extremes)
    return x[kept], y[kept]


def _extremes(stretches: Doubles, start: int) -> NDArray[np.int64]:
    """Indices of the lowest and the highest finite value of each row [R, L], counted from `start`; none for a row without."""
    sound = np.isfinite(stretches)
    low = np.where(sound, stretches, np.inf).argmin(1) if stretches.size else np.empty(0, np.int64)
    high = np.where(sound, stretches, -np.inf).argmax(1) if stretches.size else np.empty(0, np.int64)
    rows = np.flatnonzero(sound.any(1))
    first = start + rows * stretches.shape[1]
    return np.concatenate([first + low[rows], first + high[rows]]).astype(np.int64)
