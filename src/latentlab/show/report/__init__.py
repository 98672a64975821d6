"""The report: one file that shows what was trained, how it went and what it reached, in both languages. No torch; it asks nobody.

The page is one HTML document with a tree of elements for each language (`Shared` holds what both have in common), the
runs' decoders and some encoders for explorer.js, and a record for `latentlab grade` with the file's own checksum. A question's
card is such a page too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentlab.base.files import replace_text
from latentlab.base.texts import catalogue, duration, languages
from latentlab.runs.folder import RunFolder
from latentlab.show import bundle, charts, explorer
from latentlab.show.answers import Answers
from latentlab.show.answers.record import record, seal
from latentlab.show.card import Card
from latentlab.show.explorer import Precision
from latentlab.show.explorer.content import explorer_content
from latentlab.show.report import sections
from latentlab.show.report.context import Context
from latentlab.show.report.markup import Shared, document, escape, tag
from latentlab.show.report.prose import background, families, summary
from latentlab.show.report.questions import article, exercises_section, questions_section

# The page asks nobody. Its decoders' kernel is compiled from bytes that the page itself makes.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "base-uri 'none'; form-action 'none'"
)
OPEN = ("explorer", "samples", "reconstructions", "losses", "diagnosis")  # the sections that are not folded
Tree = tuple[str, str]  # the page's title and its element, in one language


def write_page(
    out: Path,
    runs: Mapping[str, RunFolder],
    comparison: Mapping[str, Any],
    lang: str,
    *,
    answers: Answers | None = None,
    cards: Mapping[str, Card] | None = None,
    precision: Precision = "int8",
    model_answers: bool | None = None,
    exercises: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write the report of some runs to `out` and return it; it opens in `lang` and holds both languages.

    `runs` are folders by name, `comparison` is what comparison.json holds, `cards` those of the questions that were run, `exercises`
    files of a student's with what their checks gave, `answers` a student's own; with them or a student's number in `comparison`, what
    is handed in, this program's answers are left out of the file unless `model_answers` says otherwise. Raises LabError when a file of
    a run that the page needs is damaged.
    """
    out, cards = Path(out), cards or {}
    # A run without a whole checkpoint has no live decoder, which is said on stderr and on the page.
    labels = {name: name for name in runs if f"run.{name}.short" not in catalogue(lang)}
    content = explorer_content(runs, labels, precision, lambda words: print(f"latentlab: {words}", file=sys.stderr), "first")
    shared = Shared()
    told = answers is None and not comparison.get("student") if model_answers is None else model_answers
    contexts = [Context(runs, comparison, one, shared, one == lang, cards, answers, told) for one in _order(lang)]
    page = _page([_report(c, content, exercises) for c in contexts], shared, lang)
    replace_text(out, seal(page, record(runs, comparison, cards, answers, lang, exercises)))
    return out


def write_card_page(card: Card, out: Path, lang: str) -> Path:
    """Write card.html: the question, what to predict, the experiment's figure and verdicts, the answer."""
    shared = Shared()
    contexts = [Context({}, {}, one, shared, one == lang, {card.question: card}) for one in _order(lang)]
    replace_text(out, _page([_card(c, card.question) for c in contexts], shared, lang))
    return out


def _order(lang: str) -> list[str]:
    """The languages, this one first."""
    return [lang, *(one for one in languages() if one != lang)]


def _page(trees: Sequence[Tree], shared: Shared, lang: str) -> str:
    """The whole document, opened in `lang`, which is the language of the first tree."""
    buttons = [
        tag("button", escape(catalogue(one)["page.language"]), type="button", lang=one, aria_pressed=str(one == lang).lower())
        for one in _order(lang)
    ]
    label = " / ".join(catalogue(one)["page.languages"] for one in _order(lang))
    switch = tag("div", *buttons, class_="languages", role="group", aria_label=label, hidden=True)
    style = bundle.text("report", "lab.css") + charts.style() + explorer.style()
    script = "\n".join([explorer.module(), charts.script(), bundle.text("report", "report.js")])
    elements = "".join(element for _, element in trees)
    body = f'{switch}{elements}\n{shared.script()}\n<script type="module">\n{script}\n</script>'
    return document(lang, trees[0][0], POLICY, style, body)


def _tree(c: Context, title: str, body: str) -> Tree:
    """Everything that is read in one language."""
    return title, tag("main", body, lang=c.lang, data_title=title, hidden=not c.first)


