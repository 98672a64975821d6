"""What is handed in: report (runs as one HTML file) and question (an experiment of the labs).

No torch is loaded but by a question's experiment.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable
from latentlab.base.signals import Interrupted
from latentlab.base.texts import text
from latentlab.cli import main, say
from latentlab.cli.parser import Parser, add_data, add_data_root, add_lang, add_on, add_value
from latentlab.config.sources import valid
from latentlab.show.card import FOLDER, NAMES, options_in_words
from latentlab.show.card import options as options_of

if TYPE_CHECKING:
    from latentlab.show.answers.prediction import Prediction
    from latentlab.show.card import Card

LARGE_MB = 5.0


def command_report(arguments: list[str]) -> int:
    """Write one HTML file that shows runs."""
    parser = Parser(
        "report",
        "Write one HTML file that shows runs: how they were trained, what they reached, their live decoders, the questions with "
        "their answers. English and French inside; it opens without a network.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folders, or folders that hold runs, such as runs/lab")
    parser.add_argument("--out", required=True, metavar="FILE.html", help="the file to write; an earlier report there is replaced")
    parser.add_argument("--answers", metavar="FILE", help="your own answers (Markdown); `latentlab question --sheet FILE` writes a sheet")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--no-answers", action="store_true", help="leave latentlab's own answers out (so with --answers, and of runs of `lab --student`)"
    )
    whose.add_argument("--model-answers", action="store_true", help="put them in (so otherwise)")
    parser.add_argument("--questions", metavar="DIR", help="folder of questions that were run (runs/questions, where there is one)")
    add_value(parser, "--weights", Literal["int8", "fp16"], "precision of the live decoders (int8); fp16 is twice as large", "int8")
    parser.add_argument("--exercises", nargs="+", default=[], metavar="FILE.py", help="files of exercises, checked again for this page")
    parser.add_argument("--reader", default="", help=SUPPRESS)  # whose predictions, in a studio that several read
    add_lang(parser, "language in which it opens")
    options = parser.parse(arguments)
    from latentlab.show.report.asked import write_report

    chosen = False if options.no_answers else options.model_answers or None
    exercises = []
    if options.exercises:
        from latentlab.lab.exercises import handed

        exercises = [handed(Path(file)) for file in options.exercises]
        for each in exercises:
            passed = [passed for checks in each["results"].values() for passed in checks.values()]
            say(f"{each['file']}: {text('exercise.summary', options.lang, passed=sum(one is True for one in passed), count=len(passed))}")
    asked = {
        "exercises": exercises,
        "answers": options.answers,
        "questions": options.questions,
        "reader": options.reader,
        "model_answers": chosen,
    }
    out, folders = write_report(options.runs, options.out, options.lang, say, precision=options.weights, **asked)
    size = out.stat().st_size / 1e6
    if size > LARGE_MB:
        say(f"{out} has {size:.1f} MB, more than some mail programs take. Fewer runs or `--weights int8` make it smaller.")
    print(f"{len(folders)} {'runs' if len(folders) > 1 else 'run'}, {size:.2f} MB")
    print(out)
    return 0


def command_question(arguments: list[str]) -> int:
    """List the questions, run one's experiment, or write a sheet for answers."""
    parser = Parser(
        "question",
        "Run the experiment of a question and say which claims hold. Without NAME: the list. Make your prediction first; "
        "--sheet writes a file to put it down in.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of " + ", ".join(NAMES))
    add_data(parser, valid("embedded", "published", default="digits"), "digits")
    add_data_root(parser)
    parser.add_argument("--out", metavar="DIR", help="where it goes (runs/questions/NAME); finished runs in it are kept")
    parser.add_argument("--fresh", action="store_true", help="start over: remove what this question left in DIR")
    add_value(parser, "--seed", int, "first of the seeds of each arm (0)", 0, minimum=0, maximum=2**31 - 1000)
    before = parser.add_mutually_exclusive_group()
    before.add_argument(
        "--predict", metavar="OPTION", help="your prediction (several with commas): kept with time and hash before the experiment begins"
    )
    before.add_argument("--answers", metavar="FILE", help="keep the prediction that your sheet makes")
    parser.add_argument("--sheet", metavar="FILE", help="write a sheet for answers and predictions, for `latentlab report --answers`")
    parser.add_argument("--closed", action="store_true", help=SUPPRESS)  # a studio opens the result
    add_on(parser)
    add_lang(parser, "language of what is printed, of the card and of the sheet")
    options = parser.parse(arguments)
    if options.sheet is not None:
        if options.name is not None:
            raise LabError(f"NAME and --sheet must be given one at a time. Got {options.name!r} and --sheet. The sheet has every question.")
        from latentlab.show.answers import template

        return write_new(Path(options.sheet), "--sheet", template(options.lang), "answers")
    if options.name is None and (options.predict or options.answers):
        raise LabError("--predict and --answers go with the NAME of a question. Got none. `latentlab question` lists them.")
    if options.name is None:
        width = max(map(len, NAMES))
        print("\n".join(f"{name:<{width}}  {text(f'question.{name}.title', options.lang)}" for name in NAMES))
        return 0
    from latentlab.lab.pool import opened
    from latentlab.lab.questions import check, run

    folder = Path(options.out) if options.out is not None else FOLDER / options.name
    check(options.name, folder, options.data)
    prediction = _predicted_before(options, folder)
    try:
        with opened(options.on, options.ray_address, main) as pool:
            card = run(
                options.name,
                folder,
                data=options.data,
                lang=options.lang,
                seed=options.seed,
                fresh=options.fresh,
                closed=options.closed,
                pool=pool,
                say=say,
                root=options.data_root,
                offline=options.offline,
            )
    except Interrupted as error:
        say(f"stopped; what was trained is kept, and the same command goes on in {folder}.")
        return 128 + error.number
    if not options.closed:
        if prediction is not None and prediction.chosen:
            print(in_words(prediction, card.ended, options.lang))
        print("\n".join(verdicts(card, options.lang)))
    print(folder)
    return 0


