"""The reader's own answers: one sheet, RUNS/.studio/answers.md, which `latentlab report --answers` reads.

The file is the truth for every tab and after every reload. A tab writes one entry at a time, and only over what it has read:
where another tab wrote that entry since, `put` refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from latentlab.answers.sheet import Answers, Part, as_kept, read_answers, written
from latentlab.cards.card import options
from latentlab.files import replace_text
from latentlab.locks import held
from latentlab.studio.place import Place

PATIENCE_SECONDS = 5.0
LONGEST_TEXT = 20_000  # characters of an answer: eight of them fill no more than a sheet may have
NOBODY = Answers("", "", {})


class Entry(NamedTuple):
    """One thing that can be written: the name, the group, or a section's prediction or text."""

    kind: Literal["name", "group", "prediction", "text"]
    section: str = ""

    def of(self, answers: Answers) -> str:
        """What is written there; "" for nothing."""
        if self.kind == "name" or self.kind == "group":
            return answers.name if self.kind == "name" else answers.group
        part = answers.parts.get(self.section, Part(None, ""))
        return part.text if self.kind == "text" else part.prediction or ""

    def put_into(self, answers: Answers, words: str) -> Answers:
        """The answers with that entry changed; a section in which nothing is left is left out."""
        if self.kind == "name" or self.kind == "group":
            one_line = " ".join(words.split())
            name, group = (one_line, answers.group) if self.kind == "name" else (answers.name, one_line)
            return Answers(name, group, answers.parts)
        before = answers.parts.get(self.section, Part(None, ""))
        part = Part(before.prediction, as_kept(words)) if self.kind == "text" else Part(words or None, before.text)
        return Answers(answers.name, answers.group, _without_empty({**answers.parts, self.section: part}))


class Changed(Exception):
    """Another tab, or somebody's editor, wrote an entry since it was read. `now` is what stands there."""

    def __init__(self, now: str) -> None:
        super().__init__(now)
        self.now = now


def file(place: Place) -> Path:
    """Where the answers are kept."""
    return (place.own / "answers").with_suffix(".md")


def read(place: Place) -> Answers:
    """The answers; nobody's where there are none yet. Raises LabError for a sheet that cannot be read."""
    path = file(place)
    return read_answers(path) if path.is_file() else NOBODY


def put(place: Place, entry: Entry, words: str, before: str, lang: str) -> str:
    """Write an entry where `before` stands now, and return it as it is kept.

    Raises Changed where something else stands there, and LabError for what a sheet cannot hold or a file that cannot be read.
    """
    place.own.mkdir(parents=True, exist_ok=True)
    with held(file(place).with_suffix(".lock"), PATIENCE_SECONDS, f"{file(place)} is being written by another process. Try again."):
        answers = read(place)
        changed = entry.put_into(answers, words)
        kept, now = entry.of(changed), entry.of(answers)
        if now not in (before, kept):
            raise Changed(now)
        if now != kept:
            replace_text(file(place), written(changed, lang))
        return kept


def predicted(answers: Answers, question: str) -> tuple[str, ...]:
    """The options of a question that were predicted."""
    part = answers.parts.get(question)
    return tuple(option for option in part.predicted if option in options(question)) if part else ()


def _without_empty(parts: Mapping[str, Part]) -> dict[str, Part]:
    return {section: part for section, part in parts.items() if part != Part(None, "")}
