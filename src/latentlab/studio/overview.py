"""What lists say of a run: its kind, its state, how far it came. Read from its small files and the end of its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentlab.base.errors import LabError
from latentlab.base.jsonl import parsed
from latentlab.config.schema import Config
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import ROW
from latentlab.studio import tasks
from latentlab.studio.library import STARTERS, Library

State = Literal["starting", "running", "paused", "finished", "stopped", "failed", "damaged"]
LIVE: tuple[State, ...] = ("starting", "running", "paused")
_BLOCK, _MOST_BYTES = 65_536, 4_194_304  # read at a time, and at most, from the end of metrics


class Gone(LabError):
    """There is no run of this name any more."""


@dataclass(frozen=True)
class Overview:
    """One run. `config` is None while it starts, or when it is damaged; `message` says why it failed or is damaged."""

    name: str
    path: Path
    state: State
    changed: float  # when its state was last written, seconds since 1970
    message: str = ""
    config: Config | None = None
    step: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)  # the last line of metrics; empty where there is none
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
    def data(self) -> str:
        """Its images in a word: the SPEC without the folders before its name; "" where that is not known."""
        return self.config.data.spec.rpartition("/")[2] if self.config is not None else ""

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


def overview(library: Library, name: str) -> Overview:
    """A run by its name, also one whose process has not written anything yet. Raises Gone when there is none."""
    path = library.path(name)
    task = tasks.latest(library, ("train", "resume"), name)
    if not (path / "config.json").is_file():
        # A folder is made for each run before it is started: where there is none any more, the run was moved.
        if task is None or (task.state != "running" and not path.is_dir()):
            raise Gone(f"There is no run {name!r}: it was deleted or renamed.")
        return _without_config(path, name, task)
    folder = RunFolder(path)
    try:
        config, status, last = folder.config(), folder.status(), last_row(folder)
        folder.environment()
    except LabError as error:
        return Overview(name, path, "damaged", path.stat().st_mtime, str(error))
    state = status.get("state", "starting" if task is not None and task.state == "running" else "stopped")
    message = str(status.get("message", ""))
    if state not in LIVE and task is not None and task.state == "running":
        state, message = "starting", ""  # a resumed run loads its checkpoint before it says that it runs
    written = folder.path / "status.json"
    changed = written.stat().st_mtime if written.is_file() else path.stat().st_mtime
    refused = ""
    if state == "stopped" and task is not None and task.state == "done" and changed < task.started:
        message = ""  # stopped before it began: what was said before is old
    if state not in LIVE and task is not None and task.state == "failed":
        if written.is_file() and changed < task.started:  # it ended before it wrote anything
            refused = task.said()
        elif state == "stopped":  # its process was ended by an error that nobody foresaw
            state, message = "failed", task.said() or message
    return Overview(name, path, state, changed, message, config, status.get("step", 0), status, last, refused)


def overviews(library: Library) -> list[Overview]:
    """Every run that can be opened by its name, by path. (The page Runs also tells of folders whose names the studio does not take.)"""
    runs = []
    for name in library.names():
        try:
            runs.append(overview(library, name))
        except LabError:
            continue  # such a name, or a folder that has gone meanwhile
    return runs


def starters() -> dict[str, Overview]:
    """What comes with the package, by name: small models that were trained long ago."""
    folders = {name: RunFolder(path) for name, path in STARTERS.items()}
    return {
        name: Overview(name, one.path, "finished", 0.0, config=one.config(), step=one.sampled_step() or 0) for name, one in folders.items()
    }


def _without_config(path: Path, name: str, task: tasks.Task) -> Overview:
    states: dict[str, State] = {"running": "starting", "done": "stopped"}
    state = states.get(task.state, "failed")
    return Overview(name, path, state, task.started, task.said() if state == "failed" else "")


def outdated(folder: RunFolder, evaluation: tasks.Task) -> bool:
    """Whether an evaluation that failed was followed by one that did not, whoever started that."""
    try:
        return evaluation.state in ("failed", "lost") and (folder.path / "scores.json").stat().st_mtime > evaluation.started
    except OSError:
        return False


def last_row(folder: RunFolder, held_out: bool = False) -> dict[str, Any]:
    """The last whole line of metrics.jsonl, or the last that was measured on held-out images; empty where there is none near the end."""
    for line in from_the_end(folder.metrics_file):
        row = None if held_out and b'"val"' not in line else parsed(line, ROW)
        if row is not None and (not held_out or (row["split"] == "val" and not {"request", "failure"} & row.keys())):
            return row
    return {}


def from_the_end(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, the last one first, as far as the most bytes allow."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, 2)
            lowest, rest, torn = max(0, end - _MOST_BYTES), b"", True
            while end > lowest:
                start = max(lowest, end - _BLOCK)
                file.seek(start)
                rest, *lines = (file.read(end - start) + rest).split(b"\n")
                if torn and lines:
                    lines, torn = lines[:-1], False  # what follows the last line end is being written
                yield from reversed(lines)
                end = start
    except OSError:
        return
    if lowest == 0 and not torn:
        yield rest
