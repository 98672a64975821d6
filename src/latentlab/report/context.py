"""What every part of the page is made from: the runs, their comparison, the language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from latentlab.answers.sheet import Answers
from latentlab.cards.card import Card
from latentlab.charts.columns import Columns
from latentlab.panels import Phrase
from latentlab.report.facts import Facts, Score, read_facts, real_edges
from latentlab.report.markup import escape, tag
from latentlab.report.shared import Shared
from latentlab.runs import RunFolder
from latentlab.texts import catalogue, measured, number, significant, text


@dataclass(frozen=True)
class Context:
    """One page to be written, in one language."""

    runs: Mapping[str, RunFolder]
    comparison: Mapping[str, Any]
    lang: str
    shared: Shared
    first: bool = True  # whether this is the page's first tree, which holds the pictures
    cards: Mapping[str, Card] = field(default_factory=dict)
    answers: Answers | None = None

    @cached_property
    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        return {name: folder.metrics() for name, folder in self.runs.items()}

    def rows(self, run: str) -> list[dict[str, Any]]:
        """The lines of a run's metrics.jsonl, read once."""
        return self._rows[run]

    @cached_property
    def _columns(self) -> dict[str, Columns]:
        return {}

    def columns(self, run: str) -> Columns:
        """The numbers of a run's metrics.jsonl, made once."""
        if run not in self._columns:
            self._columns[run] = Columns(self.rows(run))
        return self._columns[run]

    def kind(self, run: str) -> str:
        """What colour a run has: "ae", "vae", "gan", or "gan-from-vae" for a GAN that started as a decoder."""
        config = self.runs[run].config()
        return "gan-from-vae" if getattr(config.train, "generator_from", None) else config.family

    def role(self, kind: str) -> str | None:
        """The first run of a kind, which sentences speak of; None where there is none."""
        return next((name for name in self.runs if self.kind(name) == kind), None)

    def phrase(self, run: str) -> Phrase:
        """How a run is called, in any language."""
        key = f"run.{run}.short"
        return Phrase(key) if key in catalogue(self.lang) else Phrase("page.verbatim", {"words": run})

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """The numbers of each run."""
        entries = self.comparison.get("runs", {})
        found = {name: read_facts(folder, entries.get(name, {})) for name, folder in self.runs.items()}
        if not self.alike:  # how steep edges are depends on the images
            for facts in found.values():
                facts.scores.pop("edge_step", None)
        return found

    @cached_property
    def alike(self) -> bool:
        """Whether every run learned from the same images."""
        return len({folder.environment().get("data_fingerprint") for folder in self.runs.values()}) < 2

    @cached_property
    def real_edges(self) -> Score | None:
        """How steep the edges of held-out images are."""
        return real_edges(list(self.runs.values()))

    def say(self, key: str, **values: Any) -> str:
        """A text as HTML: the whole of it is escaped."""
        return escape(self.plain(key, **values))

    def plain(self, key: str, **values: Any) -> str:
        """A text as it is, for attributes, which `tag` escapes."""
        return text(key, self.lang, **values)

    def paragraph(self, key: str, **values: Any) -> str:
        """A text as a paragraph."""
        return tag("p", self.say(key, **values))

    def name(self, run: str, short: bool = True) -> str:
        """How a run is called: by its place in the lab, or by its own name."""
        key = f"run.{run}.short" if short else f"run.{run}"
        return text(key, self.lang) if key in catalogue(self.lang) else run

    def one(self, run: str) -> str:
        """A run inside a sentence: "an autoencoder (AE)"."""
        key = f"run.{run}.one"
        return text(key, self.lang) if key in catalogue(self.lang) else run

    def label(self, run: str) -> str:
        """A run's short name as HTML, with its colour."""
        return tag("span", tag("span", class_=f"swatch {self.kind(run)}", aria_hidden="true"), escape(self.name(run)), class_="run")

    def number(self, value: float, decimals: int | None = None) -> str:
        """A number as the language writes it."""
        return number(value, self.lang, decimals)

    def figures(self, value: float, count: int = 3) -> str:
        """A number to so many significant figures."""
        return significant(value, self.lang, count)

    def percent(self, share: float, decimals: int = 0) -> str:
        """A share as a number of per cent, without the sign."""
        return number(100 * share, self.lang, decimals)

    def measured(self, run: str, score: str) -> str:
        """A score with its standard error; "–" where it is not defined."""
        found = self.facts[run].score(score)
        return "–" if found is None else measured(found.value, found.stderr, self.lang)

    def list(self, parts: list[str]) -> str:
        """Texts joined as a sentence joins them: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return ", ".join(parts[:-1]) + " " + self.plain("page.and") + " " + parts[-1]
