"""Running `latentlab` as a user does: a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = [
    "--data", "digits", "--data.train-images", "96", "--batch-size", "16", "--threads", "1", "--latent-dim", "3",
    "--train.checkpoint-seconds", "0", "--train.log-steps", "3",
]  # fmt: skip


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """A running command with its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "latentlab", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUTF8": "1"},
        **options,
    )


def run(*arguments: object, status: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
    """A finished command that must exit with `status`."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=240)
    assert process.returncode == status, f"{arguments} exited with {process.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return subprocess.CompletedProcess(arguments, status, out, err)


def refusal(*arguments: object, **options: object) -> str:
    """The one line on stderr of a command that must exit with 2 and write nothing to stdout."""
    done = run(*arguments, status=2, **options)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("latentlab: ")
    return lines[0]


def refusal_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """`refusal` in this process, which has torch loaded already: for long lists of wrong input."""
    from latentlab.cli import main

    before = signal.getsignal(signal.SIGTERM)
    capsys.readouterr()
    try:
        status = main(list(map(str, arguments)))
    finally:
        signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr()
    assert (status, said.out) == (2, ""), said
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("latentlab: ")
    return lines[0]


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def metric_steps(path: Path) -> int:
    """How many steps the metrics of a run speak of."""
    from latentlab.runs.folder import RunFolder

    rows = RunFolder(path).metrics() if path.exists() else []
    return rows[-1]["step"] if rows else -1
