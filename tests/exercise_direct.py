"""A file of exercises asked in this process, through the same messages: a process for each of 250 solutions would take minutes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.exercises import EXERCISES, outcomes, student
from latentlab.lab.exercises.process import Failed


class Direct:
    """See `process.Student`."""

    def __init__(self, path: Path, text: str, framework: str = "torch") -> None:
        self.path, self.space, self.framework = path / "solution.py", None, framework
        self.path.write_text(text, encoding="utf-8")

    def ask(self, operation: str, arrays: Mapping[str, np.ndarray] | None = None, **settings: Any) -> Any:
        try:
            given = student.read_message(io.BytesIO(student.packed({"operation": operation, **settings}, arrays or {})))
            self.space = self.space or student.read(self.path)
            return student.read_message(io.BytesIO(student.packed(*student.answer(self.space, *given))))
        except Exception as error:
            raise Failed(Phrase("exercise.said.error", {"error": student.blame(error, self.path)})) from error


def failed(name: str, path: Path, text: str, framework: str = "torch") -> dict[str, str]:
    """The checks that a solution does not pass, and what was said."""
    return {one.check: one.got.say("en") for one in outcomes(EXERCISES[name], Direct(path, text, framework)) if not one.passed}
