"""The live explorer's content for runs, kept as long as their checkpoints and codes stay what they are."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from pathlib import Path

from latentlab import checkpoints
from latentlab.explorer.content import explorer_content
from latentlab.runs import RunFolder
from latentlab.studio.place import Place

KEPT = 4  # contents in memory, some MB each
Stamp = tuple[tuple[str, str, int, int, int], ...]

_kept: OrderedDict[tuple[Path, Stamp], str] = OrderedDict()
_lock = threading.Lock()


def stamp(place: Place, names: tuple[str, ...]) -> Stamp:
    """What the content of these runs is made of: (name, newest checkpoint, when it and the codes were written) of each."""
    return tuple((name, *_of(place.open(name))) for name in names)


def _of(folder: RunFolder) -> tuple[str, int, int, int]:
    codes = folder.path / "latents.npz"
    return *checkpoints.stamp(folder.checkpoints), codes.stat().st_mtime_ns if codes.is_file() else 0


def explorer_text(place: Place, names: tuple[str, ...]) -> str:
    """The content as JSON, with "left_out": one line for each run or part that cannot be shown. Raises LabError for a run
    that there is not.

    Weights are fp16: nothing is sent over a network, and a difference of one grey level is the most that can be seen.
    """
    key = (place.runs, stamp(place, names))
    with _lock:  # a second tab waits for the first one's content instead of packing it again
        if key not in _kept:
            said: list[str] = []
            content = explorer_content({name: place.open(name) for name in names}, {}, "fp16", said.append, encoders=True)
            _kept[key] = json.dumps(content | {"left_out": said}, separators=(",", ":"))
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]