def _predicted_before(options: Namespace, folder: Path) -> Prediction | None:
    """What is predicted before the experiment begins: by options, else asked for in a terminal. It is kept, and said."""
    from latentlab.lab.questions import keep_before
    from latentlab.show.answers.prediction import kept

    keep_before(options.name, folder, predicted(options.name, options.predict, options.answers))
    for line in prompt(options.name, options.lang):
        say(line)
    if kept(folder, options.name) is None and not (folder / "card.json").is_file():
        keep_before(options.name, folder, asked(options.name, options.lang))
    if (prediction := kept(folder, options.name)) is not None and prediction.chosen:
        say(in_words(prediction, "", options.lang))
    return prediction


def predicted(question: str, words: str | None, sheet: str | None) -> Sequence[str]:
    """What is predicted of a question in the words of an option, or in a sheet; () for nothing."""
    from latentlab.show.answers import chosen, read_answers

    if sheet is not None:
        part = read_answers(Path(sheet)).parts.get(question)
        if part is None or not part.predicted:
            raise refusal(f"the prediction of {question} in {sheet}", "one of " + ", ".join(options_of(question)), "nothing")
        return part.predicted
    if words is not None:
        if not (options := chosen(question, words)):
            raise refusal("--predict", "out of " + ", ".join(options_of(question)), words)
        return options
    return ()


def in_words(prediction: Prediction, ended: str, lang: str) -> str:
    """What was predicted, and when."""
    from latentlab.show.answers.prediction import said

    each = options_in_words(prediction.question, prediction.chosen, lang)
    return f"{text('card.predicted', lang, each=each)} {said(prediction, ended).say(lang)}"


def asked(question: str, lang: str) -> Sequence[str]:
    """What a person at the terminal predicts; () for nothing, and where there is nobody."""
    from latentlab.show.answers import chosen

    while sys.stdin.isatty() and sys.stderr.isatty():
        print(text("card.kept.ask", lang), end=" ", file=sys.stderr, flush=True)
        if not (typed := sys.stdin.readline().strip()):
            return ()
        if options := chosen(question, typed):
            return options
        say(f"a prediction must be out of {', '.join(options_of(question))}. Got {typed!r}.")
    return ()


def write_new(path: Path, option: str, words: str, holds: str) -> int:
    """Write a file for somebody to fill in. Raises LabError for one that exists."""
    if path.exists():
        raise refusal(option, "a new file", str(path), f"It may hold {holds}: name another.")
    check_writable(path, option)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, encoding="utf-8")
    print(path)
    return 0


def prompt(name: str, lang: str) -> list[str]:
    """The question, and what can be predicted before its experiment runs."""
    lines = [text(f"question.{name}.ask", lang), text(f"question.{name}.predict", lang)]
    return [*lines, *(f"  {option}: {text(f'question.{name}.option.{option}', lang)}" for option in options_of(name))]


def verdicts(card: Card, lang: str) -> list[str]:
    """What came true of what could be predicted, how claims are judged, then each claim as the page tells it."""
    each = options_in_words(card.question, card.outcome, lang)
    lines = [text("card.outcome", lang, each=each) if card.outcome else text("card.outcome.none", lang)]
    lines.append(card.judged.say(lang))
    for claim in card.claims:
        said = " ".join(phrase.say(lang) for phrase in (claim.said(card.question), *claim.told(card.question)))
        lines.append(f"{text(f'card.verdict.{claim.verdict}', lang)}: {said}")
    return lines
