"""What keeps a GAN's training in balance? Four remedies together, each switched off in turn, and none of them.

They are taken away from a configuration that has them all, not added to one that has none: without any, the training
fails so early that a single remedy shows little, while what is missing from a working recipe is seen at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.kit import claim, comparable, range_bars, range_line, ratio_claim, table, tied_best
from latentlab.lab.questions.views import sheet
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures
from latentlab.train import Run

SEEDS = 4
STEPS, BATCH = 250, 32
SHOWN = 20
COMMON = {
    "model.latent_dim": 32,
    "model.channels": (8, 16),
    "model.discriminator_channels": (8, 16),
    "train.batch_size": BATCH,
    "train.generator_learning_rate": 1e-3,
    "train.ema_halflife_images": 2_000,
    "train.sample_count": 16,
    "train.measure_samples": 0,
    "train.log_steps": 10,
}
# Each remedy: a field with its value as the labs set it, and as it is without.
REMEDIES: dict[str, tuple[str, Any, Any]] = {
    "smoothing": ("train.label_smoothing", 0.9, 1.0),
    "rates": ("train.discriminator_learning_rate", 5e-4, 1e-3),
    "updates": ("train.generator_updates", 2, 1),
    "spectral": ("model.discriminator_normalization", "spectral", "none"),
}
ARMS = ("all", *REMEDIES, "none")
TOLD = ("kid", "precision", "recall", "class_entropy_nats", "dominance", "certainty", "logit_gap", "gradient_norm", "gradient_spread")
Measured = Mapping[str, Sequence[dict[str, Any]]]  # arm → seed by seed


def experiment(bench: Bench) -> Findings:
    """Train every arm with every seed; what is said comes from the trained networks and their lines of metrics."""
    runs = bench.train([gan(arm, seed, bench) for seed in range(SEEDS) for arm in ARMS])
    found = {arm: [bench.result(f"{arm}-seed-{seed}") for seed in range(SEEDS)] for arm in ARMS}
    claims = judge(found)
    numbers = {arm: table({name: of(found, arm, name) for name in TOLD if name in found[arm][0]}) for arm in ARMS}
    settings: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "batch_size": BATCH}
    settings |= {name: f"{value} / {without}" for name, (_, value, without) in REMEDIES.items()}
    panels: tuple[Panel, ...] = (ablation(found), faces(runs), dominance(found), gradients(found))
    return Findings(settings, outcome(claims, found), claims, panels, dict(numbers))


def gan(arm: str, seed: int, bench: Bench) -> Plan:
    """A GAN with all remedies, with all but one, or with none."""
    changes: dict[str, Any] = {**COMMON, "train.seed": seed, "train.steps": STEPS}
    changes |= {field: without if arm in (name, "none") else value for name, (field, value, without) in REMEDIES.items()}
    changes["train.evaluate_epochs"] = BATCH * STEPS / len(bench.data.train)
    return Plan(f"{arm}-seed-{seed}", "conv-gan", changes, task=Task("stability-measures"))


def of(found: Measured, arm: str, name: str) -> list[float]:
    """One measure of an arm, seed by seed."""
    return [float(run[name]) for run in found[arm]]


def judge(found: Measured) -> tuple[Claim, ...]:
    """Each remedy: without it samples are further from real images. And what is lost where all are missing."""
    claims = [ratio_claim(name, of(found, name, "kid"), of(found, "all", "kid")) for name in REMEDIES]
    sure, recall = ({arm: [100 * value for value in of(found, arm, name)] for arm in ("all", "none")} for name in ("certainty", "recall"))
    gaps = {f"{arm}_gap": float(np.mean(of(found, arm, "logit_gap"))) for arm in ("all", "none")}
    claims.append(claim("dominance", sure["none"], sure["all"], **gaps))
    claims.append(claim("collapse", recall["all"], recall["none"]))
    claims.append(ratio_claim("gradient", of(found, "none", "gradient_norm"), of(found, "all", "gradient_norm")))
    return tuple(claims)


def outcome(claims: Sequence[Claim], found: Measured) -> tuple[str, ...]:
    """The remedies that are missed and whose absence costs most, as far as the seeds settle it; "little" where none is missed."""
    needed = [c.name for c in claims if c.name in REMEDIES and c.verdict == "holds"]
    if not needed:
        return ("little",)
    return tuple(needed[row] for row in tied_best(-comparable([of(found, name, "kid") for name in needed])))


def ablation(found: Measured) -> Bars:
    """KID of every arm."""
    values = {arm: float(np.mean(of(found, arm, "kid"))) for arm in ARMS}
    series = (range_bars(say("kid"), [of(found, arm, "kid") for arm in ARMS], "gan"),)
    return Bars(say("ablation.title"), say("kid"), names(), series, say("ablation.summary", **values), log_y=True)


def faces(runs: Mapping[str, Run]) -> Pictures:
    """Samples of the first seed of every arm."""
    items = tuple((say(f"arm.{arm}"), sheet(runs[f"{arm}-seed-0"].sample(SHOWN, seed=0), SHOWN // 2)) for arm in ARMS)
    return Pictures(say("faces.title"), items, say("faces.summary", count=SHOWN, steps=STEPS))


def dominance(found: Measured) -> Lines:
    """The gap between the discriminator's mean logits on real and on generated images, while training goes on."""
    series = tuple(range_line(say(f"arm.{arm}"), found[arm][0]["steps"], [run["gaps"] for run in found[arm]]) for arm in ARMS)
    ends = {arm: float(np.mean(of(found, arm, "logit_gap"))) for arm in ("all", "spectral", "none")}
    return Lines(say("dominance.title"), say("steps"), say("gap"), series, say("dominance.summary", **ends))


def gradients(found: Measured) -> Bars:
    """The norm of the generator's gradient in the second half of training."""
    values = {arm: float(np.mean(of(found, arm, "gradient_norm"))) for arm in ("all", "none")}
    series = (range_bars(say("norm"), [of(found, arm, "gradient_norm") for arm in ARMS], "gan"),)
    return Bars(say("gradients.title"), say("norm"), names(), series, say("gradients.summary", **values), log_y=True)


def names() -> tuple[Phrase, ...]:
    """The arms, as groups of bars."""
    return tuple(say(f"arm.{arm}") for arm in ARMS)


def say(key: str, **values: Any) -> Phrase:
    """A text of this question's panels."""
    return Phrase(f"question.gan-stability.panel.{key}", values)
