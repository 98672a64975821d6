"""What the arms of VAE → GAN show: curves, paired differences at fixed points, costs, and the verdict that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError
from latentlab.runs.folder import RunFolder

PAIRS = (("warm", "scratch"), ("frozen", "scratch"), ("frozen", "warm"))


def gather(folder: Path, seeds: int) -> dict[str, Any]:
    """experiment.json from the run folders below `folder`; no torch, nothing is measured anew."""
    arms = {arm: read_curves([folder / f"{arm}-seed-{seed}" for seed in range(seeds)]) for arm in ARMS}
    measures = [name for name in arms["scratch"].values if all(name in curves.values for curves in arms.values())]
    first = RunFolder(folder / "scratch-seed-0")
    vae = RunFolder(folder / "vae-seed-0").config().train
    frozen = RunFolder(folder / "frozen-seed-0").config()
    images = first.environment()["images"]
    extractor, samples = extractor_of(first.path)
    points = [point for point in POINTS if point <= arms["scratch"].epochs[-1] + 1e-9] or [float(arms["scratch"].epochs[-1])]
    headline = measures[0]
    differences = {
        f"{arm} - {other}": {m: {f"{p:g}": _difference(arms[arm], arms[other], m, p) for p in points} for m in measures}
        for arm, other in PAIRS
    }
    vae_epochs = float(vae.epochs)
    return {
        "experiment": "vae-to-gan",
        "data": first.config().data.spec,
        "data_fingerprint": first.environment()["data_fingerprint"],
        "images": images,
        "seeds": seeds,
        "epochs": float(arms["scratch"].epochs[-1]),
        "vae_epochs": vae_epochs,
        "frozen_epochs": getattr(frozen.train, "generator_frozen_images", 0) / images["train"],
        "samples": samples,
        "extractor": extractor,
        "measures": measures,
        "headline": headline,
        "points": points,
        "start": {m: _finite(arms["warm"].values[m][:, 0]) for m in measures},
        "curves": {arm: _curve_json(curves) for arm, curves in arms.items()},
        "differences": differences,
        "equal_total": _equal_total(arms, headline, vae_epochs),
        "seconds": {"vae": _vae_seconds(folder, seeds)} | {arm: float(curves.seconds.mean()) for arm, curves in arms.items()},
        "verdict": verdict(differences, headline, points, seeds),
    }


def _difference(arm: Curves, other: Curves, measure: str, point: float) -> dict[str, Any] | None:
    a, b = arm.at(measure, point), other.at(measure, point)
    found = None if a is None or b is None else paired(a, b)
    if a is None or b is None or found is None:
        return None
    return found.to_json() | {"arm": _summary(a), "reference": _summary(b)}


def _summary(values: Doubles) -> dict[str, Any]:
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "values": values.tolist(),
    }


def _equal_total(arms: Mapping[str, Curves], measure: str, vae_epochs: float) -> list[dict[str, Any]]:
    """Warm and frozen after e epochs against scratch after e + the VAE's epochs: the VAE's training is then not for nothing."""
    found = []
    for point in POINTS:
        b = arms["scratch"].at(measure, point)
        for arm in ("warm", "frozen"):
            a = arms[arm].at(measure, point - vae_epochs) if point > vae_epochs else None
            difference = None if a is None or b is None else paired(a, b)
            if difference is not None:
                found.append({"arm": arm, "epochs": point - vae_epochs, "scratch_epochs": point} | difference.to_json())
    return found


def _curve_json(curves: Curves) -> dict[str, Any]:
    held = {name: [_finite(row) for row in values] for name, values in curves.values.items()}
    return {"images_seen": curves.images_seen.tolist(), "epochs": curves.epochs.tolist(), "values": held}


def _finite(values: Doubles) -> list[float | None]:
    """Values as JSON can hold them: what is infinite is null."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _vae_seconds(folder: Path, seeds: int) -> float:
    return float(np.mean([RunFolder(folder / f"vae-seed-{seed}").metrics()[-1]["seconds"] for seed in range(seeds)]))


def verdict(differences: Mapping[str, Any], headline: str, points: list[float], seeds: int) -> dict[str, Any]:
    """For each start from the decoder, what its intervals against scratch say: a key of `experiment.vae-to-gan.verdict.*`.

    lasting: better at the last point; head_start: better at an earlier one only; worse: worse at the last point; early_loss:
    worse earlier only; none: no interval leaves 0 out; unknown: a single seed, or a measure that was infinite.
    """
    found = {}
    for arm in ("warm", "frozen"):
        at = differences[f"{arm} - scratch"][headline]
        found[arm] = "unknown" if seeds < 2 else decide([sign(at[f"{point:g}"], headline) for point in points])
    return found


