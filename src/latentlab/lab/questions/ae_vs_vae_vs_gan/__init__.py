"""AE, VAE and GAN at one budget: as many training images read, one decoder architecture. What is each for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentlab.base.images import Images
from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF, HALF_DISCRIMINATOR
from latentlab.lab.questions.ae_vs_vae_vs_gan.measures import copies
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.kit import bars, claim, column, comparable, ratio_claim, table, tied_best
from latentlab.lab.questions.views import sheet
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Panel, Pictures
from latentlab.train import Run

SEEDS = 4
LATENT_DIM, BATCH, STEPS = 16, 64, 250
SHOWN = 10
PRESETS = {"ae": "conv-ae", "vae": "conv-vae", "gan": "sn-gan"}
COMMON = {
    **HALF,
    "model.latent_dim": LATENT_DIM,
    "train.steps": STEPS,
    "train.batch_size": BATCH,
    "train.sample_count": 16,
    "train.ema_halflife_images": 2_000,
}
OWN: dict[str, dict[str, Any]] = {
    "ae": {"train.learning_rate": 3e-3},
    "vae": {"train.learning_rate": 3e-3},
    "gan": {**HALF_DISCRIMINATOR, "train.measure_samples": 0},
}
Measured = Mapping[str, Sequence[dict[str, Any]]]  # family → seed by seed


def experiment(bench: Bench) -> Findings:
    """Train one of each family with each seed and measure all of them alike."""
    runs = bench.train([plan(family, seed, bench) for seed in range(SEEDS) for family in ("gan", "vae", "ae")])
    found = {family: [bench.result(f"{family}-seed-{seed}") for seed in range(SEEDS)] for family in PRESETS}
    claims = judge(found)
    panels: tuple[Panel, ...] = (faces(bench, runs), distances(found), errors(found), virtues(found))
    settings = {"seeds": SEEDS, "steps": STEPS, "batch_size": BATCH, "latent_dim": LATENT_DIM, "images": STEPS * BATCH}
    numbers = {family: table({name: column(found[family], *name.split(".")) for name in names(found[family][0])}) for family in PRESETS}
    return Findings(settings, outcome(found), claims, panels, dict(numbers))


def plan(family: str, seed: int, bench: Bench) -> Plan:
    """A run of a family."""
    changes = {**COMMON, **OWN[family], "train.seed": seed, "train.evaluate_epochs": BATCH * STEPS / len(bench.data.train)}
    return Plan(f"{family}-seed-{seed}", PRESETS[family], changes, task=Task("family-measures"))


def names(found: Mapping[str, Any]) -> list[str]:
    """Every measure of a run by its dotted name."""
    return [
        f"{a}.{b}" if isinstance(inner, dict) else a for a, inner in found.items() for b in (inner if isinstance(inner, dict) else [""])
    ]


def judge(found: Measured) -> tuple[Claim, ...]:
    """What each family is better at than another."""
    kid = {family: column(found[family], "samples", "kid") for family in PRESETS}
    mse = {family: [1000 * value for value in column(found[family], "mse")] for family in PRESETS}
    claims = [
        claim("ae-copies", mse["vae"], mse["ae"]),
        ratio_claim("prior", column(found["ae"], "standard", "kid"), kid["vae"]),
        ratio_claim("fitted", kid["vae"], kid["ae"]),
        ratio_claim("gan-draws", kid["vae"], kid["gan"]),
        ratio_claim("ways", column(found["vae"], "midpoints", "kid"), column(found["ae"], "midpoints", "kid")),
        claim("no-way-back", mse["gan"], mse["vae"]),
    ]
    if "knn_accuracy" in found["vae"][0]:
        accuracy = {family: [100 * value for value in column(found[family], "knn_accuracy")] for family in ("ae", "vae")}
        claims.append(claim("organised", accuracy["vae"], accuracy["ae"]))
    return tuple(claims)


def outcome(found: Measured) -> tuple[str, ...]:
    """The family whose samples are nearest to real images; several where the seeds do not settle it."""
    kid = comparable([column(found[family], "samples", "kid") for family in PRESETS])
    return tuple(tuple(PRESETS)[row] for row in tied_best(kid))


def faces(bench: Bench, runs: Mapping[str, Run]) -> Pictures:
    """Samples, copies of the same images and ways between two of them, by the first seed of each family."""
    real = bench.data.val.take(np.arange(SHOWN))
    first = {family: runs[f"{family}-seed-0"] for family in PRESETS}
    strips: list[tuple[Phrase, Images]] = [(say("drawn", family=name(family)), run.sample(SHOWN, seed=0)) for family, run in first.items()]
    strips.append((say("originals"), real))
    strips += [(say("copied" if family != "gan" else "searched", family=name(family)), copies(run, real)) for family, run in first.items()]
    for family, run in first.items():
        start, end = (0, 1) if family == "gan" else (real[0], real[1])
        strips.append((say("way", family=name(family)), run.interpolate(start, end, steps=SHOWN)))
    return Pictures(say("faces.title"), tuple((said, sheet(images, SHOWN)) for said, images in strips), say("faces.summary"))


def distances(found: Measured) -> Bars:
    """KID of samples and of half-way images; an AE's samples once more with z from the standard normal."""
    groups = tuple(say(f"distances.{group}") for group in ("samples", "midpoints", "standard"))
    series = tuple(
        bars(name(family), [column(found[family], group, "kid") if group in found[family][0] else None
                            for group in ("samples", "midpoints", "standard")], family)
        for family in PRESETS
    )  # fmt: skip
    floor = float(np.mean(column(found["vae"], "floor", "kid")))
    values = {family: float(np.mean(column(found[family], "samples", "kid"))) for family in PRESETS}
    standard = float(np.mean(column(found["ae"], "standard", "kid")))
    summary = say("distances.summary", standard=standard, floor=floor, **values)
    return Bars(say("distances.title"), say("kid"), groups, series, summary, lines=((floor, say("floor")),))


def errors(found: Measured) -> Bars:
    """Squared error of the images that each family gives back."""
    series = (bars(say("mse"), [column(found[family], "mse") for family in PRESETS], "", 1000),)
    values = {family: 1000 * float(np.mean(column(found[family], "mse"))) for family in PRESETS}
    return Bars(say("errors.title"), say("mse"), tuple(map(name, PRESETS)), series, say("errors.summary", **values))


def virtues(found: Measured) -> Bars:
    """Shares: samples that look real, real images that are reached, neighbours in latent space of one class."""
    groups = tuple(say(f"virtues.{group}") for group in ("precision", "recall", "knn"))

    def shares(family: str) -> list[list[float] | None]:
        knn = column(found[family], "knn_accuracy") if "knn_accuracy" in found[family][0] else None
        return [column(found[family], "samples", "precision"), column(found[family], "samples", "recall"), knn]

    series = tuple(bars(name(family), shares(family), family, 100) for family in PRESETS)
    seconds = {family: float(np.mean(column(found[family], "seconds"))) for family in PRESETS}
    return Bars(say("virtues.title"), say("virtues.share"), groups, series, say("virtues.summary", **seconds))


def name(family: str) -> Phrase:
    """A family's short name."""
    return say(f"family.{family}")


def say(key: str, **values: Any) -> Phrase:
    """A text of this question's panels."""
    return Phrase(f"question.ae-vs-vae-vs-gan.panel.{key}", values)
