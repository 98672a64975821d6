"""Checking every file of a run folder, without torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.runs import checkpoints
from latentlab.runs.folder import STATES, RunFolder


def check_run(folder: RunFolder) -> Iterator[tuple[Path, str | None]]:
    """Each file of a run with what is wrong with it, or None."""
    run = folder.path
    checks: list[tuple[Path, Callable[[Path], object]]] = [
        (run / "config.json", lambda path: folder.config()),
        (run / "environment.json", _object),
        (run / "status.json", _status),
    ]
    if folder.metrics_file.exists():
        checks.append((folder.metrics_file, lambda path: folder.metrics()))
    checks += [(path, checkpoints.verify) for path in checkpoints.listed(folder.checkpoints)]
    checks += [(path, _object) for name in ("scores.json", "control.json") if (path := run / name).exists()]
    checks += [(path, _arrays) for path in [run / "latents.npz"] if path.exists()]
    checks += [(path, _picture) for path in sorted(run.rglob("*.png")) if not path.name.startswith(".")]
    for path, check in checks:
        try:
            check(path)
        except LabError as error:
            yield path, str(error)
        except FileNotFoundError:
            yield path, "it is missing"
        except (OSError, ValueError, KeyError, TypeError, SyntaxError, EOFError) as error:
            yield path, f"{type(error).__name__}: {error}"
        else:
            yield path, None
    if not checkpoints.listed(folder.checkpoints):
        yield folder.checkpoints, "there is no checkpoint"


def _object(path: Path) -> None:
    if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
        raise ValueError("it is not a JSON object")


def _status(path: Path) -> None:
    if json.loads(path.read_text(encoding="utf-8"))["state"] not in STATES:
        raise ValueError("it holds an unknown state")


def _arrays(path: Path) -> None:
    with np.load(path, allow_pickle=False) as file:
        lengths = {len(file[name]) for name in file.files}
        if len(lengths) != 1 or not np.isfinite(file["mean"]).all():
            raise ValueError("its arrays differ in length or are not finite")


def _picture(path: Path) -> None:
    with Image.open(path, formats=["PNG"]) as image:
        image.load()
