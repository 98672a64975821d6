"""The report: one file that shows what was trained, how it went and what it reached, in both languages. No torch; it asks nobody.

The page is one HTML document with a tree of elements for each language (`Shared` holds what both have in common), the
runs' decoders for explorer.js, and a record for `latentlab grade` with the file's own checksum.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from latentlab.base.files import replace_text
from latentlab.base.texts import catalogue, duration, languages, text
from latentlab.runs.folder import RunFolder
from latentlab.show import charts, explorer
from latentlab.show.answers import Answers
from latentlab.show.answers.record import record, seal
from latentlab.show.card import Card
from latentlab.show.explorer import Precision
from latentlab.show.explorer.content import explorer_content
from latentlab.show.report.cards import article, questions_section
from latentlab.show.report.context import Context
from latentlab.show.report.markup import Shared, escape, tag
from latentlab.show.report.prose import background, summary
from latentlab.show.report.sections import (
    alarms,
    explorer_section,
    families_section,
    losses_section,
    measures_section,
    reconstructions_section,
    samples_section,
    scores_section,
    settings_section,
)


def write_page(
    out: Path,
    runs: Mapping[str, RunFolder],
    comparison: Mapping[str, Any],
    lang: str,
    *,
    answers: Answers | None = None,
    cards: Mapping[str, Card] | None = None,
    precision: Precision = "int8",
) -> Path:
    """Write the report of some runs to `out` and return it; it opens in `lang` and holds both languages.

    `runs` are folders by name, `comparison` is what comparison.json holds, `cards` those of the questions that were run,
    `answers` a student's own. Raises LabError when a file of a run that the page needs is damaged.
    """
    out = Path(out)
    cards = cards or {}
    shared = Shared()
    content = _live(runs, lang, precision)
    order = [lang, *(other for other in languages() if other != lang)]
    contexts = [Context(runs, comparison, one, shared, place == 0, cards, answers) for place, one in enumerate(order)]
    page = document(lang, _heading(contexts[0], "title"), [_tree(c, content) for c in contexts], shared)
    replace_text(out, seal(page, record(runs, comparison, cards, answers, lang)))
    return out


def _live(runs: Mapping[str, RunFolder], lang: str, precision: Precision) -> dict[str, Any]:
    """What the live decoders need; a run without a whole checkpoint is left out, which is said on stderr and on the page."""
    labels = {name: name for name in runs if f"run.{name}.short" not in catalogue(lang)}
    return explorer_content(runs, labels, precision, lambda words: print(f"latentlab: {words}", file=sys.stderr))


def _tree(c: Context, content: dict[str, Any]) -> str:
    """Everything that is read in one language."""
    writers: tuple[tuple[str, Callable[[Context], str]], ...] = (
        ("comparison", scores_section),
        ("explorer", lambda c: explorer_section(c, content)),
        ("samples", samples_section),
        ("reconstructions", reconstructions_section),
        ("losses", losses_section),
        ("diagnosis", alarms),
        ("families", families_section),
        ("questions", questions_section),
        ("measures", measures_section),
        ("background", background),
        ("settings", settings_section),
    )
    sections = [(name, written) for name, write in writers if (written := write(c))]
    start = "" if c.first else f"{c.lang}-"
    body = "".join(
        tag(
            "section",
            tag("h2", tag("span", f"{number}", class_="number"), c.say(f"section.{name}")),
            written,
            id=start + name,
            data_section=name,
        )
        for number, (name, written) in enumerate(sections, 1)
    )
    contents = tag(
        "nav",
        tag("ol", *(tag("li", tag("a", c.say(f"section.{name}"), href=f"#{start}{name}")) for name, _ in sections)),
        aria_label=c.plain("page.contents"),
    )
    return tree(c, _opening(c) + contents + body + _colophon(c), _heading(c, "title"))


def _data_name(c: Context) -> str:
    return str(c.comparison.get("data") or next((folder.config().data.spec for folder in c.runs.values()), ""))


def _opening(c: Context) -> str:
    title = tag("h1", escape(_heading(c, "heading")))
    head = tag("p", "latentlab", class_="kicker") + title + tag("p", _lede(c), class_="lede") + _author(c)
    short = tag("section", tag("h2", c.say("page.short")), summary(c), class_="short")
    return tag("header", head) + short


def _lede(c: Context) -> str:
    """What was trained, on what."""
    runs = c.list([c.one(name) for name in c.runs])
    if not c.alike:
        return c.say("page.lede.unlike", runs=runs, data=_data_name(c))
    environment = next((folder.environment() for folder in c.runs.values()), {})
    height, width, channels = environment.get("image_shape", (0, 0, 0))
    images = c.comparison.get("images") or environment.get("images") or {}
    latent = sorted({facts.latent_dim for facts in c.facts.values()})
    return c.say(
        "page.lede",
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


def _author(c: Context) -> str:
    """Who hands the report in."""
    if c.answers is None or not c.answers.name:
        return ""
    group = " · " + escape(c.answers.group) if c.answers.group else ""
    return tag("p", c.say("page.by"), " ", tag("strong", escape(c.answers.name)), group, class_="author")


def _colophon(c: Context) -> str:
    seconds = sum(facts.seconds for facts in c.facts.values())
    version = next((folder.environment().get("latentlab") for folder in c.runs.values()), None) or ""
    said = c.paragraph("page.colophon", version=version, total=duration(seconds, c.lang)) + c.paragraph("answers.checksum")
    return tag("footer", said)


# The HTML document around the trees of a page: style, scripts, the switch between languages.

# The page asks nobody. Its decoders' kernel is compiled from bytes that the page itself makes.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; "
    "base-uri 'none'; form-action 'none'"
)
SCRIPTS = ("viewer.js", "report.js")


def tree(c: Context, body: str, title: str) -> str:
    """Everything that is read in one language."""
    return tag("main", body, lang=c.lang, data_title=title, hidden=not c.first)


def document(lang: str, title: str, trees: Sequence[str], shared: Shared) -> str:
    """The whole page, opened in `lang`; `title` and the first of `trees` are in that language."""
    head = "".join([
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", escape(title)),
        f"<style>{_static('lab.css')}{charts.style()}{explorer.style()}</style>",
    ])  # fmt: skip
    script = "\n".join([explorer.module(), charts.script(), *map(_static, SCRIPTS)])
    body = f'{_switch(lang)}{"".join(trees)}\n{shared.script()}\n<script type="module">\n{script}\n</script>'
    return f'<!doctype html>\n<html lang="{escape(lang)}">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


def _switch(lang: str) -> str:
    """A button for each language, each in its own."""
    order = sorted(languages(), key=lambda one: one != lang)
    buttons = [
        tag("button", escape(catalogue(one)["page.language"]), type="button", lang=one, aria_pressed=str(one == lang).lower())
        for one in order
    ]
    label = " / ".join(catalogue(one)["page.languages"] for one in order)
    return tag("div", *buttons, class_="languages", role="group", aria_label=label, hidden=True)


def _static(name: str) -> str:
    return resources.files("latentlab.show.report").joinpath("static", name).read_text(encoding="utf-8")


# A question's card as a page of its own, in both languages.


def write_card_page(card: Card, out: Path, lang: str) -> Path:
    """Write card.html: the question, what to predict, the experiment's figure and verdicts, the answer."""
    shared, trees = Shared(), []
    for place, one in enumerate([lang, *(other for other in languages() if other != lang)]):
        c = Context({}, {}, one, shared, place == 0, {card.question: card})
        head = tag("header", tag("p", "latentlab", class_="kicker"))
        body = tag("section", article(c, card.question), data_section="question")
        trees.append(tree(c, head + body, c.plain(f"question.{card.question}.title")))
    replace_text(out, document(lang, text(f"question.{card.question}.title", lang), trees, shared))
    return out
