"""A question's card as a page of its own, in both languages."""

from __future__ import annotations

from pathlib import Path

from latentlab.cards.card import Card
from latentlab.files import replace_text
from latentlab.report.cards import article
from latentlab.report.context import Context
from latentlab.report.document import document, tree
from latentlab.report.markup import tag
from latentlab.report.shared import Shared
from latentlab.texts import languages, text


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
