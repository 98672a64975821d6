"""A VAE trained with one of the gradient estimators: the library's networks, optimiser, batches and noise."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from latentlab.config import Config
from latentlab.data import ImageSet, batch_indices
from latentlab.learners.base import descend
from latentlab.learners.build import build
from latentlab.learners.vae import VAELearner
from latentlab.nets.build import Posterior, to_unit
from latentlab.objectives.divergences import kl_to_standard_normal
from latentlab.objectives.likelihoods import bernoulli_nats
from latentlab.presets import preset
from latentlab.questions.estimators import Estimator, expectation
from latentlab.seeding import torch_generator

HELD_OUT = 500


def train_by_estimator(settings: Mapping[str, Any]) -> dict[str, Any]:
    """{"steps", "negative_elbo_nats", "kl_nats"}: what the VAE reaches on val images as it trains."""
    from latentlab.questions.vae_measures import yardstick

    data, _, _ = yardstick(json.dumps(settings["shared"], sort_keys=True))
    config = preset("mlp-vae", **settings["changes"])
    learner = cast(VAELearner, build(config, data.shape, torch.device("cpu"), bf16=False))
    held_out = torch.from_numpy(data.val.take(np.arange(min(HELD_OUT, len(data.val)))))
    rows: list[dict[str, float]] = []
    for step in range(cast(int, config.train.steps) + 1):
        if step % settings["every"] == 0:
            found = learner.held_out(held_out, config.train.seed, 0)
            rows.append({name: float(found[name].double().mean()) for name in ("loss_nats", "kl_nats")} | {"steps": step})
        if step < cast(int, config.train.steps):
            update(learner, settings["estimator"], batch_of(data.train, config, step), config, step)
    return {
        "steps": [row["steps"] for row in rows],
        "negative_elbo_nats": [row["loss_nats"] for row in rows],
        "kl_nats": [row["kl_nats"] for row in rows],
    }


def batch_of(images: ImageSet, config: Config, step: int) -> Tensor:
    """The batch that the library's training reads at that step: uint8 [N, H, W, C]."""
    size = config.train.batch_size
    return torch.from_numpy(images.take(batch_indices(config.train.seed, step * size, size, len(images))))


def update(learner: VAELearner, estimator: Estimator, images: Tensor, config: Config, step: int) -> None:
    """One step down −(log p(x|z) − KL), with the noise that `VAELearner.update` draws; by "pathwise" it is that update."""
    x = to_unit(images)  # [N, C, H, W]
    q: Posterior = learner.networks["encoder"](x)
    noise = torch_generator("cpu", config.train.seed, "posterior", step)
    epsilon = torch.empty_like(q.mean).normal_(generator=noise)
    log_likelihood = functools.partial(_log_likelihood, learner, x)
    kl = kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()
    loss = -expectation(estimator, q, epsilon, log_likelihood).mean() + kl
    descend(loss, learner.adam, step, "VAE")


def _log_likelihood(learner: VAELearner, x: Tensor, z: Tensor) -> Tensor:
    return -bernoulli_nats(learner.networks["decoder"](z), x)
