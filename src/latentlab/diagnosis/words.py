"""A finding in words, in each language."""

from __future__ import annotations

from typing import NamedTuple

from latentlab.diagnosis.findings import Finding
from latentlab.texts import number, text

_PERCENT = ("spread", "recall", "best_recall")
_TYPED = ("from", "to")  # values of an option, written as the command line takes them


class Words(NamedTuple):
    """What a reader is told of a finding, each a sentence but `name`, a title, and `when`, a phrase."""

    name: str
    when: str
    meaning: str
    evidence: str
    remedy: str


def in_words(finding: Finding, lang: str) -> Words:
    """A finding in a language."""
    values = {name: _shown(name, value, lang) for name, value in finding.evidence.items()}
    values |= {"since": number(finding.since_step, lang)}
    if finding.until_step is None:
        when = text("diagnosis.since", lang, step=values["since"])
    else:
        when = text("diagnosis.over", lang, step=values["since"], until=number(finding.until_step, lang))
    seen = f"diagnosis.{finding.key}.evidence.{finding.sign}" if finding.sign else f"diagnosis.{finding.key}.evidence"
    return Words(
        name=text(f"diagnosis.{finding.key}.name", lang),
        when=when,
        meaning=text(f"diagnosis.{finding.key}.meaning", lang),
        evidence=text(seen, lang, **values),
        remedy=text(f"diagnosis.remedy.{finding.remedy}", lang, **values),
    )


def line(finding: Finding) -> str:
    """A finding as the command line says it: what, since when, the evidence, the one thing to change."""
    words = in_words(finding, "en")
    return f"{words.name}, {words.when}. {words.evidence} {words.remedy}".replace("\u00a0", " ")


def _shown(name: str, value: float | int, lang: str) -> str:
    if name in _TYPED:
        return f"{value:g}"
    if isinstance(value, int):
        return number(value, lang)
    rounded = float(f"{100 * value if name in _PERCENT else value:.3g}")
    return number(rounded, lang)
