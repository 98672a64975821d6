"""Locks between processes, and between threads of one, on files that stay where they are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from latentlab.errors import Busy

PAUSE_SECONDS = 0.02


@contextmanager
def held(path: Path, patience: float, busy: str, shared: bool = False) -> Iterator[None]:
    """Hold the lock on a file; the system frees it when the process dies, however it dies.

    Raises Busy with the text `busy` when another holds it for longer than `patience` seconds. Any number may hold it
    `shared` while nobody holds it alone (on Windows, which has no such lock here, each holds it alone).
    """
    with open(path, "a+b") as file:
        until = time.monotonic() + patience
        while not (taken := _try_lock(file, shared)) and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        if not taken:
            raise Busy(busy)
        try:
            yield
        finally:
            _unlock(file)


def _try_lock(file: IO[bytes], shared: bool) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
