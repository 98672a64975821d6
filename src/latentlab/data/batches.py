"""Which images make up a batch: a pure function of the seed and of how many images have been read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal
from latentlab.seeding import numpy_generator


@lru_cache(maxsize=4)  # the current epoch and the next, for two sizes at once
def _permutation(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    order = numpy_generator(seed, "order", epoch).permutation(size).astype(np.int64, copy=False)
    order.setflags(write=False)
    return order


def batch_indices(seed: int, position: int, count: int, size: int) -> NDArray[np.int64]:
    """Rows [position, position + count) of the endless sequence made of one permutation of range(size) per epoch: int64 [count].

    The permutation of epoch e is drawn from (seed, "order", e). A batch may reach over an epoch's end, and may be
    larger than the set. Raises LabError for a negative position or count and for an empty set.
    """
    for name, value, least in (("position", position, 0), ("count", count, 0), ("size", size, 1)):
        if value < least:
            raise refusal(f"{name} of batch_indices", f"at least {least}", value)
    rows = np.empty(count, np.int64)
    done = 0
    while done < count:
        epoch, offset = divmod(position + done, size)
        piece = _permutation(seed, epoch, size)[offset : offset + count - done]
        rows[done : done + len(piece)] = piece
        done += len(piece)
    return rows
