"""Encoder and discriminator: two networks of one shape that read the same images, one asked for a code, one for a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab.base.images import Images
from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF
from latentlab.lab.kit import Painter, bars, claim, column, mean, table
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import NARROW, Bench, Plan, Task
from latentlab.lab.questions.decoder_as_generator import start
from latentlab.lab.questions.reparameterization.estimators import draw, flat_gradient
from latentlab.lab.questions.views import FITTED, View, exceeds, first, sheet, view
from latentlab.measure.metrics.classes import knn_accuracy, probe_accuracy
from latentlab.models.likelihoods import bernoulli_nats
from latentlab.models.nets import Discriminator, GaussianEncoder, to_unit
from latentlab.models.objectives import hinge_discriminator, hinge_generator, kl_to_standard_normal
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.train import Run, open_run

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
        told = {"encoder": float(np.mean(linear["encoder.trained"])), "logit": float(np.mean(linear["discriminator.output"]))}
        claims.append(claim("code", linear["encoder.output"], linear["discriminator.output"], numbers=LATENT_DIM))
        claims.append(claim("knowledge", linear["discriminator.trained"], linear["discriminator.untrained"], **told))
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


# An encoder and a discriminator of one shape, trained on the same images: what each knows of them and says of them.
#
# Axes: N images, F features of the last hidden layer, Z latent.

SAMPLES = 500
IMAGES, DRAWS = 1_000, 4  # of each gradient: images, and z of each image
QUANTILES = tuple(range(0, 101, 4))  # per cent

Floats = NDArray[np.float32]
Nets = Mapping[str, nn.Module]


def measure_networks(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A GAN's discriminator and the encoder of the VAE at `settings["vae"]`: probes, outputs, and agreement."""
    looking, vae = view(settings), open_run(settings["vae"])
    encoder, discriminator = vae.networks()["encoder"], run.networks()["discriminator"]
    images = images_by_kind(looking, vae, run)
    outputs = {
        "logit": {name: each(discriminator, of_kind) for name, of_kind in images.items()},
        "kl_nats": {name: each(lambda x: kl_of(encoder, x), of_kind) for name, of_kind in images.items()},
    }
    measured: dict[str, Any] = {name: told(values) for name, values in outputs.items()}
    measured["agreement"] = agreement(looking, vae, run)
    if looking.labels is not None:
        starts = {"encoder": start(vae)["encoder"], "discriminator": start(run)["discriminator"]}
        measured["probes"] = probes(looking, {"encoder": encoder, "discriminator": discriminator}, starts)
    return measured


def images_by_kind(looking: View, vae: Run, gan: Run) -> dict[str, Images]:
    """Real held-out images, the VAE's reconstructions of them, and samples of both models."""
    real, seed = looking.held_out[:SAMPLES], gan.config.train.seed + 1
    return {
        "real": real,
        "reconstructions": vae.reconstruct(real),
        "vae-samples": vae.sample(SAMPLES, seed=seed),
        "gan-samples": gan.sample(SAMPLES, seed=seed),
    }


def each(output: Callable[[Tensor], Tensor], images: Images) -> NDArray[np.float64]:
    """One number for each image: [N]."""
    return _batched(output, images).astype(np.float64)


def kl_of(encoder: nn.Module, x: Tensor) -> Tensor:
    """KL(q(z|x) ‖ p(z)) in nats, [N]: how much the encoder has to say of each image."""
    q = encoder(x)
    return kl_to_standard_normal(q.mean, q.log_var).sum(1)


