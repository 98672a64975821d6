"""scores.json: what a run reaches on held-out images, each number with its standard error, unit and count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.data import Data, entropy_floor_nats, is_binary
from latentlab.evaluation.classifier import classifier_for
from latentlab.files import replace_json
from latentlab.metrics.balance import entropy_nats, reverse_kl_nats, shares
from latentlab.metrics.reconstruction import mean_squared_error, psnr

if TYPE_CHECKING:
    from latentlab.run import Run

BALANCE_SAMPLES = 2_000
HELD_OUT_BATCH = 500

Doubles = NDArray[np.float64]


def mean_score(values: Doubles, unit: str, **more: Any) -> dict[str, Any]:
    """The mean of per-image values [N] with its standard error."""
    stderr = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return {"value": float(values.mean()), "stderr": stderr, "unit": unit, "n": len(values), **more}


def held_out_values(run: Run, data: Data, split: Literal["train", "val", "test"]) -> dict[str, Doubles]:
    """Per-image values [N] of the run's own losses on a split."""
    images = getattr(data, split)
    collected: dict[str, list[Doubles]] = {}
    for start in range(0, len(images), HELD_OUT_BATCH):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + HELD_OUT_BATCH, len(images)))))
        for name, values in run.learner.held_out(batch, run.config.train.seed, start).items():
            collected.setdefault(name, []).append(values.double().numpy())
    return {name: np.concatenate(parts) for name, parts in collected.items()}


def evaluate_run(run: Run, split: Literal["train", "val", "test"] = "test", data: Data | None = None) -> dict[str, Any]:
    """Measure a run on a split, write its scores.json and return its content."""
    data = run.data() if data is None else data
    images = getattr(data, split)
    scores: dict[str, dict[str, Any]] = {}
    extractors: dict[str, dict[str, Any]] = {}
    if run.config.family != "gan":
        mse = np.concatenate([mean_squared_error(chunk, run.reconstruct(chunk)) for chunk in images.chunks(HELD_OUT_BATCH)])
        scores["reconstruction_mse"] = mean_score(mse, "squared error per pixel, pixels in [0, 1]")
        scores["psnr"] = mean_score(psnr(mse), "dB")
    if run.config.family == "vae":
        scores |= elbo_scores(run, data, split)
    result: dict[str, Any] = {"step": run.step, "split": split, "n": len(images), "extractors": extractors, "scores": scores}
    if images.labels is not None and data.class_names is not None:
        classifier = classifier_for(data)
        seen = shares(classifier(run.sample(BALANCE_SAMPLES, seed=run.config.train.seed + 1)).labels, len(data.class_names))
        real = shares(classifier(images.images).labels, len(data.class_names))
        extractors[classifier.identity] = {"sha256": classifier.sha256, "accuracy": classifier.accuracy}
        common = {"unit": "nats", "extractor": classifier.identity, "n": BALANCE_SAMPLES}
        scores["class_entropy_nats"] = {"value": entropy_nats(seen), "floor": entropy_nats(real), **common}
        # n samples of the true shares still give (classes − 1) / 2n on average: the floor of a finite sample.
        floor = (len(data.class_names) - 1) / (2 * BALANCE_SAMPLES)
        reverse = reverse_kl_nats(seen, real)
        scores["class_reverse_kl_nats"] = {"value": reverse if math.isfinite(reverse) else None, "floor": floor, **common}
        result["class_shares"] = {"names": list(data.class_names), "samples": seen.tolist(), "real": real.tolist(), "n": BALANCE_SAMPLES}
    replace_json(run.path / "scores.json", result)
    return result


def elbo_scores(run: Run, data: Data, split: Literal["train", "val", "test"]) -> dict[str, dict[str, Any]]:
    """The negative ELBO (one sampled z per image, β = 1) and its two parts in nats.

    On grey pixels the Bernoulli term is no likelihood; then it is said, beside the entropy of the data that no model can
    go below.
    """
    values = held_out_values(run, data, split)
    images = getattr(data, split)
    more: dict[str, Any] = {}
    if getattr(run.config.model, "binarization", "none") == "none" and not is_binary(images):
        more = {"floor": entropy_floor_nats(images), "note": "binary cross-entropy on grey pixels: not a likelihood"}
    return {
        "negative_elbo_nats": mean_score(values["loss_nats"], "nats per image", **more),
        "reconstruction_nats": mean_score(values["reconstruction_nats"], "nats per image", **more),
        "kl_nats": mean_score(values["kl_nats"], "nats per image"),
    }
