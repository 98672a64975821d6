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
from nursery import Nursed, takes

# Two latent units: the figure of a larger latent space loads scikit-learn, two seconds for each command that trains.
TINY = [
    "--data", "digits", "--data.train-images", "96", "--batch-size", "16", "--threads", "1", "--latent-dim", "2",
    "--train.checkpoint-seconds", "0", "--train.log-steps", "3",
]  # fmt: skip


PATIENCE = 300.0  # seconds after which something hangs; no test asks how fast a machine is
_started: list[subprocess.Popen[str]] = []


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """A running command with its output in pipes, in a group of its own, which `end_started` ends.

    It hears Ctrl-C where the tests do not: a shell's background jobs and many CI systems hand down that SIGINT is ignored.
    """
    if os.name != "nt":
        options |= {"process_group": 0, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(
        [sys.executable, "-m", "latentlab", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **{"env": os.environ | {"PYTHONUTF8": "1"}} | options,
    )
    _started.append(process)
    return process


def end_started() -> None:
    """End what a test started and left behind, with its own children."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill() if os.name == "nt" else os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def run(*arguments: object, status: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
    """A finished command that must exit with `status`. Where that is the same it is forked, not started: see `nursery`."""
    options = {"env": os.environ | {"PYTHONUTF8": "1"}} | options
    if takes(options):
        _started.append(process := Nursed(list(map(str, arguments)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options))
    else:
        process = start(*arguments, **options)
    out, err = process.communicate(timeout=PATIENCE)
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


def run_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must exit with 0 prints, in this process, which has torch loaded already: for the same verb again."""
    from latentlab.cli import main

    capsys.readouterr()
    assert main(list(map(str, arguments))) == 0
    return capsys.readouterr().out


def refusal_here(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """`refusal` in this process, which has torch loaded already: for long lists of wrong input."""
    from latentlab.cli import main

    capsys.readouterr()
    status = main(list(map(str, arguments)))
    said = capsys.readouterr()
    assert (status, said.out) == (2, ""), said
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("latentlab: ")
    return lines[0]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def metric_steps(path: Path) -> int:
    """How many steps the metrics of a run speak of."""
    from latentlab.runs.folder import RunFolder

    rows = RunFolder(path).metrics() if path.exists() else []
    return rows[-1]["step"] if rows else -1
