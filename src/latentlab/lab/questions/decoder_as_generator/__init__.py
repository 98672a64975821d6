"""Can a VAE's decoder be a GAN's generator? Cold, warm and frozen-first starts at one budget, seed by seed.

It is `latentlab experiment vae-to-gan` in small: the same arms, the same curves, the same way of pairing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from latentlab.base.seeding import latents
from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF_DISCRIMINATOR
from latentlab.lab.experiments.results import ARMS, Curves, decide, read_curves
from latentlab.lab.kit import Painter, bars, claim, column, mean, paired, range_line, table
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import NARROW, Bench, Plan, Task
from latentlab.lab.questions.views import sheet, view
from latentlab.models import build
from latentlab.models.engine import load
from latentlab.models.nets import Decoder
from latentlab.runs import checkpoints
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.show.figures.records import edge_steps
from latentlab.train import Run, open_run

SEEDS = 4
LATENT_DIM, BATCH = 16, 32
VAE_STEPS = 250
GAN_STEPS, FROZEN_STEPS, BETWEEN = 300, 50, 50  # steps of a GAN, of the frozen decoder, between two points of the curves
EARLY = 100  # the step at which a head start is looked for
SAMPLES = 400
SHOWN = 10
COMMON = {**NARROW, "model.latent_dim": LATENT_DIM}
KINDS = {"scratch": "gan", "warm": "gan-from-vae", "frozen": ""}
Generators = Mapping[str, list[dict[str, Any]]]  # arm → what was measured of its generators, seed by seed
paint = Painter("decoder-as-generator")


def experiment(bench: Bench) -> Findings:
    """Train a VAE for each seed, then the three arms from it."""
    bench.train([vae(seed, bench) for seed in range(SEEDS)])
    runs = bench.train([gan(arm, seed, bench) for seed in range(SEEDS) for arm in ARMS])
    curves = read_curves({arm: [bench.folder / f"{arm}-seed-{seed}" for seed in range(SEEDS)] for arm in ARMS})
    generators = {arm: bench.results(arm, SEEDS) for arm in ARMS}
    numbers = {
        "images_seen": curves["warm"].images_seen.tolist(),
        "start_kid": table({"vae": curves["warm"].values["kid"][:, 0]})["vae"],
        "kid": {arm: of_arm.values["kid"].tolist() for arm, of_arm in curves.items()},
        "recall": {arm: of_arm.values["recall"].tolist() for arm, of_arm in curves.items()},
        "generators": generators,
        "seconds": {arm: float(of_arm.seconds.mean()) for arm, of_arm in curves.items()},
    }
    settings = {"seeds": SEEDS, "vae_steps": VAE_STEPS, "gan_steps": GAN_STEPS, "frozen_steps": FROZEN_STEPS, "batch_size": BATCH}
    told = view({"shared": bench.shared}, ("val",)).kid_told()
    panels: tuple[Panel, ...] = (course(curves, told), faces(bench, runs), weights(generators), variety(curves))
    return Findings(settings, (outcome(curves),), judge(curves, generators), panels, numbers)


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


def judge(curves: Mapping[str, Curves], generators: Generators) -> tuple[Claim, ...]:
    """What the card claims of the curves and of the trained generators."""
    kid = {arm: of_arm.values["kid"] for arm, of_arm in curves.items()}
    early, images = point_at(curves["warm"], EARLY), int(curves["warm"].images_seen[-1])
    warm, scratch = generators["warm"], generators["scratch"]
    claims = [
        claim("head-start", kid["scratch"][:, early], kid["warm"][:, early], images=int(curves["warm"].images_seen[early])),
        claim("fine-tuning", kid["warm"][:, 0], kid["warm"][:, -1], images=images),
        claim("lasting", kid["scratch"][:, -1], kid["warm"][:, -1], images=images),
        claim("frozen-first", kid["warm"][:, -1], kid["frozen"][:, -1], images=images),
        claim("sharper", column(warm, "edges"), column(warm, "vae_edges"), real=mean(warm, "real_edges")),
    ]
    if all("same_class" in generator for generator in (*warm, *scratch)):
        change = 100 * float(np.mean([np.mean(generator["moved"]) for generator in warm]))
        same = [column(runs, "same_class", scale=100) for runs in (warm, scratch)]
        claims.append(claim("same-place", *same, moved=change))
    return tuple(claims)


def point_at(curves: Curves, step: int) -> int:
    """The first point of the curves at or after a step."""
    return int(np.searchsorted(curves.steps, step))


def outcome(curves: Mapping[str, Curves]) -> str:
    """Which prediction came true: by the sign of the warm arm's difference to the cold one, early and at the end."""
    signs = []
    for point in (point_at(curves["warm"], EARLY), -1):
        difference = paired(*(curves[arm].values["kid"][:, point] for arm in ("warm", "scratch")))
        signs.append({"lower": "better", "higher": "worse"}.get(difference.sign if difference else "", "unclear"))
    return {"lasting": "lasting", "head_start": "fading", "none": "none", "early_loss": "none", "worse": "worse"}[decide(signs)]


