"""Many handed-in reports as one page: who, what was trained, which experiments were run, what was predicted and written.

No script and no address: the page asks nobody for anything, and a student's text stays text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latentlab.base import __version__
from latentlab.base.files import replace_text
from latentlab.base.texts import catalogue, clauses, duration, moment
from latentlab.measure.metrics import Z
from latentlab.runs.diagnosis.symptoms import KEYS
from latentlab.show import bundle
from latentlab.show.answers import NOTES
from latentlab.show.answers.gradebook import (
    VERDICTS,
    Entry,
    Likeness,
    changed_words,
    data_of,
    headline_scores,
    run_names,
    same_runs,
)
from latentlab.show.answers.likeness import Alike
from latentlab.show.answers.prediction import said
from latentlab.show.answers.rubric import Points
from latentlab.show.card import NAMES, options_in_words
from latentlab.show.report.markup import Words, as_html, document, escape, tag

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SIGNATURE = '<meta name="generator" content="latentlab grade">'
SIGNS = {"right": "✓", "partly": "≈", "wrong": "✗", "open": "…", "none": "–", "sound": "✓", "edited": "✎", "foreign": "✗"}


@dataclass(frozen=True)
class _Page(Words):
    """The files and the language."""

    entries: Sequence[Entry]
    lang: str
    texts: Likeness
    points: Points | None = None

    @cached_property
    def runs(self) -> dict[str, dict[str, list[str]]]:
        return same_runs(self.entries)

    @cached_property
    def reports(self) -> list[Entry]:
        """The files that have a record."""
        return [entry for entry in self.entries if entry.handed.record is not None]

    def signed(self, kind: str, key: str) -> str:
        """A word with its sign, so that neither colour nor shape alone carries it."""
        return tag("span", f"{SIGNS[kind]}\u00a0{self.say(key)}", class_=f"sign {kind}")


def write_html(path: Path, entries: Sequence[Entry], lang: str, texts: Likeness, points: Points | None = None) -> None:
    """Write the page: one part of it is seen at a time, by addresses within it. Raises LabError for an unknown language."""
    p = _Page(entries, lang, texts, points)
    tables = {"overview": _overview, "predictions": _predictions, "runs": _runs}
    parts = {name: (p.plain(f"grade.section.{name}"), part(p)) for name, part in tables.items()}
    parts |= {question: (p.plain(f"question.{question}.title"), _question(p, question)) for question in NAMES}
    notes = [_written(p, entry, NOTES) for entry in p.reports if entry.part(NOTES).text]
    parts["notes"] = (p.plain("grade.section.notes"), "".join(notes))
    shown = {name: part for name, part in parts.items() if part[1]}
    links = [tag("a", escape(title), href=f"#{name}") for name, (title, _) in shown.items()]
    pages = [tag("section", tag("h2", escape(title)), content, id=name, class_="part") for name, (title, content) in shown.items()]
    main = tag("main", _opening(p), tag("nav", *links, aria_label=p.plain("grade.parts")), *pages, class_="grades")
    replace_text(path, document(lang, p.plain("grade.title"), POLICY, bundle.text("report", "lab.css", "grades.css"), main, SIGNATURE))


def is_grades_page(path: Path) -> bool:
    """Whether a file is a page that `write_html` wrote."""
    try:
        with open(path, "rb") as file:
            return SIGNATURE.encode() in file.read(1000)
    except OSError:
        return False


def _opening(p: _Page) -> str:
    states = [entry.handed.state for entry in p.entries]
    counts = {state: p.number(states.count(state)) for state in ("sound", "edited", "foreign")}
    lede = p.say("grade.lede", files=p.number(len(states)), version=__version__, **counts)
    head = tag("p", "latentlab", class_="kicker") + tag("h1", p.say("grade.title")) + tag("p", lede, class_="lede")
    shared = any(told for side in (p.texts, p.runs) for told in side.values())
    return tag("header", head, tag("p", p.say("grade.checksum")), tag("p", p.say("grade.same.about")) if shared else "")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table whose cells say their column's head again, for narrow screens that lay a row out as a list."""
    top = tag("tr", *(tag("th", escape(head), scope="col", role="columnheader") for head in heads), role="row")
    body = []
    for label, *cells in rows:
        shown = [tag("td", tag("div", cell), role="cell", data_label=head) for head, cell in zip(heads[1:], cells, strict=True)]
        body.append(tag("tr", tag("th", label, scope="row", role="rowheader"), *shown, role="row"))
    inner = tag("caption", escape(caption)) + tag("thead", top, role="rowgroup") + tag("tbody", *body, role="rowgroup")
    return tag("div", tag("table", inner, role="table"), class_="wide grid", tabindex="0", role="region", aria_label=caption)


def _who(entry: Entry) -> str:
    """The student's name above the file's."""
    name = entry.answers.name
    shown = tag("bdi", escape(name)) if name else ""
    return shown + tag("small", tag("bdi", escape(entry.file)))