def told(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Each kind's mean and quantiles, and how well the output tells it from real images, whichever side it lies on."""
    by_kind: dict[str, Any] = {}
    for name, outputs in values.items():
        by_kind[name] = {"mean": float(outputs.mean()), "sd": float(outputs.std()), "quantiles": np.percentile(outputs, QUANTILES).tolist()}
        if name != "real":
            above = exceeds(values["real"], outputs)
            by_kind[name] |= {"real_above": above, "apart": max(above, 1.0 - above)}
    return by_kind


def probes(looking: View, trained: Mapping[str, nn.Module], untrained: Mapping[str, nn.Module]) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of k-NN on what the networks make of an image, trained and as they started."""
    fit = first(looking.data.train, FITTED)
    if fit.labels is None or looking.labels is None:
        return {}
    codes: dict[str, tuple[Floats, Floats]] = {}
    for state, networks in (("trained", trained), ("untrained", untrained)):
        for name, network in networks.items():
            codes[f"{name}.{state}"] = hidden(network, fit.images), hidden(network, looking.held_out)
    for name, network in trained.items():
        codes[f"{name}.output"] = last(network, fit.images), last(network, looking.held_out)
    return {
        name: {
            "linear": probe_accuracy(train, fit.labels, test, looking.labels).value,
            "knn": knn_accuracy(train, fit.labels, test, looking.labels).value,
            "numbers": train.shape[1],
        }
        for name, (train, test) in codes.items()
    }


def hidden(network: nn.Module, images: Images) -> Floats:
    """The last hidden layer of an encoder or a discriminator: [N, F]."""
    return _batched(lambda x: network.features(x) if isinstance(network, Discriminator) else _body(network)(x), images)


def last(network: nn.Module, images: Images) -> Floats:
    """What the network says in the end: a posterior's mean [N, Z], or a logit [N, 1]."""
    return _batched(lambda x: network(x)[:, None] if isinstance(network, Discriminator) else network(x).mean, images)


def _body(network: nn.Module) -> nn.Module:
    if not isinstance(network, GaussianEncoder):
        raise TypeError(type(network))
    return nn.Sequential(*network.layers[:-1])


@torch.no_grad()
def _batched(output: Callable[[Tensor], Tensor], images: Images) -> Floats:
    parts = [output(to_unit(torch.from_numpy(images[i : i + 500].copy()))).float().numpy() for i in range(0, len(images), 500)]
    result: Floats = np.concatenate(parts)
    return result


def agreement(looking: View, vae: Run, gan: Run) -> dict[str, float]:
    """The cosine between the gradient of a network's own loss and that of its partner's loss, by the same network's weights.

    1: what it learns helps its partner as much as can be; −1: it learns at its partner's cost. Its own loss is that of
    training images, the partner's that of held-out images and other z, so that agreement is more than an identity where
    both have one loss, as encoder and decoder do.
    """
    shown = first(looking.data.train, IMAGES).images, looking.held_out[:IMAGES]
    train, real = (to_unit(torch.from_numpy(images.copy())) for images in shown)
    source = torch.Generator().manual_seed(gan.config.train.seed)
    noise, z = (torch.randn(DRAWS, len(x), gan.config.model.latent_dim, generator=source) for x in (train, real))
    nets = {**vae.networks(), **gan.networks()}
    partners = {"encoder": (elbo, elbo), "decoder": (elbo, elbo), "discriminator": (judging, deceiving), "generator": (deceiving, judging)}
    cosines = {}
    for name, (own, other) in partners.items():
        weights: list[Tensor] = list(nets[name].requires_grad_(True).parameters())
        a, b = (flat_gradient(loss, weights) for loss in (own(nets, train, noise), other(nets, real, z)))
        cosines[name] = float(a @ b / (a.norm() * b.norm()))
    return cosines


def elbo(nets: Nets, x: Tensor, noise: Tensor) -> Tensor:
    """The negative ELBO in nats, the one loss of encoder and decoder; noise [S, N, Z] is S draws for each image."""
    q = nets["encoder"](x)
    codes = [draw(q, epsilon) for epsilon in noise]
    reconstruction = torch.stack([bernoulli_nats(nets["decoder"](z), x) for z in codes]).mean()
    return reconstruction + kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()


def judging(nets: Nets, x: Tensor, z: Tensor) -> Tensor:
    """The discriminator's hinge loss; of z [S, N, Z] the first draw."""
    on_real, on_fake = hinge_discriminator(nets["discriminator"](x), nets["discriminator"](torch.sigmoid(nets["generator"](z[0]))))
    return on_real.mean() + on_fake.mean()


def deceiving(nets: Nets, x: Tensor, z: Tensor) -> Tensor:
    """The generator's hinge loss; real images do not enter."""
    return hinge_generator(nets["discriminator"](torch.sigmoid(nets["generator"](z[0])))).mean()


TASKS = {"network-measures": measure_networks}
