"""What static/film.js shows of some runs: which pictures they kept while they trained, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from latentlab.charts.columns import Columns
from latentlab.panels import Phrase
from latentlab.runs import RunFolder
from latentlab.texts import text

Kept = Literal["samples", "reconstructions"]


class Reel(NamedTuple):
    """The pictures of one run, in order of their steps."""

    name: str  # what the host's source is asked for
    label: Phrase
    kind: str  # "ae", "vae", "gan", "gan-from-vae", or "" for no family
    steps: Sequence[int]
    epochs_per_step: float | None  # None before the first step
    alt: Phrase  # with the placeholders {step} and {epoch} still in it


def reel(folder: RunFolder, columns: Columns, name: str, label: Phrase, kind: str, kept: Kept = "samples") -> Reel:
    """What a run has kept so far; `columns` are its metrics."""
    steps = [step for step, _ in folder.pictures(kept)]
    count = folder.config().train.sample_count
    values = {"run": label, "step": "{step}", "epoch": "{epoch}"}
    alt = Phrase("viewer.alt", values | {"n": count}) if kept == "samples" else Phrase("film.alt.reconstructions", values)
    return Reel(name, label, kind, steps, columns.epochs_per_step, alt)


def film_data(reels: Sequence[Reel], lang: str) -> dict[str, Any]:
    """Runs, steps and words of a film in a language."""
    words = {
        "play": text("viewer.play", lang),
        "pause": text("viewer.pause", lang),
        "slider": text("film.slider", lang),
        "speed": text("film.speed", lang),
        "rate": text("film.rate", lang, count="{count}"),
        "at": text("film.at", lang, step="{step}", place="{place}", all="{all}"),
        "where": text("film.where", lang, step="{step}", epoch="{epoch}"),
        "none": text("film.none", lang),
        "failed": text("film.failed", lang, step="{step}"),
        "empty": text("viewer.empty", lang),
    }
    runs = [
        {
            "name": one.name,
            "label": one.label.say(lang),
            "hue": one.kind or "5",  # a grey of figures/looks.py
            "steps": list(one.steps),
            "epochs_per_step": one.epochs_per_step,
            "alt": one.alt.say(lang),
        }
        for one in reels
    ]
    return {"runs": runs, "words": words, "lang": lang}