def _overview(p: _Page) -> str:
    columns = ["student", "group", "state", "written", "data", "questions", "predictions", "answers", "shared"]
    columns += ["points"] if p.points is not None else []
    rows = []
    for entry in p.entries:
        state = p.signed(entry.handed.state, f"grade.state.{entry.handed.state}")
        if entry.handed.state != "sound":
            state += tag("small", escape(entry.handed.reason.say(p.lang)))
        if entry.handed.record is None:
            rows.append([_who(entry), "–", state, *["–"] * (len(columns) - 3)])
            continue
        group = tag("bdi", escape(entry.answers.group or "–")) + _variation(p, entry)
        written = escape(moment(entry.record["written"])) + tag("small", escape(f"latentlab {entry.record['latentlab']}"))
        rows.append([_who(entry), group, state, written, escape(data_of(entry.record) or "–"), *_counts(p, entry)])
        if p.points is not None:
            rows[-1].append(_points(p, p.points.total(entry.key)))
    return _table([p.plain(f"grade.column.{column}") for column in columns], rows, p.plain("grade.caption.overview"))


def _variation(p: _Page, entry: Entry) -> str:
    """The student's number, and whether the lab's runs are as it asks."""
    wrong = entry.variation()
    if wrong is None:
        return ""
    told = [p.plain("grade.variation.right")] if not wrong else [p.plain("grade.variation.wrong"), *wrong]
    return "".join(tag("small", escape(words)) for words in (entry.student, *told) if words)


def _counts(p: _Page, entry: Entry) -> list[str]:
    """Questions run, predictions right of those made, answers written, what is shared with other files."""

    def of(part: int, whole: int) -> str:
        return p.say("grade.of", part=p.number(part), whole=p.number(whole))

    counts = entry.counts()
    run, kept = of(counts["questions_run"], len(NAMES)), of(counts["predictions_kept"], counts["predictions_made"])
    return [run, kept, of(counts["answers_written"], len(NAMES)), _shared(p, entry) or "–"]


def _shared(p: _Page, entry: Entry) -> str:
    """How much of which texts stands in which other files, at most, and which runs are those of which."""
    lines = []
    for section, near in p.texts[entry.file].items():
        what = p.plain("grade.section.notes" if section == NOTES else f"question.{section}.title")
        lines.append(tag("small", p.say("grade.like", what=what, other=near[0].other, share=p.percent(near[0].share))))
    told = p.runs[entry.file]
    for files in dict.fromkeys(map(tuple, told.values())):
        runs = [name for name, same in told.items() if tuple(same) == files]
        lines.append(tag("small", p.say("grade.same.run", what=", ".join(runs), files=", ".join(files))))
    return "".join(lines)


def _predictions(p: _Page) -> str:
    """One column a question, one row a report."""
    rows = []
    for entry in p.reports:
        cells = []
        for question in NAMES:
            outcome = entry.outcome(question)
            if outcome == "none":  # a dash is enough where most cells may be empty
                cells.append(SIGNS[outcome] + tag("span", p.say("grade.outcome.none"), class_="hidden"))
                continue
            chosen = tag("small", escape(options_in_words(question, entry.part(question).predicted, p.lang)))
            cells.append(p.signed(outcome, f"grade.outcome.{outcome}") + chosen)
        rows.append([_who(entry), *cells])
    heads = [p.plain("grade.column.student"), *(p.plain(f"question.{question}.title") for question in NAMES)]
    return _table(heads, rows, p.plain("grade.caption.predictions")) if rows else ""


def _runs(p: _Page) -> str:
    """For each run of the lab one table: how it was configured in each report, and its headline scores."""
    return "".join(_run(p, name) for name in run_names(p.reports))


def _run(p: _Page, name: str) -> str:
    scores = headline_scores(p.reports, name)
    heads = [p.plain(f"grade.column.{column}") for column in ("student", "preset", "latent", "seed", "length")]
    heads += [p.plain(f"compare.measure.{score}") for score in scores]
    rows = []
    for entry in p.reports:
        run = entry.record["runs"].get(name)
        if run is None:
            continue
        notes = [*changed_words(run), *(_diagnosis(p, key) for key in run["diagnosis"])]
        preset = tag("code", escape(run["preset"])) + "".join(tag("small", escape(note)) for note in notes)
        length = [
            p.plain("grade.epochs", epochs=p.figures(run["epochs"], 3)),
            p.plain("grade.steps", steps=p.number(run["steps"])),
            duration(run["seconds"], p.lang),
        ]
        cells = [preset, p.number(run["latent_dim"]), str(run["seed"]), "".join(tag("small", escape(part)) for part in length)]
        rows.append([_who(entry), *cells, *(_score(p, run["scores"].get(score)) for score in scores)])
    key = f"run.{name}"
    title = p.plain(key) if key in catalogue(p.lang) else name
    return tag("h3", tag("bdi", escape(title[:1].upper() + title[1:]))) + _table(heads, rows, p.plain("grade.caption.run"))


def _diagnosis(p: _Page, key: str) -> str:
    return p.plain(f"diagnosis.{key}.name") if key in KEYS else key


