"""plane.bin: what a run of points did to the plane, frame by frame. Little-endian: one HEAD, then a FRAME every 25 steps and after each
phase taken by hand, in order. All of a frame is of the networks as they were trained so far, not of their averages.
"""

from __future__ import annotations

import errno
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.files import replace_bytes

NAME = "plane.bin"
EVERY, MOST = 25, 2_000  # steps between two frames; when there are that many, every second one stays
FIELD, MESH, SHOWN, ROUND = 40, 21, 200, 40  # points in a row of the field and of the mesh; points shown; ellipses
HEAD = np.dtype([("box", "<f4", 3), ("real", "<f2", (2 * SHOWN, 2)), ("crc", "<u4")])  # middle and half side; held-out points
FRAME = np.dtype(
    [
        ("step", "<i4"),
        ("half", "<i4"),  # how many phases of that step were done by hand; 0: all of it is done
        ("logits", "<f4", 3),  # of a discriminator: those that are 0 and 255 in the field, and that at which it cannot tell
        ("longest", "<f4"),  # of the arrows
        ("field", "u1", (FIELD, FIELD)),  # a discriminator's logits, the lowest row first
        ("made", "<f2", (SHOWN, 2)),  # the same z at every frame
        ("arrows", "<f2", (SHOWN, 2)),  # by the longest: −∂L/∂x at `made`; of an encoder's model from real points to their reconstructions
        ("mesh", "<f2", (MESH, MESH, 2)),  # of codes between which lie equal shares of the prior; NaN where codes are not of the plane
        ("ellipses", "<f2", (ROUND, 3, 2)),  # of a VAE: the first real points' reconstructions, and where one σ along each unit leads
        ("crc", "<u4"),  # of the record's bytes before it
    ]
)
Record = NDArray[Any]  # [] of HEAD or FRAME


class Frames(NamedTuple):
    """What a file holds."""

    head: Record
    frames: NDArray[Any]  # [N] of FRAME


def sealed(record: Record) -> bytes:
    """The bytes of a record, with their CRC-32."""
    content = record.tobytes()[:-4]
    return content + zlib.crc32(content).to_bytes(4, "little")


def spacing(step: int) -> int:
    """Steps between two frames of a run that has come so far."""
    every = EVERY
    while step > every * MOST:
        every *= 2
    return every


def add(path: Path, head: Record, frame: Record) -> None:
    """Append a frame; what is in the file without being a whole record (of a killed writer) goes. Raises OSError."""
    step, every = int(frame["step"]), spacing(int(frame["step"]))
    size = path.stat().st_size if path.exists() else 0
    if size < HEAD.itemsize:
        replace_bytes(path, sealed(head) + sealed(frame))
    elif every > EVERY and not frame["half"] and step == (MOST // 2 + 1) * every:
        frames = _frames(path)
        kept = frames[(frames["step"] % every == 0) & (frames["half"] == 0)]
        replace_bytes(path, sealed(head) + kept.tobytes() + sealed(frame))
    else:
        whole = size - (size - HEAD.itemsize) % FRAME.itemsize
        with open(path, "r+b", buffering=0) as file:
            file.truncate(whole)
            file.seek(whole)
            if file.write(sealed(frame)) != FRAME.itemsize:  # what is torn goes with the next one
                raise OSError(errno.ENOSPC, "no space left for a frame", str(path))


def read(path: Path, start: int = 0, most: int = -1) -> Frames | None:
    """The whole records of a file, from frame `start` on at most so many; None where there is no head."""
    try:
        head = np.fromfile(path, HEAD, 1)
        return Frames(head[0], _frames(path, start, most)) if len(head) else None
    except OSError:
        return None


def _frames(path: Path, start: int = 0, most: int = -1) -> NDArray[Any]:
    return np.fromfile(path, FRAME, most, offset=HEAD.itemsize + start * FRAME.itemsize)


def count(path: Path) -> int:
    """How many whole frames a file with a head has."""
    return (path.stat().st_size - HEAD.itemsize) // FRAME.itemsize


def forget(path: Path, step: int) -> None:
    """Drop the frames of later steps, which a resumed run records again."""
    if (known := read(path)) is not None:
        replace_bytes(path, sealed(known.head) + known.frames[known.frames["step"] <= step].tobytes())


def check(path: Path) -> None:
    """Raise ValueError for a file that is not whole."""
    known = read(path)
    if known is None:
        raise ValueError("it has no head")
    if path.stat().st_size != HEAD.itemsize + known.frames.nbytes:
        raise ValueError("its last frame is not whole")
    for place, record in enumerate([known.head, *known.frames]):
        if sealed(record) != record.tobytes():
            raise ValueError(f"its record {place} is damaged")
    halves = known.frames["half"]
    if (np.diff(known.frames["step"] * 8 + np.where(halves, halves, 7)) <= 0).any():
        raise ValueError("its frames are not in order")
