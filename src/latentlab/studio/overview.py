"""What lists say of a run: its kind, its state, how far it came. Read from its small files and the end of its metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latentlab.base.errors import LabError, refusal
from latentlab.config.schema import Config
from latentlab.runs.folder import STATES, RunFolder
from latentlab.studio import tasks
from latentlab.studio.library import Place

State = Literal["starting", "running", "paused", "finished", "stopped", "failed", "damaged"]
LIVE: tuple[State, ...] = ("starting", "running", "paused")
_END_BYTES = 65_536
_LARGEST = 2**53  # a step; more is no count that training could reach


class Gone(LabError):
    """There is no run of this name any more."""


@dataclass(frozen=True)
class Overview:
    """One run. `config` is None while it starts, or when it is damaged; `message` says why it failed or is damaged."""

    name: str
    path: Path
    config: Config | None
    state: State
    step: int
    message: str
    status: dict[str, Any]
    last: dict[str, Any]  # the last line of metrics; empty where there is none
    changed: float  # when its state was last written, seconds since 1970
    refused: str = ""  # why the last attempt to go on with it came to nothing

    @property
    def folder(self) -> RunFolder:
        """Its folder."""
        return RunFolder(self.path)

    @property
    def kind(self) -> str:
        """ "ae", "vae", "gan" or "gan-from-vae"; "" where that is not known."""
        return self.config.kind if self.config is not None else ""

    @property
    def live(self) -> bool:
        """Whether a process trains it, or is about to."""
        return self.state in LIVE

    @property
    def trained(self) -> bool:
        """Whether it has learned anything that can be sampled from."""
        return self.config is not None and self.step > 0

    @property
    def epoch(self) -> float:
        """How far it is in epochs; between two lines of metrics reckoned from the step."""
        epoch, at = float(self.last.get("epoch", 0)), int(self.last.get("step", 0))
        return epoch * self.step / at if 0 < at < self.step else epoch

    @property
    def length(self) -> tuple[str, float, float]:
        """("epochs" or "steps", how many of them are done, how many it was meant to do)."""
        train = self.config.train if self.config is not None else None
        if train is None or train.steps is None:
            return "epochs", float(self.last.get("epoch", 0)), float(train.epochs) if train is not None else 0.0
        return "steps", float(self.step), float(train.steps)

    @property
    def longer(self) -> float:
        """The total that is offered to go on to: what it was meant to do or, when that is done, as much again."""
        _, done, usual = self.length
        if done < usual and self.state != "finished":
            return usual
        return 2 * usual if done < 2 * usual else done + max(usual, 1.0)


def overview(place: Place, name: str) -> Overview:
    """A run by its name, also one whose process has not written anything yet. Raises Gone when there is none."""
    path = place.path(name)
    task = tasks.latest(place, ("train", "resume"), name)
    if not (path / "config.json").is_file():
        # A folder is made for each run before it is started: where there is none any more, the run was moved.
        if task is None or (task.state != "running" and not path.is_dir()):
            raise Gone(f"There is no run {name!r}: it was deleted or renamed.")
        return _without_config(path, name, task)
    folder = RunFolder(path)
    try:
        config, status = folder.config(), _checked_status(folder)
        last = _checked_row(folder)
        _check_environment(folder)
    except LabError as error:
        return Overview(name, path, None, "damaged", 0, str(error), {}, {}, path.stat().st_mtime)
    state = status.get("state", "starting" if task is not None and task.state == "running" else "stopped")
    message = str(status.get("message", ""))
    if state not in LIVE and task is not None and task.state == "running":
        state, message = "starting", ""  # a resumed run loads its checkpoint before it says that it runs
    written = folder.path / "status.json"
    changed = written.stat().st_mtime if written.is_file() else path.stat().st_mtime
    refused = ""
    if state not in LIVE and task is not None and task.state == "failed":
        if written.is_file() and changed < task.started:  # it ended before it wrote anything
            refused = task.said()
        elif state == "stopped":  # its process was ended by an error that nobody foresaw
            state, message = "failed", task.said() or message
    return Overview(name, path, config, state, status.get("step", 0), message, status, last, changed, refused)


def overviews(place: Place) -> list[Overview]:
    """Every run that can be opened by its name, by path. (The page Runs also tells of folders whose names the studio does not take.)"""
    found = []
    for name in place.names():
        try:
            found.append(overview(place, name))
        except LabError:
            continue  # such a name, or a folder that has gone meanwhile
    return found


def _without_config(path: Path, name: str, task: tasks.Task) -> Overview:
    states: dict[str, State] = {"running": "starting", "done": "stopped"}
    state = states.get(task.state, "failed")
    return Overview(name, path, None, state, 0, task.said() if state == "failed" else "", {}, {}, task.started)


def _checked_status(folder: RunFolder) -> dict[str, Any]:
    """status.json, in which every value that the pages use is of its type. Raises LabError."""
    status = folder.status()
    _check(folder, "status.json", status, "step", _is_count, "an integer of at least 0")
    _check(folder, "status.json", status, "state", lambda value: isinstance(value, str) and value in STATES, "one of " + ", ".join(STATES))
    for name, kind, must_be in (("message", str, "a text"), ("diagnosis", list, "a list"), ("settings", dict, "an object")):
        _check(folder, "status.json", status, name, lambda value, kind=kind: isinstance(value, kind), must_be)  # type: ignore[misc]
    return status


def _checked_row(folder: RunFolder) -> dict[str, Any]:
    """The last line of metrics, whose numbers are numbers. Raises LabError."""
    row = last_row(folder)
    _check(folder, "metrics.jsonl", row, "step", _is_count, "an integer of at least 0")
    for name in ("epoch", "seconds", "images_seen"):
        _check(folder, "metrics.jsonl", row, name, _is_number, "a number of at least 0")
    return row


def _check_environment(folder: RunFolder) -> None:
    """Raises LabError for an environment.json without the shape and the number of the images, which it is written with."""
    found, file = folder.environment(), "environment.json"
    if not found:  # not written yet
        return
    three = "three integers of at least 1"
    _check(folder, file, {"image_shape": None, **found}, "image_shape", lambda shape: _are_counts(shape) and len(shape) == 3, three)
    _check(
        folder,
        file,
        found,
        "images",
        lambda images: isinstance(images, dict) and _are_counts(list(images.values())),
        "an object of integers",
    )


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(map(_is_count, values))


def _check(folder: RunFolder, file: str, values: dict[str, Any], name: str, is_right: Callable[[Any], bool], must_be: str) -> None:
    if name in values and not is_right(values[name]):
        raise refusal(f"{folder.path / file}: {name}", must_be, values[name], "Restore it from a copy.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def scores(folder: RunFolder) -> dict[str, Any]:
    """scores.json, in which every score is an object with a number; empty before an evaluation. Raises LabError."""
    found, file = folder.scores(), "scores.json"
    _check(folder, file, found, "step", lambda value: value is None or _is_count(value), "an integer of at least 0")
    _check(folder, file, found, "scores", _are_scores, "an object with a number as each measure's value")
    for name in ("extractors", "class_shares"):
        _check(folder, file, found, name, lambda value: value is None or isinstance(value, dict), "an object")
    return found


def outdated(folder: RunFolder, evaluation: tasks.Task) -> bool:
    """Whether an evaluation that failed was followed by one that did not, whoever started that."""
    try:
        return evaluation.state in ("failed", "lost") and (folder.path / "scores.json").stat().st_mtime > evaluation.started
    except OSError:
        return False


def _are_scores(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, dict) and isinstance(one.get("value"), int | float | None) for one in value.values()
    )


def last_row(folder: RunFolder) -> dict[str, Any]:
    """The last whole line of metrics.jsonl; empty without one."""
    try:
        with open(folder.metrics_file, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _END_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return {}
    for line in reversed(lines[:-1]):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


# Stopping a run, however far it has come: one that trains is asked to, one that still loads is ended.


def stop(place: Place, name: str) -> None:
    """Stop a run. One that is at rest already stays so. Raises LabError when there is none."""
    found, task = overview(place, name), tasks.latest(place, ("train", "resume"), name)
    if found.state == "starting" and task is not None and task.state == "running":
        tasks.stop(task)
    elif found.live:
        found.folder.request("stop")
