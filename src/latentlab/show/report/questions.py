"""The questions on the page: what to predict, what the experiment gave, the answer in words, and what a student wrote."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from latex2mathml.converter import convert

from latentlab.base.texts import duration
from latentlab.show.answers import Part
from latentlab.show.answers.prediction import said
from latentlab.show.card import FORMULAS, NAMES, Card, options, options_in_words
from latentlab.show.excerpts import excerpts
from latentlab.show.report.context import Context
from latentlab.show.report.markup import as_html, escape, panel_figure, tag

SIGNS = {"holds": "✓", "contradicted": "✗", "unclear": "≈"}


def questions_section(c: Context) -> str:
    """The questions of the labs whose experiment was run, and those that a student answered; nothing where there are none."""
    answered = c.answers.parts if c.answers else {}
    articles = "".join(article(c, name) for name in NAMES if name in c.cards or name in answered) + _notes(c)
    return c.paragraph("card.intro") + articles if articles else ""


def article(c: Context, name: str) -> str:
    """One question: asked, predicted, answered."""
    card = c.cards.get(name)
    part = c.answers.parts.get(name) if c.answers else None
    head = tag("h3", c.say(f"question.{name}.title")) + tag("p", c.say(f"question.{name}.ask"), class_="ask")
    folded = tag(
        "details",
        tag("summary", c.say("card.show_experiment" if not c.model_answers else "card.show" if card else "card.show_answer")),
        _experiment(c, name, card) + (_answer(c, name) if c.model_answers else ""),
        open=part is not None,
        class_="answer",
    )
    return tag("article", head, _prediction(c, name, card, part), _written(c, name, part), folded, class_="question")


def _prediction(c: Context, name: str, card: Card | None, part: Part | None) -> str:
    """What can be predicted, to be chosen before the result is looked at. The choice stays on the page."""
    labels = []
    for option in options(name):
        true = None if card is None else "yes" if option in card.outcome else "no"
        chosen = part is not None and part.predicted[:1] == (option,)
        radio = tag("input", type="radio", name=c.own_id(name), value=option, data_true=true, checked=chosen)
        labels.append(tag("label", radio, " ", c.say(f"question.{name}.option.{option}")))
    told = {f"data_{key}": c.plain(f"card.prediction.{key}") for key in ("right", "wrong", "open")}
    legend = tag("legend", c.say("card.predict"), " ", c.say(f"question.{name}.predict"))
    return tag("fieldset", legend, *labels, tag("p", "", class_="said", role="status", hidden=True), class_="prediction", **told)


def _written(c: Context, name: str, part: Part | None) -> str:
    """What the student wrote, and whether the prediction came true."""
    if part is None or c.answers is None:
        return ""
    told = ""
    if part.predicted:
        each = options_in_words(name, part.predicted, c.lang)
        card = c.cards.get(name)
        key = "open" if card is None else "right" if set(part.predicted) & set(card.outcome) else "wrong"
        when = said(part.kept, card.ended if card else "").say(c.lang)
        told = tag("p", c.say("card.predicted", each=each), " ", tag("strong", c.say(f"card.predicted.{key}")), " ", escape(when))
    return tag("div", tag("h4", c.say("card.own", name=c.answers.name)), told, as_html(part.text), class_="own")


def _notes(c: Context) -> str:
    part = c.answers.parts.get("notes") if c.answers else None
    if part is None or not part.text.strip():
        return ""
    return tag("article", tag("h3", c.say("card.notes")), tag("div", as_html(part.text), class_="own"), class_="question")


def exercises_section(c: Context, exercises: Sequence[Mapping[str, Any]]) -> str:
    """What a student's files gave when they were checked, each check a row, and their text."""
    parts = []
    for each in exercises:
        for name, some in itertools.groupby(each["told"], lambda told: told["exercise"]):
            rows = []
            for told in some:
                part = c.plain(f"exercise.part.{told['part']}") + " · " if told["part"] else ""
                what = part + c.plain(told["what"])
                sign = {True: "✓", False: "✗", None: "·"}[told["passed"]]
                rows.append(tag("li", f"{sign} {escape(what)} ", tag("small", escape(told["got"].say(c.lang)))))
            parts.append(tag("h3", c.say(f"exercise.{name}.title")) + tag("ul", *rows, class_="checks"))
        summary = tag("summary", c.say("exercise.source", file=each["file"], sha256=each["sha256"][:16]))
        parts.append(tag("details", summary, tag("pre", tag("code", escape(each["source"])))))
    return c.paragraph("exercise.hand-in") + "".join(parts) if parts else ""


def _experiment(c: Context, name: str, card: Card | None) -> str:
    """What was done, its figure and what it says of each claim."""
    head = tag("h4", c.say("card.experiment")) + c.paragraphs("question", name, "experiment")
    if card is None:
        return head + c.paragraph("card.not_run") + tag("pre", tag("code", escape(f"latentlab question {name} --lang {c.lang}")))
    images = card.machine.get("images", {})
    told = {"train": c.number(images.get("train", 0)), "seeds": card.seeds, "seconds": duration(card.seconds, c.lang)}
    facts = c.say("card.facts", data=card.data, **told)
    figures = tag("div", *(panel_figure(panel, c.lang, c.shared) for panel in card.panels), class_="charts wide")
    outcome = c.paragraph("card.outcome.none")
    if card.outcome:
        outcome = tag("p", c.say("card.outcome", each=options_in_words(name, card.outcome, c.lang)), class_="outcome")
    return head + tag("p", facts, class_="small") + figures + outcome + _claims(c, name, card)


def _claims(c: Context, name: str, card: Card) -> str:
    """Each claim with its verdict, as the program judged it, and the numbers."""
    items = []
    for claim in card.claims:
        verdict = tag("span", SIGNS[claim.verdict] + " " + c.say(f"card.verdict.{claim.verdict}"), class_=f"verdict {claim.verdict}")
        numbers = tag("span", escape(" ".join(phrase.say(c.lang) for phrase in claim.told(name))), class_="evidence")
        items.append(tag("li", tag("strong", c.say(f"question.{name}.claim.{claim.name}")), " ", verdict, " ", numbers))
    return tag("h4", c.say("card.claims")) + tag("p", escape(card.judged.say(c.lang)), class_="small") + tag("ul", *items, class_="claims")


def _code(c: Context, name: str, formula: int) -> str:
    """The project's own code of a formula, folded; nothing where no code computes it."""
    files, code = excerpts(name, formula)
    return tag("details", tag("summary", c.say("card.code", file=files)), tag("pre", tag("code", escape(code)))) if code else ""


def _answer(c: Context, name: str) -> str:
    """The answer in plain words, the mathematics, the analogy, what to try next, the sources."""
    formulas = [
        tag(
            "div",
            convert(latex, display="block"),
            tag("p", c.say(f"question.{name}.formula.{number}")),
            _code(c, name, number),
            class_="formula",
        )
        for number, latex in enumerate(FORMULAS[name], 1)
    ]
    lists = [
        tag("h4", c.say(f"card.{part}")) + tag("ul", *(tag("li", c.say(key)) for key in c.numbered("question", name, part)))
        for part in ("next", "source")
    ]
    analogy = tag("aside", tag("strong", c.say("card.analogy")), " ", c.say(f"question.{name}.analogy"), class_="analogy")
    answer = tag("h4", c.say("card.answer")) + c.paragraphs("question", name, "answer")
    return answer + "".join(formulas) + analogy + "".join(lists)
