"""exercise: what a student writes, as a starter file; check: what is wrong with it, a line for each property."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable
from latentlab.base.texts import text
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_lang, add_value

if TYPE_CHECKING:
    from latentlab.lab.exercises.checks import Outcome

MARKS = {True: "✓", False: "✗", None: "·"}
TRAINED = {"encoder": "vae", "decoder": "vae", "vae-loss": "vae", "generator-discriminator": "gan", "gan-step": "gan"}
SAYS_ITSELF = {f"exercise.said.{what}" for what in ("error", "seconds", "bytes", "ended", "form", "missing")}


def command_exercise(arguments: list[str]) -> int:
    """List the exercises, write a starter file, or give a hint."""
    from latentlab.lab.exercises import EXERCISES, FRAMEWORKS, exercise, write

    parser = Parser(
        "exercise",
        "Write parts of a VAE and a GAN yourself: NAME --out FILE.py writes a starter file (or adds the exercise to one), "
        "`latentlab check FILE.py` says what holds, `latentlab train FILE.py` trains it. Without NAME: the list.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of " + ", ".join(EXERCISES))
    parser.add_argument("--out", metavar="FILE.py", help="the file to write, or to add to; nothing in it is changed")
    add_value(parser, "--hint", int, "a hint, the first, or the Kth (after it the next is named)", metavar="K", bare=1, minimum=1)
    add_value(parser, "--framework", Literal[FRAMEWORKS], "in whose words the file is written", FRAMEWORKS[0])
    add_lang(parser, "language of the file, the list and the hints")
    options = parser.parse(arguments)
    if options.name is None:
        if options.out or options.hint:
            raise LabError("--out and --hint go with the NAME of an exercise. Got none. `latentlab exercise` lists them.")
        width = max(map(len, EXERCISES))
        print("\n".join(f"{name:<{width}}  {text(f'exercise.{name}.title', options.lang)}" for name in EXERCISES))
        return 0
    chosen = exercise(options.name)
    if options.hint:
        hints = chosen.hints(options.lang, options.framework)
        if options.hint > len(hints):
            raise refusal("--hint", f"at most {len(hints)} for {chosen.name}", options.hint)
        print(f"{text('exercise.hint', options.lang, number=options.hint, count=len(hints))}: {hints[options.hint - 1]}")
        if options.hint < len(hints):
            more = "" if options.framework == FRAMEWORKS[0] else f" --framework {options.framework}"
            say(text("exercise.hint.next", options.lang, name=chosen.name, number=options.hint + 1) + more)
        return 0
    path = Path(options.out or f"my_{chosen.header}.py")
    if path.suffix != ".py":
        raise refusal("--out", "a file that ends in .py", str(path))
    check_writable(path, "--out")
    if write(chosen.name, path, options.lang, options.framework):
        say(text("exercise.added", options.lang, file=path, name=chosen.name))
    print(path)
    return 0


def command_check(arguments: list[str]) -> int:
    """Run the checks of every exercise that a file holds; 1 where one of them fails."""
    from latentlab.lab.exercises import EXERCISES, check, framework_of, worded, written

    parser = Parser(
        "check",
        "Check what somebody wrote for `latentlab exercise`: properties of what it computes, never its text. The file runs in a "
        "process of its own, with limits of time and memory.",
    )
    parser.add_argument("file", metavar="FILE.py", help="the file")
    parser.add_argument("--only", metavar="NAME", help="one exercise of it: " + ", ".join(EXERCISES))
    add_lang(parser, "language of what is printed")
    options = parser.parse(arguments)
    if options.only is not None and options.only not in EXERCISES:
        raise refusal("--only", "one of " + ", ".join(EXERCISES), options.only)
    seen: list[Outcome] = []
    path = Path(options.file)
    framework = framework_of(written(path)) or "torch"
    for name, outcomes in itertools.groupby(check(path, options.only), lambda outcome: outcome.exercise):
        print(("\n" if seen else "") + text(f"exercise.{name}.title", options.lang))
        skipped = 0  # one after the other, which are told as one
        for outcome in itertools.chain(outcomes, [None]):
            if outcome is not None and outcome.passed is None:
                skipped += 1
            elif skipped:
                print(f"  {MARKS[None]} {text('exercise.not-reached', options.lang, count=skipped)}")
                skipped = 0
            if outcome is not None:
                seen.append(outcome)
                print("".join(f"{line}\n" for line in told(outcome, framework, options.lang)), end="", flush=True)
    passed = sum(outcome.passed is True for outcome in seen)
    print("\n" + text("exercise.summary", options.lang, passed=passed, count=len(seen)))
    if passed == len(seen) and (trained := {TRAINED[one.exercise] for one in seen if one.exercise in TRAINED}):
        say(text(worded("exercise.train", framework), options.lang, file=shlex.quote(options.file), ours=f"runs/lab/{trained.pop()}"))
    return 0 if passed == len(seen) else 1


def told(outcome: Outcome, framework: str, lang: str) -> Sequence[str]:
    """A check as a line: what was looked at, what came out; where it failed, what that means."""
    from latentlab.lab.exercises import worded, words_of

    if outcome.passed is None:
        return []
    words, part = words_of(outcome.exercise, outcome.check)
    what = (f"{text(f'exercise.part.{part}', lang)} · " if part else "") + text(worded(f"exercise.check.{words}", framework), lang)
    line = text("exercise.line", lang, mark=MARKS[outcome.passed], what=what, got=outcome.got.say(lang))
    if outcome.passed or outcome.got.key in SAYS_ITSELF:
        return [f"  {line}"]
    meaning = "gradient" if outcome.got.key == "exercise.said.gradient" else words
    return [f"  {line}", f"      → {text(worded(f'exercise.means.{meaning}', framework), lang)}"]
