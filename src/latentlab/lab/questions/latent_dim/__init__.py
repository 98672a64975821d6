"""What does the size of the latent space change? 1 to 64 units, as a VAE and as an AE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.base.texts import Phrase
from latentlab.lab.experiments.results import paired
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.kit import difference_verdict, larger, listed, plain, series
from latentlab.lab.questions.views import strip
from latentlab.show.card import Claim
from latentlab.show.charts.panels import Lines, Panel, Pictures, Series
from latentlab.train import Run

SIZES = (1, 2, 4, 8, 16, 32, 64)
FAMILIES = ("vae", "ae")
PRESETS = {"vae": "mlp-vae", "ae": "mlp-ae"}
SEEDS = 3
SHOWN = 8  # images in a row of a picture
DRAWN_SIZES = (1, 2, 8, 64)
MEASURES = Task("vae-measures", {"nll_samples": 100, "nll_images": 100})
SETTINGS: dict[str, Any] = {
    "model.hidden": [128],
    "model.initialization": "default",
    "train.batch_size": 64,
    "train.steps": 500,
    "train.learning_rate": 4e-3,
    "train.log_steps": 100,
    "train.sample_count": 16,
    "train.evaluate_epochs": 1e6,
    "train.checkpoint_seconds": 1e6,
}
AE_SETTINGS: dict[str, Any] = {"model.reconstruction": "bce"}  # the VAE's own reconstruction term: the KL term is all that differs
TABLES = {
    "reconstruction_mse": ("test", "mse"),
    "train_reconstruction_mse": ("train", "mse"),
    "needed_units": ("needed_units",),
    "knn_accuracy": ("knn_accuracy",),
    "kid": ("kid",),
    "frechet": ("frechet",),
}
VAE_TABLES = {
    "nll_nats": ("nll_nats",),
    "negative_elbo_nats": ("test", "loss_nats"),
    "train_negative_elbo_nats": ("train", "loss_nats"),
    "kl_nats": ("test", "kl_nats"),
    "active_units": ("active_units",),
    "aggregate_kl_nats": ("aggregate_kl_nats",),
    "aggregate_kl_floor": ("aggregate_kl_floor",),
    "aggregate_mmd": ("aggregate_mmd",),
}

Doubles = NDArray[np.float64]
Results = Mapping[tuple[str, int, int], Mapping[str, Any]]  # (family, size, seed) → what was measured
Tables = Mapping[str, Mapping[str, Doubles]]  # family → name → [size, seed]


def experiment(bench: Bench) -> Findings:
    """Train, measure, judge."""
    plans = {(family, size, seed): plan(family, size, seed) for seed in range(SEEDS) for size in SIZES for family in FAMILIES}
    runs = bench.train(list(plans.values()))
    tables = measured({key: bench.result(plan.name) for key, plan in plans.items()})
    images = bench.data.test.take(np.arange(min(SHOWN, len(bench.data.test))))
    drawn = pictures({(family, size): runs[plans[family, size, 0].name] for family in FAMILIES for size in DRAWN_SIZES}, images)
    return Findings(
        settings={**SETTINGS, **AE_SETTINGS, "sizes": list(SIZES), "seeds": SEEDS},
        outcome=outcome(tables["vae"]["nll_nats"]),
        claims=claims(tables),
        panels=panels(tables, drawn),
        numbers={"sizes": list(SIZES)} | {f"{family}_{name}": listed(t) for family in FAMILIES for name, t in tables[family].items()},
    )


def plan(family: str, size: int, seed: int) -> Plan:
    """The run of one family, size and seed: the same encoder and decoder, the same steps on the same batches."""
    changes = SETTINGS | (AE_SETTINGS if family == "ae" else {}) | {"model.latent_dim": size, "train.seed": seed}
    return Plan(f"{family}-{size}-seed-{seed}", PRESETS[family], changes, task=MEASURES if family == "vae" else Task("vae-measures"))


def measured(results: Results) -> dict[str, dict[str, Doubles]]:
    """The tables [size, seed] of each family; a measure that a run lacks (k-NN without labels) has none."""
    found: dict[str, dict[str, Doubles]] = {}
    for family in FAMILIES:
        wanted = TABLES | (VAE_TABLES if family == "vae" else {})
        grid = [[results[family, size, seed] for seed in range(SEEDS)] for size in SIZES]
        found[family] = {
            name: np.array([[_at(one, path) for one in row] for row in grid], np.float64)
            for name, path in wanted.items()
            if path[0] in grid[0][0]
        }
    return found


def _at(found: Any, path: tuple[str, ...]) -> float:
    for name in path:
        found = found[name]
    return float(found)


def outcome(nll: Doubles) -> tuple[str, ...]:
    """Which prediction came true of the VAE's NLL [size, seed]: always better, a plateau, or worse again with many units.

    A change that the claim "levels-off" tolerates is a plateau; where the seeds do not settle whether it does, two came true.
    """
    verdict = difference_verdict(paired(*levels_off(nll)))
    change = difference_verdict(paired(_at_size(nll, 16), _at_size(nll, 64)))
    if verdict == "holds" or change == "unclear":
        return ("plateau",)
    turn = "always" if change == "holds" else "worse"
    return (turn,) if verdict == "contradicted" else ("plateau", turn)


def levels_off(nll: Doubles) -> tuple[Doubles, Doubles]:
    """What 16 units gain over 2 [seed], and what it must exceed if the NLL levels off: four times the change from 16 to 64."""
    return _at_size(nll, 2) - _at_size(nll, 16), 4 * np.abs(_at_size(nll, 16) - _at_size(nll, 64))


def _at_size(table: Doubles, size: int) -> Doubles:
    row: Doubles = table[SIZES.index(size)]
    return row


def claims(tables: Tables) -> tuple[Claim, ...]:
    """What the answer says, judged seed by seed."""
    vae, ae = tables["vae"], tables["ae"]

    at = _at_size

    def mean(table: Doubles, size: int) -> float:
        return float(at(table, size).mean())

    excess = {family: tables[family]["reconstruction_mse"] / tables[family]["train_reconstruction_mse"] - 1 for family in FAMILIES}
    found = [
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
        ),
    ]  # fmt: skip
    if "knn_accuracy" in vae:
        knn = vae["knn_accuracy"]
        found.append(
            larger("organised", [(at(knn, 16), at(knn, 1))], one=100 * mean(knn, 1), two=100 * mean(knn, 2), sixteen=100 * mean(knn, 16))
        )
    return tuple(found)


def pictures(runs: Mapping[tuple[str, int], Run], images: Images) -> list[bytes]:
    """For each drawn size a picture of four rows: each family's reconstructions above its samples; before them the originals."""
    count, found = len(images), [strip(images, len(images))]
    for size in DRAWN_SIZES:
        pairs = [(runs[family, size].reconstruct(images), runs[family, size].sample(count, seed=0)) for family in FAMILIES]
        found.append(strip(np.concatenate([row for pair in pairs for row in pair]), count))
    return found