def course(curves: Mapping[str, Curves], told_of_kid: Phrase) -> Lines:
    """KID over the images that the GAN has read; the VAE's own samples as the starting line."""
    x = [float(n) for n in curves["warm"].images_seen]
    kid = {arm: of_arm.values["kid"] for arm, of_arm in curves.items()}
    start, early = float(kid["warm"][:, 0].mean()), point_at(curves["warm"], EARLY)
    series = [range_line(paint.say(f"arm.{arm}"), x, kid[arm].tolist(), KINDS[arm]) for arm in ARMS]
    series.append(Series(paint.say("arm.vae"), (start,) * len(x), tuple(x), kind="vae"))
    told: dict[str, Any] = {"start": start, "early": int(x[early]), "end": int(x[-1]), "kid": told_of_kid}
    for name, point in (("end", -1), ("early", early)):
        told |= {f"{arm}_{name}": float(kid[arm][:, point].mean()) for arm in kid if arm != "frozen"}
    marks = ((float(FROZEN_STEPS * BATCH), paint.say("released")),)
    return paint.lines("course.", "images", "kid", series, told, "range", log_y=True, marks=marks)


def faces(bench: Bench, runs: Mapping[str, Run]) -> Pictures:
    """The same z through the decoder and through the three generators of the first seed."""
    z = latents(2 * SHOWN, LATENT_DIM, 0)
    networks = {"vae": open_run(bench.folder / "vae-seed-0")} | {arm: runs[f"{arm}-seed-0"] for arm in ("warm", "frozen", "scratch")}
    items = [(paint.say(f"arm.{arm}"), sheet(run.decode(z), SHOWN)) for arm, run in networks.items()]
    return paint.pictures("faces.", items, {"count": 2 * SHOWN})


def weights(generators: Generators) -> Bars:
    """How far each layer's weights moved, in per cent of their length at the start."""
    layers = range(len(generators["warm"][0]["moved"]))
    series = [
        bars(paint.say(f"arm.{arm}"), [[g["moved"][layer] for g in generators[arm]] for layer in layers], KINDS[arm], 100)
        for arm in ("warm", "frozen", "scratch")
    ]
    groups = [paint.say("layer", number=layer + 1) for layer in layers]
    warm, cold = (100 * float(np.mean([g["moved"] for g in generators[arm]])) for arm in ("warm", "scratch"))
    return paint.bars("weights.", "moved", groups, series, {"warm": warm, "cold": cold})


def variety(curves: Mapping[str, Curves]) -> Lines:
    """Recall over the images read: the share of real images that samples come near to."""
    x = [float(n) for n in curves["warm"].images_seen]
    recall = {arm: of_arm.values["recall"] for arm, of_arm in curves.items()}
    series = [range_line(paint.say(f"arm.{arm}"), x, values.tolist(), KINDS[arm]) for arm, values in recall.items()]
    ends = {arm: float(values[:, -1].mean()) for arm, values in recall.items() if arm != "frozen"}
    return paint.lines("variety.", "images", "recall", series, {"start": float(recall["warm"][:, 0].mean()), **ends}, "range")


# What became of a decoder's weights when a GAN went on training them.

DRAWN = 500


def measure_generator(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A GAN's generator against how it started and against the VAE's decoder at `settings["vae"]`, on the same z.

    `moved`: |θ − θ₀| / |θ₀| of each layer's weights; `same_class`: the share of z that show the class which the VAE's
    decoder shows; `edges`: mean steepness of edges in samples; `vae_edges`: that of the decoder.
    """
    looking = view(settings)
    z = latents(DRAWN, run.config.model.latent_dim, run.config.train.seed + 1)
    own, other = run.decode(z), open_run(settings["vae"]).decode(z)
    seen, expected = looking.extractor(own), looking.extractor(other)
    measured: dict[str, Any] = {
        "moved": moved(start(run)["generator"], run.networks()["generator"]),
        "edges": float(edge_steps(own).mean()),
        "vae_edges": float(edge_steps(other).mean()),
        "real_edges": float(edge_steps(looking.held_out).mean()),
    }
    if seen.labels is not None and expected.labels is not None:
        measured["same_class"] = float(np.mean(seen.labels == expected.labels))
    return measured


def start(run: Run) -> dict[str, nn.Module]:
    """The networks of a run as they were at step 0."""
    tensors, state = checkpoints.load(run.folder.checkpoints / "step-00000000")
    learner = build(run.config, tuple(state["image_shape"]), torch.device("cpu"), bf16=False)
    load(learner, checkpoints.without_window(tensors))
    return {name: network.eval() for name, network in learner.averaged.items()}


@torch.no_grad()
def moved(before: nn.Module, after: nn.Module) -> list[float]:
    """|θ − θ₀| / |θ₀| of the weights of each dense or convolutional layer, from z to the image."""
    if not isinstance(before, Decoder) or not isinstance(after, Decoder):
        raise TypeError(type(before), type(after))
    pairs = zip(before.layers, after.layers, strict=True)
    weights = [(a.weight, b.weight) for a, b in pairs if isinstance(a, nn.Linear | nn.ConvTranspose2d) and isinstance(b, type(a))]
    return [float((b - a).norm() / a.norm()) for a, b in weights]


TASKS = {"generator-measures": measure_generator}
