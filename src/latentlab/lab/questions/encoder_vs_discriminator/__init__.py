"""Encoder and discriminator: two networks of one shape that read the same images, one asked for a code, one for a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.encoder_vs_discriminator.measures import QUANTILES
from latentlab.lab.questions.kit import Mean, bars, claim, column, table
from latentlab.lab.questions.views import sheet
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.train import Run

SEEDS = 4
LATENT_DIM, BATCH, STEPS = 16, 64, 250
SHOWN = 10
COMMON = {
    **HALF,
    "model.latent_dim": LATENT_DIM,
    "train.steps": STEPS,
    "train.batch_size": BATCH,
    "train.sample_count": 16,
    "train.ema_halflife_images": 2_000,
}
# The discriminator has the encoder's layers, width for width.
TWIN = {"model.discriminator_channels": HALF["model.channels"], "model.discriminator_hidden": HALF["model.hidden"]}
KINDS = ("reconstructions", "vae-samples", "gan-samples")
Measured = Sequence[dict[str, Any]]  # seed by seed


def experiment(bench: Bench) -> Findings:
    """Train a VAE and a GAN for each seed, on as many images, and let both networks look at the same pictures."""
    vaes = bench.train([vae(seed, bench) for seed in range(SEEDS)])
    gans = bench.train([gan(seed, bench) for seed in range(SEEDS)])
    found = [bench.result(f"gan-seed-{seed}") for seed in range(SEEDS)]
    claims = judge(found)
    panels: list[Panel] = [verdicts(found), logits(found), faces(bench, vaes["vae-seed-0"], gans["gan-seed-0"])]
    if "probes" in found[0]:
        panels.insert(1, knowledge(found))
    settings = {"seeds": SEEDS, "steps": STEPS, "batch_size": BATCH, "latent_dim": LATENT_DIM, "width": HALF["model.hidden"][0]}
    numbers = {
        output: {
            kind: table({n: column(found, output, kind, n) for n in found[0][output][kind] if n != "quantiles"})
            for kind in found[0][output]
        }
        for output in ("logit", "kl_nats")
    } | {"agreement": table({name: column(found, "agreement", name) for name in found[0]["agreement"]})}
    if "probes" in found[0]:
        numbers["probes"] = {name: table({n: column(found, "probes", name, n) for n in held}) for name, held in found[0]["probes"].items()}
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


def judge(found: Measured) -> tuple[Claim, ...]:
    """What the card claims of the two networks."""
    guess, none = [50.0] * len(found), [0.0] * len(found)
    above = {kind: per_cent(column(found, "logit", kind, "real_above")) for kind in KINDS}
    apart = {output: per_cent(column(found, output, "gan-samples", "apart")) for output in ("logit", "kl_nats")}
    agreed = {name: column(found, "agreement", name) for name in found[0]["agreement"]}
    claims = [
        claim("verdict", above["gan-samples"], guess),
        claim("no-verdict", apart["logit"], apart["kl_nats"]),
        claim("blur", above["reconstructions"], guess),
        claim("collaboration", agreed["encoder"], none, back=float(np.mean(agreed["decoder"]))),
        claim("competition", none, agreed["generator"], back=float(np.mean(agreed["discriminator"]))),
    ]
    if "probes" in found[0]:
        output = {name: per_cent(column(found, "probes", f"{name}.output", "linear")) for name in ("encoder", "discriminator")}
        hidden = {name: per_cent(column(found, "probes", f"{name}.trained", "linear")) for name in ("encoder", "discriminator")}
        claims.append(claim("code", output["encoder"], output["discriminator"], numbers=LATENT_DIM))
        claims.append(claim("knowledge", hidden["discriminator"], per_cent(column(found, "probes", "discriminator.output", "linear")),
                            encoder=float(np.mean(hidden["encoder"])),
                            untrained=float(np.mean(per_cent(column(found, "probes", "discriminator.untrained", "linear"))))))  # fmt: skip
    return tuple(claims)


def per_cent(shares: Sequence[float]) -> list[float]:
    """Shares in per cent."""
    return [100.0 * share for share in shares]


def outcome(claims: Sequence[Claim]) -> tuple[str, ...]:
    """Which network tells the GAN's samples from real images."""
    held = {c.name: c.verdict for c in claims}
    if held["verdict"] != "holds":
        return ("neither",)
    return {"holds": ("discriminator",), "contradicted": ("encoder",), "unclear": ("both",)}[held["no-verdict"]]


def verdicts(found: Measured) -> Bars:
    """How well each network's output tells each kind of image from real ones."""
    series = (
        bars(say("encoder"), [column(found, "kl_nats", kind, "apart") for kind in KINDS], "vae", 100),
        bars(say("discriminator"), [column(found, "logit", kind, "apart") for kind in KINDS], "gan", 100),
    )
    at = [Mean.of(column(found, output, "gan-samples", "apart")).value * 100 for output in ("logit", "kl_nats")]
    groups = tuple(say(f"kind.{kind}") for kind in KINDS)
    summary = say("verdicts.summary", discriminator=at[0], encoder=at[1])
    return Bars(say("verdicts.title"), say("apart"), groups, series, summary, lines=((50.0, say("guess")),))


def knowledge(found: Measured) -> Bars:
    """Linear probes on both networks: before training, the last hidden layer, the output."""
    states = ("untrained", "trained", "output")
    series = tuple(
        bars(say(name), [column(found, "probes", f"{name}.{state}", "linear") for state in states], kind, 100)
        for name, kind in (("encoder", "vae"), ("discriminator", "gan"))
    )
    values = {
        f"{n}_{s}": 100 * Mean.of(column(found, "probes", f"{n}.{s}", "linear")).value
        for n in ("encoder", "discriminator")
        for s in states[1:]
    }
    groups = tuple(say(f"state.{state}") for state in states)
    return Bars(say("knowledge.title"), say("accuracy"), groups, series, say("knowledge.summary", **values))


def logits(found: Measured) -> Lines:
    """The distribution of the discriminator's logit on four kinds of image: the mean over seeds of every quantile."""
    colors = {"real": "real", "reconstructions": "vae", "vae-samples": "", "gan-samples": "gan"}
    series = []
    for kind, color in colors.items():
        quantiles = np.array([run["logit"][kind]["quantiles"] for run in found]).mean(0)
        series.append(Series(say(f"kind.{kind}"), tuple(map(float, QUANTILES)), tuple(map(float, quantiles)), kind=color))
    means = {kind.replace("-", "_"): float(np.mean(column(found, "logit", kind, "mean"))) for kind in colors}
    return Lines(say("logits.title"), say("below"), say("logit"), tuple(series), say("logits.summary", **means))


def faces(bench: Bench, vae: Run, gan: Run) -> Pictures:
    """What both networks were shown, of the first seed."""
    real = bench.data.val.take(np.arange(SHOWN))
    shown = {
        "real": real,
        "reconstructions": vae.reconstruct(real),
        "vae-samples": vae.sample(SHOWN, 0),
        "gan-samples": gan.sample(SHOWN, 0),
    }
    items = tuple((say(f"kind.{kind}"), sheet(images, SHOWN)) for kind, images in shown.items())
    return Pictures(say("faces.title"), items, say("faces.summary"))


def say(key: str, **values: Any) -> Phrase:
    """A text of this question's panels."""
    return Phrase(f"question.encoder-vs-discriminator.panel.{key}", values)
