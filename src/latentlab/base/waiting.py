"""How the threads of a computation wait for each other: spinning while the cores are theirs, sleeping while others want them.

Between two parallel loops libgomp's threads spin, which is fastest alone; beside another busy process each spins through the time
slice in which the one that it waits for would run, and a step takes four times as long. libgomp spins a thousandth as long as soon
as its teams have more threads than the process has cores. So while others are busy, a thread that only sleeps keeps a team of its
own. Nothing is computed there, and no result depends on it. Where libgomp or /proc is missing, nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from latentlab.base import core_count

SECONDS = 0.5  # between two looks at how busy the others are
BUSY, CALM = 0.25, 0.1  # cores that others use, beside those left to them: from which waiting sleeps, and below which it spins again


@contextmanager
def considerate(threads: int) -> Iterator[None]:
    """Let so many computing threads of this process wait in the way that suits how busy the machine is, looked at all the time."""
    library = libgomp() if threads > 1 and sys.platform == "linux" else None
    if library is None:
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(library, threads, done), name="latentlab-waiting", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def libgomp() -> ctypes.CDLL | None:
    """The OpenMP library that torch has loaded into this process; None where it is another one."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        path = next(path for line in lines if "libgomp" in (path := line.split(maxsplit=5)[-1]))
        library = ctypes.CDLL(path)
        library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    except (OSError, StopIteration, AttributeError):
        return None
    return library


def _watch(library: ctypes.CDLL, threads: int, done: threading.Event) -> None:
    left = core_count() - threads
    cores = frozenset(f"cpu{core}" for core in os.sched_getaffinity(0))
    before, sleeper = used_by_others(cores), None
    while not done.wait(SECONDS):
        now = used_by_others(cores)
        others = (now[0] - before[0]) / max(now[1] - before[1], 1e-9)
        before = now
        if sleeper is None and others > left + BUSY:
            sleeper = _Sleeper(library, left + 2)
        elif sleeper is not None and others < left + CALM:
            sleeper.end()
            sleeper = None
    if sleeper is not None:
        sleeper.end()


class _Sleeper:
    """A thread with a team of so many threads, all of which sleep."""

    def __init__(self, library: ctypes.CDLL, team: int) -> None:
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._sleep, args=(library, team), name="latentlab-sleeper", daemon=True)
        self.thread.start()

    def _sleep(self, library: ctypes.CDLL, team: int) -> None:
        nothing = ctypes.cast(ctypes.CDLL(None).getppid, ctypes.c_void_p)  # a C function that does nothing, once in each thread
        library.GOMP_parallel(nothing, None, team, 0)
        self.over.wait()

    def end(self) -> None:
        """With the thread, libgomp ends its team."""
        self.over.set()
        self.thread.join()


def used_by_others(cores: frozenset[str], read: Callable[[], str] = Path("/proc/stat").read_text) -> tuple[float, float]:
    """Seconds for which others than this process have used these cores since the machine started, and the clock's."""
    busy = 0
    for line in read().splitlines():
        name, *ticks = line.split()
        if name in cores:  # user, nice, system, idle, iowait, irq, softirq, steal: all but the two in which a core is free
            busy += sum(map(int, ticks[:8])) - int(ticks[3]) - int(ticks[4])
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time(), time.monotonic()
