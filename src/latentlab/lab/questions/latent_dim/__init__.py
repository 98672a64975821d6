"""What does the size of the latent space change? 1 to 64 units, as a VAE and as an AE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latentlab.base.images import Images
from latentlab.base.texts import Phrase
from latentlab.lab.kit import Doubles, Painter, difference_verdict, grid, larger, listed, plain, series
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import QUIET, Bench, Plan, Task
from latentlab.lab.questions.views import measure_coder, strip, view
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Panel, Series
from latentlab.train import Run

SIZES = (1, 2, 4, 8, 16, 32, 64)
FAMILIES = ("vae", "ae")
PRESETS = {"vae": "mlp-vae", "ae": "mlp-ae"}
SEEDS = 3
SHOWN = 8  # images in a row of a picture
DRAWN_SIZES = (1, 2, 8, 64)
NLL_SAMPLES = 100
MEASURES = Task("vae-measures", {"nll_samples": NLL_SAMPLES, "nll_images": 100, "fitted": True})
SETTINGS: dict[str, Any] = {
    "model.hidden": [128],
    "model.initialization": "default",
    "train.batch_size": 64,
    "train.steps": 500,
    "train.learning_rate": 4e-3,
    **QUIET,
}
AE_SETTINGS: dict[str, Any] = {"model.reconstruction": "bce"}  # the VAE's own reconstruction term: the KL term is all that differs
TABLES = {
    "reconstruction_mse": ("test", "mse"),
    "train_reconstruction_mse": ("train", "mse"),
} | {name: (name,) for name in ("needed_units", "knn_accuracy", "kid", "frechet")}
VAE_TABLES = {
    "nll_nats": ("nll", "nats"),
    "nll_effective": ("nll", "effective"),
    "nll_above": ("nll", "above"),
    "negative_elbo_nats": ("test", "loss_nats"),
    "train_negative_elbo_nats": ("train", "loss_nats"),
    "kl_nats": ("test", "kl_nats"),
} | {name: (name,) for name in ("kid_fitted", "active_units", "aggregate_kl_nats", "aggregate_kl_floor", "aggregate_mmd")}

Tables = Mapping[str, Mapping[str, Doubles]]  # family → name → [size, seed]
paint = Painter("latent-dim")


def experiment(bench: Bench) -> Findings:
    """Train, measure, judge."""
    runs = bench.train([plan(family, size, seed) for seed in range(SEEDS) for size in SIZES for family in FAMILIES])
    tables = {family: measured(family, [bench.results(f"{family}-{size}", SEEDS) for size in SIZES]) for family in FAMILIES}
    images = bench.data.test.take(np.arange(min(SHOWN, len(bench.data.test))))
    drawn = pictures(runs, images)
    return Findings(
        settings={**SETTINGS, **AE_SETTINGS, "sizes": list(SIZES), "seeds": SEEDS},
        outcome=outcome(tables["vae"]["nll_nats"]),
        claims=claims(tables),
        panels=panels(tables, drawn, view({"shared": bench.shared}, ("test",)).kid_told()),
        numbers={"sizes": list(SIZES)} | {f"{family}_{name}": listed(t) for family in FAMILIES for name, t in tables[family].items()},
    )


def plan(family: str, size: int, seed: int) -> Plan:
    """The run of one family, size and seed: the same encoder and decoder, the same steps on the same batches."""
    changes = SETTINGS | (AE_SETTINGS if family == "ae" else {}) | {"model.latent_dim": size, "train.seed": seed}
    return Plan(f"{family}-{size}-seed-{seed}", PRESETS[family], changes, task=MEASURES if family == "vae" else Task("vae-measures"))


def measured(family: str, rows: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Doubles]:
    """The tables [size, seed] of a family; a measure that a run lacks (k-NN without labels) has none."""
    wanted = TABLES | (VAE_TABLES if family == "vae" else {})
    return {name: grid(rows, *path) for name, path in wanted.items() if path[0] in rows[0][0]}


def outcome(nll: Doubles) -> tuple[str, ...]:
    """Which prediction came true of the VAE's NLL [size, seed]: always better, a plateau, or worse again with many units.

    A change that the claim "levels-off" tolerates is a plateau; where the seeds do not settle whether it does, two came true.
    """
    verdict = difference_verdict(*levels_off(nll))
    change = difference_verdict(at(nll, 16), at(nll, 64))
    if verdict == "holds" or change == "unclear":
        return ("plateau",)
    turn = "always" if change == "holds" else "worse"
    return (turn,) if verdict == "contradicted" else ("plateau", turn)


def levels_off(nll: Doubles) -> tuple[Doubles, Doubles]:
    """What 16 units gain over 2 [seed], and what it must exceed if the NLL levels off: four times the change from 16 to 64."""
    return at(nll, 2) - at(nll, 16), 4 * np.abs(at(nll, 16) - at(nll, 64))


def at(table: Doubles, size: int) -> Doubles:
    """The values of a table [size, seed] at one size: [seed]."""
    row: Doubles = table[SIZES.index(size)]
    return row


def claims(tables: Tables) -> tuple[Claim, ...]:
    """What the answer says, judged seed by seed."""
    vae, ae = tables["vae"], tables["ae"]

    def mean(table: Doubles, size: int) -> float:
        return float(at(table, size).mean())

    excess = {family: tables[family]["reconstruction_mse"] / tables[family]["train_reconstruction_mse"] - 1 for family in FAMILIES}
    said = [
        larger(
            "too-small",
            [(at(vae["nll_nats"], 2), at(vae["nll_nats"], 16)), (at(ae["reconstruction_mse"], 2), at(ae["reconstruction_mse"], 16))],
            nll_two=mean(vae["nll_nats"], 2), nll_sixteen=mean(vae["nll_nats"], 16),
            mse_two=mean(ae["reconstruction_mse"], 2), mse_sixteen=mean(ae["reconstruction_mse"], 16),
        ),
        larger(
            "switched-off", [(at(ae["needed_units"], 64), at(vae["needed_units"], 64))],
            vae=plain(mean(vae["needed_units"], 64)), ae=plain(mean(ae["needed_units"], 64)), active=plain(mean(vae["active_units"], 64)),
        ),
        larger(
            "ae-uses-all", [(at(ae["needed_units"], 64), np.full(SEEDS, 0.5 * 64))],
            needed=plain(mean(ae["needed_units"], 64)), size=64,
        ),
        larger(
            "levels-off", [levels_off(vae["nll_nats"])],
            first=mean(vae["nll_nats"], 2) - mean(vae["nll_nats"], 16), then=mean(vae["nll_nats"], 16) - mean(vae["nll_nats"], 64),
        ),
        larger(
            "gap", [(at(excess["ae"], 64), at(excess["ae"], 2)), (at(excess["ae"], 64), at(excess["vae"], 64))],
            ae=100 * mean(excess["ae"], 64), vae=100 * mean(excess["vae"], 64), ae_two=100 * mean(excess["ae"], 2),
        ),
        larger(
            "samples", [(at(vae["kid"], 1), at(vae["kid"], 16))],
            one=mean(vae["kid"], 1), sixteen=mean(vae["kid"], 16), last=mean(vae["kid"], 64), ae=mean(ae["kid"], 64),
            fitted=mean(vae["kid_fitted"], 64),
        ),
    ]  # fmt: skip
    if "knn_accuracy" in vae:
        knn = vae["knn_accuracy"]
        said.append(
            larger("organised", [(at(knn, 16), at(knn, 1))], one=100 * mean(knn, 1), two=100 * mean(knn, 2), sixteen=100 * mean(knn, 16))
        )
    return tuple(said)


def pictures(runs: Mapping[str, Run], images: Images) -> list[bytes]:
    """For each drawn size a picture of four rows: each family's reconstructions above its samples; before them the originals."""
    count, drawn = len(images), [strip(images, len(images))]
    for size in DRAWN_SIZES:
        shown = [runs[f"{family}-{size}-seed-0"] for family in FAMILIES]
        drawn.append(strip(np.concatenate([row for run in shown for row in (run.reconstruct(images), run.sample(count, 0))]), count))
    return drawn


