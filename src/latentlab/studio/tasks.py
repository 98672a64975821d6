"""What the studio starts: `latentlab` commands in processes of their own, which go on when the page is closed.

A task is a folder: task.json (what was started, and how it ended), log (what it said), lock (held while it lives). So it is
found again after a reload, in a second tab, or by another server, and its end is known however it came.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from latentlab.base import core_count
from latentlab.base.errors import LabError
from latentlab.base.files import read_json, replace_json
from latentlab.base.shapes import is_amount, is_count
from latentlab.lab.pool import spawn
from latentlab.runs.folder import RunFolder
from latentlab.studio.library import Library

Kind = Literal["train", "resume", "evaluate", "question", "report", "sweep"]
State = Literal["running", "done", "failed", "lost"]


def is_kind(value: Any) -> bool:
    """one of the kinds of task"""
    return value in get_args(Kind)


TASK = {
    "kind": is_kind, "subject": str, "arguments": [str], "started": is_amount, "status": (int, None), "pid?": (is_count, None),
    "run?": (str, None), "reader?": str,
}  # fmt: skip
OF_RUNS: tuple[Kind, ...] = ("train", "resume", "evaluate")  # whose subject is a run
MOST = 500  # tasks that are kept; of older ones no page tells anything
GRACE_SECONDS = 5.0  # a process that was started takes the lock within that time
_children: dict[str, subprocess.Popen[bytes]] = {}  # of this server, to be reaped
# What will not change any more, with the moment of its writing, so that a long list is not read again and again.
_ended: dict[Path, tuple[int, Task]] = {}


@dataclass(frozen=True)
class Task:
    """A command that was started about a `subject`: a run's name, or a question's."""

    path: Path
    kind: Kind
    subject: str
    arguments: tuple[str, ...]
    started: float  # seconds since 1970
    status: int | None  # its exit status, once it has ended by itself
    pid: int | None = None  # of its process, once that has begun
    run: str | None = None  # the `identity` of the run that it was about; None for one that it was to make
    reader: str = ""  # who started it, see `Library.reader`

    @property
    def id(self) -> str:
        """Its folder's name."""
        return self.path.name

    @property
    def state(self) -> State:
        """ "running"; "done" or "failed" by its exit status; "lost" when it ended without saying how (kill -9)."""
        child = _children.get(self.id)
        alive = child is not None and child.poll() is None
        if self.status is not None:
            return "done" if self.status in (0, 130, 143) else "failed"
        if alive or RunFolder(self.path).is_locked():
            return "running"
        if child is None and time.time() - self.started < GRACE_SECONDS:
            return "running"
        return "done" if (self.path / "stopped").exists() else "lost"

    def log(self) -> list[str]:
        """The lines that it wrote; of a line that was drawn over and over (a progress bar), the last state."""
        try:
            text = (self.path / "log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return [line.rsplit("\r", 1)[-1].rstrip() for line in text.replace("\r\n", "\n").split("\n") if line.strip()]

    def said(self) -> str:
        """The last line in which latentlab told why it ended; "" where it said nothing."""
        return next((line.partition(": ")[2] for line in reversed(self.log()) if line.startswith("latentlab: ")), "")


def start(library: Library, kind: Kind, subject: str, arguments: Sequence[str]) -> Task:
    """Start `latentlab ARGUMENTS` detached from this process; it works beside the folder of runs and leaves the page a core."""
    path = library.own / "tasks" / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
    path.mkdir(parents=True)
    task = Task(path, kind, subject, tuple(arguments), time.time(), None, None, identity(library, subject) if kind in OF_RUNS else None)
    task = replace(task, reader=library.reader)
    _write(task)
    _prune(library)
    with open(path / "log", "wb") as log:
        command = [sys.executable, "-m", "latentlab.cli.studio", str(path)]
        child = spawn(command, _threads(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_windowless())
    _children[task.id] = child
    return task


def _prune(library: Library) -> None:
    """Remove the oldest tasks that have ended, beyond those that are kept."""
    for task in tasks(library)[MOST:]:
        if task.state != "running":
            shutil.rmtree(task.path, ignore_errors=True)
            _ended.pop(task.path, None)
            _children.pop(task.id, None)


def stop(task: Task) -> None:
    """Ask a task's process to end, as Ctrl-C would: what it has made so far is kept. Nothing for one that does not run."""
    now, child = read(task.path), _children.get(task.id)
    if now is None or now.state != "running":
        return
    (task.path / "stopped").touch()  # while it loads its libraries it ends without a word
    if now.pid is None or not RunFolder(task.path).is_locked():  # without the lock the number may be another process's by now
        if child is not None:
            child.terminate()
        return
    try:
        os.kill(now.pid, signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGTERM)  # type: ignore[attr-defined,unused-ignore]
    except ProcessLookupError:
        pass  # it ended in this moment


def _write(task: Task) -> None:
    values = {"kind": task.kind, "subject": task.subject, "arguments": list(task.arguments), "started": task.started}
    replace_json(task.path / "task.json", values | {"status": task.status, "pid": task.pid, "run": task.run, "reader": task.reader})


def _threads() -> int | None:
    """All but one core, left to the page, where there are two; a thread count that the user asks for goes before."""
    return None if "OMP_NUM_THREADS" in os.environ else max(1, core_count() - 1)


def _windowless() -> Mapping[str, Any]:
    """On Windows: a process of a group and a console of its own, so that no closed terminal reaches it."""
    if os.name != "nt":
        return {}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined,unused-ignore]


def read(path: Path) -> Task | None:
    """The task in a folder; None for one that is not whole."""
    try:
        written = (path / "task.json").stat().st_mtime_ns
        if path in _ended and _ended[path][0] == written:
            return _ended[path][1]
        told = read_json(path / "task.json", TASK)
        about = told.get("pid"), told.get("run"), told.get("reader", "")
        task = Task(path, told["kind"], told["subject"], tuple(told["arguments"]), float(told["started"]), told["status"], *about)
    except (OSError, ValueError):
        return None
    if task.status is not None:
        _ended[path] = written, task
    return task


def began(path: Path) -> None:
    """Write down which process runs a task: this one."""
    task = read(path)
    if task is not None:
        _write(replace(task, pid=os.getpid()))


def ended(path: Path, status: int) -> None:
    """Write down how a task ended."""
    task = read(path)
    if task is not None:
        made = identity(Library(path.parents[2]), task.subject) if task.kind == "train" else task.run
        _write(replace(task, status=status, run=made))


def renamed(library: Library, name: str, new: str) -> None:
    """A run has another name: what was started about it is about that name now."""
    for task in tasks(library, OF_RUNS, name):
        if concerns(library, replace(task, subject=new)):
            _write(replace(task, subject=new))


def identity(library: Library, name: str) -> str | None:
    """What tells the run that has a name from others that had it; None where there is no run.

    It is of environment.json: that is written once, when a run is made, and a rename takes it along.
    """
    try:
        about = (library.path(name) / "environment.json").stat()
    except (LabError, OSError):
        return None
    return f"{about.st_ino}:{about.st_mtime_ns}"


def concerns(library: Library, task: Task) -> bool:
    """Whether a task is about the run that has its subject's name now, and not about one that had the name before."""
    if task.kind not in OF_RUNS:
        return True
    now = identity(library, task.subject)
    if task.run is not None or now is None:
        return task.run == now
    if task.kind == "train":  # one that has ended wrote down what it made, so this one made nothing
        return task.status is None and task.started <= int(now.partition(":")[2]) / 1e9
    return True


def tasks(library: Library, kinds: Sequence[Kind] = (), subject: str | None = None) -> list[Task]:
    """The tasks of these kinds (all of them without one) about a subject, the last one first."""
    folder = library.own / "tasks"
    if not folder.is_dir():
        return []
    every = (task for path in folder.iterdir() if (task := read(path)) is not None)
    chosen = [task for task in every if (not kinds or task.kind in kinds) and subject in (None, task.subject)]
    return sorted(chosen, key=lambda task: task.started, reverse=True)


def latest(library: Library, kinds: Sequence[Kind], subject: str) -> Task | None:
    """The last task of these kinds about a subject, where it is about the run that has this name now."""
    return newest(library, kinds, subject, tasks(library, kinds, subject))


def newest(library: Library, kinds: Sequence[Kind], subject: str, among: Sequence[Task]) -> Task | None:
    """The same of tasks that were read already, the last one first."""
    task = next((task for task in among if task.kind in kinds and task.subject == subject), None)
    return task if task is not None and concerns(library, task) else None


def working(library: Library, kinds: Sequence[Kind], subject: str) -> Task | None:
    """The last task of these kinds about a subject, while it runs."""
    task = latest(library, kinds, subject)
    return task if task is not None and task.state == "running" else None


def running(library: Library, subject: str) -> list[Task]:
    """What works on a run now."""
    return [task for task in tasks(library, OF_RUNS, subject) if task.state == "running"]