def panels(tables: Tables, drawn: list[bytes]) -> tuple[Panel, ...]:
    """The units that are needed, the errors, the NLL, the samples, the organisation, the pictures."""

    def say(key: str, **values: Any) -> Phrase:
        return Phrase(f"question.latent-dim.panel.{key}", values)

    def both(name: str) -> tuple[Series, ...]:
        return tuple(series(say(family), SIZES, tables[family][name], family) for family in FAMILIES)

    def last(family: str, name: str) -> float:
        return float(tables[family][name][-1].mean())

    vae = tables["vae"]
    given = Series(say("needed.given"), tuple(map(float, SIZES)), tuple(map(float, SIZES)))
    found: list[Panel] = [
        Lines(
            say("needed.title"), say("size"), say("needed.units"), (*both("needed_units"), given),
            say("needed.summary", vae=plain(last("vae", "needed_units")), ae=plain(last("ae", "needed_units")), size=SIZES[-1]),
            log_x=True, log_y=True,
        ),
        Lines(
            say("nll.title"), say("size"), say("nll.nats"),
            (series(say("nll.nll"), SIZES, vae["nll_nats"], "vae"), series(say("nll.bound"), SIZES, vae["negative_elbo_nats"])),
            say("nll.summary", best=SIZES[int(np.argmin(vae["nll_nats"].mean(1)))], nll=float(vae["nll_nats"].mean(1).min())), log_x=True,
        ),
        Lines(
            say("error.title"), say("size"), say("error.mse"),
            tuple(
                series(say(f"error.{split}", family=say(family)), SIZES, tables[family][name], family if split == "test" else "")
                for family in FAMILIES
                for split, name in (("test", "reconstruction_mse"), ("train", "train_reconstruction_mse"))
            ),
            say("error.summary", ae=last("ae", "reconstruction_mse"), vae=last("vae", "reconstruction_mse"), size=SIZES[-1]),
            log_x=True, log_y=True,
        ),
        Lines(
            say("samples.title"), say("size"), say("samples.kid"), both("kid"),
            say("samples.summary", ae=last("ae", "kid"), vae=last("vae", "kid"), size=SIZES[-1]), log_x=True,
        ),
    ]  # fmt: skip
    units = np.array(SIZES, np.float64)[:, None]
    codes, floor = vae["aggregate_kl_nats"] / units, vae["aggregate_kl_floor"] / units
    found.append(
        Lines(
            say("prior.title"), say("size"), say("prior.nats"),
            (series(say("prior.codes"), SIZES, codes, "vae"), series(say("prior.floor"), SIZES, floor, "real")),
            say("prior.summary", size=SIZES[-1], codes=float(codes[-1].mean()), floor=float(floor[-1].mean())), log_x=True, log_y=True,
        )
    )  # fmt: skip
    if "knn_accuracy" in vae:
        found.append(
            Lines(
                say("knn.title"), say("size"), say("knn.share"), both("knn_accuracy"),
                say("knn.summary", two=100 * float(vae["knn_accuracy"][1].mean()), vae=100 * last("vae", "knn_accuracy"),
                    ae=100 * last("ae", "knn_accuracy")),
                log_x=True,
            )
        )  # fmt: skip
    found.append(
        Pictures(
            say("pictures.title"), tuple(zip([say("originals"), *(say("at", size=size) for size in DRAWN_SIZES)], drawn, strict=True)),
            say("pictures.summary", size=SIZES[-1], one=float(vae["reconstruction_mse"][0].mean()), vae=last("vae", "reconstruction_mse"),
                ae=last("ae", "reconstruction_mse")),
        )
    )  # fmt: skip
    return tuple(found)
