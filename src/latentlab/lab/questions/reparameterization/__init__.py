"""Why reparameterise? The same gradient by several estimators: bias, variance, and what training with each reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from latentlab.lab.kit import Doubles, Painter, larger, listed, plain, series, together
from latentlab.lab.questions import Findings
from latentlab.lab.questions.bench import QUIET, Bench, Plan, Task
from latentlab.lab.questions.reparameterization.estimators import ESTIMATORS
from latentlab.lab.questions.reparameterization.measures import MEASURED, log_ratios, measure_bias, measure_variance, train_by_estimator
from latentlab.measure.metrics import mean_estimate
from latentlab.show.card import Claim, Verdict, judged
from latentlab.show.charts.panels import Panel, Series

SEEDS = 4
STEPS, EVERY = 500, 50
TOLERANCE = 0.05  # an estimator is called unbiased only if the mean of its gradients is this near to the exact one, as a share of it
REAL = "vae"  # the run whose gradients are looked at
SETTINGS: dict[str, Any] = {
    "model.latent_dim": 8,
    "model.hidden": [128],
    "train.batch_size": 64,
    "train.steps": STEPS,
    "train.learning_rate": 1e-3,
    **QUIET,
    "train.ema_halflife_images": 0,
}
KINDS = {"pathwise": "vae", "blocked": "gan"}
Ratio = tuple[float, float, float]  # with its 95 % interval
paint = Painter("reparameterization")


def experiment(bench: Bench) -> Findings:
    """Measure bias and variance, train with each estimator, judge."""
    tasks = {"bias": Task("gradient-bias", {"seed": bench.first_seed})}
    for seed in range(SEEDS):
        changes = {**bench.shared, **SETTINGS, "train.threads": 1, "train.precision": "fp32", "train.seed": bench.first_seed + seed}
        for name in ESTIMATORS:
            tasks[f"{name}-seed-{seed}"] = Task("train-by-estimator", {"estimator": name, "changes": changes, "every": EVERY})
    bench.train([Plan(REAL, "mlp-vae", SETTINGS | {"train.seed": 0}, task=Task("gradient-variance"))], tasks)
    bias, spread = bench.result("bias"), bench.result(REAL)
    trained = {name: bench.results(name, SEEDS) for name in ESTIMATORS}
    curves: dict[str, Doubles] = {name: np.array([run["negative_elbo_nats"] for run in runs]).T for name, runs in trained.items()}
    kl: dict[str, Doubles] = {name: np.array([run["kl_nats"][-1] for run in runs]) for name, runs in trained.items()}
    steps = trained["pathwise"][0]["steps"]
    ratios = {stage: ratios_to_pathwise(spread[stage]) for stage in ("before", "after")}
    return Findings(
        settings={**SETTINGS, "seeds": SEEDS, "estimators": list(ESTIMATORS), "tolerance": TOLERANCE},
        outcome=outcome(ratios["after"]["score"][0]),
        claims=claims(bias, ratios, spread, curves, kl),
        panels=panels(bias, ratios, steps, curves),
        numbers={
            "bias": bias,
            "variance": spread,
            "variance_ratios": {stage: {name: list(ratio) for name, ratio in of_stage.items()} for stage, of_stage in ratios.items()},
            "steps": steps,
            "negative_elbo_nats": {name: listed(curve) for name, curve in curves.items()},
            "final_kl_nats": {name: values.tolist() for name, values in kl.items()},
        },
    )


def ratios_to_pathwise(spread: Mapping[str, list[float]]) -> dict[str, Ratio]:
    """How many times the variance of the pathwise gradient each other one has: geometric mean over batches, with its interval."""
    logs = {name: mean_estimate(log_ratios(spread[name], spread["pathwise"])) for name in MEASURED[1:]}
    return {name: (float(np.exp(log.value)), float(np.exp(log.low)), float(np.exp(log.high))) for name, log in logs.items()}


def outcome(ratio: float) -> tuple[str, ...]:
    """Which prediction came true: by how much the score function's variance is above the reparameterised gradient's."""
    names = ((1.0, "lower"), (3.0, "same"), (30.0, "ten"), (1_000.0, "hundred"))
    return (next((name for limit, name in names if ratio < limit), "thousand"),)


def unbiased(estimator: Mapping[str, Any]) -> Verdict:
    """Whether the mean of an estimator's gradients is the exact one, as a whole vector: no part of it may lie beside it.

    It holds if the mean is no further from the exact gradient than its noise usually explains and nearer than the tolerance, so
    that noise cannot hide a bias; it is contradicted if noise does not explain the distance at all.
    """
    excess, distance = estimator["excess"], estimator["distance"]
    if excess["ratio"] is None or excess["ratio"] > excess["extreme"]:
        return "holds" if distance == 0 else "contradicted"
    return "holds" if excess["ratio"] <= excess["usual"] and distance <= TOLERANCE else "unclear"


def claims(
    bias: Mapping[str, Any],
    ratios: Mapping[str, Mapping[str, Ratio]],
    spread: Mapping[str, Mapping[str, list[float]]],
    curves: Mapping[str, Doubles],
    kl: Mapping[str, Doubles],
) -> tuple[Claim, ...]:
    """What the answer says, judged by intervals."""
    estimators, after = bias["estimators"], spread["after"]
    ratio, low, high = ratios["after"]["score"]
    own, batch = ratios["after"]["score-own-mean"], ratios["after"]["score-baseline"][0]
    helped = mean_estimate(log_ratios(after["score"], after["score-own-mean"]))
    ends = {name: curve[-1] for name, curve in curves.items()}
    end = {name: float(values.mean()) for name, values in ends.items()}
    both = ("pathwise", "score")
    return (
        Claim(
            "unbiased", together([unbiased(estimators[name]) for name in both]),
            {"draws": bias["draws"], "tolerance": plain(100 * TOLERANCE)}
            | {name: 100 * estimators[name]["distance"] for name in both}
            | {f"{name}_{part}": estimators[name]["excess"][part] for name in both for part in ("ratio", "usual")},
        ),
        larger(
            "blocked", [(ends["blocked"], ends["pathwise"])],
            pathwise=end["pathwise"], blocked=end["blocked"], steps=STEPS, seeds=len(ends["blocked"]),
            kl=round(float(kl["blocked"].mean()), 3), pathwise_kl=float(kl["pathwise"].mean()),
        ),
        Claim(
            "variance", judged(*(float(np.log(value)) for value in (ratio, low, high))),
            {"ratio": ratio, "low": low, "high": high, "before": ratios["before"]["score"][0], "batches": len(after["score"])},
        ),
        Claim(
            "baseline", together([judged(*helped), judged(*(float(np.log(value)) for value in own))]),
            {"score": ratio, "batch": batch, "own": own[0], "batches": len(after["score"])},
        ),
        larger("training", [(ends["score"], ends["pathwise"])], pathwise=end["pathwise"], score=end["score"], steps=STEPS, seeds=SEEDS),
        larger(
            "training-baseline", [(ends["score-baseline"], ends["pathwise"])],
            pathwise=end["pathwise"], baseline=end["score-baseline"], steps=STEPS,
        ),
    )  # fmt: skip


def panels(
    bias: Mapping[str, Any], ratios: Mapping[str, Mapping[str, Ratio]], steps: list[float], curves: Mapping[str, Doubles]
) -> tuple[Panel, ...]:
    """The training curves, the errors of averaged gradients, the variances."""
    names = {name: paint.say(f"name.{name}") for name in (*MEASURED, *ESTIMATORS)}
    estimators, averaged = bias["estimators"], tuple(map(float, bias["averaged"]))
    last = {name: 100 * estimators[name]["error"][-1] for name in ("pathwise", "score", "blocked")}
    errors = paint.lines(
        "bias.", "bias.averaged", "bias.error",
        [Series(names[name], tuple(estimators[name]["error"]), averaged, kind=KINDS.get(name, "")) for name in ESTIMATORS],
        last | {"averaged": bias["averaged"][-1]}, log_x=True, log_y=True,
    )  # fmt: skip
    stages = ("before", "after")
    bars = []
    for name in MEASURED[1:]:
        values, low, high = zip(*(ratios[stage][name] for stage in stages), strict=True)
        bars.append(Series(names[name], values, low=low, high=high))
    variances = paint.bars(
        "variance.", "variance.ratio", [paint.say(f"variance.{stage}") for stage in stages], bars,
        {"ratio": ratios["after"]["score"][0], "own": ratios["after"]["score-own-mean"][0]},
        "batches", log_y=True, lines=((1.0, names["pathwise"]),),
    )  # fmt: skip
    ends = {name: float(curves[name][-1].mean()) for name in ("pathwise", "score", "blocked")}
    training = paint.lines(
        "training.", "training.step", "training.nats",
        [series(names[name], steps, curves[name], KINDS.get(name, "")) for name in ESTIMATORS],
        ends | {"step": int(steps[-1])}, log_y=True,
    )  # fmt: skip
    return training, errors, variances


TASKS = {"gradient-bias": measure_bias, "gradient-variance": measure_variance, "train-by-estimator": train_by_estimator}
