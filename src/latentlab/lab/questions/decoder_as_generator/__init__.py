"""Can a VAE's decoder be a GAN's generator? Cold, warm and frozen-first starts at one budget, seed by seed.

It is `latentlab experiment vae-to-gan` in small: the same arms, the same curves, the same way of pairing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from latentlab.base.seeding import latents
from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF, HALF_DISCRIMINATOR
from latentlab.lab.experiments.results import ARMS, Curves, decide, paired, read_curves
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.kit import bars, claim, range_line, table
from latentlab.lab.questions.views import sheet
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.train import Run, open_run

SEEDS = 3
LATENT_DIM, BATCH = 16, 32
VAE_STEPS = 250
GAN_STEPS, FROZEN_STEPS, BETWEEN = 300, 50, 50  # steps of a GAN, of the frozen decoder, between two points of the curves
EARLY = 100  # the step at which a head start is looked for
SAMPLES = 400
SHOWN = 10
COMMON = {**HALF, "model.latent_dim": LATENT_DIM, "train.sample_count": 16, "train.ema_halflife_images": 2_000}
KINDS = {"scratch": "gan", "warm": "gan-from-vae", "frozen": ""}


def experiment(bench: Bench) -> Findings:
    """Train a VAE for each seed, then the three arms from it; three seeds."""
    bench.train([vae(seed, bench) for seed in range(SEEDS)])
    runs = bench.train([gan(arm, seed, bench) for seed in range(SEEDS) for arm in ARMS])
    curves = {arm: read_curves([bench.folder / f"{arm}-seed-{seed}" for seed in range(SEEDS)]) for arm in ARMS}
    generators = {arm: [bench.result(f"{arm}-seed-{seed}") for seed in range(SEEDS)] for arm in ARMS}
    claims = judge(curves, generators)
    start = curves["warm"].values["kid"][:, 0]
    numbers = {
        "images_seen": curves["warm"].images_seen.tolist(),
        "start_kid": table({"vae": start})["vae"],
        "kid": {arm: held.values["kid"].tolist() for arm, held in curves.items()},
        "recall": {arm: held.values["recall"].tolist() for arm, held in curves.items()},
        "generators": generators,
        "seconds": {arm: float(held.seconds.mean()) for arm, held in curves.items()},
    }
    settings = {"seeds": SEEDS, "vae_steps": VAE_STEPS, "gan_steps": GAN_STEPS, "frozen_steps": FROZEN_STEPS, "batch_size": BATCH}
    panels: tuple[Panel, ...] = (course(curves), faces(bench, runs), weights(generators), variety(curves))
    return Findings(settings, (outcome(curves),), claims, panels, numbers)


def vae(seed: int, bench: Bench) -> Plan:
    """The VAE of a seed."""
    changes = {**COMMON, "train.seed": seed, "train.steps": VAE_STEPS, "train.batch_size": 64, "train.learning_rate": 3e-3}
    return Plan(f"vae-seed-{seed}", "conv-vae", changes | {"train.evaluate_epochs": 64 * VAE_STEPS / len(bench.data.train)})


def gan(arm: str, seed: int, bench: Bench) -> Plan:
    """A GAN of a seed in one of the three arms."""
    changes: dict[str, Any] = {**COMMON, **HALF_DISCRIMINATOR, "train.seed": seed, "train.steps": GAN_STEPS, "train.batch_size": BATCH}
    changes |= {"train.evaluate_epochs": BATCH * BETWEEN / len(bench.data.train), "train.measure_samples": SAMPLES}
    if arm == "frozen":
        changes["train.generator_frozen_images"] = FROZEN_STEPS * BATCH
    task = Task("generator-measures", {"vae": str((bench.folder / f"vae-seed-{seed}").resolve())})
    start = None if arm == "scratch" else f"vae-seed-{seed}"
    return Plan(f"{arm}-seed-{seed}", "sn-gan" if start is None else "gan-from-vae", changes, after=start, task=task)


def judge(curves: Mapping[str, Curves], generators: Mapping[str, list[dict[str, Any]]]) -> tuple[Claim, ...]:
    """What the card claims of the curves and of the trained generators."""
    kid = {arm: held.values["kid"] for arm, held in curves.items()}
    early, images = place(curves["warm"], EARLY), int(curves["warm"].images_seen[-1])
    found = [
        claim("head-start", kid["scratch"][:, early], kid["warm"][:, early], images=int(curves["warm"].images_seen[early])),
        claim("fine-tuning", kid["warm"][:, 0], kid["warm"][:, -1], images=images),
        claim("lasting", kid["scratch"][:, -1], kid["warm"][:, -1], images=images),
        claim("frozen-first", kid["warm"][:, -1], kid["frozen"][:, -1], images=images),
        claim("sharper", [g["edges"] for g in generators["warm"]], [g["vae_edges"] for g in generators["warm"]],
              real=float(np.mean([g["real_edges"] for g in generators["warm"]]))),
    ]  # fmt: skip
    if all("same_class" in g for arm in ("warm", "scratch") for g in generators[arm]):
        same = {arm: [100 * g["same_class"] for g in generators[arm]] for arm in ("warm", "scratch")}
        change = 100 * float(np.mean([np.mean(g["moved"]) for g in generators["warm"]]))
        found.append(claim("same-place", same["warm"], same["scratch"], moved=change))
    return tuple(found)


def place(curves: Curves, step: int) -> int:
    """The first point of the curves at or after a step."""
    return int(np.searchsorted(curves.steps, step))


def outcome(curves: Mapping[str, Curves]) -> str:
    """Which prediction came true: by the sign of the warm arm's difference to the cold one, early and at the end."""
    signs = []
    for at in (place(curves["warm"], EARLY), -1):
        found = paired(*(curves[arm].values["kid"][:, at] for arm in ("warm", "scratch")))
        signs.append("unclear" if found is None else {"lower": "better", "higher": "worse", "unclear": "unclear"}[found.sign])
    return {"lasting": "lasting", "head_start": "fading", "none": "none", "early_loss": "none", "worse": "worse"}[decide(signs)]


