"""What every request passes before the page sees it: the host it names, its origin, a token where others may come, no uploads.

Streamlit checks the Host header of its own channel only, so that a page of somebody's else (DNS rebinding) could still read
files; here every route is behind one door. The content security policy lets the page ask no other host for anything.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

COOKIE = "latentlab_token"
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
            answer.set_cookie(cookie(asked), token, httponly=True, samesite="strict", path="/")
            return answer
        if _same(asked.cookies.get(cookie(asked), ""), token):
            return None
        return PlainTextResponse("This studio asks for a token: open the address that it printed when it was started.", 403)


def cookie(asked: HTTPConnection) -> str:
    """The cookie's name: two studios of one host, on two ports, have one each."""
    return f"{COOKIE}_{asked.url.port or 80}"


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
            changed: MutableMapping[str, Any] = dict(message)
            own = {name for name, _ in HEADERS}
            changed["headers"] = [pair for pair in message.get("headers", []) if pair[0].lower() not in own] + list(HEADERS)
            await send(changed)
        else:
            await send(message)

    return sent