def _score(p: _Page, score: Mapping[str, Any] | None) -> str:
    """A value above its standard error; "–" where it is not defined."""
    if score is None or score["value"] is None:
        return "–"
    error = score.get("stderr")
    match score.get("ci95"):
        case [int() | float() as low, int() | float() as high] if error is None:
            error = (high - low) / (2 * Z)
    whole = float(score["value"]).is_integer()
    shown = escape(p.number(score["value"]) if whole else p.figures(score["value"], 4))
    return shown + tag("small", "±\u00a0" + escape(p.figures(error, 2))) if isinstance(error, int | float) else shown


def _question(p: _Page, question: str) -> str:
    """What each wrote about a question, below each other; "" where nobody ran, predicted or wrote anything."""
    told = [entry for entry in p.reports if question in entry.record["questions"] or question in entry.answers.parts]
    if not told:
        return ""
    return tag("p", p.say(f"question.{question}.ask"), class_="ask") + "".join(_written(p, entry, question) for entry in told)


def _written(p: _Page, entry: Entry, section: str) -> str:
    """One student's part of a section."""
    part = entry.part(section)
    facts = []
    if section != NOTES:
        outcome = entry.outcome(section)
        facts.append(p.signed(outcome, f"grade.outcome.{outcome}"))
        if part.predicted:
            when = escape(said(part.kept, entry.ended(section)).say(p.lang))
            facts.append(p.say("grade.predicted") + " " + escape(options_in_words(section, part.predicted, p.lang)) + ". " + when)
        asked = entry.record["questions"].get(section)
        if asked is not None and asked["outcome"]:
            facts.append(p.say("grade.came_true") + " " + escape(options_in_words(section, asked["outcome"], p.lang)))
        for verdict in VERDICTS:
            if claims := entry.claims(section, verdict):
                facts.append(p.say(f"card.verdict.{verdict}") + f" ({p.number(len(claims))}): " + _claims(p, section, claims))
    facts += [_likeness(p, near) for near in p.texts[entry.file].get(section, ())]
    words = tag("div", as_html(part.text), class_="own", dir="auto") if part.text else tag("p", p.say("grade.nothing"), class_="none")
    listed = tag("ul", *(tag("li", fact) for fact in facts), class_="told") if facts else ""
    return tag("article", tag("h3", _who(entry)), listed, words, _given(p, entry.key, section), class_="answer")


def _given(p: _Page, hand_in: str, section: str) -> str:
    """The points of a section and what is said about it."""
    if p.points is None or not (criteria := p.points.rubric.of(section)):
        return ""
    lines = []
    for criterion in criteria:
        given = p.points.given(hand_in, criterion)
        told = p.plain("grade.of", part=_points(p, given), whole=_points(p, criterion.points))
        lines.append(tag("li", escape(criterion.name), " ", tag("strong", escape(told))))
    comment = p.points.comment(hand_in, section)
    return tag("ul", *lines, class_="told points") + (tag("div", as_html(comment), class_="comment") if comment else "")


def _points(p: _Page, points: float | None) -> str:
    """Points with the digits that they were given with."""
    return "–" if points is None else p.number(points, len(f"{points:g}".partition(".")[2]))


def write_feedback(path: Path, entry: Entry, lang: str, points: Points) -> None:
    """Write what one student is told: points and comments by section, as a page that opens offline."""
    p = _Page([entry], lang, {}, points)
    total, most = points.total(entry.key), points.rubric.most
    told = p.say("grade.points.open") if total is None else p.say("grade.of", part=_points(p, total), whole=_points(p, most))
    body = []
    for section in points.rubric.sections:
        title = f"question.{section}.title" if section in NAMES else f"grade.section.{section}"
        body.append(tag("section", tag("h2", p.say(title)), _given(p, entry.key, section)))
    title = p.plain("grade.feedback", name=entry.answers.name or entry.file)
    head = tag("header", tag("p", "latentlab", class_="kicker"), tag("h1", tag("bdi", escape(title))), tag("p", told, class_="lede"))
    style = bundle.text("report", "lab.css", "grades.css")
    replace_text(path, document(lang, title, POLICY, style, tag("main", head, *body, class_="grades"), SIGNATURE))


def _likeness(p: _Page, near: Alike) -> str:
    """A share, and the longest passage in common as both write it."""
    told = p.say("grade.like", what=p.plain("grade.here"), other=near.other, share=p.percent(near.share))
    sides = [(p.plain("grade.here"), near.mine), (near.other, near.theirs)]
    shown = "".join(tag("blockquote", tag("small", tag("bdi", escape(who))), tag("p", escape(words), dir="auto")) for who, words in sides)
    return tag("details", tag("summary", told), tag("div", shown, class_="passages"))


def _claims(p: _Page, question: str, claims: Sequence[str]) -> str:
    keys = {claim: f"question.{question}.claim.{claim}" for claim in claims}
    return escape(clauses((p.plain(key).rstrip(".") if key in catalogue(p.lang) else claim for claim, key in keys.items()), p.lang))
