"""Processes that work side by side. No torch here: the studio starts processes too.

A `Pool` is all that the laboratory knows of where its runs go on, so that another one (a cluster's) may stand in its place.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal

from latentlab.base.errors import refusal

Where = Literal["here", "ray"]
Order = Mapping[str, Any]  # as JSON holds it
Answered = tuple[Order, dict[str, Any] | None]  # None: the worker ended instead


def spawn(command: Sequence[str], threads: int | None = None, **options: Any) -> subprocess.Popen[Any]:
    """Start a process that speaks UTF-8, says things at once, and computes with so many threads (None: as it likes).

    It has a session of its own: Ctrl-C in a terminal reaches this process alone, which passes it on once.
    """
    usual: dict[str, Any] = {
        "env": os.environ | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"} | ({} if threads is None else limits(threads)),
        "start_new_session": os.name != "nt",
        "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    }
    return subprocess.Popen(command, **usual | options)


def limits(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries compute with so many threads."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))


class Job:
    """A command that was started as a process of this machine."""

    lost = False  # whether it ended with the machine that it ran on, which says nothing of what it was to do

    def __init__(self, command: Sequence[str], log: Path, threads: int) -> None:
        self.log = log
        with open(log, "ab") as file:
            self.said_from = file.tell()
            self.process = spawn(command, threads, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)

    def status(self) -> int | None:
        """Its exit status, below 0 where a signal killed it; None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """Let it save and end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGTERM)  # type: ignore[attr-defined,unused-ignore]

    def kill(self) -> None:
        """End it now."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        """The last line that it said; of those in which latentlab says why it ends, the last."""
        with open(self.log, "rb") as log:
            log.seek(self.said_from)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        own = [line.removeprefix("latentlab: ") for line in lines if line.startswith("latentlab: ")]
        return (own or lines or [""])[-1]


class Pool:
    """Where commands and workers run: here, on this machine. Another pool overrides the functions, and `Job` with them.

    A command has a log and takes signals of its own; a worker has its libraries loaded once and does one order after the other.
    """

    def room(self, threads: int) -> int | None:
        """How many runs of so many threads go side by side; None: what this machine's cores hold, which is for the laboratory to say."""
        return None

    def start(self, command: Sequence[str], log: Path, threads: int, run: Path, reads: Sequence[Path] = ()) -> Job:
        """Start a command that computes with so many threads; what it says is added to a log. It makes a run, and reads others."""
        return Job(command, log, threads)

    def answers(self, program: Sequence[str], orders: deque[Order], log: Path, workers: int) -> Generator[Answered]:
        """Each order with its answer, as answers come, of so many workers of one thread each: a program, JSON by the line.

        The program is a module whose `answer` is what it does with a line.
        Orders that are taken out of `orders` meanwhile are not given any more. Workers are ended when the generator is left.
        """
        told: SimpleQueue[Answered | None] = SimpleQueue()
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        with open(log, "ab") as file:
            staff = [spawn(program, 1, stderr=file, **pipes) for _ in range(workers)]
        threads = [Thread(target=_feed, args=(worker, orders, told), daemon=True) for worker in staff]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                yield from iter(told.get, None)  # None: one of them has given its last
        except BaseException:  # Ctrl-C: the threads that wait for a worker would wait for its run to end
            orders.clear()
            for worker in staff:
                worker.terminate()
            raise
        finally:
            for thread, worker in zip(threads, staff, strict=True):
                thread.join()
                worker.wait()


def _feed(worker: subprocess.Popen[Any], orders: deque[Order], told: SimpleQueue[Answered | None]) -> None:
    """Give a worker one order after the other until there are none, or it has ended."""
    assert worker.stdin is not None  # noqa: S101 - both are pipes
    assert worker.stdout is not None  # noqa: S101
    with suppress(IndexError):  # the other worker took the last one
        while orders:
            order, answer = orders.popleft(), ""
            with suppress(BrokenPipeError):  # it ended between two orders
                print(json.dumps(order), file=worker.stdin, flush=True)
                answer = worker.stdout.readline()
            whole = answer.endswith("\n")
            told.put((order, json.loads(answer) if whole else None))
            if not whole:
                break
    with suppress(BrokenPipeError):
        worker.stdin.close()
    worker.stdout.close()
    told.put(None)


@contextmanager
def opened(on: Where, address: str | None, main: Callable[[Sequence[str]], int], device: str = "auto") -> Iterator[Pool]:
    """The pool that was asked for. `main` does a command of latentlab in its process; `device` is what runs train on.

    Raises LabError where Ray is not installed, or no cluster answers at the address.
    """
    if on == "here":
        if address is not None:
            raise refusal("--ray-address", "given with --on ray", address, "Add --on ray.")
        yield Pool()
        return
    from latentlab.lab.cluster import connected

    with connected(address, main, device) as pool:
        yield pool
