"""Estimated gradients against the exact one, on a linear-Gaussian VAE of the data's own images.

Axes: K draws, B images, D pixels, Z latent units, P parameters of the encoder (V, then λ).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from latentlab.base.images import Images
from latentlab.base.seeding import torch_generator
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.data import ImageSet, batch_indices
from latentlab.lab.kit import Doubles
from latentlab.lab.questions.reparameterization.estimators import (
    ESTIMATORS,
    Estimator,
    LinearGaussian,
    LogLikelihood,
    draw,
    expectation,
    flat_gradient,
    posterior_matrix,
    principal,
    score,
    trace_variance,
)
from latentlab.lab.questions.views import data_of
from latentlab.measure.metrics import mean_estimate
from latentlab.models import build
from latentlab.models.learner import moved
from latentlab.models.likelihoods import bernoulli_nats
from latentlab.models.nets import Posterior, to_unit
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.models.shards import backward
from latentlab.models.vae import VAELearner
from latentlab.train import Run

SIDE = 7  # images are shrunk to SIDE x SIDE by means, so that an exact model of them is small
UNITS, BATCH, FITTED = 4, 32, 1_000
DRAWS, CHUNK = 65_536, 4_096
SHORTENED = 0.5  # the encoder's V is this times the exact posterior's: at the optimum there would be no gradient to find
AVERAGED = tuple(4**power for power in range(8))  # how many gradients are averaged: 1 … 16,384


def measure_bias(settings: Mapping[str, Any]) -> dict[str, Any]:
    """For each estimator: the share of the exact gradient that its mean has, with its interval, and its error by draws averaged."""
    data = data_of(settings)
    x, model, matrix, log_var = problem(data.train)
    exact = exact_flat(x, model, matrix, log_var)
    estimators = {name: compared(gradients(name, x, model, matrix, log_var, settings["seed"]), exact) for name in ESTIMATORS}
    return {"averaged": list(AVERAGED), "draws": DRAWS, "parameters": len(exact), "estimators": estimators}


def problem(train: ImageSet) -> tuple[Tensor, LinearGaussian, Tensor, Tensor]:
    """Images [B, D], the decoder fitted to 1,000 of them, and an encoder (V [Z, D], λ [Z]) that is not at its optimum."""
    shrunk = torch.from_numpy(shrink(train.take(np.arange(min(FITTED, len(train))))))
    model = principal(shrunk, UNITS)
    return shrunk[:BATCH], model, SHORTENED * posterior_matrix(model), torch.full((UNITS,), math.log(0.5), dtype=torch.float64)


def shrink(images: Images) -> Doubles:
    """Images uint8 [N, H, W, C] as means over a 7 x 7 grid of grey, pixels in [0, 1]: [N, 49]."""
    grey = images.astype(np.float64).mean(3) / 255.0
    count, height, width = grey.shape
    rows, columns = (np.linspace(0, size, SIDE + 1).round().astype(int)[:-1] for size in (height, width))
    sums = np.add.reduceat(np.add.reduceat(grey, rows, axis=1), columns, axis=2)
    sizes = np.diff([*rows, height])[:, None] * np.diff([*columns, width])[None, :]
    means: Doubles = (sums / sizes).reshape(count, -1)
    return means


def exact_flat(x: Tensor, model: LinearGaussian, matrix: Tensor, log_var: Tensor) -> Tensor:
    """The exact gradient of the batch's mean E_q [log p(x|z)] with respect to V and λ, [P]."""
    centred = x - model.offset
    slope = model.exact_gradient(x, Posterior(centred @ matrix.T, log_var.expand(len(x), -1)))
    return torch.cat([(slope.mean.T @ centred).flatten() / len(x), slope.log_var.mean(0)])


def gradients(name: Estimator, x: Tensor, model: LinearGaussian, matrix: Tensor, log_var: Tensor, seed: int) -> Tensor:
    """DRAWS independent estimates of that gradient, each from one z per image: [K, P]."""
    centred, parts = x - model.offset, []
    for start in range(0, DRAWS, CHUNK):
        shape = (CHUNK, len(x), matrix.shape[0])
        noise = torch.randn(shape, dtype=x.dtype, generator=torch_generator("cpu", seed, "bias", start))
        mean = (centred @ matrix.T).expand(shape).clone().requires_grad_()
        spread = log_var.expand(shape).clone().requires_grad_()
        # The batch is the first axis: a baseline is taken over the images of one draw, not over draws.
        q = Posterior(mean.transpose(0, 1), spread.transpose(0, 1))
        value = expectation(name, q, noise.transpose(0, 1), lambda z: model.log_likelihood(x, z.transpose(0, 1)).T)  # [B, K]
        by_mean, by_spread = _slopes(value, mean, spread)  # [K, B, Z]
        slopes = torch.einsum("kbz,bd->kzd", by_mean, centred).flatten(1) / len(x)
        parts.append(torch.cat([slopes, by_spread.mean(1)], 1))
    return torch.cat(parts)


