"""A studio that listens: the command as a user types it, on a port of its own."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import PATIENCE


@contextmanager
def studio(runs: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of a studio over a folder of runs; it is ended afterwards. What it started goes on."""
    process = begin(runs, *options, **environment)
    try:
        yield address_of(process)
    finally:
        end(process)


def begin(runs: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "latentlab", "studio", "--no-browser", "--runs", str(runs), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1"} | environment,
    )


def address_of(process: subprocess.Popen[str]) -> str:
    """What it prints once it listens."""
    said, until = "", time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        if ready:
            said += process.stdout.readline()
            if found := re.search(r"latentlab studio: (\S+)", said):
                assert said.count("http") == 1, said  # Streamlit's own words would give an address without its token
                return found[1]
    raise AssertionError(f"the studio did not start: {said}")


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    process.stdout.close()
