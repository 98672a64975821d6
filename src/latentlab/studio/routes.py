"""What the page's components fetch by themselves, so that no picture travels through a rerun of the page.

/lab/picture/KIND/STEP?run=NAME           a sample grid or reconstructions of a step, as the run folder holds it
/lab/explorer?run=NAME&run=NAME…          the content of the live explorer for these runs
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from latentlab.base.errors import LabError, refusal
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.show.explorer.content import explorer_content
from latentlab.studio.library import Place, here

KINDS = ("samples", "reconstructions")
MOST_RUNS = 8  # in one explorer

Answer = Callable[[Request], Response]


def refused(answer: Answer) -> Answer:
    """A LabError becomes a one-line answer of status 404, as plain text."""

    def answered(asked: Request) -> Response:
        try:
            return answer(asked)
        except LabError as error:
            return PlainTextResponse(str(error), 404)

    return answered


@refused
def picture(asked: Request) -> Response:
    """One file of samples/ or reconstructions/. A step's picture may be drawn again by a resumed run: the browser asks anew."""
    kind, step = asked.path_params["kind"], asked.path_params["step"]
    if kind not in KINDS or not re.fullmatch(r"\d{1,8}", step):
        raise refusal("a picture", "samples or reconstructions of a step", f"{kind}/{step}")
    path = here().open(asked.query_params.get("run", "")).path / kind / f"step-{int(step):08d}.png"
    if not path.is_file():
        raise refusal("a step", "one that has a picture", int(step))
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, no-cache"})


@refused
def explorer(asked: Request) -> Response:
    """The explorer's content as JSON."""
    names = asked.query_params.getlist("run")
    if not 1 <= len(names) <= MOST_RUNS:
        raise refusal("runs to explore", f"1 to {MOST_RUNS} names", len(names))
    return Response(explorer_text(here(), tuple(names)), media_type="application/json", headers={"Cache-Control": "private, no-cache"})


ROUTES = [
    Route("/lab/picture/{kind}/{step}", picture),
    Route("/lab/explorer", explorer),
]


# The live explorer's content for runs, kept as long as their checkpoints and codes stay what they are.

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