def _slopes(value: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of each value with respect to its own mean and spread; 0 where it does not depend on them."""
    if not value.requires_grad:
        return torch.zeros_like(mean), torch.zeros_like(spread)
    by_mean, by_spread = torch.autograd.grad(value.sum(), [mean, spread])
    return by_mean, by_spread


def compared(estimates: Tensor, exact: Tensor) -> dict[str, Any]:
    """Estimates [K, P] against the exact gradient [P].

    `share` is the mean of ⟨g, exact⟩ / |exact|², `low` and `high` its 95 % interval. `error` is
    |mean of n estimates − exact| / |exact|, root mean square over disjoint groups of n; `distance` is that of the mean of all K.
    `excess` is what `excess_over_noise` gives.
    """
    size = exact.square().sum()
    along = mean_estimate((estimates @ exact / size).numpy())
    errors = []
    for count in AVERAGED:
        means = estimates[: len(estimates) // count * count].view(-1, count, len(exact)).mean(1)  # [K / n, P]
        errors.append(float(((means - exact).square().sum(1).mean() / size).sqrt()))
    distance = float(((estimates.mean(0) - exact).square().sum() / size).sqrt())
    share = {"share": along.value, "low": along.low, "high": along.high}
    return share | {"error": errors, "distance": distance, "excess": excess_over_noise(estimates, exact)}


def excess_over_noise(estimates: Tensor, exact: Tensor) -> dict[str, float | None]:
    """Whether the mean of K estimates [K, P] is further from the exact gradient [P] than its own noise explains, in any direction.

    `ratio` is |mean − exact|² / (tr C / K), C the estimates' covariance: about 1 without a bias, None without noise. `usual` and
    `extreme` are what it stays below 95 and 99.9 times of 100 without one: the mean is then Gaussian and the ratio a weighted
    sum of χ²₁, nearly χ²_ν / ν with ν = (tr C)² / tr C² (Satterthwaite 1946).
    """
    covariance = torch.cov(estimates.T)
    noise = float(covariance.trace()) / len(estimates)
    if noise == 0:
        return {"ratio": None, "usual": None, "extreme": None}
    from scipy.stats import chi2

    freedom = float(covariance.trace().square() / covariance.square().sum())
    usual, extreme = (float(chi2.ppf(level, freedom)) / freedom for level in (0.95, 0.999))
    return {"ratio": float((estimates.mean(0) - exact).square().sum()) / noise, "usual": usual, "extreme": extreme}


# How noisy each estimator's gradient is on a real VAE: the encoder's gradient from one draw of z per image.
#
# Axes: N images of a batch, R gradients of the same batch, P parameters of the encoder.

BATCHES, REPEATS, IN_BATCH = 8, 12, 64
OWN_DRAWS = 32  # of each image, for the baseline that knows how well the image is reconstructed on average
Measured = Estimator | Literal["score-own-mean"]
MEASURED: tuple[Measured, ...] = ("pathwise", "score-own-mean", "score-baseline", "score")


def measure_variance(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The summed variance of each estimator's gradient by batch, before training and after it."""
    images = run.data().train
    untrained = cast(VAELearner, build(run.config, run.image_shape, torch.device("cpu"), bf16=False))
    measured: dict[str, Any] = {"images_in_batch": IN_BATCH, "gradients_of_a_batch": REPEATS}
    for stage, learner in (("before", untrained), ("after", cast(VAELearner, run.learner))):
        batches = []
        for batch in range(BATCHES):
            rows = batch_indices(run.config.train.seed, batch * IN_BATCH, IN_BATCH, len(images))
            x = to_unit(torch.from_numpy(images.take(rows)))  # [N, C, H, W]
            batches.append({name: variance(learner, x, name, run.config.train.seed, batch) for name in MEASURED})
        measured[stage] = {name: [values[name] for values in batches] for name in MEASURED}
    return measured


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
    draws = [draw(q, torch.randn(q.mean.shape, generator=source)) for _ in range(OWN_DRAWS)]
    return torch.stack([log_likelihood(z) for z in draws]).mean(0)


def log_ratios(of: list[float], to: list[float]) -> Doubles:
    """log (variance of one / variance of the other) of each batch: float64 [batches]."""
    ratios: Doubles = np.log(np.asarray(of, np.float64) / np.asarray(to, np.float64))
    return ratios


# A VAE trained with one of the gradient estimators: the library's networks, optimiser, batches and noise.

HELD_OUT = 500


def train_by_estimator(settings: Mapping[str, Any]) -> dict[str, Any]:
    """{"steps", "negative_elbo_nats", "kl_nats"}: what the VAE reaches on val images as it trains."""
    data = data_of(settings)
    config = preset("mlp-vae", **settings["changes"])
    learner = cast(VAELearner, build(config, data.shape, torch.device("cpu"), bf16=False))
    held_out = torch.from_numpy(data.val.take(np.arange(min(HELD_OUT, len(data.val)))))
    rows: list[dict[str, float]] = []
    for step in range(cast(int, config.train.steps) + 1):
        if step % settings["every"] == 0:
            losses = learner.held_out(held_out, config.train.seed, 0)
            rows.append({name: float(losses[name].double().mean()) for name in ("loss_nats", "kl_nats")} | {"steps": step})
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

    def log_likelihood(z: Tensor) -> Tensor:
        return -bernoulli_nats(learner.networks["decoder"](z), x)

    kl = kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()
    loss = -expectation(estimator, q, epsilon, log_likelihood).mean() + kl
    backward(loss, learner.adams["adam"])
    moved(learner.adams["adam"], step, "VAE", loss.detach())
