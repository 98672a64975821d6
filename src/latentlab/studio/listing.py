"""The list of runs: what stands in it, in which order, and what a search finds. Without a page, so that it can be tested."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError
from latentlab.base.jsonl import parsed
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import ROW
from latentlab.studio import tasks
from latentlab.studio.library import QUESTIONS, Library
from latentlab.studio.overview import Overview, from_the_end, outdated, overview

PAGE = 20  # runs on a page
_FILES = ("config.json", "status.json", "metrics.jsonl", "scores.json")

Stamp = tuple[object, ...]


@dataclass(frozen=True)
class Listed:
    """A run in the list, with its last numbers on held-out images and what measures it."""

    run: Overview
    held_out: dict[str, Any] = field(default_factory=dict)  # the last row of metrics on held-out images
    measured: int | None = None  # the step of its scores
    evaluation: tasks.Task | None = None  # the last one that was started here
    unmeasurable: str = ""  # what is wrong with its scores.json
    unfit: bool = False  # whether its folder's name is one that the studio does not take

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    @property
    def busy(self) -> bool:
        """Whether anything about it changes by itself."""
        return self.run.live or (self.evaluation is not None and self.evaluation.state == "running")

    @property
    def of_question(self) -> bool:
        """Whether it is one of a question's experiment."""
        return self.name.startswith(f"{QUESTIONS}/")

    @property
    def alarms(self) -> list[str]:
        """The keys of the diagnosis' findings that are not over."""
        findings = [one for one in self.run.status.get("diagnosis", []) if isinstance(one, dict)]
        return list(dict.fromkeys(str(one.get("key")) for one in findings if one.get("until_step") is None))


_kept: dict[Path, tuple[Stamp, Listed]] = {}


def listed(library: Library) -> list[Listed]:
    """Every run: those that train first, then the one that changed last. What cannot be read is in the list too, and says why."""
    started = tasks.tasks(library)
    runs = [one(library, name, started) for name in _names(library, started)]
    return sorted(runs, key=lambda each: (not each.run.live, -each.run.changed, each.name))


def one(library: Library, name: str, started: Sequence[tasks.Task] | None = None) -> Listed:
    """One run; read again only where its files, or what was started about it, changed since."""
    started = tasks.tasks(library, (), name) if started is None else started
    training = tasks.newest(library, ("train", "resume"), name, started)
    evaluation = tasks.newest(library, ("evaluate",), name, started)
    try:
        path = library.path(name)
    except LabError as error:  # made by another program, under a name that no link can hold
        return Listed(Overview(name, library.runs / name, "damaged", 0.0, str(error)), unfit=True)
    stamp = (*_stamp(path), *((task.id, task.state) if task is not None else None for task in (training, evaluation)))
    before = _kept.get(path)
    if before is not None and before[0] == stamp and not before[1].busy:
        return before[1]
    now = _read(library, name, evaluation)
    _kept[path] = stamp, now
    return now


def _read(library: Library, name: str, evaluation: tasks.Task | None) -> Listed:
    try:
        run = overview(library, name)
    except LabError as error:
        path = library.path(name)
        return Listed(Overview(name, path, "damaged", path.stat().st_mtime if path.exists() else 0.0, str(error)))
    if evaluation is not None and outdated(run.folder, evaluation):
        evaluation = None
    try:
        return Listed(run, last_held_out(run.folder), run.folder.scores().get("step"), evaluation)
    except LabError as error:
        return Listed(run, last_held_out(run.folder), None, evaluation, str(error))


def _names(library: Library, started: Sequence[tasks.Task]) -> list[str]:
    """The names of all runs, and of those whose process has not written anything yet or failed before it could."""
    names = library.names()
    waiting = {task.subject for task in started if task.kind == "train"}.difference(names)
    return names + sorted(name for name in waiting if _is_waiting(library, name, started))


def _is_waiting(library: Library, name: str, started: Sequence[tasks.Task]) -> bool:
    try:
        return library.path(name).is_dir() and tasks.newest(library, ("train", "resume"), name, started) is not None
    except LabError:
        return False


def _stamp(path: Path) -> Stamp:
    changes: list[object] = []
    for name in _FILES:
        try:
            about = (path / name).stat()
            changes += [about.st_mtime_ns, about.st_size]
        except OSError:
            changes.append(None)
    return tuple(changes)


def last_held_out(folder: RunFolder) -> dict[str, Any]:
    """The last row of metrics that was measured on held-out images; empty where there is none near the end."""
    for line in from_the_end(folder.metrics_file):
        row = parsed(line, ROW) if b'"val"' in line else None
        if row is not None and row.get("split") == "val" and not {"request", "failure"} & row.keys():
            return row
    return {}


def matching(runs: Sequence[Listed], search: str, questions: bool, words: dict[str, str]) -> tuple[list[Listed], int]:
    """The runs in which every word of a search stands (name, preset, data, family, state), and how many of questions were left out.

    Those are left out unless `questions` asks for them or the search names them. `words` has each state in the reader's
    language.
    """
    asked = folded(search).split()
    matches = [each for each in runs if all(word in _haystack(each, words) for word in asked)]
    shown = [each for each in matches if not each.of_question or questions or any(_names_question(word, each.name) for word in asked)]
    return shown, len(matches) - len(shown)


def _haystack(each: Listed, words: dict[str, str]) -> str:
    run = each.run
    told = [run.name, run.state, words.get(run.state, ""), run.kind]
    if run.config is not None:
        told += [run.config.preset, run.config.data.spec]
    return folded(" ".join(told))


def _names_question(word: str, name: str) -> bool:
    """Whether a word of a search names the folder that a question's run lies in: "questions", "kl", "questions/kl"."""
    in_full = len(word) >= 4 and (QUESTIONS.startswith(word) or (word.startswith(f"{QUESTIONS}/") and name.startswith(word)))
    return in_full or word == name.split("/")[1]


def folded(words: str) -> str:
    """Words without case and accents."""
    plain = unicodedata.normalize("NFKD", words).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
