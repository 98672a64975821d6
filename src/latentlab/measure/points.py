"""Samples in the plane: the modes that they reach, how many lie at one, and whether they fill the shape. No network need look at them.

Points are float32 [N, 1, 1, 2]. Modes and high quality as Srivastava et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN) count them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.config.sources import Mixture
from latentlab.measure.metrics import share_estimate
from latentlab.measure.metrics.classes import entropy_estimate, entropy_nats, reverse_kl_estimate, reverse_kl_nats, shares
from latentlab.measure.metrics.manifold import manifold, manifold_estimate
from latentlab.measure.quality import NEIGHBOURS, Real
from latentlab.measure.table import Scores, estimate_score, unit

PUBLISHED = 2_500  # samples among which modes are counted
NEAR = 3.0  # standard deviations from a mode within which a point is of high quality: 98.9 % of the mode's own are

Labels = NDArray[np.int64]


def at_modes(points: Images, mixture: Mixture) -> tuple[Labels, NDArray[np.bool_]]:
    """The nearest mode of each point, [N], and whether it is of high quality, [N]."""
    gaps = points.reshape(-1, 1, 2).astype(np.float64) - np.array(mixture.centres)  # [N, K, 2]
    distances = np.linalg.norm(gaps, axis=2)
    return distances.argmin(1), distances.min(1) <= NEAR * mixture.deviation


def modes(nearest: Labels, high: NDArray[np.bool_]) -> int:
    """How many modes have a point of high quality, among the first 2,500."""
    return len(np.unique(nearest[:PUBLISHED][high[:PUBLISHED]]))


def pair_distance(points: Images) -> float:
    """The mean distance of pairs of points, each with the one after it."""
    flat = points.reshape(-1, 2)
    return float(np.linalg.norm(flat - np.roll(flat, 1, axis=0), axis=1).mean())


def watched(points: Images, real: Images, mixture: Mixture | None) -> dict[str, Any]:
    """What a line of metrics says of samples, beside real points."""
    values: dict[str, Any] = {"samples": len(points), "pair_distance": pair_distance(points), "real_pair_distance": pair_distance(real)}
    if mixture is None:
        flat, made = (each.reshape(-1, 2)[:PUBLISHED] for each in (real, points))
        return values | {"recall": manifold(flat, made, NEIGHBOURS).recall}
    nearest, high = at_modes(points, mixture)
    drawn, classes = shares(nearest, len(mixture.centres)), len(mixture.centres)
    values |= {"modes": modes(nearest, high), "high_quality_share": float(high.mean()), "class_entropy_nats": entropy_nats(drawn)}
    return values | {"class_reverse_kl_nats": reverse_kl_nats(drawn, np.full(classes, 1 / classes))}


def point_scores(fakes: Images, real: Real, mixture: Mixture | None) -> dict[str, Any]:
    """What scores.json says of samples: "scores", "extractors" (none) and, of a mixture, "class_shares"."""
    f, r, o = (points.reshape(-1, 2).astype(np.float64) for points in (fakes, real.held_out, real.other))
    common: dict[str, Any] = {"real": len(r), "floor_n": len(o)}
    scores: Scores = {}
    floors = manifold(r, o, NEIGHBOURS)
    for name, estimate in manifold_estimate(r, f, NEIGHBOURS).items():
        scores |= estimate_score(name, estimate, len(f), getattr(floors, name), k=NEIGHBOURS, **common)
    result: dict[str, Any] = {"scores": scores, "extractors": {}}
    if mixture is None:
        return result
    classes = len(mixture.centres)
    even = np.full(classes, 1 / classes)
    (nearest, high), (floor_nearest, floor_high) = (at_modes(points, mixture) for points in (fakes, real.other))
    counted = {"unit": unit("modes", all=classes), "n": min(PUBLISHED, len(f))}
    scores["modes"] = {"value": modes(nearest, high), "floor": modes(floor_nearest, floor_high)} | counted | common
    share = share_estimate(int(high.sum()), len(f))
    scores |= estimate_score("high_quality_share", share, len(f), float(floor_high.mean()), deviations=NEAR, **common)
    drawn, floor = (shares(labels, classes) for labels in (nearest, floor_nearest))
    scores |= estimate_score("class_entropy_nats", entropy_estimate(nearest, classes), len(f), entropy_nats(floor), **common)
    scores |= estimate_score("class_reverse_kl_nats", reverse_kl_estimate(nearest, even), len(f), reverse_kl_nats(floor, even), **common)
    result["class_shares"] = {"names": list(map(str, range(classes))), "samples": drawn.tolist(), "real": even.tolist(), "n": len(f)}
    return result
