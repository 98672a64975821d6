"""What a training run leaves in its folder while it trains. A full disk costs records, never the run.

Every write goes through `attempt`: when the disk is full it is said once, the run goes on, and the write is tried again
at the next occasion. Metric lines wait in memory meanwhile, so that none is lost or torn.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import OutOfSpace
from latentlab.base.files import is_full, replace_bytes, replace_with
from latentlab.base.images import Images, grid, interleave, is_point, save_png
from latentlab.base.jsonl import lines
from latentlab.data import Data
from latentlab.models.engine import Arrays
from latentlab.runs import checkpoints, frames
from latentlab.runs.code import PLANE
from latentlab.runs.folder import HALF, RunFolder
from latentlab.show.explorer.own import SIDE

LATENTS = 10_000  # held-out images in latents.npz
SHEET_PIXELS = LATENTS * 128**2  # of their thumbnails: fewer images where they are larger
COLUMNS = 8
MOMENTS = 256  # at so many every second stays
LENT = 2  # in live/: a page may still read the one before


class Recorder:
    """Writes metrics, pictures and checkpoints of one run. `report` is told, once per spell, that the disk is full."""

    def __init__(self, folder: RunFolder, report: Callable[[str], None]) -> None:
        self.folder, self.report = folder, report
        self.pending: list[str] = []
        self.crc: int | None = None  # of the lines so far; None before the first
        self.failing: set[str] = set()  # kinds of record whose last write met a full disk

    def attempt(self, what: str, write: Callable[[], object]) -> bool:
        """Run `write`; False when the disk is full. Said once when the first kind of record fails, and once when all go on."""
        try:
            write()
        except OSError as error:
            if not is_full(error):
                raise
            if not self.failing:
                self.report(f"the disk is full: {what} could not be kept in {self.folder.path}. Training goes on; free some space.")
            self.failing.add(what)
            return False
        if self.failing:
            self.failing.discard(what)
            if not self.failing:
                self.report(f"there is space again: {what} was kept.")
        return True

    def row(self, row: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl. A value that is not finite is written as null, which JSON can say."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        if self.crc is None:
            written = self.folder.tail()
            written.read()
            self.crc = written.crc or 0
        line, self.crc = lines([clean], self.crc)
        self.pending.append(line)
        self.attempt("metrics", self._append_pending)

    def _append_pending(self) -> None:
        with open(self.folder.metrics_file, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            data = "".join(self.pending).encode()
            try:
                written = 0
                while written < len(data):
                    written += file.write(data[written:]) or 0
            except OSError:
                file.truncate(size)  # no torn line: the whole of it comes with the next attempt
                raise
        self.pending.clear()

    def samples(self, step: int, images: Images) -> Path:
        """Keep the sample grid of a step."""
        return self._picture(self.folder.samples, step, grid(images, COLUMNS))

    def reconstructions(self, step: int, originals: Images, copies: Images) -> Path:
        """Keep held-out images, each row above its reconstructions."""
        return self._picture(self.folder.reconstructions, step, grid(interleave([originals, copies], COLUMNS), COLUMNS))

    def scatter(self, step: int, samples: bytes, copies: bytes | None) -> list[Path]:
        """Keep pictures of points of a step: of generated ones, and of reconstructions where there are any."""
        kept = [(self.folder.samples, samples)] + ([] if copies is None else [(self.folder.reconstructions, copies)])
        return [self._kept(folder, step, partial(replace_bytes, content=content)) for folder, content in kept]

    def frame(self, head: NDArray[Any], frame: NDArray[Any]) -> None:
        """Keep a frame of the plane."""
        self.attempt("a frame", lambda: frames.add(self.folder.path / frames.NAME, head, frame))

    def _picture(self, folder: Path, step: int, picture: Images) -> Path:
        return self._kept(folder, step, partial(save_png, picture))

    def _kept(self, folder: Path, step: int, write: Callable[[Path], object]) -> Path:
        path = folder / f"step-{step:08d}.png"
        self.attempt("a picture", lambda: write(path))
        return path

    def moment(self, step: int, arrays: Arrays) -> None:
        """Keep codes or scores of a step. Which stay depends on the steps of sample grids alone: a resumed run keeps the same."""
        narrow = {"mean": np.float16, "std": np.float16, "label": np.int32}
        kept = {name: values.astype(narrow.get(name, values.dtype)) for name, values in arrays.items()}
        self._arrays("a moment", self.folder.moments / f"step-{step:08d}.npz", kept)
        steps = [drawn for drawn, _ in self.folder.pictures("samples")]
        stay = {step, *steps[:: 1 << (len(steps) // MOMENTS).bit_length()]}
        for drawn, path in self.folder.pictures("moments"):
            if drawn not in stay:
                with suppress(OSError):  # on Windows, while a page reads it: it goes the next time
                    path.unlink()

    def half(self, step: int, phase: str, before: Arrays, after: Arrays) -> None:
        """Keep what a GAN's half of a step changed: the gradient is what the newest discriminator asks of the images before."""
        both = {name: np.stack([before[name], after[name]]) for name in ("real", "made", "images")}
        gradient = (after if phase == "discriminator" else before)["gradient"]
        about = {"step": np.array(step), "phase": np.array(phase), "gradient": gradient}
        self._arrays("a half step", self.folder.path / HALF, about | both)

    def lend(self, step: int, tensors: Arrays, state: dict[str, Any]) -> None:
        """Put networks into live/, for pages."""
        self.attempt("networks for a page", lambda: checkpoints.save(self.folder.live, step, tensors, state))
        for path in checkpoints.listed(self.folder.live)[:-LENT]:
            shutil.rmtree(path, ignore_errors=True)

    def _arrays(self, what: str, path: Path, arrays: dict[str, Any]) -> None:
        def write(beside: Path) -> None:
            with open(beside, "wb") as file:
                np.savez(file, **arrays)

        self.attempt(what, lambda: replace_with(path, write))

    def checkpoint(self, step: int, tensors: dict[str, Any], state: dict[str, Any], best: int | None) -> bool:
        """Save, then prune; the old ones stay until the new one is whole. False when the disk is full."""
        kept = self.attempt("the checkpoint", lambda: checkpoints.save(self.folder.checkpoints, step, tensors, state))
        if kept:
            checkpoints.prune(self.folder.checkpoints, best)
        return kept

    def close(self) -> None:
        """A last attempt at what is pending. Raises OutOfSpace when it cannot be kept."""
        if self.pending and not self.attempt("metrics", self._append_pending):
            raise OutOfSpace(f"{self.folder.path}: the disk is full and the last {len(self.pending)} metric lines are lost.")

    def plane(self, decode: Callable[[NDArray[np.float32]], Images], arrays: dict[str, NDArray[Any]]) -> None:
        """Write plane.npz: images of a square of codes, row by row from the top, for pages that cannot run the network itself."""
        ends = np.linspace(-1, 1, SIDE)
        places = np.array([(along, up) for up in ends[::-1] for along in ends])  # [SIDE², 2]
        codes = (arrays["origin"] + places @ arrays["axes"]).astype(np.float32)
        self._arrays(PLANE, self.folder.path / PLANE, {"images": decode(codes), **arrays})

    def latents(self, data: Data, encode: Callable[..., tuple[Any, Any]]) -> None:
        """Write latents.npz (mean, std, label, index of up to 10,000 test images) and their thumbnails, one sheet; points have none."""
        kept = slice(min(LATENTS, SHEET_PIXELS // math.prod(data.shape[:2])))
        images, labels = data.test.take(kept), data.test.labels
        mean, std = encode(images, None if labels is None else labels[kept])
        arrays = {"mean": mean, "index": data.test.indices[kept]}
        arrays |= {} if std is None else {"std": std}
        arrays |= {} if labels is None else {"label": labels[kept]}
        self._arrays("latents.npz", self.folder.path / "latents.npz", arrays)
        if is_point(images.shape[1:]):
            return
        sheet = grid(images, math.ceil(math.sqrt(len(images))), gap=0)
        self.attempt("thumbnails.png", lambda: save_png(sheet, self.folder.path / "thumbnails.png"))