def decide(signs: list[str]) -> str:
    """The verdict of one arm from its signs at the points, in order: each "better", "worse", "unclear" or "unknown"."""
    if "unknown" in signs:
        return "unknown"
    if signs[-1] == "better":
        return "lasting"
    if signs[-1] == "worse":
        return "worse"
    if "better" in signs:
        return "head_start"
    return "early_loss" if "worse" in signs else "none"


# Curves of an experiment's arms, read from the val rows of their runs. Axes: S seeds, P points of a curve.

Doubles = NDArray[np.float64]
MEASURES = ("frechet", "kid", "class_reverse_kl_nats", "recall")
HIGHER_IS_BETTER = ("recall",)
ARMS = ("scratch", "warm", "frozen")
POINTS = (1.0, 3.0, 10.0)  # epochs at which arms are compared


@dataclass(frozen=True)
class Curves:
    """What the runs of one arm measured: seed by seed at the same points."""

    steps: NDArray[np.int64]  # [P]
    images_seen: NDArray[np.int64]  # [P]
    epochs: Doubles  # [P]
    values: Mapping[str, Doubles]  # measure → [S, P]
    seconds: Doubles  # [S], of training, at the end

    def at(self, measure: str, epoch: float) -> Doubles | None:
        """The values of every seed at the first point that has at least so many epochs, [S]; None when the curve ends before."""
        place = int(np.searchsorted(self.epochs, epoch - 1e-9))
        return self.values[measure][:, place] if place < len(self.epochs) else None


def read_curves(folders: Sequence[Path]) -> Curves:
    """The curves of one arm. Raises LabError when its runs were not measured at the same steps."""
    rows = [[row for row in RunFolder(path).metrics() if row["split"] == "val" and "kid" in row] for path in folders]
    seen = {row["extractor"] for run in rows for row in run}
    if len(seen) > 1:
        raise LabError(f"the runs of an arm must be seen by one extractor, but {' and '.join(sorted(seen))} looked. Give --fresh.")
    steps = [[row["step"] for row in run] for run in rows]
    if not steps[0] or any(other != steps[0] for other in steps):
        raise LabError(f"the runs of an arm must be measured at the same steps. {folders[0]} and its siblings were not. Give --fresh.")
    shared = [m for m in MEASURES if all(m in row for run in rows for row in run)]
    values = {m: np.array([[np.inf if row[m] is None else row[m] for row in run] for run in rows], np.float64) for m in shared}
    first = rows[0]
    return Curves(
        steps=np.array(steps[0], np.int64),
        images_seen=np.array([row["images_seen"] for row in first], np.int64),
        epochs=np.array([row["epoch"] for row in first], np.float64),
        values=values,
        seconds=np.array([run[-1]["seconds"] for run in rows], np.float64),
    )


def extractor_of(folder: Path) -> tuple[str, int]:
    """By which extractor, and from how many samples, a run's rows were measured."""
    row: dict[str, Any] = next(row for row in RunFolder(folder).metrics() if "extractor" in row)
    return str(row["extractor"]), int(row["samples"])


# Paired differences between two arms, and what may be said of them.

Sign = Literal["lower", "higher", "unclear"]


class Paired(NamedTuple):
    """The mean over seeds of arm − reference, with its 95 % confidence interval; without one for a single seed."""

    value: float
    ci95: tuple[float, float] | None
    seeds: int

    @property
    def sign(self) -> Sign:
        """Whether the arm lies lower or higher than the reference: only where the interval leaves 0 out."""
        if self.ci95 is None or self.ci95[0] <= 0 <= self.ci95[1]:
            return "unclear"
        return "lower" if self.value < 0 else "higher"

    def to_json(self) -> dict[str, Any]:
        """As experiment.json holds it."""
        return {"value": self.value, "ci95": None if self.ci95 is None else list(self.ci95), "seeds": self.seeds, "sign": self.sign}


def paired(arm: Doubles, reference: Doubles) -> Paired | None:
    """Values [S] of two arms, seed by seed: mean difference ± t₀.₉₇₅(S − 1) · sd / √S (Student 1908). None if one is infinite."""
    sides = np.asarray(arm, np.float64), np.asarray(reference, np.float64)
    if not all(np.isfinite(side).all() for side in sides):
        return None
    difference = sides[0] - sides[1]
    count, value = len(difference), float(difference.mean())
    if count < 2:
        return Paired(value, None, count)
    from scipy.stats import t

    reach = float(t.ppf(0.975, count - 1) * difference.std(ddof=1) / math.sqrt(count))
    return Paired(value, (value - reach, value + reach), count)


def sign(difference: Mapping[str, Any] | None, measure: str) -> Literal["better", "worse", "unclear", "unknown"]:
    """How a paired difference out of experiment.json reads; unknown without an interval."""
    if difference is None or difference["ci95"] is None:
        return "unknown"
    if difference["sign"] == "unclear":
        return "unclear"
    return "better" if difference["sign"] == ("higher" if measure in HIGHER_IS_BETTER else "lower") else "worse"
