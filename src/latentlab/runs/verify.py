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
    checks: list[tuple[Path, Callable[[], object]]] = [
        (folder.path / "config.json", folder.config),
        (folder.path / "environment.json", lambda: _object(folder.path / "environment.json")),
        (folder.path / "status.json", lambda: _status(folder.path / "status.json")),
    ]
    if folder.metrics_file.exists():
        checks.append((folder.metrics_file, folder.metrics))
    checks += [(path, _checkpoint(path)) for path in checkpoints.listed(folder.checkpoints)]
    checks += [(path, _json(path)) for name in ("scores.json", "control.json") if (path := folder.path / name).exists()]
    checks += [(path, _arrays(path)) for path in [folder.path / "latents.npz"] if path.exists()]
    checks += [(path, _picture(path)) for path in sorted(folder.path.rglob("*.png")) if not path.name.startswith(".")]
    for path, check in checks:
        try:
            check()
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


def _json(path: Path) -> Callable[[], None]:
    return lambda: _object(path)


def _status(path: Path) -> None:
    if json.loads(path.read_text(encoding="utf-8"))["state"] not in STATES:
        raise ValueError("it holds an unknown state")


def _checkpoint(path: Path) -> Callable[[], None]:
    return lambda: checkpoints.verify(path)


def _arrays(path: Path) -> Callable[[], None]:
    def check() -> None:
        with np.load(path, allow_pickle=False) as file:
            lengths = {len(file[name]) for name in file.files}
            if len(lengths) != 1 or not np.isfinite(file["mean"]).all():
                raise ValueError("its arrays differ in length or are not finite")

    return check


def _picture(path: Path) -> Callable[[], None]:
    def check() -> None:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()

    return check
