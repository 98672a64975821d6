"""Samples from trained runs. The networks are in a process of their own, because the page loads no torch; it is kept for a while."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from latentlab.base.errors import LabError
from latentlab.base.images import Images

DEADLINE_SECONDS = 300.0  # of one question: others wait for it
IDLE_SECONDS = 600.0  # then the process is ended; the next question starts another

Prior = Literal["standard", "gmm"]


class Sampler:
    """The process that draws. One question at a time, whoever asks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.timer: threading.Timer | None = None

    def draw(self, run: Path, count: int, seed: int, prior: Prior = "standard", truncation: float | None = None) -> Images:
        """`count` images uint8 [count, H, W, C], those of `latentlab sample`. Raises LabError as it does."""
        question = {"run": str(run), "count": count, "seed": seed, "prior": prior, "truncation": truncation}
        with self.lock:
            found = self._ask(question)
            self._rest()
        if isinstance(found, str):
            raise LabError(found)
        return found

    def warm(self) -> None:
        """Start the process, so that the first question need not wait for torch."""
        with self.lock:
            self._started()
            self._rest()

    def close(self) -> None:
        """End the process."""
        with self.lock:
            self._end()

    def _ask(self, question: dict[str, Any]) -> Images | str:
        for _ in range(2):  # a process that has been killed since is replaced once
            process = self._started()
            began = time.monotonic()
            late = threading.Timer(DEADLINE_SECONDS, process.kill)
            late.daemon = True  # Ctrl-C does not wait for it
            late.start()
            try:
                return _answer(process, question)
            except (OSError, ValueError, KeyError):
                self._end()
                if time.monotonic() - began >= DEADLINE_SECONDS:
                    return f"the samples took more than {DEADLINE_SECONDS:.0f} seconds. Ask for fewer, or use `latentlab sample`."
            finally:
                late.cancel()
        return "the process that draws samples ended twice without an answer. `latentlab sample` on the command line says why."

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self._end()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "latentlab.cli.drawing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
                start_new_session=os.name != "nt",  # Ctrl-C is for the page; this process ends when its stdin does
            )
        return self.process

    def _rest(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = threading.Timer(IDLE_SECONDS, self.close)
        self.timer.daemon = True
        self.timer.start()

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was asked last is lost with the process
        process.terminate()
        process.wait()


def _answer(process: subprocess.Popen[bytes], question: dict[str, Any]) -> Images | str:
    """What a process says to a question: images, or why it refuses. Raises OSError, ValueError or KeyError when it ends instead."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    process.stdin.write(json.dumps(question).encode() + b"\n")
    process.stdin.flush()
    head = json.loads(process.stdout.readline())
    if "refused" in head:
        return str(head["refused"])
    content = process.stdout.read(math.prod(head["shape"]))
    return np.frombuffer(content, np.uint8).reshape(head["shape"])
