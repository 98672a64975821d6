"""What the page's components fetch by themselves, so that no picture travels through a rerun of the page.

/lab/picture/KIND/STEP?run=NAME           a sample grid or reconstructions of a step, as the run folder holds it
/lab/explorer?run=NAME&run=NAME…          the content of the live explorer for these runs
"""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from latentlab.errors import LabError, refusal
from latentlab.studio.explored import explorer_text
from latentlab.studio.place import here

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
