"""The report: one file that shows what was trained, how it went and what it reached, in both languages. No torch; it asks nobody.

The page is one HTML document with a tree of elements for each language (`Shared` holds what both have in common), the
runs' decoders for explorer.js, and a record for `latentlab grade` with the file's own checksum.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from latentlab.answers.record import record
from latentlab.answers.seal import seal
from latentlab.answers.sheet import Answers
from latentlab.cards.card import Card
from latentlab.explorer.content import explorer_content
from latentlab.explorer.pack import Precision
from latentlab.files import replace_text
from latentlab.report.alarms import alarms
from latentlab.report.background import background
from latentlab.report.cards import questions_section
from latentlab.report.context import Context
from latentlab.report.document import document, tree
from latentlab.report.markup import escape, tag
from latentlab.report.prose import summary
from latentlab.report.sections import (
    explorer_section,
    families_section,
    losses_section,
    measures_section,
    reconstructions_section,
    samples_section,
    scores_section,
    settings_section,
)
from latentlab.report.shared import Shared
from latentlab.runs import RunFolder
from latentlab.texts import catalogue, duration, languages


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
