"""Exercises: what a student writes, a starter file for each, and the checks that tell at once what is wrong.

A file holds any of them; which ones is told by the names that it defines. It runs in a process of its own (`process.py`), which is
asked with arrays; the judging happens here, on what comes back. The engine's half is `student.py` and `starters/`: another
framework's twin brings both of its own, and the same checks.
"""

from __future__ import annotations

import ast
import hashlib
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import Phrase, catalogue, text
from latentlab.lab.exercises import broken, derivations, gan, networks, vae
from latentlab.lab.exercises.checks import Check, Outcome
from latentlab.lab.exercises.process import Process, Student

FRAMEWORKS = ("torch",)  # in whose words a starter file is written
LARGEST = 1_000_000  # bytes of a file
WIDTH = 100
LIMITS = ("exercise.said.seconds", "exercise.said.bytes", "exercise.said.ended")


@dataclass(frozen=True)
class Exercise:
    """What is to be written: the names that a file must define at its top, and the checks in their order.

    `header` is the starter file's beginning, its settings; exercises with one header can stand in one file.
    """

    name: str
    defines: tuple[str, ...]
    checks: Sequence[Check]
    header: str = "vae"

    def hints(self, lang: str) -> list[str]:
        """One after the other, each saying more."""
        known = catalogue(lang)
        keys = (f"exercise.{self.name}.hint.{number}" for number in range(1, 10))
        return [known[key] for key in keys if key in known]


EXERCISES = {
    exercise.name: exercise
    for exercise in (
        Exercise("encoder", ("encoder",), networks.ENCODER),
        Exercise("sampling", ("sample",), vae.SAMPLING),
        Exercise("decoder", ("decoder",), networks.DECODER),
        Exercise("vae-loss", ("loss",), vae.LOSS),
        Exercise("vae-step", ("vae_step",), vae.STEP),
        Exercise("generator-discriminator", ("generator", "discriminator"), [*networks.GENERATOR, *networks.DISCRIMINATOR], "gan"),
        Exercise("gan-step", ("step",), gan.STEP, "gan"),
        Exercise("decoder-as-generator", ("generator_from", "new_images"), gan.FROM_DECODER, "gan"),
        Exercise("derivations", ("answers",), derivations.CHECKS, "numbers"),
        Exercise(
            "broken",
            ("kl", "reconstruction", "train_step", "draw", "reparameterise", "loss_of_logits", "draw_images", "discriminator_loss",
             "estimate_elbo", "apart_step"),
            broken.CHECKS,
            "broken",
        ),
    )
}  # fmt: skip


def exercise(name: str) -> Exercise:
    """An exercise by its name. Raises LabError for one that there is none of."""
    if name not in EXERCISES:
        raise refusal("an exercise", "one of " + ", ".join(EXERCISES), name)
    return EXERCISES[name]


# Starter files.


def starter(name: str, lang: str, framework: str = "torch") -> str:
    """A file that holds one exercise, to be filled in."""
    return _filled(f"{framework}/header-{exercise(name).header}.py", lang) + "\n\n" + section(name, lang, framework)


def section(name: str, lang: str, framework: str = "torch") -> str:
    """What a file of the same header gets for one more exercise."""
    return _filled(f"{framework}/{name}.py", lang)


def _filled(file: str, lang: str) -> str:
    """A starter with its comments in a language: a line `#: KEY` stands for the text of that key, wrapped."""
    lines: list[str] = []
    for line in resources.files(__name__).joinpath("starters", *f"{file}.txt".split("/")).read_text(encoding="utf-8").splitlines():
        before, mark, key = line.partition("#: ")
        lines += textwrap.wrap(text(key, lang), WIDTH, initial_indent=f"{before}# ", subsequent_indent=f"{before}# ") if mark else [line]
    return "\n".join(lines) + "\n"


def write(name: str, path: Path, lang: str, framework: str = "torch") -> bool:
    """Write the starter to a new file, or add the exercise to one of the same kind; whether it was added.

    Raises LabError for a file that has the exercise already, or is none of these; it stays as it is.
    """
    wanted = exercise(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(starter(name, lang, framework), encoding="utf-8")
        return False
    found = written(path)
    there = set(names(found))
    if there & set(wanted.defines):
        raise refusal(
            "--out", "a new file, or one without this exercise", str(path), f"It has {wanted.defines[0]} already; nothing was changed."
        )
    kinds = {other.header for other in EXERCISES.values() if there & set(other.defines)}
    if kinds != {wanted.header}:
        mine = ", ".join(other.name for other in EXERCISES.values() if other.header == wanted.header)
        raise refusal("--out", f"a new file, or one with {mine}", str(path), "Name another: nothing was changed.")
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if found.endswith("\n") else "\n") + "\n\n" + section(name, lang, framework))
    return True