def panels(tables: Tables, drawn: list[bytes], told_of_kid: Phrase) -> tuple[Panel, ...]:
    """The units that are needed, the NLL, the errors, the samples, the codes against the prior, the organisation, the pictures."""
    vae, most = tables["vae"], SIZES[-1]
    names = {family: paint.say(family) for family in FAMILIES}

    def both(name: str) -> list[Series]:
        return [series(names[family], SIZES, tables[family][name], family) for family in FAMILIES]

    def last(name: str, families: Sequence[str] = FAMILIES, scale: float = 1) -> dict[str, float]:
        return {family: scale * float(tables[family][name][-1].mean()) for family in families}

    given = Series(paint.say("needed.given"), tuple(map(float, SIZES)), tuple(map(float, SIZES)))
    nll, effective, above = (vae[f"nll_{name}"].mean(1) for name in ("nats", "effective", "above"))
    best, least = int(np.argmin(nll)), int(np.argmin(effective))
    sampled = {"k": NLL_SAMPLES, "effective": float(effective[best]), "above": 100 * float(above[best])}
    sampled |= {"least": SIZES[least], "least_effective": float(effective[least]), "least_above": 100 * float(above[least])}
    errors = [
        series(paint.say(f"error.{split}", family=names[family]), SIZES, tables[family][name], family if split == "test" else "")
        for family in FAMILIES
        for split, name in (("test", "reconstruction_mse"), ("train", "train_reconstruction_mse"))
    ]
    units = np.array(SIZES, np.float64)[:, None]
    codes, floor = vae["aggregate_kl_nats"] / units, vae["aggregate_kl_floor"] / units
    shown: list[Panel] = [
        paint.lines(
            "needed.", "size", "needed.units", [*both("needed_units"), given],
            {family: plain(units) for family, units in last("needed_units").items()} | {"size": most}, log_x=True, log_y=True,
        ),
        paint.lines(
            "nll.", "size", "nll.nats",
            [series(paint.say("nll.nll"), SIZES, vae["nll_nats"], "vae"), series(paint.say("nll.bound"), SIZES, vae["negative_elbo_nats"])],
            {"best": SIZES[best], "nll": float(nll[best])} | sampled, log_x=True,
        ),
        paint.lines(
            "error.", "size", "error.mse", errors, last("reconstruction_mse", ("ae", "vae")) | {"size": most}, log_x=True, log_y=True,
        ),
        paint.lines(
            "samples.", "size", "samples.kid", [*both("kid"), series(paint.say("samples.fitted"), SIZES, vae["kid_fitted"])],
            last("kid") | {"size": most, "fitted": float(vae["kid_fitted"][-1].mean()), "kid": told_of_kid}, log_x=True,
        ),
        paint.lines(
            "prior.", "size", "prior.nats",
            [series(paint.say("prior.codes"), SIZES, codes, "vae"), series(paint.say("prior.floor"), SIZES, floor, "real")],
            {"size": most, "codes": float(codes[-1].mean()), "floor": float(floor[-1].mean())}, log_x=True, log_y=True,
        ),
    ]  # fmt: skip
    if "knn_accuracy" in vae:
        told = {"two": 100 * float(vae["knn_accuracy"][1].mean()), **last("knn_accuracy", scale=100)}
        shown.append(paint.lines("knn.", "size", "knn.share", both("knn_accuracy"), told, log_x=True))
    captions = [paint.say("originals"), *(paint.say("at", size=size) for size in DRAWN_SIZES)]
    told = {"size": most, "one": float(vae["reconstruction_mse"][0].mean()), **last("reconstruction_mse")}
    return (*shown, paint.pictures("pictures.", zip(captions, drawn, strict=True), told))


TASKS = {"vae-measures": measure_coder}
