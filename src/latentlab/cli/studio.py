"""`latentlab studio`: the page in the browser.

`python -m latentlab.cli.studio TASK` runs the command of a task's folder and writes down how it ended. The studio starts this
instead of the command itself, so that the end of a process that nobody waits for is known.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.base.errors import LabError, refusal
from latentlab.base.signals import Interrupted
from latentlab.cli import main, say
from latentlab.cli.parser import Parser, add_trust, add_value
from latentlab.runs.code import TRUST

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
    add_value(parser, "--port", int, "port; default the first free one from 8501 on", minimum=1, maximum=65_535)
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of runs (runs)")
    parser.add_argument("--data-root", metavar="DIR", help="data root; default LATENTLAB_DATA, else the platform's cache folder")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    parser.add_argument(
        "--expose", metavar="ADDRESS", help="listen on this address or name of the machine for others too; a token is asked for"
    )
    parser.add_argument("--token-file", metavar="FILE", help="file with the token that --expose asks for; default a new one each time")
    add_trust(parser, "DIR/…/own")
    options = parser.parse(arguments)
    if options.trust:
        os.environ[TRUST] = "1"  # for the processes that it starts
    token = read_token(options.token_file, options.expose)
    runs = Path(options.runs).expanduser().absolute()
    nearest = next(path for path in (runs, *runs.parents) if path.exists())
    if not nearest.is_dir():
        raise refusal("--runs", "a folder, there or to be made", options.runs)
    if importlib.util.find_spec("streamlit") is None:
        raise LabError("latentlab studio needs Streamlit, which is not installed. Run `make studio`, or `pip install 'latentlab[studio]'`.")
    from latentlab.studio.library import Library
    from latentlab.studio.server import address, serve

    library = Library(runs, None if options.data_root is None else str(Path(options.data_root).expanduser().absolute()))
    at = address(options.port, options.expose, token)
    status = 0
    try:
        serve(library, at, not options.no_browser)
    except Interrupted as error:
        status = 128 + error.number
    say(f"the page is closed; {going_on(library)}.")
    return status


def going_on(library: Library) -> str:
    """What goes on without the page, in words."""
    from latentlab.studio.tasks import tasks

    names = [task.subject for task in tasks(library) if task.state == "running"]
    return f"{', '.join(names)} {'goes' if len(names) == 1 else 'go'} on without it" if names else "nothing that it started runs"


def read_token(file: str | None, expose: str | None) -> str | None:
    """The token in a file: on the command line every user of the machine could read it. Raises LabError for one that is easily
    guessed or cannot stand in an address, and for a file without --expose."""
    if file is None:
        return None
    if expose is None:
        raise LabError("--token-file belongs to --expose ADDRESS: on 127.0.0.1 nobody is asked for a token. Leave it out.")
    try:
        token = Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise refusal("--token-file", "a text file that can be read", file) from None
    if len(token) < SHORTEST_TOKEN or not re.fullmatch(r"[\w.~-]+", token, re.ASCII):
        must_be = f"a file with at least {SHORTEST_TOKEN} letters, digits, - _ . or ~ in it"
        raise refusal("--token-file", must_be, file, "Leave it out for a random token.")
    return token


def run_task(path: Path) -> int:
    """Run the task in a folder, holding its lock."""
    from latentlab.runs.folder import RunFolder
    from latentlab.studio import tasks

    task = tasks.read(path)
    if task is None:
        say(f"{path} must hold a task.json. It holds none.")
        return 2
    status = 1  # of an error that is no LabError: Python prints it into the log
    with RunFolder(path).locked():
        tasks.began(path)
        try:
            status = main(task.arguments)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            tasks.ended(path, status)
    return status


if __name__ == "__main__":
    sys.exit(run_task(Path(sys.argv[1])))
