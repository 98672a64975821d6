"""A student's file in a process of its own: it is asked with arrays and answers with arrays. Nothing is judged here.

A message is its length (8 bytes) and an .npz of arrays without pickle, one of which holds the rest as JSON: the name of an operation
(`operations.py`, `operations_keras.py`) and its settings, or {"error": where and what}.

Run as: python -m latentlab.lab.exercises.student FILE BYTES FRAMEWORK
"""

from __future__ import annotations

import io
import json
import linecache
import os
import random
import re
import runpy
import struct
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from latentlab.lab.exercises.operations import OPERATIONS, Answer, Arrays, Space

HEADER = "json"
LARGEST = 1 << 28  # bytes of a message
LINE = 200  # characters of an error


def packed(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A message."""
    out = io.BytesIO()
    np.savez(out, **{HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]
    return struct.pack("<Q", out.tell()) + out.getvalue()


def read_message(stream: BinaryIO) -> tuple[dict[str, Any], Arrays]:
    """The next message. Raises EOFError where there is none, ValueError for what is no message."""
    size = stream.read(8)
    if len(size) < 8:
        raise EOFError
    (count,) = struct.unpack("<Q", size)
    if count > LARGEST:
        raise ValueError("a message that is too large")
    with np.load(io.BytesIO(stream.read(count)), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    if not isinstance(header, dict):
        raise ValueError("a message without a header")
    return header, arrays


# The process.


def read(path: Path) -> Space:
    """What a file defines at its top."""
    sys.path.insert(0, str(path.parent))
    return runpy.run_path(str(path), run_name="handed_in")


def answer(space: Space, header: Mapping[str, Any], arrays: Arrays) -> Answer:
    """One operation on a file, every global generator of random numbers set before it."""
    settings = {key: value for key, value in header.items() if key not in ("operation", "aliases")}
    space = {**space, **{name: space[other] for name, other in header.get("aliases", {}).items()}}  # one function in another's place
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - a student may draw from it
    return OPERATIONS[header["operation"]](space, **settings, **arrays)


def blame(error: BaseException, path: Path) -> str:
    """An error with the last line of the student's file that led to it."""
    first = re.sub(r"\{\{.*?\}\} ", "", f"{type(error).__name__}: {error}".partition("\n")[0])  # without TensorFlow's name of a node
    told = "".join(letter for letter in first[:LINE] if letter.isprintable())
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}, line {error.lineno}: {told}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(path):
            return f"{path.name}, line {frame.lineno}, in {frame.name}: {told}"
    return told


@contextmanager
def quiet() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The streams of questions and answers; the file itself reads nothing, and whatever it prints goes nowhere."""
    with os.fdopen(os.dup(0), "rb") as questions, os.fdopen(os.dup(1), "wb") as answers:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        yield questions, answers


class Closed:
    """Finds nothing of the exercises' own modules, where the answers stand."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name.startswith(__package__ or "latentlab.lab.exercises"):
            raise ImportError(f"{name} is not for what it checks")


def limit(size: int) -> None:
    """Give this process no more memory than so many bytes, where the system can."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ImportError, ValueError, OSError):  # Windows; macOS: who started it looks
        pass


def main(arguments: list[str]) -> None:
    path = Path(arguments[0]).resolve()
    limit(int(arguments[1]))
    with quiet() as (questions, out):
        if arguments[2] == "keras":
            from latentlab.lab.exercises import operations_keras

            OPERATIONS.update(operations_keras.OPERATIONS)
        else:
            import torch  # noqa: F401 - so that the time from now on is the student's
        for name in [name for name in sys.modules if name.startswith(__package__ or "latentlab.lab.exercises")]:
            del sys.modules[name]
        sys.meta_path.insert(0, Closed)
        out.write(packed({}, {}))
        out.flush()
        space: Space | None = None
        while True:
            try:
                header, arrays = read_message(questions)
            except EOFError:
                return
            try:
                linecache.checkcache(str(path))
                space = space if space is not None else read(path)
                told = packed(*answer(space, header, arrays))
            except BaseException as error:
                told = packed({"error": blame(error, path)}, {})
            out.write(told)
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
