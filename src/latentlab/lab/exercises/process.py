"""A student's file at work in a process of its own, with limits of time and memory. What comes back is arrays, which prove nothing yet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.exercises.operations import Arrays
from latentlab.lab.exercises.student import packed, read_message
from latentlab.lab.pool import limits, spawn

SECONDS, START_SECONDS = 30.0, 180.0  # for an answer; for loading the framework before the first
TOTAL_SECONDS = 300.0  # for all that is asked of a file
BYTES = {"torch": 3 << 30, "keras": 6 << 30}  # of memory
LOOK_SECONDS = 0.2


class Failed(Exception):
    """What a student's file was asked came to nothing: its own error, or a limit."""

    def __init__(self, why: Phrase) -> None:
        super().__init__(why.key)
        self.why = why


class Student(Protocol):
    """Somebody's file, which can be asked."""

    framework: str

    def ask(self, operation: str, arrays: Mapping[str, np.ndarray] = ..., **settings: Any) -> tuple[dict[str, Any], Arrays]:
        """What an operation of `student.py` gives. Raises Failed."""


class Process:
    """A student's file in a process of its own, which ends with the block."""

    def __init__(
        self,
        path: Path,
        seconds: float = SECONDS,
        size: int | None = None,
        polled: bool = sys.platform != "linux",
        framework: str = "torch",
    ) -> None:
        self.path, self.seconds, self.bytes, self.polled = path.resolve(), seconds, size or BYTES[framework], polled
        self.framework = framework
        self.process: subprocess.Popen[bytes] | None = None
        self.answers: Queue[tuple[dict[str, Any], Arrays] | None] = Queue()
        self.listener, self.left = Thread(), TOTAL_SECONDS

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def ask(self, operation: str, arrays: Mapping[str, np.ndarray] | None = None, **settings: Any) -> tuple[dict[str, Any], Arrays]:
        """See `Student.ask`. A process that reached a limit is ended; the next question starts another."""
        if self.process is None:
            self.process = self._started()
            self._answer(START_SECONDS)
        began = monotonic()
        message = packed({"operation": operation, **settings}, arrays or {})
        try:
            assert self.process.stdin is not None  # noqa: S101 - a pipe
            self.process.stdin.write(message)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; what follows says so
        header, found = self._answer(min(self.seconds, max(self.left, 0.0)))
        self.left -= monotonic() - began
        if "error" in header:
            raise Failed(Phrase("exercise.said.error", {"error": str(header["error"])}))
        return header, found

    def _started(self) -> subprocess.Popen[bytes]:
        # Nothing of a GPU: its driver reserves more addresses than the limit has.
        limit = 0 if self.polled else self.bytes
        command = [sys.executable, "-P", "-m", "latentlab.lab.exercises.student", str(self.path), str(limit or 1 << 62), self.framework]
        env = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "KERAS_BACKEND": "tensorflow"}
        process = spawn(command, env=env | limits(1), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answers: Queue[tuple[dict[str, Any], Arrays] | None] = Queue()
        self.answers, stream = answers, cast(BinaryIO, process.stdout)

        def listen() -> None:
            with stream:  # the thread's own: a file's child may hold the other end for longer than anybody waits
                try:
                    while True:
                        answers.put(read_message(stream))
                except Exception:  # it ended, or speaks something else
                    answers.put(None)

        self.listener = Thread(target=listen, daemon=True)
        self.listener.start()
        return process

    def _answer(self, patience: float) -> tuple[dict[str, Any], Arrays]:
        assert self.process is not None  # noqa: S101
        ends, why = monotonic() + patience, Phrase("exercise.said.ended", {"bytes": self.bytes / 1e9})
        while True:
            try:
                found = self.answers.get(timeout=LOOK_SECONDS)
            except Empty:
                if monotonic() > ends:
                    why = Phrase("exercise.said.seconds", {"seconds": patience})
                elif self.polled and memory(self.process.pid) > self.bytes:
                    why = Phrase("exercise.said.bytes", {"bytes": self.bytes / 1e9})
                else:
                    continue
                found = None
            if found is None:
                self.end()
                raise Failed(why)
            return found

    def end(self) -> None:
        """End it with everything that it started."""
        process, self.process = self.process, None
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - a pipe
        with suppress(BrokenPipeError):
            process.stdin.close()
        if os.name == "nt":
            process.kill()
        else:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own session: whatever it started too
        process.wait()
        self.listener.join(1.0)  # its pipe has ended, unless something that the file started holds it


def memory(pid: int) -> int:
    """Bytes that a process holds; 0 where that cannot be told."""
    command = ["ps", "-o", "rss=", "-p", str(pid)]
    if os.name == "nt":
        command = ["powershell", "-NoProfile", "-Command", f"[int]((Get-Process -Id {pid}).WorkingSet64 / 1KB)"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
        return int(told.strip() or 0) * 1024
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
