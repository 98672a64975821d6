"""A report as somebody asks for it, on the command line or from Python: which runs, whose answers, where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable, read_json_or_nothing
from latentlab.base.texts import Phrase
from latentlab.measure.compare import comparison_of, distinct_names
from latentlab.runs.folder import RunFolder, open_folder, run_paths
from latentlab.show.answers import read_answers, with_kept
from latentlab.show.answers.prediction import all_kept, told
from latentlab.show.answers.record import RUNS, is_report
from latentlab.show.card import FOLDER, Card, found_cards
from latentlab.show.explorer import Precision
from latentlab.show.report import write_page


def write_report(
    paths: Sequence[str | Path],
    name: str | Path,
    lang: str,
    say: Callable[[str], None],
    *,
    answers: str | Path | None = None,
    questions: str | Path | None = None,
    reader: str = "",
    precision: Precision = "int8",
    model_answers: bool | None = None,
    exercises: Sequence[Mapping[str, Any]] = (),
) -> tuple[Path, dict[str, RunFolder]]:
    """Write the report of runs, with a sheet's `answers` and the questions that were run; where it lies, and the runs by name.

    What was predicted before a result stays, whatever the sheet says now. Raises LabError for wrong input.
    """
    out, folders, cards = report_file(name), shown_runs(paths), question_cards(questions, say)
    sheet = read_answers(Path(answers)) if answers is not None else None
    if sheet is not None:
        kept = all_kept(Path(questions) if questions is not None else FOLDER, say, reader)
        for question, prediction in kept.items():
            written = sheet.parts[question].predicted if question in sheet.parts else ()
            if written and prediction.chosen not in ((), written):
                say(f"{answers} predicts {','.join(written)} of {question}; {told(prediction)} was kept before, and stays.")
        sheet = with_kept(sheet, kept)
    labs = (read_json_or_nothing(folder.path.parent / "comparison.json").get("student") for folder in folders.values())
    compared = comparison_of(folders) | {"student": ", ".join(sorted({str(number) for number in labs if number}))}
    for remark in compared.get("remarks", []):
        say(Phrase.from_json(remark).say("en"))
    if sheet is not None and not sheet.name:
        say(f"{answers} names nobody: its line `name:` is empty.")
    out.parent.mkdir(parents=True, exist_ok=True)
    options = {"answers": sheet, "cards": cards, "precision": precision, "model_answers": model_answers, "exercises": exercises}
    write_page(out, folders, compared, lang, **options)  # type: ignore[arg-type]
    return out, folders


def report_file(name: str | Path) -> Path:
    """Where a report goes. Raises LabError unless it is a new .html file or an earlier report."""
    out = Path(name)
    if out.suffix.lower() not in (".html", ".htm"):
        raise refusal("out", "a file that ends in .html", str(name))
    check_writable(out)
    if out.exists() and not is_report(out):
        must_be = "a new file or an earlier report, which is then replaced"
        raise refusal("out", must_be, str(name), "Name another file: nothing is lost here.")
    return out


def shown_runs(paths: Sequence[str | Path]) -> dict[str, RunFolder]:
    """The runs to show by name: each folder that is a run, and the runs directly in one that is none, the lab's first.

    Raises LabError for none at all, a folder without a run, and one that is named twice.
    """
    if not paths:
        raise LabError("there must be at least one run to report. Got none. Try `latentlab report runs/lab --out lab.html`.")
    folders: list[Path] = []
    for path in paths:
        inner = run_paths(path)
        if not (inner[0] / "config.json").is_file():
            must_be = "a run folder (with a config.json), or a folder that holds some"
            raise refusal("a run", must_be, str(path), "`latentlab runs` lists them.")
        folders += sorted(inner, key=lambda run: RUNS.index(run.name) if run.name in RUNS else len(RUNS))
    return {name: open_folder(path) for name, path in zip(distinct_names(folders), folders, strict=True)}


def question_cards(name: str | Path | None, say: Callable[[str], None]) -> dict[str, Card]:
    """The cards of questions that were run.

    Raises LabError for a folder that is named and holds none, or a card that cannot be shown; in the default folder such
    a card is said and left out.
    """
    if name is None:
        return found_cards(FOLDER, say=say)
    if cards := found_cards(Path(name)):
        return cards
    raise refusal("questions", "a folder of questions that were run", str(name), "`latentlab question NAME` runs one.")
