"""The requests of the browser: what every one passes before the page sees it, and what the page's components fetch by themselves.

/lab/picture/KIND/STEP?run=NAME           a sample grid or reconstructions of a step, as the run folder holds it; of a GAN also
                                          where its generated images should change; some tiles of the newest samples
/lab/now?run=NAME&after=STAMP             what there is of a run; nothing (204) where that is what the stamp stands for
/lab/networks?run=NAME&after=STAMP        its newest encoder and decoder, likewise
/lab/explorer?run=NAME&run=NAME…          the content of the live explorer for these runs
/lab/plane?run=NAME&after=N               what a run of points recorded of the plane, from its frame N on

So no picture travels through a rerun of the page. Streamlit checks the Host header of its own channel only, so that a page of
somebody's else (DNS rebinding) could still read files; here every route is behind one door. The content security policy lets
the page ask no other host for anything.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import reworded
from latentlab.runs import checkpoints, frames
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import read_arrays
from latentlab.show.charts.panels import Lines
from latentlab.show.charts.payload import chart_data, chart_table, chart_words
from latentlab.show.explorer.content import explorer_content
from latentlab.studio import moments
from latentlab.studio.library import READER, Library, here, without_paths
from latentlab.studio.overview import overview
from latentlab.studio.watch import panels_of, standing

COOKIE = "latentlab_token"
REMEMBERED_SECONDS = 400 * 86_400  # of a reader, whose answers are found again: the most that browsers allow
UPLOADS = "/_stcore/upload_file"
# Streamlit's own page needs inline styles, blob modules (components) and eval (its chart library and WebAssembly).
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware. `hosts` are the names by which the page may be asked for; `token` is None where only this machine asks."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], token: str | None) -> None:
        self.app, self.hosts, self.token = app, frozenset(host.lower() for host in hosts), token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refused = self._answer(HTTPConnection(scope))
        if refused is None:
            try:
                await self.app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
            except (WebSocketDisconnect, WebSocketDisconnected):
                pass  # a tab that was closed while something was sent to it
        elif scope["type"] == "http":
            await refused(scope, receive, _with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 4403})

    def _answer(self, asked: HTTPConnection) -> Response | None:
        """What is said instead of the page; None where the request may pass."""
        host = asked.headers.get("host", "")
        if hostname(host) not in self.hosts:
            names = ", ".join(sorted(self.hosts))
            return PlainTextResponse(f"The studio answers to {names} only. Got {host[:100]!r}.", 403)
        origin = asked.headers.get("origin")
        changing = asked.scope["type"] == "websocket" or asked.scope.get("method") not in ("GET", "HEAD", "OPTIONS")
        if changing and origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return PlainTextResponse(f"The studio is steered from its own page only. Got {origin[:100]!r}.", 403)
        if asked.url.path.startswith(UPLOADS):
            return PlainTextResponse("The studio takes no uploads.", 403)
        return None if self.token is None else self._identified(asked, self.token)

    def _identified(self, asked: HTTPConnection, token: str) -> Response | None:
        given = asked.query_params.get("token")
        if given is not None and asked.scope["type"] == "http" and _same(given, token):
            rest = [(key, value) for key, value in parse_qsl(asked.url.query, keep_blank_values=True) if key != "token"]
            path = "/" + asked.url.path.lstrip("/\\")  # two slashes would name another host
            answer = RedirectResponse(path + ("?" + urlencode(rest) if rest else ""), 303)
            reader = asked.cookies.get(cookie(asked, READER)) or secrets.token_hex(16)
            answer.set_cookie(cookie(asked, READER), reader, REMEMBERED_SECONDS, httponly=True, samesite="strict", path="/")
            answer.set_cookie(cookie(asked), proof(token), httponly=True, samesite="strict", path="/")
            return answer
        if _same(asked.cookies.get(cookie(asked), ""), proof(token)):
            return None
        return PlainTextResponse("This studio asks for a token: open the address that it printed when it was started.", 403)


def cookie(asked: HTTPConnection, name: str = COOKIE) -> str:
    """A cookie's name: two studios of one host, on two ports, have one each."""
    return f"{name}_{asked.url.port or 80}"


def proof(token: str) -> str:
    """What a browser keeps instead of the token, which does not follow from it."""
    return hmac.new(token.encode(), COOKIE.encode(), "sha256").hexdigest()


def hostname(host: str) -> str:
    """The name in a Host header, without its port: "127.0.0.1:8501" and "[::1]:8501" give 127.0.0.1 and ::1."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in HEADERS}
            headers = [pair for pair in message.get("headers", []) if pair[0].lower() not in own] + list(HEADERS)
            message = {**message, "headers": headers}
        await send(message)

    return sent


# What the page's components fetch.

KINDS = ("samples", "reconstructions", "change", "tiles")
FRESH = {"Cache-Control": "private, no-cache"}
STAMPED = {"Cache-Control": "private, max-age=31536000, immutable"}  # at an address that holds when it was drawn
MOST_RUNS = 8  # in one explorer
MOST_FRAMES = 257  # in one answer

Answer = Callable[[Request], Response]


def in_plain_text(answer: Answer) -> Answer:
    """A LabError becomes a one-line answer of status 404, as plain text; so does a file that a run has just taken away."""

    def answered(asked: Request) -> Response:
        try:
            return answer(asked)
        except (LabError, FileNotFoundError) as error:
            return PlainTextResponse(without_paths(str(error)), 404)

    return answered


@in_plain_text
def picture(asked: Request) -> Response:
    """One file of samples/ or reconstructions/. A step's picture may be drawn again by a resumed run: the browser asks anew."""
    kind, step = asked.path_params["kind"], asked.path_params["step"]
    if kind not in KINDS or not re.fullmatch(r"\d{1,8}", step):
        raise refusal("a picture", "samples or reconstructions of a step", f"{kind}/{step}")
    run, name = here().look(asked.query_params.get("run", "")), f"step-{int(step):08d}"
    path = run.moments / f"{name}.npz" if kind == "change" else run.path / ("samples" if kind == "tiles" else kind) / f"{name}.png"
    if not path.is_file():
        raise refusal("a step", "one that has a picture", int(step))
    if kind == "tiles":
        return Response(moments.tiles(run, path), media_type="image/png", headers=STAMPED if "at" in asked.query_params else FRESH)
    if kind == "change":
        if (gradient := read_arrays(path).get("gradient")) is None:
            raise refusal("a run", "one with a discriminator", name)
        return Response(moments.change(gradient), media_type="image/png", headers=FRESH)
    return FileResponse(path, media_type="image/png", headers=FRESH)


