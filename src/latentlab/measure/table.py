"""The measures of a comparison: their order, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import catalogue, text
from latentlab.measure.metrics import Estimate

Better = Literal["lower", "higher"]

# Those not named here come last, under their own names. Titles are the texts compare.measure.NAME.
ORDER = (
    "frechet", "kid", "precision", "recall", "density", "coverage", "class_entropy_nats", "class_reverse_kl_nats", "ms_ssim",
    "nearest_train_distance", "modes", "high_quality_share",
    "reconstruction_mse", "psnr", "ssim",
    "negative_elbo_nats", "reconstruction_nats", "kl_nats", "nll_nats", "bits_per_dim", "active_units",
    "knn_accuracy", "probe_accuracy",
)  # fmt: skip
COSTS = ("latent_dim", "parameters", "steps", "epochs", "images_seen", "seconds", "samples_per_second")
LOWER = {"frechet", "kid", "reconstruction_mse", "negative_elbo_nats", "nll_nats", "bits_per_dim", "class_reverse_kl_nats"}
HIGHER = {"psnr", "ssim", "precision", "recall", "density", "coverage", "knn_accuracy", "probe_accuracy"}


def base(measure: str) -> tuple[str, str]:
    """The measure and the second extractor that saw it, "" for the first: "frechet@inception-v3" is ("frechet", "inception-v3")."""
    name, _, extractor = measure.partition("@")
    return name, extractor


def better(measure: str) -> Better | None:
    """Which way is better; None where no order is meant."""
    name, _ = base(measure)
    return "lower" if name in LOWER else "higher" if name in HIGHER else None


def ordered(measures: Iterable[str]) -> list[str]:
    """Measures in the table's order; of one measure the first extractor's before the others'."""
    rank = {name: place for place, name in enumerate(ORDER)}
    return sorted(set(measures), key=lambda measure: (rank.get(base(measure)[0], len(ORDER)), base(measure)))


def present(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The measures that some run or group has, in order."""
    return ordered(name for part in parts for name in part["scores"])


# What every surface says of a measure: its title, which get a panel, how far its error reaches.

MAIN = (
    "frechet", "kid", "recall", "coverage", "class_reverse_kl_nats", "reconstruction_mse", "negative_elbo_nats", "nll_nats",
    "seconds",
)  # fmt: skip


def title(measure: str, lang: str) -> str:
    """A measure's title with its unit; a second extractor's name in brackets; a measure without a text by its own name."""
    name, _, extractor = measure.partition("@")
    key = f"compare.measure.{name}"
    words = text(key, lang) if key in catalogue(lang) else name
    return f"{words} ({extractor})" if extractor else words


def panels(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """The main measures that some group has, each with its other extractors after it; training seconds come last."""
    found = {name for group in groups for name in (*group["scores"], *group["costs"])}
    return [name for main in MAIN for name in sorted(found) if name.partition("@")[0] == main]


def score_of(group: Mapping[str, Any], measure: str) -> Mapping[str, Any] | None:
    """A group's score or cost by name; None where it is not defined."""
    found: Mapping[str, Any] | None = group["scores"].get(measure) or group["costs"].get(measure)
    return found


def reach(score: Mapping[str, Any]) -> tuple[float, float]:
    """How far the error bar goes below and above the value: one standard deviation over seeds, else the 95 % interval."""
    value = score["value"]
    if "sd" in score:
        return score["sd"], score["sd"]
    low, high = score.get("ci95", (value, value))
    return max(0.0, value - low), max(0.0, high - value)


# The one form of a number in scores.json: value, its error, its floor, its unit and how many images it is made of.

Entry = dict[str, Any]
Doubles = NDArray[np.float64]


def mean_entry(values: Doubles, unit: str, **more: Any) -> Entry:
    """The mean of per-image values [N] with its standard error over the images."""
    if not np.isfinite(values).all():
        return {"value": None, "ci95": [None, None], "unit": unit, "n": len(values), **more}
    stderr = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return {"value": float(values.mean()), "stderr": stderr, "unit": unit, "n": len(values), **more}


def estimate_entry(estimate: Estimate, unit: str, n: int, floor: float | None = None, **more: Any) -> Entry:
    """An estimate with its 95 % interval; `floor` is what real images reach. What is infinite is null."""
    entry: Entry = {"value": finite(estimate.value), "ci95": [finite(estimate.low), finite(estimate.high)], "unit": unit, "n": n}
    if floor is not None:
        entry["floor"] = finite(floor)
    return entry | {name: value for name, value in more.items() if value is not None}


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None


# How an evaluation tells how far it is: the caller gives a watcher, which a terminal turns into progress bars.

Advance = Callable[[int], None]
Watcher = Callable[[str, int], Advance]  # what is done, of how many units; returns what is told of every unit that is done


def unwatched(what: str, total: int) -> Advance:
    """Tells nobody."""
    return lambda units: None
