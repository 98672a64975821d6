"""Curves of an experiment's arms, read from the val rows of their runs. Axes: S seeds, P points of a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import LabError
from latentlab.runs import RunFolder

Doubles = NDArray[np.float64]
MEASURES = ("frechet", "kid", "class_reverse_kl_nats", "recall")
HIGHER_IS_BETTER = ("recall",)
ARMS = ("scratch", "warm", "frozen")
POINTS = (1.0, 3.0, 10.0)  # epochs at which arms are compared


@dataclass(frozen=True)
class Curves:
    """What the runs of one arm measured: seed by seed at the same points."""

    steps: NDArray[np.int64]  # [P]
    images_seen: NDArray[np.int64]  # [P]
    epochs: Doubles  # [P]
    values: Mapping[str, Doubles]  # measure → [S, P]
    seconds: Doubles  # [S], of training, at the end

    def at(self, measure: str, epoch: float) -> Doubles | None:
        """The values of every seed at the first point that has at least so many epochs, [S]; None when the curve ends before."""
        place = int(np.searchsorted(self.epochs, epoch - 1e-9))
        return self.values[measure][:, place] if place < len(self.epochs) else None


def read_curves(folders: Sequence[Path]) -> Curves:
    """The curves of one arm. Raises LabError when its runs were not measured at the same steps."""
    rows = [[row for row in RunFolder(path).metrics() if row["split"] == "val" and "kid" in row] for path in folders]
    seen = {row["extractor"] for run in rows for row in run}
    if len(seen) > 1:
        raise LabError(f"the runs of an arm must be seen by one extractor, but {' and '.join(sorted(seen))} looked. Give --fresh.")
    steps = [[row["step"] for row in run] for run in rows]
    if not steps[0] or any(other != steps[0] for other in steps):
        raise LabError(f"the runs of an arm must be measured at the same steps. {folders[0]} and its siblings were not. Give --fresh.")
    shared = [m for m in MEASURES if all(m in row for run in rows for row in run)]
    values = {m: np.array([[np.inf if row[m] is None else row[m] for row in run] for run in rows], np.float64) for m in shared}
    first = rows[0]
    return Curves(
        steps=np.array(steps[0], np.int64),
        images_seen=np.array([row["images_seen"] for row in first], np.int64),
        epochs=np.array([row["epoch"] for row in first], np.float64),
        values=values,
        seconds=np.array([run[-1]["seconds"] for run in rows], np.float64),
    )


def extractor_of(folder: Path) -> tuple[str, int]:
    """By which extractor, and from how many samples, a run's rows were measured."""
    row: dict[str, Any] = next(row for row in RunFolder(folder).metrics() if "extractor" in row)
    return str(row["extractor"]), int(row["samples"])