def written(path: Path) -> str:
    """The text of somebody's file. Raises LabError for one that is none, is too large, or is no Python."""
    if not path.is_file():
        raise refusal("a file to check", "there", str(path), "`latentlab exercise NAME --out FILE.py` writes one.")
    if path.suffix != ".py" or path.stat().st_size > LARGEST:
        raise refusal("a file to check", "Python (.py) of at most 1 MB", str(path))
    try:
        found = path.read_bytes().decode("utf-8-sig")
        ast.parse(found)
    except (UnicodeDecodeError, ValueError) as error:
        raise LabError(f"{path} must be Python text in UTF-8. Got: {error}. Save it as UTF-8.") from None
    except SyntaxError as error:
        raise LabError(f"{path}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from None
    return found


def names(found: str) -> list[str]:
    """What a file's text gives a value at its top."""
    defined: list[str] = []
    for node in ast.parse(found).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.append(name)
            case ast.Assign(targets=targets):
                defined += [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                defined.append(name)
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                defined += [alias.asname or alias.name for alias in aliases]
    return defined


# Checking.


def present(found: str) -> list[Exercise]:
    """The exercises that a file's text holds, in their order."""
    there = set(names(found))
    pieces = set(EXERCISES["broken"].defines)
    whole = [each for each in EXERCISES.values() if set(each.defines) <= there]
    return [each for each in whole if each.name == "broken" or not pieces <= there]


def check(path: Path, only: str | None = None) -> Iterator[Outcome]:
    """What comes out of every check of a file, one after the other. Raises LabError for a file without an exercise."""
    found = written(path)
    meant = [each for each in present(found) if only in (None, each.name)]
    if not meant:
        must = f"a file with {', '.join(exercise(only).defines)}" if only else "a file that defines what an exercise asks for"
        raise refusal(str(path), must, ", ".join(names(found)[:8]) or "nothing", "`latentlab exercise` lists them.")
    with Process(path) as student:
        for each in meant:
            yield from outcomes(each, student)


def outcomes(each: Exercise, student: Student) -> Iterator[Outcome]:
    """What comes out of an exercise's checks. After one of a part's form failed, the rest of that part is not looked at."""
    stopped: set[str] = set()
    ended = False
    for one in each.checks:
        part = one.name.partition("-")[0]
        if ended or part in stopped:
            yield Outcome(each.name, one.name, None, Phrase("exercise.said.not-reached"))
            continue
        outcome = one.outcome(each.name, student)
        if not outcome.passed and one.name.endswith(("-shape", "-returns", "-once")):
            stopped.add(part)
        ended = outcome.got.key in LIMITS  # what takes too long or too much does so again
        yield outcome


def handed(path: Path) -> dict[str, Any]:
    """A file as it goes into a hand-in: its text and what its checks gave, {"file", "sha256", "source", "results", "told"}.

    `results` is exercise → check → passed, which `grade` reads; `told` is what the page shows of each. Raises LabError.
    """
    source = written(path)
    results: dict[str, dict[str, bool | None]] = {}
    told: list[dict[str, Any]] = []
    for outcome in check(path):
        results.setdefault(outcome.exercise, {})[outcome.check] = outcome.passed
        words, part = words_of(outcome.exercise, outcome.check)
        told.append({"exercise": outcome.exercise, "words": words, "part": part, "passed": outcome.passed, "got": outcome.got})
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    return {"file": path.name, "sha256": sha256, "source": source, "results": results, "told": told}


def again(source: str) -> dict[str, dict[str, bool | None]]:
    """The results of a file's text, checked anew: exercise → check → passed; none of text that is no Python or has no exercise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handed_in.py"
        path.write_text(source, encoding="utf-8")
        try:
            return handed(path)["results"]  # type: ignore[no-any-return]
        except LabError:
            return {}


def words_of(name: str, check: str) -> tuple[str, str]:
    """By which texts a check is told, and of which part, where the exercise has several."""
    found = next(one for one in EXERCISES[name].checks if one.name == check)
    several = name == "generator-discriminator"
    return found.words or found.name, found.name.partition("-")[0] if several else ""
