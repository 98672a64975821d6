"""`latentlab studio`: the page in the browser."""

from __future__ import annotations

import importlib.util
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.base.errors import LabError, refusal
from latentlab.cli.parser import Parser, whole

if TYPE_CHECKING:
    from latentlab.studio.library import Library


SHORTEST_TOKEN = 16


def command_studio(arguments: list[str]) -> int:
    """Open the studio."""
    parser = Parser(
        "studio",
        "Open the studio in the browser: train, watch, explore, generate, compare, learn. It listens on 127.0.0.1; Ctrl-C ends the page, "
        "and training that was started goes on.",
    )
    parser.add_argument("--port", metavar="N", help="port; default the first free one from 8501 on")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of runs (runs)")
    parser.add_argument("--data-root", metavar="DIR", help="data root; default LATENTLAB_DATA, else the platform's cache folder")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.add_argument(
        "--expose", metavar="ADDRESS", help="listen on this address or name of the machine for others too; a token is asked for"
    )
    parser.add_argument("--token", metavar="TEXT", help="the token that --expose asks for; default a new one each time")
    found = parser.parse(arguments)
    port = whole(found.port, "--port", 1, 65_535) if found.port is not None else None
    check_token(found.token, found.expose)
    runs = Path(found.runs).expanduser()
    nearest = next(path for path in (runs.absolute(), *runs.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise refusal("--runs", "a folder, there or to be made", found.runs)
    if importlib.util.find_spec("streamlit") is None:
        raise LabError("latentlab studio needs Streamlit, which is not installed. Run `make studio`, or `pip install 'latentlab[studio]'`.")
    from latentlab.cli import Interrupted
    from latentlab.studio.library import Library
    from latentlab.studio.server import address, serve

    library = Library(runs.absolute(), None if found.data_root is None else str(Path(found.data_root).expanduser().absolute()))
    at = address(port, found.expose, found.token)
    status = 0
    try:
        serve(library, at, not found.no_browser)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except Interrupted as error:
        status = 128 + error.number
    print(f"latentlab: the page is closed; {going_on(library)}.", file=sys.stderr)
    return status


def going_on(library: Library) -> str:
    """What goes on without the page, in words."""
    from latentlab.studio.tasks import tasks

    names = [task.subject for task in tasks(library) if task.state == "running"]
    return f"{', '.join(names)} {'goes' if len(names) == 1 else 'go'} on without it" if names else "nothing that it started runs"


def check_token(token: str | None, expose: str | None) -> None:
    """Raise LabError for a token that is easily guessed or cannot stand in an address, and for one without --expose."""
    if token is None:
        return
    if expose is None:
        raise LabError("--token belongs to --expose ADDRESS: on 127.0.0.1 nobody is asked for one. Leave it out.")
    if len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[\w.~-]+", token, re.ASCII):
        raise refusal("--token", f"at least {SHORTEST_TOKEN} letters, digits, - _ . or ~", token, "Leave it out for a random one.")
