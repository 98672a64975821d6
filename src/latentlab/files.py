"""Writing files so that a reader, a kill -9 or a full disk never meets half of one."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, the quota or the file-size limit is exhausted."""
    return error.errno in _FULL


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def rename(source: Path, target: Path) -> None:
    """`os.replace`, patient with the virus scanners that hold files open on Windows."""
    for pause in (0.05, 0.1, 0.2, 0.4, 0.8):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(pause)
    os.replace(source, target)


def replace_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, then rename it there; on failure nothing is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        rename(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step."""

    def write(beside: Path) -> None:
        beside.write_bytes(content)

    replace_with(path, write)


def replace_text(path: Path, text: str) -> None:
    """Replace a text file in one step."""
    replace_bytes(path, text.encode())


def replace_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step. Non-finite numbers are refused: they are no JSON."""
    replace_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
