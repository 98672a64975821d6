"""How the series of a panel look, alike in figure files and on pages: a hue, and a dash and a mark so that nothing is
told by colour alone. No matplotlib here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from latentlab.figures import style
from latentlab.panels import Series

KINDS = ("ae", "vae", "gan", "gan-from-vae", "real")
# For series of no family: apart from the families' hues, from each other also for colour-blind readers (by lightness
# too), each at least 3:1 on white. `charts/static/charts.css` has the same, and lighter ones for dark pages.
FREE = ("#473ba3", "#a87208", "#0d8087", "#8c2250", "#66707e", "#6b7a12")
HUES = {**style.FAMILY, "real": style.INK} | {str(place): hue for place, hue in enumerate(FREE, 1)}
DASHES = 6  # dash 0 is a solid line
MARKS = 8  # 0 circle, 1 square, 2 triangle, 3 diamond, 4 triangle down, 5 plus, 6 cross, 7 ring


class Look(NamedTuple):
    """`hue` is a key of HUES; `dash` and `mark` count from 0; no two of a panel share hue, dash and mark."""

    hue: str
    dash: int
    mark: int


def looks(series: Sequence[Series]) -> list[Look]:
    """The look of each series of a panel: a kind keeps its hue and mark in every panel, repeated kinds take other dashes.

    >>> from latentlab.panels import Phrase
    >>> looks([Series(Phrase("a"), (), kind=kind) for kind in ("vae", "vae", "", "")])
    [Look(hue='vae', dash=0, mark=1), Look(hue='vae', dash=1, mark=0), Look(hue='1', dash=0, mark=2), Look(hue='2', dash=1, mark=3)]
    """
    kept = {KINDS.index(one.kind) for one in series if one.kind}
    free = itertools.cycle([mark for mark in range(MARKS) if mark not in kept])
    seen: Counter[str] = Counter()
    found = []
    for one in series:
        times = seen[one.kind]
        seen[one.kind] += 1
        mark = KINDS.index(one.kind) if one.kind and not times else next(free)
        found.append(Look(one.kind or str(times % len(FREE) + 1), times % DASHES, mark))
    return found
