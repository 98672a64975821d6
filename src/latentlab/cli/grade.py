"""grade: reports that were handed in as one table; points by a rubric, feedback, and a course system's own file filled in.

No torch is loaded.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from latentlab.base.errors import LabError, printable, refusal
from latentlab.base.files import check_writable
from latentlab.base.texts import text
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_lang
from latentlab.cli.report import write_new
from latentlab.show.answers.course import Grade, fill
from latentlab.show.answers.gradebook import Entry, held, hidden, is_table, like_texts, named, table
from latentlab.show.answers.record import HandedIn, open_report
from latentlab.show.answers.rubric import HAND_IN, REPORT, Points, alone, comment_column, pseudonyms, read_rubric, template
from latentlab.show.answers.table import read_text, write_csv
from latentlab.show.card import NAMES
from latentlab.show.report.grades import is_grades_page, write_feedback, write_html

POINTS, PSEUDONYMS = "points.csv", "pseudonyms.csv"  # beside the hand-ins
LONGEST_STEM = 100  # characters of the name of a page of feedback


def grade_options() -> Parser:
    """What `latentlab grade` takes."""
    parser = Parser(
        "grade",
        "Put reports that were handed in into one table: configuration, scores, questions that were run, predictions against "
        "results, answers side by side. A report's checksum shows that it was edited since it was written; it proves no author. "
        f"With a rubric, points and comments stand in {POINTS} beside the hand-ins: edit it, or give them with --mark.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE.html", help="reports, or folders with reports")
    parser.add_argument(
        "--out", default="grades", metavar="STEM", help="STEM.csv and STEM.html are written (grades); earlier ones are replaced"
    )
    parser.add_argument("--new-rubric", metavar="FILE", help="write a rubric to edit")
    parser.add_argument("--rubric", metavar="FILE", help="questions, criteria, points, comments (TOML)")
    parser.add_argument(
        "--mark", action="store_true", help="ask for the points that are missing, question by question, and keep each at once"
    )
    parser.add_argument(
        "--check", action="store_true", help="run the checks of the exercises again: this runs what students wrote, each in a process"
    )
    parser.add_argument("--feedback", action="store_true", help="write STEM-feedback/, a page for each student")
    parser.add_argument("--gradebook", metavar="FILE.csv", help="Moodle's grading worksheet or Canvas's gradebook, written filled in")
    parser.add_argument("--column", metavar="NAME", help="the assignment in Canvas's gradebook, where there are several")
    parser.add_argument(
        "--pseudonyms", action="store_true", help=f"numbers in place of names; {PSEUDONYMS} beside the hand-ins keeps whose"
    )
    add_lang(parser, "language of the table")
    return parser


def command_grade(arguments: list[str]) -> int:
    """Put handed-in reports into one table."""
    options = grade_options().parse(arguments)
    if options.new_rubric is not None:
        return write_new(Path(options.new_rubric), "--new-rubric", template(options.lang), "a rubric")
    if options.rubric is None and (missing := [name for name in ("mark", "feedback", "gradebook") if getattr(options, name)]):
        raise LabError(f"--{missing[0]} goes with --rubric FILE. Got none. `latentlab grade --new-rubric rubric.toml` writes one.")
    rubric = read_rubric(Path(options.rubric)) if options.rubric is not None else None
    if options.column is not None and options.gradebook is None:
        raise LabError("--column goes with --gradebook FILE.csv. Got none. Leave it out.")
    handed = [open_report(path) for path in handed_in(options.files)]
    beside = folder_of([file.path for file in handed])
    sheet, page = grade_files(options.out, [beside / POINTS, beside / PSEUDONYMS])
    check_any(handed)
    entries, points = named(handed, beside), None
    with nullcontext() if rubric is None and not options.pseudonyms else alone(beside / POINTS):
        if options.pseudonyms or (rubric is not None and (beside / PSEUDONYMS).exists()):
            keys = pseudonyms(beside / PSEUDONYMS, [entry.file for entry in entries], random.SystemRandom().shuffle)
            entries = [replace(entry, key=keys[entry.file]) for entry in entries]
        if rubric is not None:
            points = Points.read(beside / POINTS, rubric)
            points.hide({entry.file: (entry.key, entry.answers.name) for entry in entries if entry.key != entry.file})
            who = {entry.key: entry.answers.name if entry.key == entry.file else "" for entry in entries if entry.handed.record}
            points.add(dict(sorted(who.items())))
    shown = hidden(entries) if options.pseudonyms else entries
    if points is not None:
        for column in points.unknown:
            say(f"{points.path}: no criterion of the rubric is {column!r}; it stays, and counts nothing.")
        if options.mark:
            mark(points, [entry for entry in shown if entry.handed.record], options.lang)
    for entry in shown:
        if (file := entry.handed).state != "sound":
            say(f"{entry.file if entry.is_hidden else file.path}: {file.state}: {file.reason.say('en')}.")
    written = [sheet, page]
    sheet.parent.mkdir(parents=True, exist_ok=True)
    if points is not None:
        written.append(points.path)
        if options.feedback:
            written.append(feedback(sheet.with_name(f"{sheet.stem}-feedback"), entries, options.lang, points))
        if options.gradebook is not None:
            written.append(gradebook(Path(options.gradebook), sheet.with_suffix(""), entries, points, options.column))
    texts = like_texts(shown)
    rows = table(shown, options.lang, texts, points, checked(shown) if options.check else None)
    write_csv(sheet, [rows[0], *(row.values() for row in rows)])
    write_html(page, shown, options.lang, texts, points)
    print("\n".join([summary(handed), *map(str, written)]))
    return 0


def checked(entries: Sequence[Entry]) -> dict[str, str]:
    """What the exercises of each report give when they are checked again; what differs from the report is said."""
    from latentlab.lab.exercises import again

    found: dict[str, str] = {}
    for entry in entries:
        anew: dict[str, dict[str, bool | None]] = {}
        for each in entry.record.get("exercises", []):
            anew |= again(each["source"])
        if anew != entry.exercises:
            say(f"{entry.file}: exercises: the report says {held(entry.exercises) or 'none'}, checked again {held(anew) or 'none'}.")
        found[entry.file] = held(anew)
    return found


def folder_of(files: Sequence[Path]) -> Path:
    """Where points and pseudonyms stand: the folder that holds all hand-ins, or one above it where they stand already."""
    common = Path(os.path.commonpath([os.path.abspath(file.parent) for file in files]))
    ours = [folder for folder in (common, common.parent) for name in (POINTS, PSEUDONYMS) if _is_ours(folder / name)]
    return ours[0] if ours else common


def _is_ours(path: Path) -> bool:
    return path.is_file() and HAND_IN in read_text(path, "points").partition("\n")[0]


def check_any(handed: Sequence[HandedIn]) -> None:
    """Raise LabError where no file is a report."""
    if not any(file.record is not None for file in handed):
        first = handed[0]
        more = f", and so of {len(handed) - 1} more" if len(handed) > 1 else ""
        raise LabError(
            f"a report must be a file that `latentlab report` wrote. {first.path}: {first.reason.say('en')}{more}. Nothing was written."
        )


def mark(points: Points, entries: Sequence[Entry], lang: str) -> None:
    """Ask for the points that are missing, one question after the other, each for all hand-ins; what is given is kept at once."""
    for section in points.rubric.sections:
        missing = [entry for entry in entries if any(points.given(entry.key, one) is None for one in points.rubric.of(section))]
        for number, entry in enumerate(missing, 1):
            title = text(f"question.{section}.title" if section in NAMES else f"grade.section.{section}", lang)
            of = text("grade.of", lang, part=number, whole=len(missing))
            parts = [part.text for name, part in entry.answers.parts.items() if section in (name, REPORT) and part.text]
            said = [f"{title} · {of} · {entry.answers.name or entry.file}", "", *(parts or [text("grade.nothing", lang)]), ""]
            said += [f"#{code} {words}" for code, words in enumerate(points.rubric.comments(section), 1)]
            said += [words] if (words := points.cell(entry.key, comment_column(section))) else []
            print("\n" + "\n".join(printable(line) for part in said for line in part.split("\n")))
            columns = [one.column for one in points.rubric.of(section) if points.given(entry.key, one) is None]
            columns += [] if words else [comment_column(section)]
            if not all(_asked(points, entry.key, column) for column in columns):
                return


def _asked(points: Points, key: str, column: str) -> bool:
    """Ask for one cell until what is typed can stand there; nothing leaves it open. False at "q" and at the end of the input."""
    while True:
        print(f"{column} [q]: ", end="", flush=True)
        line = sys.stdin.readline()
        typed = line.strip().encode("utf-8", "replace").decode()
        if not line or typed == "q":
            return False
        try:
            if typed:
                points.put(key, column, typed)
            return True
        except LabError as error:
            say(str(error))


def feedback(folder: Path, entries: Sequence[Entry], lang: str, points: Points) -> Path:
    """Write a page for each student; returns their folder. Raises LabError where a file of somebody's own is there."""
    files: dict[Path, Entry] = {}
    for entry in entries:
        if entry.handed.record:
            stem = Path(entry.file.replace("/", "-")).stem[:LONGEST_STEM]
            names = (folder / f"{stem}{end}.html" for end in itertools.chain([""], (f"-{number}" for number in itertools.count(2))))
            files[next(path for path in names if path not in files)] = entry
    for path in files:
        if path.exists() and not is_grades_page(path):
            raise refusal("--out", "a name that is free, or that of an earlier table", str(path), "Name another: nothing is lost here.")
    folder.mkdir(exist_ok=True)
    for path, entry in files.items():
        write_feedback(path, entry, lang, points)
    return folder


