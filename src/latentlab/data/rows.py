"""Writing an .npy file of images row by row, when the number of rows is known only at the end.

Rows are written, not stored through a memory map: on a full disk a write is an OSError, a store would kill the process.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from latentlab.files import replace_with

_CHUNK = 1024


class RowFile:
    """uint8 [N, S, S, C] in an .npy file; N grows with `append`. Leaving the context writes the header's final form."""

    def __init__(self, path: Path, size: int, channels: int) -> None:
        self.shape = (size, size, channels)
        self.count = 0
        self._file = open(path, "wb")  # noqa: SIM115 (closed on leaving the context)
        self._file.write(_header(0, self.shape))

    def append(self, row: NDArray[np.uint8]) -> None:
        """Write one image uint8 [S, S, 1 or C]; one channel stands for all."""
        self._file.write(np.ascontiguousarray(np.broadcast_to(row, self.shape)).data)
        self.count += 1

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._file.write(_header(self.count, self.shape))
                self._file.flush()
                os.fsync(self._file.fileno())  # else a power cut could leave zeros of the right size


def _header(count: int, shape: tuple[int, int, int]) -> bytes:
    """NumPy leaves room for the first axis to grow, so the header's length does not depend on `count`."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)})
    return buffer.getvalue()


def first_channel(path: Path) -> int:
    """Rewrite images uint8 [N, S, S, 3] of three equal channels as [N, S, S, 1]; returns 1, the number of channels."""
    images = np.load(path, mmap_mode="r", allow_pickle=False)

    def write(beside: Path) -> None:
        with RowFile(beside, images.shape[1], 1) as out:
            for start in range(0, len(images), _CHUNK):
                for row in np.asarray(images[start : start + _CHUNK]):
                    out.append(row[:, :, :1])

    replace_with(path, write)
    return 1
