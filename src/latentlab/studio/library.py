"""Where the studio's runs lie, and the names by which a browser may ask for them.

A name is a run folder's path below the folder of runs, such as "lab/vae". It is never used as a path before it is checked.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.runs.folder import RunFolder, list_runs, next_folder

DEEPEST = 4  # folders in a name
LONGEST = 80  # characters of one folder's name
# A drive, a stream (:), a wildcard or a control character means something else than a name on some system.
_PART = re.compile(r'[^\x00-\x1f\x7f/\\:*?"<>|]+')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_LOCKS = {"lock", "control.lock"}  # all that a run's folder holds before its configuration
_RUNS, _DATA = "LATENTLAB_STUDIO_RUNS", "LATENTLAB_STUDIO_DATA"


@dataclass(frozen=True)
class Place:
    """A folder of runs, and the data root that training started here is given (None: the usual one)."""

    runs: Path
    data_root: str | None = None

    @property
    def own(self) -> Path:
        """Where the studio keeps what is its own: tasks, answers. Its name begins with a dot, so that no list shows it."""
        return self.runs / ".studio"

    @property
    def trash(self) -> Path:
        """Where deleted runs go."""
        return self.runs / ".trash"

    def remember(self) -> None:
        """Put this place into the environment, from which the page's script reads it."""
        os.environ[_RUNS] = str(self.runs)
        if self.data_root is not None:
            os.environ[_DATA] = self.data_root

    def names(self) -> list[str]:
        """The name of every run, by path; empty where there is no folder yet."""
        if not self.runs.is_dir():
            return []
        found = (folder.path.relative_to(self.runs) for folder in list_runs(self.runs))
        return [path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts)]

    def path(self, name: str) -> Path:
        """The folder of a name, checked: it lies below the folder of runs. Raises LabError; whether it exists is not asked."""
        parts = name.split("/")
        if not 1 <= len(parts) <= DEEPEST or not all(map(_is_plain, parts)):
            raise refusal("a run", "the name of a run in this folder", name)
        path = self.runs.joinpath(*parts)
        root = self.runs.resolve()
        if not path.resolve().is_relative_to(root) or path.resolve() == root:
            raise refusal("a run", "the name of a run in this folder", name)
        return path

    def open(self, name: str) -> RunFolder:
        """The run of a name. Raises LabError when there is none."""
        path = self.path(name)
        if not (path / "config.json").is_file():
            raise refusal("a run", "the name of a run in this folder", name)
        return RunFolder(path)

    def new(self, preset: str, spec: str) -> str:
        """The name of a folder made for a new run; no other call is given the same."""
        for _ in range(1000):
            path = next_folder(preset, spec, self.runs)
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue  # another tab was faster
            return path.relative_to(self.runs).as_posix()
        raise LabError(f"{self.runs} has no free name for a run of {preset}.")

    def rename(self, name: str, new: str) -> str:
        """Give a run another last name; the new whole name. Raises LabError for one that is taken, or while something works on it."""
        from latentlab.studio import tasks

        folder = self._at_rest(name)
        if not _is_plain(new):
            raise refusal("a run's name", f'1 to {LONGEST} characters, none of / \\ : * ? " < > |, without a dot at either end', new)
        whole = "/".join([*name.split("/")[:-1], new])
        target = self.path(whole)
        if target.exists():
            raise refusal("a run's name", "one that is free", new)
        folder.path.rename(target)
        tasks.renamed(self, name, whole)
        return whole

    def discard(self, name: str) -> str:
        """Move a run into the trash; the moment by which it is found there. Raises LabError while something works on it."""
        folder = self._at_rest(name)
        target = self.trash / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}" / Path(*name.split("/"))
        target.parent.mkdir(parents=True)
        folder.path.rename(target)
        return target.relative_to(self.trash).parts[0]

    def never_began(self, name: str) -> bool:
        """Whether a name's folder was made for a run that ended before it wrote anything."""
        path = self.path(name)
        return path.is_dir() and not (path / "config.json").exists() and {file.name for file in path.iterdir()} <= _LOCKS

    def forget(self, name: str) -> None:
        """Remove the folder of a run that never began. Raises LabError while something works on it, or where there is more in it."""
        if not self.never_began(name):
            raise refusal("a run", "one that ended before it wrote anything", name)
        if RunFolder(self.path(name)).is_locked():  # by `latentlab train` in a terminal
            raise refusal("a run", "at rest to be removed", name, "Stop it first.")
        self._is_idle(name)
        shutil.rmtree(self.path(name))

    def discarded(self) -> list[tuple[str, str]]:
        """(when it was thrown away, its name) of each run in the trash, the last one first."""
        if not self.trash.is_dir():
            return []
        found = []
        for moment in sorted((path for path in self.trash.iterdir() if path.is_dir()), reverse=True):
            found += [(moment.name, folder.path.relative_to(moment).as_posix()) for folder in list_runs(moment)]
        return found

    def restore(self, moment: str, name: str) -> None:
        """Bring a run back from the trash. Raises LabError when its name has been taken since."""
        if (moment, name) not in self.discarded():
            raise refusal("a run", "one in the trash", name)
        target = self.path(name)
        self._is_idle(name)
        if target.exists():
            raise refusal("a run's name", "one that is free", name, "Rename the run that has it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.trash / moment / Path(*name.split("/"))).rename(target)
        shutil.rmtree(self.trash / moment)

    def _at_rest(self, name: str) -> RunFolder:
        folder = self.open(name)
        if folder.is_locked():
            raise refusal("a run", "at rest to be moved", name, "Stop it first.")
        self._is_idle(name)
        return folder

    def _is_idle(self, name: str) -> None:
        """Raises LabError while a process works on a run, or is about to."""
        from latentlab.studio import tasks

        if tasks.running(self, name):
            raise refusal("a run", "at rest to be moved", name, "It is being measured or loaded: wait for it, or stop it first.")


def here() -> Place:
    """The place that the server was started with."""
    return Place(Path(os.environ.get(_RUNS, "runs")).absolute(), os.environ.get(_DATA))


def _is_plain(part: str) -> bool:
    """Whether a text is the name of a folder and nothing else, on every system."""
    return (
        0 < len(part) <= LONGEST
        and _PART.fullmatch(part) is not None
        and part.strip() == part
        and not part.startswith(".")
        and not part.endswith(".")
        and part.partition(".")[0].lower() not in _DEVICES
    )


def sorted_names(names: Sequence[str]) -> list[str]:
    """Names as a reader looks for them: those directly in the folder before those in folders of it."""
    return sorted(names, key=lambda name: (name.count("/"), name))