def gradebook(path: Path, out: Path, entries: Sequence[Entry], points: Points, column: str | None) -> Path:
    """Fill in a course system's file with the points of every hand-in that has them all; the others are said."""
    grades = []
    for entry in entries:
        total = points.total(entry.key)
        if entry.handed.record and total is None:
            say(f"{entry.file}: not in the gradebook, for points are missing.")
        elif total is not None:
            comments = [words for section in points.rubric.sections if (words := points.comment(entry.key, section))]
            grades.append(Grade(entry.file, entry.answers.name, entry.student, total, "\n\n".join(comments)))
    filled, missing = fill(path, out, grades, column)
    for words in missing:
        say(words)
    return filled


def grade_files(stem: str, taken: Sequence[Path]) -> tuple[Path, Path]:
    """STEM.csv and STEM.html. Raises LabError when something that is no table of ours is there, or will be (`taken`)."""
    if not Path(stem).name or stem.endswith(("/", "\\")) or Path(stem).is_dir():
        raise refusal("--out", "the beginning of two files' names, such as grades", stem)
    sheet, page = (Path(f"{stem}.{kind}") for kind in ("csv", "html"))
    for path, is_ours in ((sheet, is_table), (page, is_grades_page)):
        check_writable(path)
        if path.resolve() in [one.resolve() for one in taken] or (path.exists() and not is_ours(path)):
            raise refusal("--out", "a name that is free, or that of an earlier table", str(path), "Name another: nothing is lost here.")
    return sheet, page


