"""The measures of a comparison: their order, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

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
