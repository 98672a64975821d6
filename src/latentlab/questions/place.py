"""A question's own folder: whose it is, and which runs in it are its own.

planned.json names the question, and every run that it is about to train before the first of them begins, so that a run of
somebody else's in the same folder is never taken for one of the question's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentlab.cards.card import NAMES
from latentlab.errors import refusal
from latentlab.files import replace_json

SETS = ("digits", "mnist", "fashion-mnist", "kmnist")  # the sets with classes: a question's measures ask for them
PLANNED, TIME = "planned.json", "seconds.json"
TASKS = "tasks"  # the folder of what tasks gave
OWN = ("card.json", "card.html", "figure.png", "log.txt", TIME, PLANNED)


def check(name: str, folder: Path, data: str) -> None:
    """Raise LabError for a question or a data set that there is none of, and for a folder that belongs to something else."""
    if name not in NAMES:
        raise refusal("a question", "one of " + ", ".join(NAMES), name, "`latentlab question` lists them.")
    if data not in SETS:
        raise refusal("--data", "one of " + ", ".join(SETS), data)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise refusal("--out", "a folder", str(folder))
    if all(path.name == "lock" for path in folder.iterdir()):
        return
    found = owner(folder)
    if found is None:
        raise refusal("--out", "a new or empty folder, or one of this question", str(folder), "It holds other files.")
    if found not in ("", name):
        raise refusal("--out", "a new or empty folder, or one of this question", str(folder), f"It is that of the question {found}.")


def owner(folder: Path) -> str | None:
    """The question that a folder is of; "" where it is of one but does not say which, None where it is of none."""
    for file in (PLANNED, "card.json"):
        found = _read(folder / file)
        if found.get("question") in NAMES:
            return str(found["question"])
    return "" if isinstance(_read(folder / TIME).get("seconds"), int | float) else None


def claim_folder(name: str, folder: Path) -> None:
    """Write down that a folder is this question's, and that runs which an earlier card names are."""
    replace_json(folder / PLANNED, {"question": name, "runs": sorted(_runs(folder))})


def plan_runs(folder: Path, names: Iterable[str]) -> None:
    """Write down names of runs before they are trained."""
    found = _read(folder / PLANNED)
    replace_json(folder / PLANNED, {"question": found.get("question"), "runs": sorted(_runs(folder) | set(names))})


def forget(folder: Path) -> None:
    """Remove what the question made: the runs that it planned, what was measured and the card. Nothing else."""
    from latentlab.sweep.grid import is_debris

    for name in _runs(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink() and ((path / "config.json").is_file() or is_debris(path)):
            shutil.rmtree(path)
    for path in (folder / TASKS).glob("*.json"):
        if "task" in _read(path):
            path.unlink()
    if (folder / TASKS).is_dir() and not any((folder / TASKS).iterdir()):
        (folder / TASKS).rmdir()
    for name in OWN:
        (folder / name).unlink(missing_ok=True)


def _runs(folder: Path) -> set[str]:
    """The names in planned.json and card.json; only folders directly below count."""
    listed = [_read(folder / file).get("runs") for file in (PLANNED, "card.json")]
    names = {name for found in listed if isinstance(found, list) for name in found if isinstance(name, str)}
    return {name for name in names if name not in ("", ".", "..") and not set(name) & set("/\\:")}


def _read(path: Path) -> dict[str, Any]:
    """The object in a file; {} where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
