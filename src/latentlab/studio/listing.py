"""The list of runs: what stands in it, in which orders, and what a search finds. Without a page, so that it can be tested."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

from latentlab.base.errors import LabError
from latentlab.measure.table import better
from latentlab.studio import tasks
from latentlab.studio.library import QUESTIONS, Library, natural
from latentlab.studio.overview import Overview, State, last_row, outdated, overview

PAGE = 20  # runs on a page
_FILES = ("config.json", "status.json", "metrics.jsonl", "scores.json", "notes.json")
# What a run is judged by, what says most first; an AE's error is called otherwise in a row of metrics.
JUDGED, JUDGED_AE, IN_ROWS = ("kid", "modes", "loss_nats"), ("reconstruction_mse",), {"reconstruction_mse": "mse"}

Stamp = tuple[object, ...]


class Score(NamedTuple):
    """What a run is judged by. Two of one `measure` and one `extractor` ("": it needs none) can be compared."""

    measure: str
    extractor: str
    value: float
    evaluated: bool  # else it is of the last look at held-out images while it trained


@dataclass(frozen=True)
class Listed:
    """A run in the list, with what its family is judged by, what measures it, what was noted of it and its newest picture."""

    run: Overview
    score: Score | None = None
    measured: int | None = None  # the step of its scores
    evaluation: tasks.Task | None = None  # the last one that was started here
    notes: Mapping[str, Any] = field(default_factory=dict)  # note and tags
    damage: tuple[str, ...] = ()  # what is wrong with its scores.json and notes.json
    picture: tuple[int, int] | None = None  # the step of its newest samples, and when they were drawn
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

    @property
    def tags(self) -> list[str]:
        """Its tags as they are shown and searched."""
        return [f"#{tag}" for tag in self.notes.get("tags", [])]


# The orders of the list, each by its column; one that begins with "-" has the largest first.
USUAL = "-date"
ORDERS = ("name", "state", "-step", "score", USUAL)  # as a first click asks for them
_KEYS: dict[str, Callable[[Listed], Any]] = {
    "name": lambda each: natural(each.name),
    "state": lambda each: get_args(State).index(each.run.state),
    "step": lambda each: each.run.step,
    "date": lambda each: (each.run.live, each.run.changed),  # what trains is of now
    "score": lambda each: each.score and _rank(each.score),
}


def _rank(score: Score) -> tuple[int, str, float]:
    """By measure, then by who saw it, then the better first: different measures do not compare."""
    return (*JUDGED_AE, *JUDGED).index(score.measure), score.extractor, -score.value if better(score.measure) == "higher" else score.value


def turned(order: str) -> str:
    """The same order from its other end."""
    return order[1:] if order.startswith("-") else f"-{order}"


def in_order(runs: Sequence[Listed], order: str = USUAL) -> list[Listed]:
    """The runs in one of the ORDERS, from either end, alike ones by name. Those without a score come last from both ends."""
    by, named = order.removeprefix("-"), sorted(runs, key=_KEYS["name"])
    last = [each for each in named if each.score is None] if by == "score" else []
    told = [each for each in named if each.score is not None] if last else named
    return sorted(told, key=_KEYS[by], reverse=order != by) + last


_kept: dict[Path, tuple[Stamp, Listed]] = {}


def listed(library: Library) -> list[Listed]:
    """Every run: those that train first, then the one that changed last. What cannot be read is in the list too, and says why."""
    started = tasks.tasks(library)
    return in_order([one(library, name, started) for name in _names(library, started)])


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
    known, damage, picture = dict[str, dict[str, Any]](), list[str](), None
    for name, record in {"scores": run.folder.scores, "notes": run.folder.notes}.items():
        try:
            known[name] = record()
        except LabError as error:
            damage.append(str(error))
    for step, path in run.folder.pictures("samples")[-1:] if run.config is not None else ():
        with suppress(FileNotFoundError):  # a run that goes on draws it anew
            picture = step, path.stat().st_mtime_ns
    scores, told = known.get("scores", {}), known.get("notes", {})
    score = None if run.config is None else judged(run, scores)
    return Listed(run, score, scores.get("step"), evaluation, told, tuple(damage), picture)


def judged(run: Overview, scores: Mapping[str, Any]) -> Score | None:
    """What a run is judged by: an AE by its error, all others by the KID of their samples, modes or a loss where that is not known.

    As it was evaluated, else as it was seen while it trained; None where neither is there.
    """
    row = last_row(run.folder, held_out=True)
    for measure in JUDGED_AE if run.kind == "ae" else JUDGED:
        seen = {"value": row.get(IN_ROWS.get(measure, measure)), "extractor": row.get("extractor")}
        for entry, evaluated in ((scores.get("scores", {}).get(measure, {}), True), (seen, False)):
            if isinstance(value := entry.get("value"), int | float):
                return Score(measure, str(entry.get("extractor") or "") if measure == "kid" else "", value, evaluated)
    return None


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


def matching(runs: Sequence[Listed], search: str, questions: bool, words: dict[str, str]) -> tuple[list[Listed], int]:
    """The runs in which every word of a search stands (name, #tag, preset, data, family, state), and how many of questions were left out.

    Those are left out unless `questions` asks for them or the search names them. `words` has each state in the reader's
    language.
    """
    asked = folded(search).split()
    matches = [each for each in runs if all(word in _haystack(each, words) for word in asked)]
    shown = [each for each in matches if not each.of_question or questions or any(_names_question(word, each.name) for word in asked)]
    return shown, len(matches) - len(shown)


def _haystack(each: Listed, words: dict[str, str]) -> str:
    run = each.run
    told = [run.name, run.state, words.get(run.state, ""), run.kind, *each.tags, str(each.notes.get("note", ""))]
    if run.config is not None:
        told += [run.config.preset, run.config.data.spec]
    return folded(" ".join(told))


def _names_question(word: str, name: str) -> bool:
    """Whether a word of a search names the folder that a question's run lies in: "questions", "kl", "questions/kl"."""
    in_full = len(word) >= 4 and (QUESTIONS.startswith(word) or (word.startswith(f"{QUESTIONS}/") and name.startswith(word)))
    return in_full or word == name.split("/")[1]


def tags_of(words: str) -> list[str]:
    """The tags that a text names, each once: "#ring, best" are ring and best."""
    return list(dict.fromkeys(tag for tag in re.split(r"[\s,;#]+", words) if tag))


def folded(words: str) -> str:
    """Words without case and accents."""
    plain = unicodedata.normalize("NFKD", words).casefold()
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
