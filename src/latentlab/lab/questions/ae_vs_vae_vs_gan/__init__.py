"""AE, VAE and GAN at one budget: as many training images read, one decoder architecture. What is each for?

Axes: N images, Z latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.base.seeding import latents
from latentlab.base.texts import Phrase
from latentlab.lab.experiments import HALF_DISCRIMINATOR
from latentlab.lab.kit import Painter, bars, claim, column, comparable, mean, ratio_claim, table, tied_best
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import NARROW, Bench, Plan, Task
from latentlab.lab.questions.views import FITTED, View, first, sheet, view
from latentlab.measure.metrics.classes import knn_accuracy
from latentlab.measure.metrics.pixels import mean_squared_error
from latentlab.measure.sources import codes_by_source
from latentlab.models.nets import to_unit
from latentlab.models.sampling import arc, line
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Bars, Panel, Pictures
from latentlab.show.figures.records import edge_steps
from latentlab.train import Run

SEEDS = 4
LATENT_DIM, BATCH, STEPS = 16, 64, 250
SHOWN = 10
PRESETS = {"ae": "conv-ae", "vae": "conv-vae", "gan": "sn-gan"}
COMMON = {**NARROW, "model.latent_dim": LATENT_DIM, "train.steps": STEPS, "train.batch_size": BATCH}
OWN: dict[str, dict[str, Any]] = {
    "ae": {"train.learning_rate": 3e-3},
    "vae": {"train.learning_rate": 3e-3},
    "gan": {**HALF_DISCRIMINATOR, "train.measure_samples": 0},
}
Measured = Mapping[str, Sequence[dict[str, Any]]]  # family → seed by seed
paint = Painter("ae-vs-vae-vs-gan")


def experiment(bench: Bench) -> Findings:
    """Train one of each family with each seed and measure all of them alike."""
    runs = bench.train([plan(family, seed, bench) for seed in range(SEEDS) for family in ("gan", "vae", "ae")])
    measured = {family: bench.results(family, SEEDS) for family in PRESETS}
    looking = view({"shared": bench.shared})
    panels: tuple[Panel, ...] = (faces(bench, runs), distances(measured, looking.kid_told()), errors(measured), virtues(measured))
    settings = {"seeds": SEEDS, "steps": STEPS, "batch_size": BATCH, "latent_dim": LATENT_DIM, "images": STEPS * BATCH}
    numbers = {family: table({".".join(path): column(seeds, *path) for path in paths(seeds[0])}) for family, seeds in measured.items()}
    return Findings(settings, outcome(measured), judge(measured, len(looking.held_out)), panels, dict(numbers))


def plan(family: str, seed: int, bench: Bench) -> Plan:
    """A run of a family."""
    changes = {**COMMON, **OWN[family], "train.seed": seed, "train.evaluate_epochs": BATCH * STEPS / len(bench.data.train)}
    return Plan(f"{family}-seed-{seed}", PRESETS[family], changes, task=Task("family-measures"))


def paths(measured: Mapping[str, Any]) -> list[list[str]]:
    """Every measure of a run by its keys."""
    return [path for name, inner in measured.items() for path in ([[name, key] for key in inner] if isinstance(inner, dict) else [[name]])]


def judge(measured: Measured, held_out: int) -> tuple[Claim, ...]:
    """What each family is better at than another, on so many held-out images."""
    ae, vae = measured["ae"], measured["vae"]
    kid = {family: column(seeds, "samples", "kid") for family, seeds in measured.items()}
    fitted, posterior = column(vae, "fitted", "kid"), column(vae, "posterior", "kid")
    claims = [
        claim("ae-copies", column(vae, "mse", scale=1000), column(ae, "mse", scale=1000), images=held_out),
        ratio_claim("prior", column(ae, "standard", "kid"), kid["vae"]),
        ratio_claim("mismatch", kid["vae"], posterior, reconstructions=mean(vae, "reconstructions", "kid"), fitted=float(np.mean(fitted))),
        ratio_claim("fitted", fitted, kid["ae"]),
        ratio_claim("gan-draws", kid["vae"], kid["gan"]),
        ratio_claim("ways", column(vae, "midpoints", "kid"), column(ae, "midpoints", "kid")),
        claim(
            "way-back",
            *(column(measured[family], "given_back", "search", scale=1000) for family in ("gan", "vae")),
            ae=mean(ae, "given_back", "search", scale=1000),
            encoded=mean(vae, "given_back", "encoder", scale=1000),
        ),
    ]
    if "knn_accuracy" in vae[0]:
        claims.append(claim("organised", *(column(seeds, "knn_accuracy", scale=100) for seeds in (vae, ae))))
    return tuple(claims)


def outcome(measured: Measured) -> tuple[str, ...]:
    """The family whose samples are nearest to real images; several where the seeds do not settle it."""
    kid = comparable([column(measured[family], "samples", "kid") for family in PRESETS])
    return tuple(tuple(PRESETS)[row] for row in tied_best(kid))


def faces(bench: Bench, runs: Mapping[str, Run]) -> Pictures:
    """Samples, copies of the same images and ways between two of them, by the first seed of each family."""
    real = bench.data.val.take(np.arange(SHOWN))
    shown = {family: runs[f"{family}-seed-0"] for family in PRESETS}
    rows: list[tuple[Phrase, Images]] = [(paint.say("drawn", family=name(family)), run.sample(SHOWN, 0)) for family, run in shown.items()]
    rows.append((paint.say("originals"), real))
    for family, run in shown.items():
        rows.append((paint.say("copied" if family != "gan" else "searched", family=name(family)), copies(run, real)))
    for family, run in shown.items():
        start, end = (0, 1) if family == "gan" else (real[0], real[1])
        rows.append((paint.say("way", family=name(family)), run.interpolate(start, end, steps=SHOWN)))
    return paint.pictures("faces.", ((said, sheet(images, SHOWN)) for said, images in rows), {})


def distances(measured: Measured, told_of_kid: Phrase) -> Bars:
    """KID of images from each source of codes, from codes of images to the prior, and of half-way images."""
    groups = ("reconstructions", "posterior", "fitted", "standard", "midpoints")
    series = [
        bars(name(family), [column(measured[family], group, "kid") if group in measured[family][0] else None for group in groups], family)
        for family in PRESETS
    ]
    values = {family: mean(measured[family], "samples", "kid") for family in PRESETS} | {"kid": told_of_kid}
    told = {f"{family}_{group}": mean(measured[family], group, "kid") for family, group in (("ae", "standard"), ("vae", "posterior"))}
    return paint.bars(
        "distances.", "kid", [paint.say(f"distances.{group}") for group in groups], series, values | told,
        lines=((told_of_kid.values["floor"], paint.say("floor")),),
    )  # fmt: skip


def errors(measured: Measured) -> Bars:
    """Squared error of the same images as each encoder gives them back, and as a search for z does in each decoder."""
    ways = {(family, way): column(measured[family], "given_back", way) for family in PRESETS for way in measured[family][0]["given_back"]}
    groups = [paint.say(f"errors.{way}", family=name(family)) for family, way in ways]
    told = {f"{family}_{way}": 1000 * float(np.mean(values)) for (family, way), values in ways.items()}
    return paint.bars("errors.", "mse", groups, [bars(paint.say("mse"), ways.values(), "", 1000)], told | {"images": SEARCHED})


def virtues(measured: Measured) -> Bars:
    """Shares: samples that look real, real images that are reached, neighbours in latent space of one class."""

    def shares(seeds: Sequence[dict[str, Any]]) -> list[list[float] | None]:
        knn = column(seeds, "knn_accuracy") if "knn_accuracy" in seeds[0] else None
        return [column(seeds, "samples", "precision"), column(seeds, "samples", "recall"), knn]

    groups = [paint.say(f"virtues.{group}") for group in ("precision", "recall", "knn")]
    series = [bars(name(family), shares(measured[family]), family, 100) for family in PRESETS]
    return paint.bars("virtues.", "virtues.share", groups, series, {family: mean(measured[family], "seconds") for family in PRESETS})


def name(family: str) -> Phrase:
    """A family's short name."""
    return paint.say(f"family.{family}")


