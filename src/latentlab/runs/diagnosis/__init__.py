"""From rows of metrics to findings: each rule's symptom, once it has lasted, is a finding until it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from latentlab.base.texts import number, text
from latentlab.config.parts import every_field
from latentlab.runs.diagnosis.sight import Facts, Sight
from latentlab.runs.diagnosis.symptoms import KEYS, NOT_CAUSED_BY_CONSTANT_DATA, RULES, Symptom, remedy_of

__all__ = ["KEYS", "Diagnosis", "Finding", "diagnose"]


class Finding(NamedTuple):
    """One verdict: what, since which step, the evidence, the one thing to change; `until_step` when it is over."""

    key: str
    since_step: int
    evidence: dict[str, float | int]
    sign: str = ""  # which of the key's signs was seen
    remedy: str = ""  # which of the key's remedies fits; its numbers are in the evidence
    until_step: int | None = None

    @property
    def over(self) -> bool:
        """Whether it was so once and is no more."""
        return self.until_step is not None

    def to_json(self) -> dict[str, Any]:
        """As status.json holds it."""
        values = {name: value for name, value in self._asdict().items() if value not in ("", None)}
        return values | {"evidence": dict(self.evidence)}


class _Alarm:
    """The history of one key: the present streak of its symptom, and the last finding."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.since: int | None = None
        self.finding: Finding | None = None

    def feed(self, symptom: Symptom | None, began: int, now: int, lasting: int, facts: Facts) -> None:
        """One more look, over the steps from `began` to `now`."""
        if symptom is None:
            if self.finding is not None and not self.finding.over:
                self.finding = self.finding._replace(until_step=now)
            self.since = None
            return
        if self.since is None:
            self.since = began if symptom.since is None else symptom.since
        if now - self.since >= lasting:
            remedy, changes = remedy_of(self.key, symptom.sign, symptom.evidence, facts)
            self.finding = Finding(self.key, self.since, symptom.evidence | changes, symptom.sign, remedy)


class Diagnosis:
    """The findings of a run, kept up row by row: a row costs the same after a hundred lines as after a million."""

    def __init__(self, facts: Facts, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.sight = Sight(facts)
        self.alarms = {key: _Alarm(key) for key in KEYS}
        self.extend(rows)

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in rows in the order in which they were written."""
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in the next row."""
        sight, news = self.sight, self.sight.take(row)
        for rule in RULES:
            if rule.when in news:
                began = sight.window.first if rule.when == "window" and sight.window else sight.step
                self.alarms[rule.key].feed(rule.seen(sight), began, sight.step, rule.lasting_steps(sight), sight.facts)

    def findings(self) -> list[Finding]:
        """What is the matter, causes first. Constant data explains what else it brings about, which is then left out."""
        findings = [alarm.finding for key in KEYS if (alarm := self.alarms[key]).finding is not None]
        constant = self.alarms["constant_data"].finding is not None
        return [f for f in findings if f is not None and (not constant or f.key in NOT_CAUSED_BY_CONSTANT_DATA)]


def diagnose(rows: Iterable[Mapping[str, Any]], facts: Facts) -> list[Finding]:
    """The findings of a run after these rows of metrics (`RunFolder.metrics()`), causes first; empty: no alarm."""
    return Diagnosis(facts, rows).findings()


# A finding in words, in each language.

_PERCENT = ("spread", "recall", "best_recall")
_TYPED = ("from", "to")  # values of an option, which the command line says as it takes them
# The field of the configuration that each remedy changes, which a page calls by its name and the command line by its option.
CHANGED = {
    "rate": "train.learning_rate",
    "generator_rate": "train.generator_learning_rate",
    "discriminator_rate": "train.discriminator_learning_rate",
    "discriminator_updates": "train.discriminator_updates",
    "generator_updates": "train.generator_updates",
    "spectral": "model.discriminator_normalization",
    "no_batch_norm": "model.discriminator_normalization",
    "beta": "train.beta",
    "warmup": "train.beta_warmup_steps",
    "longer_warmup": "train.beta_warmup_steps",
    "latent": "model.latent_dim",
    "elu": "model.activation",
    "other_images": "data.spec",
    "more_images": "data.train_images",
    "stop": "train.steps",
}


class Words(NamedTuple):
    """What a reader is told of a finding, each a sentence but `name`, a title, and `when`, a phrase."""

    name: str
    when: str
    meaning: str
    evidence: str
    remedy: str


def in_words(finding: Finding, lang: str, typed: bool = False) -> Words:
    """A finding in a language; `typed`: its remedy as the command line takes it."""
    changed = CHANGED.get(finding.remedy)  # none for what is somebody's own
    values = {name: _shown(name, value, lang, typed) for name, value in finding.evidence.items()}
    named = ""
    if changed is not None:
        named = every_field()[changed].option if typed else text("diagnosis.setting", lang, name=text(f"field.{changed}", lang))
    values |= {"since": number(finding.since_step, lang), "option": named}
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
    words = in_words(finding, "en", typed=True)
    return f"{words.name}, {words.when}. {words.evidence} {words.remedy}".replace("\u00a0", " ")


def _shown(name: str, value: float | int, lang: str, typed: bool) -> str:
    if typed and name in _TYPED:
        return f"{value:g}"
    if isinstance(value, int):
        return number(value, lang)
    rounded = float(f"{100 * value if name in _PERCENT else value:.3g}")
    return number(rounded, lang)
