"""What does the KL term do to the latent space? β from 0 to 10, on all training images and on 300 of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentlab.base.images import Images
from latentlab.base.texts import Phrase
from latentlab.lab.kit import Doubles, Painter, grid, larger, listed, plain, series, tied_best
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import QUIET, Bench, Plan, Task
from latentlab.lab.questions.views import measure_coder, strip, view
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Panel
from latentlab.train import Run

BETAS = {0.0: "zero", 0.1: "tenth", 0.3: "three-tenths", 1.0: "one", 3.0: "three", 10.0: "ten"}  # β and its name in the texts
ORDER, NAMES = tuple(BETAS), tuple(BETAS.values())
SMALL_BETAS = (0.0, 0.1, 1.0, 10.0)
SMALL = 300  # training images of the small set
SEEDS = 3
SHOWN = 8  # images in a row of a picture
SETTINGS: dict[str, Any] = {
    "model.latent_dim": 16,
    "model.hidden": [128],
    "train.batch_size": 64,
    "train.steps": 700,
    "train.learning_rate": 4e-3,
    **QUIET,
}

TABLES = {
    "negative_elbo_nats": ("test", "loss_nats"),
    "reconstruction_nats": ("test", "reconstruction_nats"),
    "kl_nats": ("test", "kl_nats"),
    "reconstruction_mse": ("test", "mse"),
    "train_negative_elbo_nats": ("train", "loss_nats"),
} | {
    name: (name,) for name in ("active_units", "needed_units", "aggregate_kl_nats", "aggregate_kl_floor", "aggregate_mmd", "kid", "frechet")
}
paint = Painter("kl")


def experiment(bench: Bench) -> Findings:
    """Train, measure, judge."""
    small = min(SMALL, len(bench.data.train))
    plans = [plan(beta, seed) for seed in range(SEEDS) for beta in BETAS]
    few = [plan(beta, seed, small) for seed in range(SEEDS) for beta in SMALL_BETAS]
    runs = bench.train([*plans, *few])
    of_beta = [bench.results(f"beta-{beta:g}", SEEDS) for beta in BETAS]
    tables = {name: grid(of_beta, *path) for name, path in TABLES.items()}
    gaps = {beta: gap(bench.results(f"few-beta-{beta:g}", SEEDS)) for beta in SMALL_BETAS}
    images = bench.data.test.take(np.arange(min(SHOWN, len(bench.data.test))))
    drawn = pictures([runs[f"beta-{beta:g}-seed-0"] for beta in BETAS], images)
    return Findings(
        settings={**SETTINGS, "betas": list(ORDER), "seeds": SEEDS, "small_train_images": small, "small_betas": list(SMALL_BETAS)},
        outcome=outcome(tables["kid"]),
        claims=claims(tables, gaps, small),
        panels=panels(tables, gaps, small, drawn, view({"shared": bench.shared}, ("test",)).kid_told()),
        numbers={"betas": list(ORDER), "small_betas": list(SMALL_BETAS), "small_train_images": small}
        | {name: listed(table) for name, table in tables.items()}
        | {"small_gap_nats": listed(np.stack([gaps[beta] for beta in SMALL_BETAS]))},
    )


def plan(beta: float, seed: int, train_images: int | None = None) -> Plan:
    """The run of one β and seed, on all training images or on the first so many."""
    changes = SETTINGS | {"train.beta": beta, "train.seed": seed}
    if train_images is None:
        return Plan(f"beta-{beta:g}-seed-{seed}", "mlp-vae", changes, task=Task("vae-measures"))
    few = changes | {"data.train_images": train_images}
    return Plan(f"few-beta-{beta:g}-seed-{seed}", "mlp-vae", few, task=Task("vae-measures", {"samples": 0}))


def gap(results: Sequence[Mapping[str, Any]]) -> Doubles:
    """Held-out less training reconstruction term of each seed [S], in nats per image."""
    held_out, train = grid([results], "test", "reconstruction_nats"), grid([results], "train", "reconstruction_nats")
    difference: Doubles = (held_out - train)[0]
    return difference


def outcome(kid: Doubles) -> tuple[str, ...]:
    """Which prediction came true: where β gives the best samples; several where the seeds do not settle it."""
    names = ("zero", "below-one", "below-one", "one", "three", "ten")
    return tuple(dict.fromkeys(names[row] for row in tied_best(kid)))


def claims(tables: Mapping[str, Doubles], gaps: Mapping[float, Doubles], small: int) -> tuple[Claim, ...]:
    """What the answer says, judged seed by seed."""

    def at(name: str, beta: float) -> Doubles:
        row: Doubles = tables[name][ORDER.index(beta)]
        return row

    def mean(name: str, beta: float) -> float:
        return float(at(name, beta).mean())

    rate, distortion, elbo, kid, away, needed, active = (
        "kl_nats", "reconstruction_nats", "negative_elbo_nats", "kid", "aggregate_kl_nats", "needed_units", "active_units",
    )  # fmt: skip
    return (
        larger(
            "trade", [
                (at(rate, 0.1), at(rate, 1.0)), (at(rate, 1.0), at(rate, 10.0)),
                (at(distortion, 10.0), at(distortion, 1.0)), (at(distortion, 1.0), at(distortion, 0.1)),
            ],
            rate_low=mean(rate, 0.1), rate_one=mean(rate, 1.0), rate_high=mean(rate, 10.0),
            distortion_low=mean(distortion, 0.1), distortion_one=mean(distortion, 1.0), distortion_high=mean(distortion, 10.0),
        ),
        larger(
            "reconstructs", [(at(distortion, 1.0), at(distortion, 0.0)), (at(kid, 0.0), at(kid, 1.0))],
            distortion_zero=mean(distortion, 0.0), distortion_one=mean(distortion, 1.0),
            kid_zero=mean(kid, 0.0), kid_one=mean(kid, 1.0),
        ),
        larger(
            "aggregate", [(at(away, 0.0), at(away, 1.0))],
            zero=mean(away, 0.0), one=mean(away, 1.0), ten=mean(away, 10.0), floor=float(tables["aggregate_kl_floor"].mean()),
        ),
        larger(
            "elbo", [(at(elbo, 0.1), at(elbo, 1.0)), (at(elbo, 10.0), at(elbo, 1.0))],
            low=mean(elbo, 0.1), one=mean(elbo, 1.0), high=mean(elbo, 10.0),
        ),
        larger(
            "collapse", [(at(needed, 1.0), at(needed, 10.0))],
            one=plain(mean(needed, 1.0)), ten=plain(mean(needed, 10.0)), active_one=plain(mean(active, 1.0)),
            active_ten=plain(mean(active, 10.0)), size=SETTINGS["model.latent_dim"],
        ),
        larger(
            "memorising", [(gaps[0.1], gaps[10.0])],
            images=small, low=float(gaps[0.1].mean()), one=float(gaps[1.0].mean()), high=float(gaps[10.0].mean()),
        ),
    )  # fmt: skip


def pictures(runs: Sequence[Run], images: Images) -> list[bytes]:
    """For each β a picture of two rows, reconstructions above samples from the prior; before them the originals."""
    count = len(images)
    rows = [np.concatenate([run.reconstruct(images), run.sample(count, seed=0)]) for run in runs]
    return [strip(picture, count) for picture in [images, *rows]]


def panels(
    tables: Mapping[str, Doubles], gaps: Mapping[float, Doubles], small: int, drawn: list[bytes], told_of_kid: Phrase
) -> tuple[Panel, ...]:
    """The curve of rate and distortion, the pictures, what follows for a new image, the plane, the gap."""
    mean = {name: table.mean(1) for name, table in tables.items()}
    parts = {"reconstruction": "reconstruction_nats", "rate": "kl_nats", "bound": "negative_elbo_nats"}
    one, least = ORDER.index(1.0), int(np.argmin(mean["negative_elbo_nats"]))
    names = [paint.say(f"at.{name}") for name in NAMES]
    curve = paint.lines(
        "curve.", "beta", "nats", [series(paint.say(f"curve.{key}"), ORDER, tables[name]) for key, name in parts.items()],
        {"best": names[least], "bound": float(mean["negative_elbo_nats"][least])}, log_x=True, log_y=True,
    )  # fmt: skip
    quality = paint.lines(
        "quality.", "beta", "kid", [series(paint.say("quality.kid"), ORDER, tables["kid"], "vae")],
        {"zero": float(mean["kid"][0]), "one": float(mean["kid"][one]), "ten": float(mean["kid"][-1]), "kid": told_of_kid}, log_x=True,
    )  # fmt: skip
    order = np.argsort(mean["kl_nats"])
    plane = paint.lines(
        "plane.", "plane.rate", "plane.distortion",
        [series(paint.say("plane.name"), mean["kl_nats"][order].tolist(), tables["reconstruction_nats"][order], "vae")],
        {"rate": float(mean["kl_nats"][one]), "distortion": float(mean["reconstruction_nats"][one])}, log_x=True,
        marks=tuple((float(mean["kl_nats"][i]), names[i]) for i in order),
    )  # fmt: skip
    seen = paint.pictures(
        "pictures.", zip([paint.say("originals"), *names], drawn, strict=True),
        {"zero": float(mean["reconstruction_mse"][0]), "ten": float(mean["reconstruction_mse"][-1])},
    )  # fmt: skip
    memory = paint.lines(
        "gap.", "beta", "gap.nats", [series(paint.say("gap.name"), SMALL_BETAS, [gaps[beta] for beta in SMALL_BETAS], "vae")],
        {"images": small, "low": float(gaps[0.0].mean()), "high": float(gaps[10.0].mean())}, log_x=True,
    )  # fmt: skip
    return curve, seen, quality, plane, memory


TASKS = {"vae-measures": measure_coder}
