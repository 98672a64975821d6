"""How a GAN's training went: who was winning, how large the generator's gradient was, how many modes are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.lab.questions.views import exceeds, view
from latentlab.models.nets import to_unit
from latentlab.train import Run

SAMPLES = 500


def measure_stability(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Samples against held-out images, "dominance", "certainty", and what `course` says.

    dominance: how often a real held-out image gets a higher logit than a sample does, ½ to 1. certainty: the probability of
    being real that the discriminator gives to real images less that which it gives to samples, at most 1.
    """
    looking = view(settings)
    samples = run.sample(SAMPLES, seed=run.config.train.seed + 1)
    discriminator = run.networks()["discriminator"]
    with torch.no_grad():
        real, fake = (discriminator(to_unit(torch.from_numpy(images))).numpy() for images in (looking.held_out, samples))
    found: dict[str, Any] = {**looking.quality(samples), "dominance": exceeds(real, fake), "certainty": certainty(real, fake)}
    return found | course(run.metrics())


def certainty(real: NDArray[Any], fake: NDArray[Any]) -> float:
    """Mean σ(logit) of real images less that of samples: 0 where it cannot tell them apart, 1 where it has no doubt."""
    on_real, on_fake = (np.mean(0.5 + 0.5 * np.tanh(logits.astype(np.float64) / 2)) for logits in (real, fake))
    return float(on_real - on_fake)


def course(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the lines of metrics say of a training.

    "steps", "gaps" (mean real less mean fake logit), "gradient_norms"; over its second half "logit_gap", "gradient_norm" and
    "gradient_spread", the largest over the smallest of its lines.
    """
    rows = [row for row in rows if row["split"] == "train" and row.get("gradient_norm") is not None]
    gap = np.array([row["real_logit"] - row["fake_logit"] for row in rows])
    norm = np.array([row["gradient_norm"] for row in rows])
    late = slice(len(rows) // 2, None)
    return {
        "steps": [row["step"] for row in rows],
        "gaps": gap.tolist(),
        "gradient_norms": norm.tolist(),
        "logit_gap": float(gap[late].mean()),
        "gradient_norm": float(norm[late].mean()),
        "gradient_spread": float(norm[late].max() / norm[late].min()),
    }
