"""Why reparameterise? The same gradient by several estimators: bias, variance, and what training with each reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase
from latentlab.lab.questions.ask import Findings
from latentlab.lab.questions.bench import Bench, Plan, Task
from latentlab.lab.questions.kit import larger, listed, series, together
from latentlab.lab.questions.reparameterization.estimators import ESTIMATORS
from latentlab.lab.questions.reparameterization.measures import MEASURED, log_ratios
from latentlab.measure.metrics import mean_estimate
from latentlab.show.card import Claim, Verdict, judged
from latentlab.show.charts.panels import Bars, Lines, Panel, Series

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
    "train.log_steps": 100,
    "train.sample_count": 16,
    "train.evaluate_epochs": 1e6,
    "train.checkpoint_seconds": 1e6,
    "train.ema_halflife_images": 0,
}
KINDS = {"pathwise": "vae", "blocked": "gan"}

Doubles = NDArray[np.float64]


def experiment(bench: Bench) -> Findings:
    """Measure bias and variance, train with each estimator, judge."""
    tasks = {"bias": Task("gradient-bias", {"seed": 0})}
    for seed in range(SEEDS):
        for name in ESTIMATORS:
            changes = {**bench.shared, **SETTINGS, "train.threads": 1, "train.precision": "fp32", "train.seed": seed}
            order = {"estimator": name, "changes": changes, "every": EVERY}
            tasks[f"{name}-seed-{seed}"] = Task("train-by-estimator", order)
    bench.train([Plan(REAL, "mlp-vae", SETTINGS | {"train.seed": 0}, task=Task("gradient-variance"))], tasks)
    bias, spread = bench.result("bias"), bench.result(REAL)
    trained: dict[str, list[dict[str, Any]]] = {name: [bench.result(f"{name}-seed-{seed}") for seed in range(SEEDS)] for name in ESTIMATORS}
    curves: dict[str, Doubles] = {
        name: np.array([found["negative_elbo_nats"] for found in found_by_seed]).T for name, found_by_seed in trained.items()
    }
    kl: dict[str, Doubles] = {name: np.array([found["kl_nats"][-1] for found in found_by_seed]) for name, found_by_seed in trained.items()}
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
            "variance_ratios": {stage: {name: list(ratio) for name, ratio in found.items()} for stage, found in ratios.items()},
            "steps": steps,
            "negative_elbo_nats": {name: listed(curve) for name, curve in curves.items()},
            "final_kl_nats": {name: values.tolist() for name, values in kl.items()},
        },
    )


def ratios_to_pathwise(spread: Mapping[str, list[float]]) -> dict[str, tuple[float, float, float]]:
    """How many times the variance of the pathwise gradient each other one has: geometric mean over batches, with its interval."""
    found: dict[str, tuple[float, float, float]] = {}
    for name in MEASURED[1:]:
        logs = mean_estimate(log_ratios(spread[name], spread["pathwise"]))
        found[name] = (float(np.exp(logs.value)), float(np.exp(logs.low)), float(np.exp(logs.high)))
    return found


def outcome(ratio: float) -> tuple[str, ...]:
    """Which prediction came true: by how much the score function's variance is above the reparameterised gradient's."""
    names = ((1.0, "lower"), (3.0, "same"), (30.0, "ten"), (1_000.0, "hundred"))
    return (next((name for limit, name in names if ratio < limit), "thousand"),)


def unbiased(found: Mapping[str, Any], tolerance: float = TOLERANCE) -> Verdict:
    """Whether the mean of an estimator's gradients is the exact one, as a whole vector: no part of it may lie beside it.

    It holds if the mean is no further from the exact gradient than its noise usually explains and nearer than the tolerance, so
    that noise cannot hide a bias; it is contradicted if noise does not explain the distance at all.
    """
    excess = found["excess"]
    if excess["ratio"] is None or excess["ratio"] > excess["extreme"]:
        return "holds" if found["distance"] == 0 else "contradicted"
    return "holds" if excess["ratio"] <= excess["usual"] and found["distance"] <= tolerance else "unclear"


def claims(
    bias: Mapping[str, Any],
    ratios: Mapping[str, Mapping[str, tuple[float, float, float]]],
    spread: Mapping[str, Mapping[str, list[float]]],
    curves: Mapping[str, Doubles],
    kl: Mapping[str, Doubles],
) -> tuple[Claim, ...]:
    """What the answer says, judged by intervals."""
    found = bias["estimators"]

    ratio, low, high = ratios["after"]["score"]
    best, batch = ratios["after"]["score-own-mean"][0], ratios["after"]["score-baseline"][0]
    after = spread["after"]
    ends = {name: curve[-1] for name, curve in curves.items()}
    helped = mean_estimate(log_ratios(after["score"], after["score-own-mean"]))
    return (
        Claim(
            "unbiased", together([unbiased(found[name]) for name in ("pathwise", "score")]),
            {"draws": bias["draws"]}
            | {name: 100 * found[name]["distance"] for name in ("pathwise", "score")}
            | {f"{name}_{part}": found[name]["excess"][part] for name in ("pathwise", "score") for part in ("ratio", "usual")},
        ),
        larger(
            "blocked", [(ends["blocked"], ends["pathwise"])],
            pathwise=float(ends["pathwise"].mean()), blocked=float(ends["blocked"].mean()), steps=STEPS, seeds=len(ends["blocked"]),
            kl=round(float(kl["blocked"].mean()), 3), pathwise_kl=float(kl["pathwise"].mean()),
        ),
        Claim(
            "variance", judged(float(np.log(ratio)), float(np.log(low)), float(np.log(high))),
            {"ratio": ratio, "low": low, "high": high, "before": ratios["before"]["score"][0]},
        ),
        Claim(
            "baseline", together([judged(*helped), judged(*(float(np.log(value)) for value in ratios["after"]["score-own-mean"]))]),
            {"score": ratio, "batch": batch, "own": best},
        ),
        larger(
            "training", [(ends["score"], ends["pathwise"])],
            pathwise=float(ends["pathwise"].mean()), score=float(ends["score"].mean()), steps=STEPS, seeds=SEEDS,
        ),
        larger(
            "training-baseline", [(ends["score-baseline"], ends["pathwise"])],
            pathwise=float(ends["pathwise"].mean()), baseline=float(ends["score-baseline"].mean()), steps=STEPS,
        ),
    )  # fmt: skip


def panels(
    bias: Mapping[str, Any],
    ratios: Mapping[str, Mapping[str, tuple[float, float, float]]],
    steps: list[float],
    curves: Mapping[str, Doubles],
) -> tuple[Panel, ...]:
    """The errors of averaged gradients, the variances, the training curves."""

    def say(key: str, **values: Any) -> Phrase:
        return Phrase(f"question.reparameterization.panel.{key}", values)

    found = bias["estimators"]
    averaged = tuple(map(float, bias["averaged"]))
    last = {name: found[name]["error"][-1] for name in ESTIMATORS}
    errors = Lines(
        say("bias.title"), say("bias.averaged"), say("bias.error"),
        tuple(Series(say(f"name.{name}"), tuple(found[name]["error"]), averaged, kind=KINDS.get(name, "")) for name in ESTIMATORS),
        say("bias.summary", pathwise=100 * last["pathwise"], score=100 * last["score"], blocked=100 * last["blocked"],
            averaged=bias["averaged"][-1]),
        log_x=True, log_y=True,
    )  # fmt: skip
    stages = ("before", "after")
    variances = Bars(
        say("variance.title"), say("variance.ratio"), tuple(say(f"variance.{stage}") for stage in stages),
        tuple(
            Series(
                say(f"name.{name}"),
                tuple(ratios[stage][name][0] for stage in stages),
                low=tuple(ratios[stage][name][1] for stage in stages),
                high=tuple(ratios[stage][name][2] for stage in stages),
            )
            for name in MEASURED[1:]
        ),
        say("variance.summary", ratio=ratios["after"]["score"][0], own=ratios["after"]["score-own-mean"][0]),
        log_y=True, lines=((1.0, say("name.pathwise")),),
    )  # fmt: skip
    ends = {name: float(curve[-1].mean()) for name, curve in curves.items()}
    training = Lines(
        say("training.title"), say("training.step"), say("training.nats"),
        tuple(series(say(f"name.{name}"), steps, curves[name], KINDS.get(name, "")) for name in ESTIMATORS),
        say("training.summary", pathwise=ends["pathwise"], score=ends["score"], blocked=ends["blocked"], step=int(steps[-1])),
        log_y=True,
    )  # fmt: skip
    return training, errors, variances
