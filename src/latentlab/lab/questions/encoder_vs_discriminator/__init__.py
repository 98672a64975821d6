"""Encoder and discriminator: two networks of one shape that read the same images, one asked for a code, one for a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF
from latentlab.lab.kit import Painter, bars, claim, column, mean, table
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import NARROW, Bench, Plan, Task
from latentlab.lab.questions.encoder_vs_discriminator.measures import QUANTILES, measure_networks
from latentlab.lab.questions.views import sheet
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.train import Run

SEEDS = 4
LATENT_DIM, BATCH, STEPS = 16, 64, 250
SHOWN = 10
COMMON = {**NARROW, "model.latent_dim": LATENT_DIM, "train.steps": STEPS, "train.batch_size": BATCH}
# The discriminator has the encoder's layers, width for width.
TWIN = {"model.discriminator_channels": HALF["model.channels"], "model.discriminator_hidden": HALF["model.hidden"]}
KINDS = ("reconstructions", "vae-samples", "gan-samples")
Measured = Sequence[dict[str, Any]]  # seed by seed
paint = Painter("encoder-vs-discriminator")


def experiment(bench: Bench) -> Findings:
    """Train a VAE and a GAN for each seed, on as many images, and let both networks look at the same pictures."""
    vaes = bench.train([vae(seed, bench) for seed in range(SEEDS)])
    gans = bench.train([gan(seed, bench) for seed in range(SEEDS)])
    measured = bench.results("gan", SEEDS)
    first, claims = measured[0], judge(measured)
    panels: list[Panel] = [verdicts(measured), logits(measured), faces(bench, vaes["vae-seed-0"], gans["gan-seed-0"])]
    if "probes" in first:
        panels.insert(1, knowledge(measured))
    settings = {"seeds": SEEDS, "steps": STEPS, "batch_size": BATCH, "latent_dim": LATENT_DIM, "width": HALF["model.hidden"][0]}

    def tables(output: str) -> dict[str, Any]:
        """Every number of a measure's parts but its quantiles."""
        parts = first[output]
        return {part: table({n: column(measured, output, part, n) for n in parts[part] if n != "quantiles"}) for part in parts}

    numbers = {output: tables(output) for output in ("logit", "kl_nats")}
    numbers["agreement"] = table({name: column(measured, "agreement", name) for name in first["agreement"]})
    if "probes" in first:
        numbers["probes"] = tables("probes")
    return Findings(settings, outcome(claims), claims, tuple(panels), numbers)


def vae(seed: int, bench: Bench) -> Plan:
    """The VAE whose encoder is looked at."""
    changes = {**COMMON, "train.seed": seed, "train.learning_rate": 3e-3, "train.evaluate_epochs": BATCH * STEPS / len(bench.data.train)}
    return Plan(f"vae-seed-{seed}", "conv-vae", changes)


def gan(seed: int, bench: Bench) -> Plan:
    """The GAN whose discriminator is looked at, and the look itself."""
    changes = {**COMMON, **TWIN, "train.seed": seed, "train.evaluate_epochs": BATCH * STEPS / len(bench.data.train)}
    task = Task("network-measures", {"vae": str((bench.folder / f"vae-seed-{seed}").resolve())})
    return Plan(f"gan-seed-{seed}", "sn-gan", changes | {"train.measure_samples": 0}, task=task)