# What one model is good for: samples, ways between images, the way back from an image to a code.

SAMPLES, WAYS = 500, 500
SEARCHED = 64  # held-out images for which z is searched; it takes as long as a short training
SEARCH_STEPS, SEARCH_RATE = 150, 0.1

Floats = NDArray[np.float32]


def measure_family(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about one run: "samples", "midpoints", "mse", "edges" and, with an encoder, "knn_accuracy".

    "standard": with z ~ N(0, I), for an AE too, as if its codes were what a VAE's are. With an encoder what `measure.sources`
    names. "given_back": the error of the first images by "search", also of an AE and a VAE as if they had no encoder, as a GAN
    has none, and through their "encoder".
    """
    looking, seed = view(settings), run.config.train.seed + 1
    samples = run.sample(SAMPLES, seed=seed)
    few = looking.held_out[:SEARCHED]
    ways: dict[str, Callable[[Images], Images]] = {"encoder": run.reconstruct, "search": partial(search, run)}
    if run.config.family == "gan":
        del ways["encoder"]
    given_back = {way: float(mean_squared_error(few, give(few)).mean()) for way, give in ways.items()}
    measured: dict[str, Any] = {
        "samples": looking.quality(samples),
        "midpoints": looking.quality(run.decode(midpoints(run, looking))),
        "given_back": given_back,
        "edges": float(edge_steps(samples).mean()),
        "real_edges": float(edge_steps(looking.held_out).mean()),
        "seconds": float(run.metrics()[-1]["seconds"]),
    }
    measured["standard"] = measured["samples"]  # drawn from N(0, I)
    if run.config.family != "gan":
        measured["mse"] = float(mean_squared_error(looking.held_out, run.reconstruct(looking.held_out)).mean())
        codes = run.encode(first(looking.data.train, FITTED).images)
        measured |= {name: looking.quality(run.decode(z)) for name, z in codes_by_source(*codes, SAMPLES, seed).items()}
        if run.config.family == "ae":
            measured["fitted"] = measured["samples"]  # drawn from a Gaussian fitted to its codes
            measured["standard"] = looking.quality(run.decode(latents(SAMPLES, run.config.model.latent_dim, seed)))
        if looking.labels is not None:
            measured["knn_accuracy"] = organisation(run, looking)
    return measured


def midpoints(run: Run, looking: View) -> Floats:
    """Half-way codes: between pairs of held-out images, or on the arc between pairs of z for a GAN. [N, Z]."""
    size, seed = run.config.model.latent_dim, run.config.train.seed + 2
    if run.config.family == "gan":
        a, b = np.split(latents(2 * WAYS, size, seed), 2)
        return np.stack([arc(p, q, 3)[1] for p, q in zip(a, b, strict=True)])
    codes = run.encode(looking.held_out).mean
    pairs = np.random.default_rng(seed).integers(0, len(codes), (WAYS, 2))
    return np.stack([line(codes[i], codes[j], 3)[1] for i, j in pairs])


def copies(run: Run, images: Images) -> Images:
    """Images as the model gives them back: through its encoder, or by a search for z where there is none."""
    return search(run, images) if run.config.family == "gan" else run.reconstruct(images)


def search(run: Run, images: Images) -> Images:
    """The nearest images that a generator was found to make: z by Adam on the squared error, from z = 0 (Creswell & Bharath 2019).

    z is in standard deviations of what the model draws from, an AE's fitted Gaussian too: else steps of one length would be
    short in its wider space.
    """
    learner, generator = run.learner, run.networks()["generator" if run.config.family == "gan" else "decoder"].requires_grad_(False)
    x = to_unit(torch.from_numpy(np.ascontiguousarray(images)))  # [N, C, H, W]
    z = torch.zeros(len(x), run.config.model.latent_dim, requires_grad=True)
    adam = torch.optim.Adam([z], SEARCH_RATE)
    for _ in range(SEARCH_STEPS):
        adam.zero_grad()
        (torch.sigmoid(generator(learner.code_from_normal(z))) - x).square().sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return run.decode(learner.code_from_normal(z.detach()))


def organisation(run: Run, looking: View) -> float:
    """k-NN accuracy of held-out images' codes among training images' codes."""
    fit = first(looking.data.train, FITTED)
    if fit.labels is None or looking.labels is None:
        return float("nan")
    return knn_accuracy(run.encode(fit.images).mean, fit.labels, run.encode(looking.held_out).mean, looking.labels).value


TASKS = {"family-measures": measure_family}
