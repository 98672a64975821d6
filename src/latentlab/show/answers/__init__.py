"""A student's sheet: one Markdown file with a name, predictions and answers to the questions.

    name: Ada Lovelace, Alan Turing
    group: B2
    student: 12345

    ## kl
    prediction: one
    Free Markdown …

    ## notes
    …

Keywords and the last section's name may be French (nom, groupe, numéro, prédiction, remarques). A section is named as its question;
deeper headings (###) are content, and so is everything in a fenced code block. A quotation between a section's heading and
its prediction is the template's and is not kept.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import languages, text
from latentlab.show.answers.prediction import Prediction
from latentlab.show.card import NAMES, options

NOTES = "notes"
SECTIONS = (*NAMES, NOTES)
LARGEST_BYTES = 1_000_000
LONGEST_WORDS = 200  # characters of a name or a group
_TEMPLATE = "`latentlab question --sheet FILE` writes a sheet to fill in."
_KEYWORDS = {
    "name": "name", "nom": "name", "group": "group", "groupe": "group", "student": "student", "numero": "student",
    "prediction": "prediction",
}  # fmt: skip
_KEYWORD = re.compile(r"\s*([^\W\d_]+)\s*:\s*(.*?)\s*$")
_HEADING = re.compile(r" {0,3}##(?!#)\s*(.*?)\s*#*\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$")
_LINE_END = re.compile(r"\r\n|\r|\n")
_WIDTH = 100


@dataclass(frozen=True)
class Part:
    """What was written about one question: the predicted options' names with commas between ("zero,one"), and Markdown.

    `kept` is the prediction as it was kept before the result, which no sheet holds.
    """

    prediction: str | None
    text: str
    kept: Prediction | None = None

    @property
    def predicted(self) -> tuple[str, ...]:
        """The predicted options; () without a prediction."""
        return tuple(self.prediction.split(",")) if self.prediction else ()


@dataclass(frozen=True)
class Answers:
    """A sheet that was read. `parts` has the sections in which something was written: questions' names, and "notes"."""

    name: str
    group: str
    parts: Mapping[str, Part]
    student: str = ""  # the student's number

    def to_json(self) -> dict[str, Any]:
        """{"name", "group", "student", "parts": {section: {"prediction", "text"}}}, with "kept" where a prediction was."""
        parts = {
            section: {"prediction": part.prediction, "text": part.text} | ({"kept": part.kept.to_json()} if part.kept else {})
            for section, part in self.parts.items()
        }
        return {"name": self.name, "group": self.group, "student": self.student, "parts": parts}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Answers:
        """What `to_json` gave. Raises KeyError for less than that, ValueError for a kept prediction that was changed."""
        parts = {
            section: Part(part["prediction"], part["text"], Prediction.from_json(part["kept"]) if "kept" in part else None)
            for section, part in content["parts"].items()
        }
        return cls(content["name"], content["group"], parts, content.get("student", ""))


def with_kept(answers: Answers, predictions: Mapping[str, Prediction]) -> Answers:
    """The answers with what was kept in place of what the sheet predicts since."""
    parts = dict(answers.parts)
    for name, kept in predictions.items():
        part = parts.get(name, Part(None, ""))
        parts[name] = replace(part, prediction=",".join(kept.chosen) or part.prediction, kept=kept)
    return replace(answers, parts=parts)


def read_answers(path: Path) -> Answers:
    """The answers in a sheet. Raises LabError that names the line, what stands there and what it must be."""
    return parsed(_read(path), str(path))


def parsed(words: str, source: str = "the sheet") -> Answers:
    """The answers in the text of a sheet. `source` is what a refusal calls it."""
    lines = _LINE_END.split(words)
    starts = _headings(lines, source)
    head = _head(lines[: starts[0][0]] if starts else lines, source)
    parts: dict[str, Part] = {}
    seen: dict[str, int] = {}
    for (at, section), (end, _) in pairwise([*starts, (len(lines), "")]):
        if section in seen:
            _refuse(source, at, "a section that the sheet has once", f"{section}, as on line {seen[section] + 1}", "Join the two.")
        seen[section] = at
        part = _part(lines, at + 1, end, section, source)
        if part != Part(None, ""):
            parts[section] = part
    return Answers(head["name"], head.get("group", ""), parts, head.get("student", ""))