def judge(measured: Measured) -> tuple[Claim, ...]:
    """What the card claims of the two networks."""
    guess, none = [50.0] * len(measured), [0.0] * len(measured)

    def per_cent(*path: str) -> list[float]:
        return column(measured, *path, scale=100.0)

    claims = [
        claim("verdict", per_cent("logit", "gan-samples", "real_above"), guess),
        claim("no-verdict", per_cent("logit", "gan-samples", "apart"), per_cent("kl_nats", "gan-samples", "apart")),
        claim("blur", per_cent("logit", "reconstructions", "real_above"), guess),
        claim("collaboration", column(measured, "agreement", "encoder"), none, back=mean(measured, "agreement", "decoder")),
        claim("competition", none, column(measured, "agreement", "generator"), back=mean(measured, "agreement", "discriminator")),
    ]
    if "probes" in measured[0]:
        linear = {probe: per_cent("probes", probe, "linear") for probe in measured[0]["probes"]}
        told = {"encoder": float(np.mean(linear["encoder.trained"])), "untrained": float(np.mean(linear["discriminator.untrained"]))}
        claims.append(claim("code", linear["encoder.output"], linear["discriminator.output"], numbers=LATENT_DIM))
        claims.append(claim("knowledge", linear["discriminator.trained"], linear["discriminator.output"], **told))
    return tuple(claims)


def outcome(claims: Sequence[Claim]) -> tuple[str, ...]:
    """Which network tells the GAN's samples from real images."""
    verdicts = {c.name: c.verdict for c in claims}
    if verdicts["verdict"] != "holds":
        return ("neither",)
    return {"holds": ("discriminator",), "contradicted": ("encoder",), "unclear": ("both",)}[verdicts["no-verdict"]]


def verdicts(measured: Measured) -> Bars:
    """How well each network's output tells each kind of image from real ones."""
    outputs = {"encoder": ("kl_nats", "vae"), "discriminator": ("logit", "gan")}
    series = [
        bars(paint.say(network), [column(measured, output, kind, "apart") for kind in KINDS], color, 100)
        for network, (output, color) in outputs.items()
    ]
    told = {n: mean(measured, outputs[n][0], "gan-samples", "apart", scale=100) for n in ("discriminator", "encoder")}
    return paint.bars("verdicts.", "apart", kinds(KINDS), series, told, lines=((50.0, paint.say("guess")),))


def knowledge(measured: Measured) -> Bars:
    """Linear probes on both networks: before training, the last hidden layer, the output."""
    states, networks = ("untrained", "trained", "output"), {"encoder": "vae", "discriminator": "gan"}
    linear = {(n, state): column(measured, "probes", f"{n}.{state}", "linear") for n in networks for state in states}
    series = [bars(paint.say(n), [linear[n, state] for state in states], color, 100) for n, color in networks.items()]
    told = {f"{n}_{state}": 100 * float(np.mean(linear[n, state])) for n in networks for state in states[1:]}
    return paint.bars("knowledge.", "accuracy", [paint.say(f"state.{state}") for state in states], series, told)


def logits(measured: Measured) -> Lines:
    """The distribution of the discriminator's logit on four kinds of image: the mean over seeds of every quantile."""
    colors = {"real": "real", "reconstructions": "vae", "vae-samples": "", "gan-samples": "gan"}
    series = []
    for name, (kind, color) in zip(kinds(colors), colors.items(), strict=True):
        quantiles = np.array([run["logit"][kind]["quantiles"] for run in measured]).mean(0)
        series.append(Series(name, tuple(map(float, QUANTILES)), tuple(map(float, quantiles)), kind=color))
    means = {kind.replace("-", "_"): mean(measured, "logit", kind, "mean") for kind in colors}
    return paint.lines("logits.", "below", "logit", series, means)


def faces(bench: Bench, vae: Run, gan: Run) -> Pictures:
    """What both networks were shown, of the first seed."""
    real = bench.data.val.take(np.arange(SHOWN))
    shown = {
        "real": real,
        "reconstructions": vae.reconstruct(real),
        "vae-samples": vae.sample(SHOWN, 0),
        "gan-samples": gan.sample(SHOWN, 0),
    }
    return paint.pictures("faces.", zip(kinds(shown), (sheet(images, SHOWN) for images in shown.values()), strict=True), {})


def kinds(names: Iterable[str]) -> list[Phrase]:
    """Kinds of image, by their names."""
    return [paint.say(f"kind.{name}") for name in names]


TASKS = {"network-measures": measure_networks}
