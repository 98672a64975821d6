"""What keeps a GAN's training in balance? Four remedies together, each switched off in turn, and none of them.

They are taken away from a configuration that has them all, not added to one that has none: without any, the training
fails so early that a single remedy shows little, while what is missing from a working recipe is seen at once.

Every arm makes as many generator updates: an arm with one a step goes on for twice as many steps. Else the arm without the
second update would be worse for having trained half as long. That arm, "halved", is trained too: it shows what that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.texts import Phrase
from latentlab.lab.kit import Painter, claim, column, comparable, mean, range_bars, range_line, ratio_claim, table, tied_best
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.views import exceeds, sheet, view
from latentlab.models.nets import to_unit
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
ARMS = ("all", *REMEDIES, "none", "halved")
TOLD = ("kid", "precision", "recall", "class_entropy_nats", "dominance", "certainty", "logit_gap", "gradient_norm", "gradient_spread")
Measured = Mapping[str, Sequence[dict[str, Any]]]  # arm → seed by seed
paint = Painter("gan-stability")


def experiment(bench: Bench) -> Findings:
    """Train every arm with every seed; what is said comes from the trained networks and their lines of metrics."""
    runs = bench.train([gan(arm, seed, bench) for seed in range(SEEDS) for arm in ARMS])
    measured = {arm: bench.results(arm, SEEDS) for arm in ARMS}
    claims = judge(measured)
    numbers = {arm: table({name: column(seeds, name) for name in TOLD if name in seeds[0]}) for arm, seeds in measured.items()}
    settings: dict[str, Any] = {"seeds": SEEDS, "generator_updates": 2 * STEPS, "batch_size": BATCH}
    settings |= {name: f"{value} / {without}" for name, (_, value, without) in REMEDIES.items()}
    told = view({"shared": bench.shared}).kid_told()
    panels: tuple[Panel, ...] = (ablation(measured, told), faces(runs), dominance(measured), gradients(measured))
    return Findings(settings, outcome(claims, measured), claims, panels, dict(numbers))


def gan(arm: str, seed: int, bench: Bench) -> Plan:
    """A GAN with all remedies, with all but one, or with none; or "halved", without the second update and not longer for it."""
    without = {"none": tuple(REMEDIES), "halved": ("updates",), "all": ()}.get(arm, (arm,))
    changes: dict[str, Any] = {**COMMON, "train.seed": seed}
    changes |= {field: less if name in without else value for name, (field, value, less) in REMEDIES.items()}
    steps = STEPS * (2 if "updates" in without and arm != "halved" else 1)
    changes |= {"train.steps": steps, "train.evaluate_epochs": BATCH * steps / len(bench.data.train)}
    return Plan(f"{arm}-seed-{seed}", "conv-gan", changes, task=Task("stability-measures"))


def judge(measured: Measured) -> tuple[Claim, ...]:
    """Each remedy: without it samples are further from real images. And what is lost where all are missing."""
    whole, bare = measured["all"], measured["none"]
    gaps = {f"{arm}_gap": mean(measured[arm], "logit_gap") for arm in ("all", "none")}
    return (
        *(ratio_claim(name, column(measured[name], "kid"), column(whole, "kid")) for name in REMEDIES),
        claim("dominance", column(bare, "certainty", scale=100), column(whole, "certainty", scale=100), **gaps),
        claim("collapse", column(whole, "recall", scale=100), column(bare, "recall", scale=100)),
        ratio_claim("gradient", column(bare, "gradient_norm"), column(whole, "gradient_norm")),
    )


def outcome(claims: Sequence[Claim], measured: Measured) -> tuple[str, ...]:
    """The remedies that are missed and whose absence costs most, as far as the seeds settle it; "little" where none is missed."""
    needed = [c.name for c in claims if c.name in REMEDIES and c.verdict == "holds"]
    if not needed:
        return ("little",)
    return tuple(needed[row] for row in tied_best(-comparable([column(measured[name], "kid") for name in needed])))


def ablation(measured: Measured, told_of_kid: Phrase) -> Bars:
    """KID of every arm."""
    series = range_bars(paint.say("kid"), [column(measured[arm], "kid") for arm in ARMS], "gan")
    told = {arm: mean(measured[arm], "kid") for arm in ARMS} | {"kid": told_of_kid}
    return paint.bars("ablation.", "kid", arms(), [series], told, "range", log_y=True)


def faces(runs: Mapping[str, Run]) -> Pictures:
    """Samples of the first seed of every arm."""
    sheets = [sheet(runs[f"{arm}-seed-0"].sample(SHOWN, seed=0), SHOWN // 2) for arm in ARMS]
    return paint.pictures("faces.", zip(arms(), sheets, strict=True), {"count": SHOWN, "updates": 2 * STEPS, "halved": STEPS})


def dominance(measured: Measured) -> Lines:
    """The gap between the discriminator's mean logits on real and on generated images, while training goes on."""
    series = [
        range_line(name, measured[arm][0]["updates"], [run["gaps"] for run in measured[arm]])
        for arm, name in zip(ARMS, arms(), strict=True)
    ]
    return paint.lines(
        "dominance.", "updates", "gap", series, {arm: mean(measured[arm], "logit_gap") for arm in ("all", "spectral", "none")}, "range"
    )


