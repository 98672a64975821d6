"""How noisy each estimator's gradient is on a real VAE: the encoder's gradient from one draw of z per image.

Axes: N images of a batch, R gradients of the same batch, P parameters of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.data import batch_indices
from latentlab.learners.build import build
from latentlab.learners.vae import VAELearner
from latentlab.nets.build import Posterior, to_unit
from latentlab.objectives.likelihoods import bernoulli_nats
from latentlab.questions.estimators import Estimator, LogLikelihood, draw, expectation, flat_gradient, score, trace_variance
from latentlab.run import Run
from latentlab.seeding import torch_generator

Doubles = NDArray[np.float64]

BATCHES, REPEATS, BATCH = 8, 12, 64
OWN_DRAWS = 32  # of each image, for the baseline that knows how well the image is reconstructed on average
Measured = Estimator | Literal["score-own-mean"]
MEASURED: tuple[Measured, ...] = ("pathwise", "score-own-mean", "score-baseline", "score")


def measure_variance(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The summed variance of each estimator's gradient by batch, before training and after it."""
    images = run.data().train
    untrained = cast(VAELearner, build(run.config, run.image_shape, torch.device("cpu"), bf16=False))
    found: dict[str, Any] = {"images_in_batch": BATCH, "gradients_of_a_batch": REPEATS}
    for stage, learner in (("before", untrained), ("after", cast(VAELearner, run.learner))):
        batches = []
        for batch in range(BATCHES):
            rows = batch_indices(run.config.train.seed, batch * BATCH, BATCH, len(images))
            x = to_unit(torch.from_numpy(images.take(rows)))  # [N, C, H, W]
            batches.append({name: variance(learner, x, name, run.config.train.seed, batch) for name in MEASURED})
        found[stage] = {name: [values[name] for values in batches] for name in MEASURED}
    return found


def variance(learner: VAELearner, x: Tensor, name: Measured, seed: int, batch: int) -> float:
    """Summed variance over R gradients of the batch's mean log-likelihood, all with the same weights and images."""
    encoder, decoder = learner.networks["encoder"], learner.networks["decoder"]
    parameters: list[Tensor] = list(encoder.parameters())

    def log_likelihood(z: Tensor) -> Tensor:
        return -bernoulli_nats(decoder(z), x)

    with torch.no_grad():
        own = own_mean(encoder(x), log_likelihood, seed, batch)
    gradients = []
    for repeat in range(REPEATS):
        q: Posterior = encoder(x)
        noise = torch.randn(q.mean.shape, generator=torch_generator("cpu", seed, "variance", batch, repeat))
        if name == "score-own-mean":
            value = score(q, noise, log_likelihood, lambda reward: own)
        else:
            value = expectation(name, q, noise, log_likelihood)
        gradients.append(flat_gradient(value.mean(), parameters))
    return trace_variance(torch.stack(gradients))


def own_mean(q: Posterior, log_likelihood: LogLikelihood, seed: int, batch: int) -> Tensor:
    """Each image's mean log-likelihood over draws of its own that are used for nothing else, [N]: a baseline that costs 32 draws."""
    source = torch_generator("cpu", seed, "own-mean", batch)
    found: Tensor = torch.stack([log_likelihood(draw(q, torch.randn(q.mean.shape, generator=source))) for _ in range(OWN_DRAWS)]).mean(0)
    return found


def log_ratios(of: list[float], to: list[float]) -> Doubles:
    """log (variance of one / variance of the other) of each batch: float64 [batches]."""
    ratios: Doubles = np.log(np.asarray(of, np.float64) / np.asarray(to, np.float64))
    return ratios
