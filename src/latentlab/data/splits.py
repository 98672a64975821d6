"""Train, val and test by content: equal images always fall on the same side, whatever they are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal


class Splits(NamedTuple):
    """Rows of the source that make up each split, and a line for the user where one is due."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    note: str | None = None


def by_content(digests: Sequence[str], val_share: float, test_share: float, name: str) -> Splits:
    """Splits of M images whose contents have the given sha256 [M].

    The U different contents are ranked by their digest. The first round(test_share U) are test, the next round(val_share U)
    val, each at least 1, the rest train; within a split the images keep that order, which is as good as shuffled. So the
    splits do not depend on file names, and k more images move at most k of the others over each of the two borders.

    With fewer than 3 different contents there is nothing to hold out: then the images are cut by position, and a note says so.
    Raises LabError for fewer than 3 images and for shares that leave no training image; `name` is the set's name in it.
    """
    if len(digests) < 3:
        raise refusal(name, "a set of at least 3 images, one each for train, val and test", len(digests), "Add images.")
    note = None
    groups: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        groups.setdefault(digest, []).append(row)
    if len(groups) < 3:
        count = "one content" if len(groups) == 1 else "two contents"
        note = f"{name} holds {len(digests)} images of only {count}: train, val and test share contents, so held-out scores mean nothing."
        ranked = [[row] for row in range(len(digests))]
    else:
        ranked = [groups[digest] for digest in sorted(groups)]
    test = max(1, round(test_share * len(ranked)))
    val = max(1, round(val_share * len(ranked)))
    if test + val >= len(ranked):
        raise refusal(
            "data.val_share and data.test_share",
            f"shares that leave a training image of {len(ranked)} different ones",
            (val_share, test_share),
            "Lower them, or add images.",
        )
    return Splits(_rows(ranked[test + val :]), _rows(ranked[test : test + val]), _rows(ranked[:test]), note)


def _rows(groups: list[list[int]]) -> NDArray[np.int64]:
    return np.array([row for group in groups for row in group], np.int64)
