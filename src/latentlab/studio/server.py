"""Starting the studio: Streamlit behind the guard, on this machine's own address unless it is told otherwise."""

from __future__ import annotations

import errno
import importlib
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import refusal
from latentlab.studio.library import Library

if TYPE_CHECKING:
    from streamlit.web.server.starlette import App


OWN = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost")
FIRST_PORT, PORTS = 8501, 20  # tried in turn when none is named
SCRIPT = Path(__file__).with_name("app.py")
# The report's colours, light and dark: ink on warm paper.
LIGHT = {
    "primaryColor": "#7a5a17",
    "backgroundColor": "#fbfaf7",
    "secondaryBackgroundColor": "#f1eee6",
    "textColor": "#141413",  # a little darker than the report's ink: Streamlit thins it to 60 % for captions
    "borderColor": "#dcd7cb",
    "linkColor": "#7a5a17",
}
DARK = {
    "primaryColor": "#9a6f1a",
    "backgroundColor": "#17181b",
    "secondaryBackgroundColor": "#232428",
    "textColor": "#e7e4dd",
    "borderColor": "#3a3b40",
    "linkColor": "#d9b568",
}
SHARED = {
    "baseRadius": "6px",
    "showWidgetBorder": True,
    "headingFontSizes": ["2rem", "1.45rem", "1.15rem", "1rem", "0.95rem", "0.9rem"],
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "paddingTop": "1.2rem",
}


shared: dict[str, str | None] = {}  # with the pages, which run in this process: the token, that a link to be sent needs


@dataclass(frozen=True)
class Address:
    """Where the studio listens. `token` is what others than this machine must know; None on this machine's own address."""

    host: str
    port: int
    token: str | None

    @property
    def page(self) -> str:
        """What to type into a browser."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}/" + (f"?token={self.token}" if self.token else "")


def address(port: int | None, expose: str | None = None, token: str | None = None) -> Address:
    """A free address. Raises LabError for one that this machine has not, and for a port that is taken."""
    host = expose or OWN
    if expose is not None and expose in ("0.0.0.0", "::", ""):
        raise refusal("--expose", "the address or name by which others reach this machine, such as 192.168.1.20", expose)
    for candidate in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS):
        problem = _listen(host, candidate)
        if problem is None:
            return Address(host, candidate, (token or secrets.token_urlsafe(24)) if expose is not None else None)
        if problem != errno.EADDRINUSE and problem != errno.EACCES:
            raise refusal("--expose", "an address or name of this machine", host)
    taken = port if port is not None else f"{FIRST_PORT} to {FIRST_PORT + PORTS - 1}, all taken"
    raise refusal("--port", "a free port above 1023", taken, "Name another, or leave it out.")


def _listen(host: str, port: int) -> int | None:
    """The error's number when nothing can listen there; None when it can."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        return error.errno or -1
    return None


def options(at: Address) -> dict[str, Any]:
    """Streamlit's settings: nothing leaves this machine, no uploads, no watching of files, our look."""
    theme = {f"theme.{name}": value for name, value in SHARED.items()}
    theme |= {f"theme.light.{name}": value for name, value in LIGHT.items()}
    theme |= {f"theme.dark.{name}": value for name, value in DARK.items()}
    return theme | {
        "server.address": at.host,
        "server.port": at.port,
        "server.allowedHosts": _hosts(at),
        "server.headless": True,  # the browser is opened here: Streamlit's way asks for an e-mail address first
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "runner.postScriptGC": False,  # a whole collection after each tick took most of what an open page cost the machine
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.level": "error",
        "logger.hideWelcomeMessage": True,  # its addresses lack the token
    }


def _hosts(at: Address) -> list[str]:
    return list(HOSTS) if at.token is None else [at.host]


def application(at: Address, started: Any = None) -> App:
    """The page with its routes, behind the guard. `started` is called once it listens."""
    import streamlit as st
    from starlette.middleware import Middleware

    from latentlab.studio.routes import ROUTES, Guard

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        if started is not None:
            threading.Timer(0.3, started).start()
        yield

    guard = Middleware(Guard, hosts=_hosts(at), token=at.token)
    return st.App(SCRIPT, routes=ROUTES, middleware=[guard], lifespan=lifespan)


def warm() -> None:
    """Do what the first reader would wait for: read the first page's images, measure this machine, load what Streamlit loads when a
    component is first drawn."""
    from latentlab.config.parts import DataConfig
    from latentlab.studio import datasets as sources
    from latentlab.studio import estimate

    with suppress(RuntimeError):  # the server was ended before the libraries were there
        sources.preview(DataConfig())
        importlib.import_module("pandas")
        estimate.products()


def serve(library: Library, at: Address, open_browser: bool = True) -> None:
    """Serve until Ctrl-C. Training that was started goes on after that."""
    library.runs.mkdir(parents=True, exist_ok=True)
    library.remember(at.token is not None)

    def started() -> None:
        print(f"latentlab studio: {at.page}", flush=True)
        if at.token is not None:
            print("Whoever has this address can train and delete runs here; what is sent is not encrypted.", file=sys.stderr, flush=True)
        if open_browser:
            webbrowser.open(at.page)
        warm()

    shared["token"] = at.token
    page = application(at, started)
    importlib.import_module("latentlab.studio.views.train")  # which the first reader would wait for
    page.run(config=options(at))
