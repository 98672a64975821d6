"""A small https server on 127.0.0.1 for tests of downloads: it can drop connections, ignore ranges, redirect, and lie."""

from __future__ import annotations

import functools
import http.server
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

trustme = pytest.importorskip("trustme", reason="trustme makes the test server's certificate")


@functools.lru_cache(maxsize=1)
def authority() -> Any:
    """One certificate authority for the whole session."""
    return trustme.CA()


@dataclass
class HttpsServer:
    """Serves `files` (path to bytes) and records each request's path and Range header."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    drop_after: list[int] = field(default_factory=list)  # body bytes sent before the connection is cut, for each request in turn
    ranges: bool = True
    satisfiable: bool = True  # False: every Range is answered by 416
    shift: int = 0  # bytes by which a range is sent from another place than asked
    told_length: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def __enter__(self) -> HttpsServer:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority().issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base address, with a slash at its end."""
        return f"https://127.0.0.1:{self._server.server_address[1]}/"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """One GET."""
        asked = request.headers.get("Range")
        self.requests.append((request.path, asked))
        if request.path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[request.path])
            request.end_headers()
            return
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        start += self.shift if start else 0
        if start and (start >= len(content) or not self.satisfiable):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.told_length:
            request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        body = content[start:]
        cut = self.drop_after.pop(0) if self.drop_after else len(body)
        request.wfile.write(body[:cut])
        request.wfile.flush()
        request.close_connection = True


def trust(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let this process trust the test servers, the way a user would: by SSL_CERT_FILE."""
    bundle = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
