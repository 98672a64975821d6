"""`latentlab question`: the questions of the labs, each answered by an experiment that runs here."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.cards.card import FOLDER, NAMES, options
from latentlab.cli.parser import Parser
from latentlab.cli.report import check_lang, check_parent
from latentlab.errors import LabError, refusal
from latentlab.texts import text

if TYPE_CHECKING:
    from latentlab.cards.card import Card


def command_question(arguments: list[str]) -> int:
    """List the questions, run one's experiment, or write a sheet for answers."""
    parser = Parser(
        "question",
        "Run the experiment of a question and say which claims hold. Without NAME: the list. Make your prediction first; "
        "--sheet writes a file to put it down in.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of " + ", ".join(NAMES))
    parser.add_argument("--data", default="digits", metavar="SPEC", help="digits (default), mnist, fashion-mnist or kmnist")
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie; default LATENTLAB_DATA, else the cache folder")
    parser.add_argument("--offline", action="store_true", help="never download")
    parser.add_argument("--out", metavar="DIR", help="where it goes (runs/questions/NAME); finished runs in it are kept")
    parser.add_argument("--fresh", action="store_true", help="start over: remove what this question left in DIR")
    parser.add_argument("--sheet", metavar="FILE", help="write a sheet for answers and predictions, for `latentlab report --answers`")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of what is printed, of the card and of the sheet (en)")
    found = parser.parse(arguments)
    check_lang(found.lang)
    if found.sheet is not None:
        if found.name is not None:
            raise LabError(f"NAME and --sheet must be given one at a time. Got {found.name!r} and --sheet. The sheet has every question.")
        return write_sheet(Path(found.sheet), found.lang)
    if found.name is None:
        width = max(map(len, NAMES))
        print("\n".join(f"{name:<{width}}  {text(f'question.{name}.title', found.lang)}" for name in NAMES))
        return 0
    from latentlab.questions.place import check

    folder = Path(found.out) if found.out is not None else FOLDER / found.name
    check(found.name, folder, found.data)
    _say(prompt(found.name, found.lang))
    from latentlab.cli import Interrupted
    from latentlab.questions import run

    try:
        card = run(
            found.name, folder, data=found.data, lang=found.lang, fresh=found.fresh, say=_say, root=found.data_root, offline=found.offline
        )  # fmt: skip
    except (KeyboardInterrupt, Interrupted) as error:
        _say(f"stopped; what was trained is kept, and the same command goes on in {folder}.")
        return 128 + (error.number if isinstance(error, Interrupted) else signal.SIGINT)
    print("\n".join([*verdicts(card, found.lang), str(folder)]))
    return 0


def write_sheet(path: Path, lang: str) -> int:
    """Write a sheet to a new file. Raises LabError for a file that exists."""
    from latentlab.answers.sheet import template

    if path.exists():
        raise refusal("--sheet", "a new file", str(path), "It may hold answers: name another.")
    check_parent(path, "--sheet")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template(lang), encoding="utf-8")
    print(path)
    return 0


def prompt(name: str, lang: str) -> str:
    """The question, and what can be predicted before its experiment runs."""
    lines = [text(f"question.{name}.ask", lang), text(f"question.{name}.predict", lang)]
    return "\n".join([*lines, *(f"  {option}: {text(f'question.{name}.option.{option}', lang)}" for option in options(name))])


def verdicts(card: Card, lang: str) -> list[str]:
    """What came true of what could be predicted, then each claim with its verdict and what was measured."""
    each = "; ".join(text(f"question.{card.question}.option.{option}", lang).rstrip(".") for option in card.outcome)
    lines = [text("card.outcome", lang, each=each) if card.outcome else text("card.outcome.none", lang)]
    for claim in card.claims:
        said = text(f"question.{card.question}.claim.{claim.name}", lang)
        lines.append(f"{text(f'card.verdict.{claim.verdict}', lang)}: {said} {claim.measured(card.question).say(lang)}")
    return lines


def _say(words: str) -> None:
    print(f"latentlab: {words}", file=sys.stderr, flush=True)