def handed_in(names: Sequence[str]) -> list[Path]:
    """The files to read: those named, and the .html files of folders that are named, but for tables of ours; each once.

    Raises LabError for none at all, one that does not exist, and a folder without any.
    """
    if not names:
        raise LabError("there must be at least one report to grade. Got none. Try `latentlab grade handed-in/*.html`.")
    files: dict[Path, Path] = {}
    for path in map(Path, names):
        inside = inside_of(path) if path.is_dir() else [path]
        if not inside:
            raise refusal("a report", "an .html file, or a folder with some", str(path))
        if not path.exists():
            raise refusal("a report", "a file that exists", str(path))
        for file in inside:
            files.setdefault(file.resolve(), file)
    return list(files.values())


def inside_of(folder: Path) -> list[Path]:
    """The pages in a folder, or, where there is none, in its folders (one for each student, as course systems hand them out)."""
    for pattern in ("*", "*/*"):
        found = [file for file in sorted(folder.glob(pattern)) if file.suffix.lower() in (".html", ".htm") and file.is_file()]
        ours = [file for file in found if is_grades_page(file)]
        if found:
            for file in ours:
                say(f"{file}: a page of grades or feedback; left out.")
            return [file for file in found if file not in ours]
    return []


def summary(handed: Sequence[HandedIn]) -> str:
    """What was read, in two sentences."""
    counts = [sum(file.state == state for file in handed) for state in ("sound", "edited", "foreign")]
    return (
        f"{len(handed)} read: {counts[0]} as written, {counts[1]} edited since, {counts[2]} foreign. "
        "A checksum shows an edit; it proves no author."
    )