def renewed(tell: Callable[[RunFolder, str], dict[str, Any] | None]) -> Answer:
    """An answer as JSON, or 204 where a page has the newest already."""

    def answered(asked: Request) -> Response:
        told = tell(here().open(asked.query_params.get("run", "")), asked.query_params.get("after", ""))
        return Response(status_code=204) if told is None else JSONResponse(told, headers=FRESH)

    return in_plain_text(answered)


@in_plain_text
def explorer(asked: Request) -> Response:
    """The explorer's content as JSON."""
    names = asked.query_params.getlist("run")
    if not 1 <= len(names) <= MOST_RUNS:
        raise refusal("runs to explore", f"1 to {MOST_RUNS} names", len(names))
    return Response(explorer_text(here(), tuple(names)), media_type="application/json", headers=FRESH)


@in_plain_text
def plane(asked: Request) -> Response:
    """How a run of points is, a line of JSON; then the frames that it recorded after the first `after`, of which the last has the `crc`.

    With its main curve, where that has other `rows` than were told.
    """
    given = asked.query_params
    run = overview(here(), given.get("run", ""))
    path, after, lang = (
        run.path / frames.NAME,
        int(given["after"]) if re.fullmatch(r"[0-9]{1,8}", given.get("after", "")) else 0,
        given.get("lang", "en"),
    )
    known, start = frames.read(path, max(0, after - 1), MOST_FRAMES), after
    if known is not None and after and not (len(known.frames) and str(known.frames[0]["crc"]) == given.get("crc")):
        known, start = frames.read(path, 0, MOST_FRAMES), 0  # those frames are gone: the run was resumed, or has become long
    told = {
        "state": standing(run), "mode": run.status.get("mode", "fast"), "phase": run.status.get("phase"), "step": run.step, "start": start,
        "message": reworded(run.message, lang) or without_paths(run.message), "count": 0 if known is None else frames.count(path),
    }  # fmt: skip
    if known is not None and not start:
        told["head"] = {"box": known.head["box"].tolist(), "real": known.head["real"].ravel().tolist()}
    panel = next(iter(panels_of(run)), None)
    if isinstance(panel, Lines) and given.get("rows") != (rows := str(run.last.get("step"))) + run.state:
        told |= {"rows": rows + run.state, "chart": [chart_data(panel), chart_words(panel, lang) | {"table": chart_table(panel, lang)}]}
    content = b"" if known is None else known.frames[1 if start else 0 :].tobytes()
    return Response(json.dumps(told).encode() + b"\n" + content, media_type="application/octet-stream", headers=FRESH)


ROUTES = [
    # It was a page of its own, and is linked to as one.
    Route("/generate", lambda asked: RedirectResponse(f"/explore?{urlencode([*asked.query_params.multi_items(), ('part', 'generate')])}")),
    Route("/lab/picture/{kind}/{step}", picture),
    Route("/lab/now", renewed(moments.now)),
    Route("/lab/networks", renewed(moments.networks)),
    Route("/lab/explorer", explorer),
    Route("/lab/plane", plane),
]


# The live explorer's content for runs, kept as long as their checkpoints and codes stay what they are.

KEPT = 4  # contents in memory, some MB each
Stamp = tuple[tuple[str, str, int, int, int], ...]

_lock = threading.Lock()


def stamp(library: Library, names: tuple[str, ...]) -> Stamp:
    """What the content of these runs is made of: (name, newest checkpoint, when it and the codes were written) of each."""
    return tuple((name, *_of(library.look(name))) for name in names)


def _of(folder: RunFolder) -> tuple[str, int, int, int]:
    codes = folder.path / "latents.npz"
    return *checkpoints.stamp(folder.checkpoints), codes.stat().st_mtime_ns if codes.is_file() else 0


def explorer_text(library: Library, names: tuple[str, ...]) -> str:
    """The content as JSON, with "left_out": one line for each run or part that cannot be shown. Raises LabError for a run
    that there is not.

    Weights are fp16: nothing is sent over a network, and a difference of one grey level is the most that can be seen.
    """
    with _lock:  # a second tab waits for the first one's content instead of packing it again
        return _packed(replace(library, reader=""), stamp(library, names))


@lru_cache(KEPT)
def _packed(library: Library, made_of: Stamp) -> str:
    said: list[str] = []
    content = explorer_content({name: library.look(name) for name, *_ in made_of}, {}, "fp16", said.append, encoders=True)
    return json.dumps(content | {"left_out": [without_paths(line) for line in said]}, separators=(",", ":"))
