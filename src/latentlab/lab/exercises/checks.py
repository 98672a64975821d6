"""What a check is: a property of what a student's file computes, judged here on fresh inputs, never on its text."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.exercises.process import Failed, Student

Judged = tuple[bool, Phrase]  # whether a property holds, and what was seen
HEIGHT = WIDTH = 28
Z = 8  # latent units, where the file does not say


@dataclass(frozen=True)
class Outcome:
    """What came out of a check. `passed` is None where one before it says enough."""

    exercise: str
    check: str
    passed: bool | None
    got: Phrase


@dataclass(frozen=True)
class Check:
    """One property. Its texts: exercise.check.WORDS (what is looked at), exercise.means.WORDS (what it means where it fails)."""

    name: str
    judge: Callable[[Student], Judged]
    words: str = ""
    after: tuple[str, ...] = ()  # checks that say enough where they fail
    torch_only: bool = False  # of what other frameworks' networks have not, such as a mode of their own

    def outcome(self, exercise: str, student: Student) -> Outcome:
        """What comes out of it for a file; its own errors fail."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                passed, got = self.judge(student)
        except Failed as failed:
            passed, got = False, failed.why
        except Exception:  # an answer of another form than was asked for, or numbers that nothing can be done with
            passed, got = False, Phrase("exercise.said.form")
        return Outcome(exercise, self.name, bool(passed), got)


def named(*judges: Callable[[Student], Judged], after: tuple[str, ...] = (), torch_only: bool = False) -> list[Check]:
    """Checks that are called as their functions."""
    return [Check(judge.__name__.replace("_", "-"), judge, after=after, torch_only=torch_only) for judge in judges]


def value(got: float, must: float, tolerance: float = 1e-4) -> Judged:
    """A number against its closed form, relative to it where it is above 1."""
    passed = bool(abs(got - must) <= tolerance * max(1.0, abs(must)))  # nan: no
    return passed, compared(passed, float(got), float(must))


def compared(passed: bool, got: Any, must: Any) -> Phrase:
    """What came out, and what it must be where that is another."""
    return Phrase("exercise.said.plain", {"got": got}) if passed else Phrase("exercise.said.value", {"got": got, "must": must})


def arrays(got: Any, must: Any, tolerance: float = 1e-4) -> Judged:
    """Arrays against what they must be: the largest difference, relative where it is above 1."""
    one, other = np.asarray(got, float), np.asarray(must, float)
    if one.shape != other.shape:
        return shapes([one.shape], [other.shape])
    off = float((np.abs(one - other) / np.maximum(1, np.abs(other))).max()) if one.size else 0.0
    return bool(off <= tolerance), Phrase("exercise.said.off", {"off": off})


def shapes(got: list[tuple[int, ...]], must: list[tuple[int, ...]], student: Student | None = None) -> Judged:
    """The shapes of results; those of images are told as the student's framework has them."""

    def told(shape: tuple[int, ...]) -> str:
        last = len(shape) == 4 and student is not None and student.framework == "keras"
        return str([shape[0], *shape[2:], shape[1]] if last else list(shape))

    return got == must, compared(got == must, *(", ".join(map(told, each)) for each in (got, must)))


def said(passed: bool, key: str, **values: Any) -> Judged:
    """Whether it holds, and what was seen: exercise.said.KEY."""
    return bool(passed), Phrase(f"exercise.said.{key}", values)


def latent(student: Student) -> int:
    """How many latent units the file wants."""
    wanted = student.ask("names")[0]["settings"].get("latent_dim", Z)
    return int(wanted) if isinstance(wanted, int) and 0 < wanted <= 512 else Z


def images(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures in [0, 1]: float32 [count, 1, 28, 28]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    out = np.zeros((count, 1, HEIGHT, WIDTH), np.float32)
    for picture in out:
        for _ in range(6):
            (v, u), size = random.uniform(0, HEIGHT, 2), random.uniform(2, 8)
            picture[0] += np.exp(-((y - v) ** 2 + (x - u) ** 2) / size**2)
    return np.clip(out, 0, 1)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers, float32."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)


def is_normal(noise: np.ndarray) -> Judged:
    """Whether noise [N, D] is standard normal and independent, each statistic within 5 standard errors of one number."""
    count, units = noise.shape
    flat = noise.ravel()
    with np.errstate(all="ignore"):  # a constant has no correlation
        distinct = len(np.unique(noise[:, 0])) / count
        correlations = np.nan_to_num(np.corrcoef(noise.T)) if units > 1 else np.ones((1, 1))
        np.fill_diagonal(correlations, 1)
    each = {
        "mean": (float(np.abs(noise.mean(0)).max()), 5 / count**0.5),
        "deviation": (float(np.abs(noise.std(0) - 1).max()), 5 / (2 * count) ** 0.5),
        "tails": (abs(float((flat**4).mean()) - 3), 5 * (96 / flat.size) ** 0.5),
        "distinct": (1 - distinct, 0.01),  # float32 has few equal ones
        "rows": (abs(float((noise[1:] * noise[:-1]).mean())), 5 / flat.size**0.5),
        "units": (float(np.abs(correlations - np.eye(units)).max()), 5 / count**0.5),
    }
    worst = max(each, key=lambda name: each[name][0] / each[name][1] if np.isfinite(each[name][0]) else np.inf)
    off, most = each[worst]
    return said(off <= most, "noise", statistic=Phrase(f"exercise.noise.{worst}"), off=off, most=most)