def _read(path: Path) -> str:
    if path.is_dir():
        raise refusal("--answers", "a Markdown file", str(path), _TEMPLATE)
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise LabError(f"{path} must be a text of at most 1 MB. Got {size / 1e6:.1f} MB. Name the Markdown file itself.")
        words = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise refusal("--answers", "a Markdown file that exists", str(path), _TEMPLATE) from None
    except OSError as error:
        raise LabError(f"{path} cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        raise LabError(f"{path} must be text in UTF-8. Byte {error.start + 1} is none. Save it as UTF-8 in your editor.") from None
    if "\0" in words:
        raise LabError(f"{path} must be text in UTF-8. Got a file with zero bytes. Save it as UTF-8 in your editor.")
    if not words.strip():
        raise LabError(f"{path} must have a line `name: …`. It is empty. {_TEMPLATE}")
    return words


def _headings(lines: list[str], source: str) -> list[tuple[int, str]]:
    """(line, section) of each section's heading, outside of code blocks."""
    headings: list[tuple[int, str]] = []
    coded, opened, fence = _coded(lines)
    if fence:
        _refuse(source, opened, f"a code block that is closed by a line {fence}", "one that runs to the end of the sheet", "Close it.")
    for at, line in enumerate(lines):
        heading = None if coded[at] else _HEADING.match(line)
        if heading:
            section = {"remarques": NOTES}.get(_folded(heading[1]), _folded(heading[1]))
            if section not in SECTIONS:
                must = "a section named " + ", ".join(NAMES) + " or notes"
                _refuse(source, at, must, heading[1], "Headings of your own begin with ###.")
            headings.append((at, section))
    return headings


def _coded(lines: Sequence[str]) -> tuple[list[bool], int, str]:
    """Whether each line is one of a fenced code block; the line that opened the last one, and its marks unless it is closed."""
    coded: list[bool] = []
    fence, opened = "", 0
    for at, line in enumerate(lines):
        mark = _FENCE.match(line)
        coded.append(bool(fence or mark))
        if not fence and mark:
            fence, opened = mark[1], at
        elif fence and mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not mark[2].strip():
            fence = ""
    return coded, opened, fence


def _head(lines: list[str], source: str) -> dict[str, str]:
    """Name and group from the lines above the first section, where only they, a title and quotations may stand."""
    head: dict[str, str] = {}
    for at, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith((">", "# ")):
            continue
        keyword = _keyword(line)
        if keyword is None or keyword[0] == "prediction":
            _refuse(source, at, "`name: …`, `group: …` or `student: …`, or stand below the heading of a section (## kl)", line.strip())
        key, value = keyword
        if key in head:
            _refuse(source, at, f"the only line with the {key}", line.strip(), "Several names stand on one line, with commas between.")
        if len(value) > LONGEST_WORDS:
            _refuse(source, at, f"a {key} of at most {LONGEST_WORDS} characters", f"{value[:20]}… ({len(value)})")
        head[key] = value
    if "name" not in head:
        raise LabError(
            f"{source} must have a line `name: …` above its first section. It has none. Add one, or fill in a new sheet. {_TEMPLATE}"
        )
    return head


def _part(lines: list[str], start: int, end: int, section: str, source: str) -> Part:
    """One section: lines[start:end]."""
    at = start
    while at < end and (not lines[at].strip() or lines[at].lstrip().startswith(">")):
        at += 1
    keyword = _keyword(lines[at]) if at < end and section != NOTES else None
    if keyword is None or keyword[0] != "prediction":
        return Part(None, _trimmed(lines[start:end]))
    predicted = chosen(section, keyword[1])
    if predicted is None:
        must = f"a prediction out of {', '.join(options(section))}"
        _refuse(source, at, must, keyword[1], "Leave it empty to predict nothing.")
    return Part(",".join(predicted) or None, _trimmed(lines[at + 1 : end]))


def _trimmed(lines: list[str]) -> str:
    """Lines as one text, without blank lines around it."""
    written = [at for at, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[written[0] : written[-1] + 1]).rstrip() if written else ""


def _keyword(line: str) -> tuple[str, str] | None:
    """("name", "group", "student" or "prediction", what follows the colon) of a line that begins with such a word."""
    match = _KEYWORD.match(line)
    key = _KEYWORDS.get(_folded(match[1])) if match else None
    return (key, " ".join(match[2].split())) if match and key else None


def _folded(words: str) -> str:
    """Words without case, accents, quotation marks and the differences between spaces, for comparing."""
    plain = unicodedata.normalize("NFKD", words.replace("’", "'")).casefold()
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(kept.split()).strip(" \"'`*_.«»“”")


def chosen(question: str, words: str) -> list[str] | None:
    """The options that a prediction names by their own names or by their texts, in the order of the texts; None for another one.

    The text of an option may hold commas, so that the longest stretch of parts that is an option is taken first.
    """
    known = {_folded(text(f"question.{question}.option.{name}", lang)): name for lang in languages() for name in options(question)}
    known |= {_folded(name): name for name in options(question)}
    parts = [part for part in words.split(",") if part.strip()]
    named = set()
    while parts:
        for length in range(len(parts), 0, -1):
            if (name := known.get(_folded(",".join(parts[:length])))) is not None:
                break
        else:
            return None
        named.add(name)
        parts = parts[length:]
    return [name for name in options(question) if name in named]


def _refuse(source: str, at: int, must_be: str, got: str, remedy: str = "") -> NoReturn:
    raise refusal(f"{source} line {at + 1}", must_be, got if len(got) <= 80 else got[:79] + "…", remedy)


def written(answers: Answers, lang: str) -> str:
    """A sheet in which these answers are filled in: the reverse of `parsed`, with each text as `as_kept` gives it.

    Raises LabError for what a sheet cannot hold: another section, a prediction that there is none of, a name that is too
    long, more than 1 MB.
    """
    for section, part in answers.parts.items():
        if section not in SECTIONS or (section == NOTES and part.prediction):
            raise refusal("a section", "one of " + ", ".join(SECTIONS) + ", the last without a prediction", section)
    sheet = _filled(answers, lang)
    parsed(sheet)
    if (size := len(sheet.encode())) > LARGEST_BYTES:
        raise LabError(f"a sheet must be a text of at most 1 MB. Got {size / 1e6:.2f} MB. Write less.")
    return sheet


def as_kept(words: str) -> str:
    """A text as a sheet can hold it: it looks alike, but a heading of the second level, which would begin a section, becomes
    one of the third, and a code block that is never closed is closed. Blank lines around it are left out.
    """
    lines = _trimmed(_LINE_END.split(_storable(words))).split("\n")
    coded, _, fence = _coded(lines)
    kept = [line if inside else _lowered(line) for line, inside in zip(lines, coded, strict=True)]
    return "\n".join([*kept, fence] if fence else kept)


def _storable(words: str) -> str:
    """Words with a mark for what no text file holds: zero bytes and halves of letters."""
    return words.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _lowered(line: str) -> str:
    """A line that is no section's heading: "## A" as "### A"; "##A", which is no heading in Markdown, as the same letters."""
    if _HEADING.match(line) is None:
        return line
    return line.replace("##", "###" if re.match(r" {0,3}##(?:[ \t]|$)", line) else r"\##", 1)


def template(lang: str) -> str:
    """A sheet to fill in, with every question and the options of its prediction."""
    return _filled(Answers("", "", {}), lang)


def _filled(answers: Answers, lang: str) -> str:
    def say(key: str) -> str:
        return text(key, lang)

    def written_in(section: str) -> Part:
        return answers.parts.get(section, Part(None, ""))

    lines = [f"# {say('answers.sheet.title')}", "", *_quoted(say("answers.sheet.how")), ""]
    for key, words in (("name", answers.name), ("group", answers.group), ("student", answers.student)):
        lines.append(f"{say(f'answers.sheet.{key}')}: {' '.join(_storable(words).split())}")
    for name in NAMES:
        own, part = f"question.{name}", written_in(name)
        lines += ["", f"## {name}", "", *_quoted(f"**{say(f'{own}.title')}** {say(f'{own}.ask')}"), ">"]
        lines += _quoted(say(f"{own}.predict"))
        for option in options(name):
            lines += _quoted(f"- {option}: {say(f'{own}.option.{option}')}")
        lines += ["", f"{say('answers.sheet.prediction')}: {part.prediction or ''}", "", as_kept(part.text)]
    return "\n".join([*lines, "", f"## {say('answers.sheet.notes')}", "", as_kept(written_in(NOTES).text)])


@cache
def _quoted(words: str) -> list[str]:
    return textwrap.wrap(words, _WIDTH, initial_indent="> ", subsequent_indent="> ", break_on_hyphens=False)
