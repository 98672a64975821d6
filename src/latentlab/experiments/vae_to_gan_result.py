"""What the arms of VAE → GAN show: curves, paired differences at fixed points, costs, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.experiments.curves import ARMS, POINTS, Curves, Doubles, extractor_of, read_curves
from latentlab.experiments.paired import paired, sign
from latentlab.runs import RunFolder

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
