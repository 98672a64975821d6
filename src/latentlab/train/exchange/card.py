"""A model card: what was trained on what and how, what it reaches and how sure that is, what it is not good for. Markdown.

The head is the YAML by which model hubs sort (Mitchell et al. 2019 for what a card should tell).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.base import __version__
from latentlab.base.texts import catalogue, number, text
from latentlab.config import BINARY
from latentlab.config.fitting import arguments
from latentlab.config.sources import named, parse
from latentlab.measure.compare import comparison, markdown
from latentlab.runs.diagnosis import in_words
from latentlab.show.charts.payload import capital

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

SAMPLES = "samples.png"
TAGS = {"ae": "autoencoder", "vae": "variational-autoencoder", "gan": "generative-adversarial-network"}


def card(run: Trained, lang: str) -> str:
    """The text of README.md."""
    config, environment = run.config.portable(), run.folder.environment()
    data, source = named(config.data.spec), parse(config.data.spec).source
    height, width, channels = run.image_shape

    def say(key: str, **values: object) -> str:
        return text(f"exchange.card.{key}", lang, **values)

    about = f"studio.preset.{config.preset}.about"
    size = {
        "step": number(run.step, lang),
        "height": height,
        "width": width,
        "kind": text("page.grey" if channels == 1 else "page.color", lang),
    }
    learned = sum((environment.get("parameters") or {}).values())
    counts = {split: number(count, lang) for split, count in environment["images"].items()}
    opened = '".", trust=True' if config.own else '"."'
    lines = [
        *_head(config.family, data if source.kind == "published" else None),
        f"# {say('title', preset=config.preset, data=data)}",
        f"![{say('alt')}]({SAMPLES})",
        say("imported", **came, **size) if (came := environment.get("imported")) else say("what", version=__version__, **size),
        *([say("started", **origin)] if (origin := environment.get("started_from")) else []),
        say("size", latent=config.model.latent_dim, parameters=number(learned, lang)),
        *([text(about, lang)] if about in catalogue(lang) else []),
        f"## {say('data')}",
        say("data.is", data=data, fingerprint=str(environment["data_fingerprint"])[:12], **counts),
        say("licence", licence=source.licence) if source.licence else say("licence.none"),
        f"## {say('made')}",
        say("made.by"),
        f"```console\nlatentlab train {' '.join([config.preset, *arguments(config)])}\n```",
        f"## {say('scores')}",
        _scores(run, lang) or say("scores.none"),
        f"## {say('limits')}",
        "\n".join(f"- {limit}" for limit in _limits(run, lang)),
        f"## {say('use')}",
        f"```python\nimport latentlab as ll\n\nrun = ll.open_run({opened})\nimages = run.sample(64, seed=0)\n```",
        say("use.on", preset=config.preset),
        say("own") if config.own else say("licence.yours"),
    ]
    return "\n\n".join(lines) + "\n"


def _head(family: str, dataset: str | None) -> list[str]:
    tags = "".join(f"\n- {tag}" for tag in (TAGS[family], "safetensors"))
    trained_on = f"\ndatasets:\n- {dataset}" if dataset else ""
    return [f"---\nlibrary_name: latentlab\npipeline_tag: unconditional-image-generation\ntags:{tags}{trained_on}\n---"]


def _scores(run: Trained, lang: str) -> str | None:
    """The run as a comparison shows it, one heading lower."""
    if not run.scores.get("scores"):
        return None
    name = run.config.preset
    return markdown(comparison({name: run.folder}), lang).partition("\n")[2].strip().replace("\n## ", "\n### ")


def _limits(run: Trained, lang: str) -> list[str]:
    """What is known to be wrong with the run, and what its numbers do not say."""
    config, scores = run.config, run.scores
    known = "measured" if scores.get("scores") else "unmeasured"
    kind = "judged" if config.is_judged else config.family
    limits = [text(f"exchange.card.limit.{kind}", lang), text(f"exchange.card.limit.{known}", lang)]
    if not config.is_judged and config.objective in BINARY and getattr(config.model, "binarization", "none") == "none":
        limits.append(text("exchange.card.limit.grey", lang))
    if config.statistics_of:
        limits.append(capital(text("refusal.note.shards", lang, images=config.statistics_of)))
    for finding in run.diagnosis():
        words = in_words(finding, lang)
        limits.append(f"{words.name} ({words.when}). {words.evidence}")
    return limits