def course(curves: Mapping[str, Curves]) -> Lines:
    """KID over the images that the GAN has read; the VAE's own samples as the starting line."""
    x = [float(n) for n in curves["warm"].images_seen]
    kid = {arm: held.values["kid"] for arm, held in curves.items()}
    start = float(kid["warm"][:, 0].mean())
    series = [range_line(say(f"arm.{arm}"), x, kid[arm].tolist(), KINDS[arm]) for arm in ARMS]
    series.append(Series(say("arm.vae"), (start,) * len(x), tuple(x), kind="vae"))
    early = place(curves["warm"], EARLY)
    ends = {f"{arm}_end": float(held[:, -1].mean()) for arm, held in kid.items() if arm != "frozen"}
    middle = {f"{arm}_early": float(held[:, early].mean()) for arm, held in kid.items() if arm != "frozen"}
    summary = say("course.summary", start=start, early=int(x[early]), end=int(x[-1]), **ends, **middle)
    marks = ((float(FROZEN_STEPS * BATCH), say("released")),)
    return Lines(say("course.title"), say("images"), say("kid"), tuple(series), summary, log_y=True, marks=marks)


def faces(bench: Bench, runs: Mapping[str, Run]) -> Pictures:
    """The same z through the decoder and through the three generators of the first seed."""
    z = latents(2 * SHOWN, LATENT_DIM, 0)
    items = [(say("arm.vae"), sheet(open_run(bench.folder / "vae-seed-0").decode(z), SHOWN))]
    items += [(say(f"arm.{arm}"), sheet(runs[f"{arm}-seed-0"].decode(z), SHOWN)) for arm in ("warm", "frozen", "scratch")]
    return Pictures(say("faces.title"), tuple(items), say("faces.summary", count=2 * SHOWN))


def weights(generators: Mapping[str, list[dict[str, Any]]]) -> Bars:
    """How far each layer's weights moved, in per cent of their length at the start."""
    layers = range(len(generators["warm"][0]["moved"]))
    series = tuple(
        bars(say(f"arm.{arm}"), [[g["moved"][layer] for g in generators[arm]] for layer in layers], KINDS[arm], 100)
        for arm in ("warm", "frozen", "scratch")
    )
    groups = tuple(say("layer", number=layer + 1) for layer in layers)
    warm, cold = (100 * float(np.mean([g["moved"] for g in generators[arm]])) for arm in ("warm", "scratch"))
    return Bars(say("weights.title"), say("moved"), groups, series, say("weights.summary", warm=warm, cold=cold))


def variety(curves: Mapping[str, Curves]) -> Lines:
    """Recall over the images read: the share of real images that samples come near to."""
    x = [float(n) for n in curves["warm"].images_seen]
    series = tuple(range_line(say(f"arm.{arm}"), x, held.values["recall"].tolist(), KINDS[arm]) for arm, held in curves.items())
    ends = {arm: float(held.values["recall"][:, -1].mean()) for arm, held in curves.items() if arm != "frozen"}
    start = float(curves["warm"].values["recall"][:, 0].mean())
    return Lines(say("variety.title"), say("images"), say("recall"), series, say("variety.summary", start=start, **ends))


def say(key: str, **values: Any) -> Phrase:
    """A text of this question's panels."""
    return Phrase(f"question.decoder-as-generator.panel.{key}", values)
