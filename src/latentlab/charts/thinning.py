"""Long lines for a screen: fewer points, and no spike lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1_200  # of one line on a page

Doubles = NDArray[np.float64]


def thinned(x: Doubles, y: Doubles, most: int = MOST_POINTS) -> tuple[Doubles, Doubles]:
    """A line [M] of at most about `most` points: of each of `most` / 2 stretches the lowest and the highest, and both ends."""
    if len(x) <= most:
        return x, y
    count = most // 2
    size, longer = divmod(len(x), count)  # the first stretches have one point more
    edge = longer * (size + 1)
    places = np.concatenate([
        [0, len(x) - 1],
        _extremes(y[:edge].reshape(longer, size + 1), 0),
        _extremes(y[edge:].reshape(count - longer, size), edge),
    ])  # fmt: skip
    kept = np.unique(places)
    return x[kept], y[kept]


def _extremes(stretches: Doubles, start: int) -> NDArray[np.int64]:
    """Places of the lowest and the highest finite value of each row [R, L], counted from `start`; none for a row without."""
    sound = np.isfinite(stretches)
    low = np.where(sound, stretches, np.inf).argmin(1) if stretches.size else np.empty(0, np.int64)
    high = np.where(sound, stretches, -np.inf).argmax(1) if stretches.size else np.empty(0, np.int64)
    rows = np.flatnonzero(sound.any(1))
    first = start + rows * stretches.shape[1]
    return np.concatenate([first + low[rows], first + high[rows]]).astype(np.int64)
