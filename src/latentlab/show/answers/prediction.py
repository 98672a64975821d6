"""A prediction, kept in its question's folder with its time and a hash before the result is shown, and never changed after.

The hash can be told to somebody beforehand. It shows that what is handed in was written then; it proves no author.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import read_json, replace_json
from latentlab.base.shapes import fits, is_time
from latentlab.base.texts import Phrase, moment
from latentlab.show.card import NAMES, options

SHAPE = {"question": NAMES.__contains__, "chosen": [str], "time": is_time, "sha256": str}


@dataclass(frozen=True)
class Prediction:
    """What was predicted of a question; nothing by a reader who looked without predicting."""

    question: str
    chosen: tuple[str, ...]
    time: str  # UTC, ISO 8601

    @property
    def sha256(self) -> str:
        """The hash of question, choice and time, of a line each."""
        return hashlib.sha256("\n".join((self.question, ",".join(self.chosen), self.time)).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """{"question", "chosen", "time", "sha256"}."""
        return {"question": self.question, "chosen": list(self.chosen), "time": self.time, "sha256": self.sha256}

    @classmethod
    def from_json(cls, content: Any) -> Prediction:
        """What `to_json` gave. Raises ValueError for anything else, and where the hash is that of something else."""
        if fits(content, SHAPE):
            found = cls(content["question"], tuple(content["chosen"]), content["time"])
            if found.sha256 == content["sha256"] and set(found.chosen) <= set(options(found.question)):
                return found
        raise ValueError("a prediction")


def is_kept(content: Any) -> bool:
    """a prediction with its time and hash"""
    try:
        return Prediction.from_json(content) is not None
    except ValueError:
        return False


def now() -> str:
    """The time, as records have it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def file(folder: Path, reader: str = "") -> Path:
    """Where the prediction of a question's folder is kept; where several read it, a file for each."""
    return folder / f"prediction{reader}.json"


def kept(folder: Path, question: str, reader: str = "") -> Prediction | None:
    """The prediction in a question's folder. Raises LabError for one that was changed since."""
    path = file(folder, reader)
    try:
        found = Prediction.from_json(read_json(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        found = None
    if found is None or found.question != question:
        raise LabError(f"{path} must be the prediction of {question} as it was kept. It was changed since. Restore it, or remove it.")
    return found


def keep(folder: Path, question: str, chosen: Iterable[str], reader: str = "") -> Prediction:
    """Keep a prediction, or that there is none. Raises LabError for an option that there is none of, and where another one is kept."""
    known, wanted = options(question), tuple(chosen)
    if unknown := [option for option in wanted if option not in known]:
        raise refusal("a prediction", "out of " + ", ".join(known), unknown[0])
    ordered = tuple(option for option in known if option in wanted)
    there = kept(folder, question, reader)
    if there is None:
        there = Prediction(question, ordered, now())
        folder.mkdir(parents=True, exist_ok=True)
        replace_json(file(folder, reader), there.to_json())
    if there.chosen != ordered:
        raise LabError(f"a prediction stays as it was kept: {told(there)} on {there.time}. Got {','.join(ordered)!r}. Leave it out.")
    return there


def told(prediction: Prediction) -> str:
    """The choice in the words of a command."""
    return ",".join(prediction.chosen) or "none"


def all_kept(folder: Path, say: Callable[[str], None], reader: str = "") -> dict[str, Prediction]:
    """The predictions in a folder of questions, by question. One that was changed since counts as none, which is said."""
    found: dict[str, Prediction] = {}
    for name in NAMES:
        try:
            if (prediction := kept(folder / name, name, reader)) is not None:
                found[name] = prediction
        except LabError as error:
            say(f"{error} It counts as none.")
    return found


def said(prediction: Prediction | None, ended: str = "") -> Phrase:
    """When a prediction was kept, and when its experiment `ended`, where that is known."""
    if prediction is None:
        return Phrase("card.kept.none")
    values = {"time": moment(prediction.time), "ended": moment(ended), "hash": prediction.sha256[:16]}
    return Phrase(f"card.kept.{'looked' if not prediction.chosen else 'ended' if ended else 'open'}", values)