def _card(c: Context, question: str) -> Tree:
    head = tag("header", tag("p", "latentlab", class_="kicker"))
    body = tag("section", article(c, question), data_section="question")
    return _tree(c, c.plain(f"question.{question}.title"), head + body)


def _report(c: Context, content: dict[str, Any], exercises: Sequence[Mapping[str, Any]]) -> Tree:
    parts = {
        "explorer": sections.explorer_section(c, content),
        "follow": sections.follow_section(c, content),
        "samples": sections.samples_section(c),
        "reconstructions": sections.reconstructions_section(c),
        "losses": sections.losses_section(c),
        "diagnosis": sections.diagnosis_section(c),
        "comparison": sections.scores_section(c),
        "families": families(c),
        "questions": questions_section(c),
        "exercises": exercises_section(c, exercises),
        "measures": sections.measures_section(c),
        "background": background(c),
        "settings": sections.settings_section(c),
    }
    parts = {name: part for name, part in parts.items() if part}
    body = "".join(_section(c, name, number, part) for number, (name, part) in enumerate(parts.items(), 1))
    entries = [tag("li", tag("a", c.say(f"section.{name}.short"), href=f"#{c.own_id(name)}")) for name in parts]
    contents = tag("nav", tag("ol", *entries), aria_label=c.plain("page.contents"))
    return _tree(c, _heading(c, "title"), _opening(c) + contents + body + _colophon(c))


def _section(c: Context, name: str, number: int, part: str) -> str:
    """A section of the page, folded but for what is looked at first, and for what somebody answered."""
    opened = name in OPEN or (name in ("questions", "exercises") and c.answers is not None)
    head = tag("h2", tag("span", f"{number}", class_="number"), c.say(f"section.{name}"))
    inside = head + part if opened else tag("details", tag("summary", head), part, class_="folded")
    return tag("section", inside, id=c.own_id(name), data_section=name)


def _opening(c: Context) -> str:
    """The heading, what was trained on what, who hands it in, and the results in short."""
    title = tag("h1", escape(_heading(c, "heading")))
    author = ""
    if c.answers is not None and c.answers.name:
        group = " · " + escape(c.answers.group) if c.answers.group else ""
        author = tag("p", c.say("page.by"), " ", tag("strong", escape(c.answers.name)), group, class_="author")
    head = tag("p", "latentlab", class_="kicker") + title + tag("p", _lede(c), class_="lede") + author
    return tag("header", head) + tag("section", tag("h2", c.say("page.short")), summary(c), class_="short")


def _lede(c: Context) -> str:
    """What was trained, on what."""
    runs = c.list([c.name(name, ".one") for name in c.runs])
    if not c.alike:
        return c.say("page.lede.unlike", runs=runs, data=_data_name(c))
    environment = next((folder.environment() for folder in c.runs.values()), {})
    height, width, channels = environment.get("image_shape", (0, 0, 0))
    images = c.comparison.get("images") or environment.get("images") or {}
    latent = sorted({facts.latent_dim for facts in c.facts.values()})
    return c.say(
        c.fitting("page.lede", "page.lede.points"),
        runs=runs,
        data=_data_name(c),
        train=c.number(images.get("train", 0)),
        test=c.number(images.get("test", 0)),
        width=width,
        height=height,
        kind=c.plain("page.grey" if channels == 1 else "page.color"),
        latent=c.list([str(size) for size in latent]),
    )


def _heading(c: Context, which: str) -> str:
    """ "Autoencoder, VAE and GAN on mnist" where they are there, else the runs' names."""
    if all(c.role(kind) for kind in ("ae", "vae", "gan")):
        return c.plain(f"page.{which}", data=_data_name(c))
    return c.plain(f"page.{which}.runs", data=_data_name(c), runs=c.list([c.name(name) for name in c.runs]))


def _data_name(c: Context) -> str:
    return str(c.comparison.get("data") or next((folder.config().portable().data.spec for folder in c.runs.values()), ""))


def _colophon(c: Context) -> str:
    seconds = sum(facts.seconds for facts in c.facts.values())
    version = next((folder.environment().get("latentlab") for folder in c.runs.values()), None) or ""
    made = c.paragraph("page.colophon", version=version, total=duration(seconds, c.lang))
    return tag("footer", made + c.paragraph("answers.checksum"))