def gradients(measured: Measured) -> Bars:
    """The norm of the generator's gradient in the second half of training."""
    series = range_bars(paint.say("norm"), [column(measured[arm], "gradient_norm") for arm in ARMS], "gan")
    ends = {arm: mean(measured[arm], "gradient_norm") for arm in ("all", "none")}
    return paint.bars("gradients.", "norm", arms(), [series], ends, "range", log_y=True)


def arms() -> list[Phrase]:
    """The names of the arms."""
    return [paint.say(f"arm.{arm}") for arm in ARMS]


# How a training went: who was winning, how large the generator's gradient was, how many modes are left.

SAMPLES = 500


def measure_stability(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Samples against held-out images, "dominance", "certainty", and what `course` says.

    dominance: how often a real held-out image gets a higher logit than a sample does, ½ to 1. certainty: the probability of
    being real that the discriminator gives to real images less that which it gives to samples, at most 1.
    """
    looking = view(settings)
    samples = run.sample(SAMPLES, seed=run.config.train.seed + 1)
    discriminator = run.networks()["discriminator"]
    with torch.no_grad():
        real, fake = (discriminator(to_unit(torch.from_numpy(images))).numpy() for images in (looking.held_out, samples))
    judged = {"dominance": exceeds(real, fake), "certainty": certainty(real, fake)}
    return looking.quality(samples) | judged | course(run.metrics(), run.config.values()["train.generator_updates"])


def certainty(real: NDArray[Any], fake: NDArray[Any]) -> float:
    """Mean σ(logit) of real images less that of samples: 0 where it cannot tell them apart, 1 where it has no doubt."""
    on_real, on_fake = (np.mean(0.5 + 0.5 * np.tanh(logits.astype(np.float64) / 2)) for logits in (real, fake))
    return float(on_real - on_fake)


def course(rows: Sequence[Mapping[str, Any]], a_step: int) -> dict[str, Any]:
    """What the lines of metrics say of a training with so many generator updates a step.

    "updates" made, "gaps" (mean real less mean fake logit), "gradient_norms"; over its second half "logit_gap", "gradient_norm" and
    "gradient_spread", the largest over the smallest of its lines.
    """
    rows = [row for row in rows if row["split"] == "train" and row.get("gradient_norm") is not None]
    gap = np.array([row["real_logit"] - row["fake_logit"] for row in rows])
    norm = np.array([row["gradient_norm"] for row in rows])
    late = slice(len(rows) // 2, None)
    return {
        "updates": [a_step * row["step"] for row in rows],
        "gaps": gap.tolist(),
        "gradient_norms": norm.tolist(),
        "logit_gap": float(gap[late].mean()),
        "gradient_norm": float(norm[late].mean()),
        "gradient_spread": float(norm[late].max() / norm[late].min()),
    }


TASKS = {"stability-measures": measure_stability}
