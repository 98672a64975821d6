"""Exercises: what a student writes, a starter file for each, and the checks that tell at once what is wrong.

A file holds any of them; which ones is told by the names that it defines. It runs in a process of its own (`process.py`), which is
asked with arrays; the judging happens here, on what comes back. A framework's half is `operations.py` or `operations_keras.py`,
and its folder in `starters/`; the checks are the same. A text may have another form for Keras: KEY.keras.
"""

from __future__ import annotations

import ast
import hashlib
import re
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import Phrase, catalogue, reason, text
from latentlab.lab.exercises import broken, derivations, from_decoder, gan, networks, vae
from latentlab.lab.exercises.checks import Check, Outcome
from latentlab.lab.exercises.process import Process, Student

FRAMEWORKS = ("torch", "keras")  # in whose words a starter file is written; Keras on TensorFlow
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

    def hints(self, lang: str, framework: str = "torch") -> list[str]:
        """One after the other, each saying more."""
        known = catalogue(lang)
        keys = (f"exercise.{self.name}.hint.{number}" for number in range(1, 10))
        return [known[worded(key, framework)] for key in keys if key in known]

    def checks_of(self, framework: str) -> Sequence[Check]:
        """Those of its checks that ask for something which the framework has."""
        return [one for one in self.checks if framework == "torch" or not one.torch_only]


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
        Exercise("decoder-as-generator", ("generator_from", "new_images"), from_decoder.CHECKS, "gan"),
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


def worded(key: str, framework: str) -> str:
    """The key of a text, or of its form for Keras where it has one."""
    other = f"exercise.{key.partition('.')[2]}.keras"
    return other if framework == "keras" and other in catalogue("en") else key


# Starter files.


def starter(name: str, lang: str, framework: str = "torch") -> str:
    """A file that holds one exercise, to be filled in."""
    return _filled(framework, f"header-{exercise(name).header}", lang) + "\n\n" + section(name, lang, framework)


def section(name: str, lang: str, framework: str = "torch") -> str:
    """What a file of the same header gets for one more exercise."""
    return _filled(framework, name, lang)


def _filled(framework: str, name: str, lang: str) -> str:
    """A starter with its comments in a language: a line `#: KEY` stands for the text of that key, wrapped. Numbers have one for all."""
    lines: list[str] = []
    starters = resources.files(__name__).joinpath("starters")
    file = next(path for each in (framework, FRAMEWORKS[0]) if (path := starters.joinpath(each, f"{name}.py.txt")).is_file())
    for line in file.read_text(encoding="utf-8").splitlines():
        before, mark, key = line.partition("#: ")
        about = {"width": WIDTH, "initial_indent": f"{before}# ", "subsequent_indent": f"{before}# ", "break_on_hyphens": False}
        parts = text(worded(key, framework), lang).split("\n") if mark else []
        lines += [one for part in parts for one in textwrap.wrap(part, **about)] if mark else [line]  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"


def write(name: str, path: Path, lang: str, framework: str = "torch") -> bool:
    """Write the starter to a new file, or add the exercise to one of the same kind; whether it was added.

    Raises LabError for a file that has the exercise already, or is none of these; it stays as it is.
    """
    wanted = exercise(name)
    if not path.exists() or (path.is_file() and not path.read_bytes().strip()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(starter(name, lang, framework), encoding="utf-8")
        return False
    found = written(path)
    there = set(names(found))
    if framework_of(found) not in (None, framework):
        raise refusal("--framework", f"{framework_of(found)}, as {path} is", framework, "Or name another file: nothing was changed.")
    if there & set(wanted.defines):
        raise refusal(
            "--out", "a new file, or one without this exercise", str(path), f"It has {wanted.defines[0]} already; nothing was changed."
        )
    kinds = {other.header for other in EXERCISES.values() if there & set(other.defines)}
    if kinds != {wanted.header}:
        mine = ", ".join(other.name for other in EXERCISES.values() if other.header == wanted.header)
        raise refusal("--out", f"a new file, or one with {mine}", str(path), "Name another: nothing was changed.")
    imports = [line for line in _filled(framework, f"header-{wanted.header}", lang).splitlines() if re.match("import |from ", line)]
    missing = "".join(f"{line}\n" for line in imports if line not in found)
    added = ("" if found.endswith("\n") else "\n") + "\n\n" + (f"{missing}\n\n" if missing else "") + section(name, lang, framework)
    ends = "\r\n" if b"\r\n" in path.read_bytes() else "\n"
    with path.open("a", encoding="utf-8", newline=ends) as file:
        file.write(added)
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
    except (UnicodeDecodeError, ValueError, RecursionError, MemoryError) as error:
        raise LabError(f"{path} must be Python text in UTF-8. Got: {error}. Save it as UTF-8.") from None
    except SyntaxError as error:
        at = f", line {error.lineno}" if error.lineno else ""
        raise LabError(f"{path}{at}: {error.msg}: {(error.text or '').strip()}") from None
    return found


def framework_of(found: str) -> str | None:
    """Which framework a file's text is written for, by what it imports; None where by neither."""
    nodes = list(ast.walk(ast.parse(found)))
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    tops = {name.partition(".")[0] for name in imported}
    return "keras" if tops & {"keras", "tensorflow"} else "torch" if "torch" in tops else None


def names(found: str) -> list[str]:
    """What a file's text gives a value at its top."""
    return _defined(ast.parse(found).body)


def _defined(body: Sequence[ast.stmt]) -> list[str]:
    defined: list[str] = []
    for node in body:
        match node:
            case ast.If() | ast.Try() | ast.With():
                defined += _defined([inner for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt)])
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
    """The exercises that a file's text has begun, in their order. The names of broken pieces are common words: half of them count."""
    there = set(names(found))
    begun = [each for each in EXERCISES.values() if set(each.defines) & there]
    return [each for each in begun if each.name != "broken" or 2 * len(set(each.defines) & there) >= len(each.defines)]


