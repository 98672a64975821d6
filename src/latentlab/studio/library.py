"""Where the studio's runs lie, and the names by which a browser may ask for them.

A name is a run folder's path below the folder of runs, such as "lab/vae". It is never used as a path before it is checked.
"latentlab:vae" is a model that comes with the package, to be looked at only: no folder of runs has a name with a colon.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from latentlab.base.errors import LabError, refusal
from latentlab.runs.folder import RunFolder, list_runs, next_folder

DEEPEST = 4  # folders in a name
LONGEST = 80  # characters of one folder's name
QUESTIONS = "questions"  # the folder of the questions' experiments
# What comes with the package (`make starters`): a small model of each family, as run folders, by the names that they have here.
STARTERS = {f"latentlab:{kind}": Path(__file__).parent / "starters" / kind for kind in ("ae", "vae", "gan", "gan-from-vae")}
# A drive, a stream (:), a wildcard or a control character means something else than a name on some system.
_PART = re.compile(r'[^\x00-\x1f\x7f/\\:*?"<>|]+')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_LOCKS = {"lock", "control.lock"}  # all that a run's folder holds before its configuration
_RUNS, _DATA, _SHARED = "LATENTLAB_STUDIO_RUNS", "LATENTLAB_STUDIO_DATA", "LATENTLAB_STUDIO_SHARED"
READER = "latentlab_reader"  # the cookie by which one browser is told from another, where several share the studio


@dataclass(frozen=True)
class Library:
    """A folder of runs, and the data root that training started here is given (None: the usual one).

    `reader` is who looks at it: "" on the machine's own address, where that is one person.
    """

    runs: Path
    data_root: str | None = None
    reader: str = ""

    @property
    def own(self) -> Path:
        """Where the studio keeps what is its own: tasks, answers. Its name begins with a dot, so that no list shows it."""
        return self.runs / ".studio"

    @property
    def mine(self) -> str:
        """What the names of a reader's own files end with."""
        return f"-{self.reader}" if self.reader else ""

    @property
    def trash(self) -> Path:
        """Where deleted runs go."""
        return self.runs / ".trash"

    @property
    def questions(self) -> Path:
        """Where the questions' experiments keep their runs, dozens of them, and their cards."""
        return self.runs / QUESTIONS

    def remember(self, shared: bool = False) -> None:
        """Put this library into the environment, from which the page's script reads it; `shared` with others than this machine."""
        os.environ[_RUNS] = str(self.runs)
        os.environ[_SHARED] = "1" if shared else ""
        if self.data_root is not None:
            os.environ[_DATA] = self.data_root

    def names(self) -> list[str]:
        """The name of every run, by path; empty where there is no folder yet."""
        if not self.runs.is_dir():
            return []
        return [folder.path.relative_to(self.runs).as_posix() for folder in list_runs(self.runs)]

    def path(self, name: str) -> Path:
        """The folder of a name, checked: it lies below the folder of runs. Raises LabError; whether it exists is not asked."""
        parts = name.split("/")
        if not 1 <= len(parts) <= DEEPEST or not all(map(is_plain, parts)):
            raise _no_run(name)
        path = self.runs.joinpath(*parts)
        root = self.runs.resolve()
        if not path.resolve().is_relative_to(root) or path.resolve() == root:
            raise _no_run(name)
        return path

    def open(self, name: str) -> RunFolder:
        """The run of a name. Raises LabError when there is none."""
        path = self.path(name)
        if not (path / "config.json").is_file():
            raise _no_run(name)
        return RunFolder(path)

    def look(self, name: str) -> RunFolder:
        """The same, to be looked at only: also what comes with the package."""
        return RunFolder(STARTERS[name]) if name in STARTERS else self.open(name)

    def new(self, preset: str, spec: str, under: str = "") -> str:
        """The name of a folder made for a new run, in the folder `under`; no other call is given the same."""
        for _ in range(1000):
            path = next_folder(preset, spec, self.runs / under)
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue  # another tab was faster
            return path.relative_to(self.runs).as_posix()
        raise LabError(f"{self.runs} has no free name for a run of {preset}.")

    def never_began(self, name: str) -> bool:
        """Whether a name's folder was made for a run that ended before it wrote anything."""
        path = self.path(name)
        return path.is_dir() and not (path / "config.json").exists() and {file.name for file in path.iterdir()} <= _LOCKS

    def discarded(self) -> list[tuple[str, str]]:
        """(when it was thrown away, its name) of each run in the trash, the last one first."""
        if not self.trash.is_dir():
            return []
        moments = sorted((path for path in self.trash.iterdir() if path.is_dir()), reverse=True)
        return [(moment.name, run.path.relative_to(moment).as_posix()) for moment in moments for run in list_runs(moment)]


def here() -> Library:
    """The library that the server was started with, as the one who reads the page may use it."""
    library = Library(Path(os.environ.get(_RUNS, "runs")).absolute(), os.environ.get(_DATA))
    if not is_shared():
        return library
    import streamlit as st

    cookies = {name.rpartition("_")[0]: value for name, value in st.context.cookies.items()}
    known = re.fullmatch(r"[0-9a-f]{32}", cookies.get(READER, ""))
    return replace(library, reader=known[0] if known else "nobody")


def is_shared() -> bool:
    """Whether others than this machine read the pages."""
    return bool(os.environ.get(_SHARED))


def without_paths(words: str) -> str:
    """Words of the program's without the folders of this machine, where others read them: of a path its last name stays.

    >>> without_paths("no room")
    'no room'
    """
    return re.sub(r"(?<![\w.>…/])(?:/|[A-Za-z]:\\)(?:[^/\\:'\"\n]*[/\\])+", "…/", words) if is_shared() else words


def _no_run(name: str) -> LabError:
    return refusal("a run", "the name of a run in this folder", name)


def natural(name: str) -> list[tuple[bool, float, str]]:
    """A key by which names stand in order of the numbers in them: "beta-3" before "beta-10"."""
    parts = [part for part in re.split(r"(\d+(?:\.\d+)?)", name) if part]
    return [(False, float(part), "") if part[0].isdecimal() else (True, 0.0, part) for part in parts]


def is_plain(part: str) -> bool:
    """Whether a text is the name of a folder and nothing else, on every system."""
    return (
        0 < len(part) <= LONGEST
        and _PART.fullmatch(part) is not None
        and part.strip() == part
        and not part.startswith(".")
        and not part.endswith(".")
        and part.partition(".")[0].lower() not in _DEVICES
    )
