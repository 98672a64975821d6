"""Checking every file of a run folder: form, checksums, and that nothing is missing that the run says it wrote. Without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.base.errors import LabError
from latentlab.base.files import read_json_or_nothing
from latentlab.base.images import open_png
from latentlab.config.sources import of_points
from latentlab.runs import checkpoints, frames
from latentlab.runs.checkpoints import folder_name
from latentlab.runs.code import FOLDER, PLANE, RECORD, kept
from latentlab.runs.folder import HALF, RunFolder
from latentlab.runs.forms import read_arrays, read_latents, read_record


def check_run(folder: RunFolder) -> Iterator[tuple[Path, str | None]]:
    """Each file of a run, and each that is not there but should be, with what is wrong with it, or None."""
    run = folder.path

    def record(path: Path) -> dict[str, Any]:
        return read_record(run, path.name)

    checks: dict[Path, Callable[[Path], object]] = {
        run / "config.json": lambda path: folder.config(),
        run / "environment.json": record,
        run / "status.json": record,
    }
    checks |= {} if _is_export(folder) else {folder.metrics_file: lambda path: _metrics(folder)}
    checks |= {path: lambda path: _checkpoint(folder, path) for path in checkpoints.listed(folder.checkpoints)}
    checks |= {path: record for path in [run / "scores.json", run / "notes.json"] if path.exists()}
    checks |= {path: _picture if path.suffix == ".png" else _codes for path in _expected(folder)}
    checks |= {path: _picture for path in sorted(run.rglob("*.png")) if not path.name.startswith(".")}
    checks |= {path: _codes for path in [run / "latents.npz"] if path.exists()}
    checks |= {path: read_arrays for path in [run / PLANE, run / HALF, *(path for _, path in folder.pictures("moments"))] if path.exists()}
    checks |= {path: frames.check for path in [run / frames.NAME] if path.exists()}
    checks |= {run / FOLDER / RECORD: lambda path: kept(run)} if _has_own(folder) else {}
    for path, check in checks.items():
        try:
            check(path)
        except FileNotFoundError:
            yield path, "it is missing"
        except Exception as error:  # whatever a damaged file makes its reader raise: that is what is looked for
            yield path, str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        else:
            yield path, None
    if (step := _saved(folder)) is not None and not (last := folder.checkpoints / folder_name(step)).exists():
        yield last, "it is missing"


def _saved(folder: RunFolder) -> int | None:
    """The step whose checkpoint there must be: that at which the run ended, where it could save it; else the first."""
    try:
        status = read_record(folder.path, "status.json")
    except (OSError, LabError):  # told of that file
        return None if checkpoints.listed(folder.checkpoints) else 0
    ended = status["state"] == "finished" or (status["state"] == "stopped" and not status.get("message"))
    return int(status["step"]) if ended else None if checkpoints.listed(folder.checkpoints) else 0


def _expected(folder: RunFolder) -> Iterator[Path]:
    """What a run has written by what its metrics say: pictures at evaluations and at steps 1, 2, 4 … before the first; codes at its end."""
    try:
        config, rows, status = folder.config(), folder.metrics(), folder.status()
    except LabError:  # told of those files
        return
    if _is_export(folder):
        return
    evaluated = sorted({row["step"] for row in rows if row["split"] == "val"})
    first = next((step for step in evaluated if step > 0), 0)
    early = [1 << power for power in range(first.bit_length()) if 1 << power < first]
    kinds = [folder.samples] if config.family == "gan" else [folder.samples, folder.reconstructions]
    for kind in kinds:
        yield from (kind / f"{folder_name(step)}.png" for step in sorted({*evaluated, *early}))
    if status.get("state") == "finished" and config.family != "gan":
        names = ("latents.npz",) if of_points(config.data.spec) else ("latents.npz", "thumbnails.png")
        yield from (folder.path / name for name in names)


def _is_export(folder: RunFolder) -> bool:
    """Whether it was exported to be published, without what training leaves."""
    return "exported" in read_json_or_nothing(folder.path / "environment.json")


def _metrics(folder: RunFolder) -> None:
    """Whether the lines reach as far as the run's state says: one comes every `train.log_steps`."""
    rows = folder.metrics()
    try:
        told = folder.status().get("step", 0)
    except LabError:  # told of that file
        return
    if told and not folder.metrics_file.exists():
        raise FileNotFoundError
    last = rows[-1]["step"] if rows else 0
    if told - last >= folder.config().train.log_steps:
        raise ValueError(f"its lines end at step {last}, but status.json is of step {told}")


def _checkpoint(folder: RunFolder, path: Path) -> None:
    """Every byte, and that it belongs to this configuration."""
    checkpoints.verify(path)
    with checkpoints.opening(path):
        if checkpoints.read_state(path)["config_sha256"] != folder.config().fingerprint():
            raise checkpoints.foreign(path)


def _codes(path: Path) -> None:
    arrays = read_latents(path.parent)
    if arrays is None:
        raise FileNotFoundError
    if not np.isfinite(arrays["mean"]).all():
        raise ValueError("its codes are not finite")


def _has_own(folder: RunFolder) -> bool:
    """Whether something of the run is somebody's own, which it must keep."""
    try:
        return bool(folder.config().own)
    except LabError:  # told of that file
        return False


def _picture(path: Path) -> None:
    open_png(path)