def check(path: Path, only: str | None = None) -> Iterator[Outcome]:
    """What comes out of every check of a file, one after the other. Raises LabError for a file without an exercise."""
    found = written(path)
    there = names(found)
    meant = [each for each in present(found) if only in (None, each.name)]
    if not meant:
        must = f"a file with {', '.join(exercise(only).defines)}" if only else "a file that defines what an exercise asks for"
        raise refusal(str(path), must, ", ".join(there[:8]) or "nothing", "`latentlab exercise` lists them.")
    framework = framework_of(found) or "torch"
    for needed in ("keras", "tensorflow"):
        if framework == "keras" and find_spec(needed) is None:
            raise LabError(reason("keras.missing", what=needed, backend="tensorflow"))
    with Process(path, framework=framework) as student:
        for each in meant:
            if missing := [name for name in each.defines if name not in there]:
                first, *more = each.checks_of(framework)
                yield Outcome(each.name, first.name, False, Phrase("exercise.said.missing", {"names": ", ".join(missing)}))
                yield from (Outcome(each.name, one.name, None, Phrase("exercise.said.not-reached")) for one in more)
            else:
                yield from outcomes(each, student)


def outcomes(each: Exercise, student: Student) -> Iterator[Outcome]:
    """What comes out of an exercise's checks. After one of a part's form failed, the rest of that part is not looked at."""
    stopped: set[str] = set()
    ended = False
    failed: set[str] = set()
    for one in each.checks_of(student.framework):
        part = one.name.partition("-")[0]
        if ended or part in stopped or failed & set(one.after):
            yield Outcome(each.name, one.name, None, Phrase("exercise.said.not-reached"))
            continue
        outcome = one.outcome(each.name, student)
        outcome = replace(outcome, got=replace(outcome.got, key=worded(outcome.got.key, student.framework)))
        failed |= set() if outcome.passed else {one.name}
        if not outcome.passed and one.name.endswith(("-shape", "-returns", "-once")):
            stopped.add(part)
        ended = outcome.got.key in LIMITS  # what takes too long or too much does so again
        yield outcome


def handed(path: Path) -> dict[str, Any]:
    """A file as it goes into a hand-in: its text and what its checks gave, {"file", "sha256", "source", "results", "told"}.

    `results` is exercise → check → passed, which `grade` reads; `told` is what the page shows of each. Raises LabError.
    """
    source = written(path)
    told, framework = [], framework_of(source) or "torch"
    for outcome in (found := alone(source)):
        words, part = words_of(outcome.exercise, outcome.check)
        what = worded(f"exercise.check.{words}", framework)
        told.append({"exercise": outcome.exercise, "what": what, "part": part, "passed": outcome.passed, "got": outcome.got})
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    return {"file": path.name, "sha256": sha256, "source": source, "results": results(found), "told": told}


def again(source: str) -> dict[str, dict[str, bool | None]]:
    """The results of a text that was handed in, checked anew; none of one that is no Python or has no exercise."""
    try:
        return results(alone(source))
    except (LabError, UnicodeError):
        return {}


def alone(source: str) -> list[Outcome]:
    """What comes out of a text by itself: what it imports from its own folder is not handed in. Raises LabError, UnicodeError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handed_in.py"
        path.write_bytes(source.encode())
        return list(check(path))


def results(outcomes: Sequence[Outcome]) -> dict[str, dict[str, bool | None]]:
    """exercise → check → passed."""
    found: dict[str, dict[str, bool | None]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.exercise, {})[outcome.check] = outcome.passed
    return found


def words_of(name: str, check: str) -> tuple[str, str]:
    """By which texts a check is told, and of which part, where the exercise has several."""
    found = next(one for one in EXERCISES[name].checks if one.name == check)
    several = name == "generator-discriminator"
    return found.words or found.name, found.name.partition("-")[0] if several else ""
