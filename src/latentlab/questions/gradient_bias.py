"""Estimated gradients against the exact one, on a linear-Gaussian VAE of the data's own images.

Axes: K draws, B images, D pixels, Z latent units, P parameters of the encoder (V, then λ).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.data import ImageSet
from latentlab.images import Images
from latentlab.metrics.intervals import mean_estimate
from latentlab.nets.build import Posterior
from latentlab.questions.estimators import ESTIMATORS, Estimator, expectation
from latentlab.questions.linear_gaussian import LinearGaussian, posterior_matrix, principal
from latentlab.seeding import torch_generator

SIDE = 7  # images are shrunk to SIDE x SIDE by means, so that an exact model of them is small
UNITS, BATCH, FITTED = 4, 32, 1_000
DRAWS, CHUNK = 65_536, 4_096
SHORTENED = 0.5  # the encoder's V is this times the exact posterior's: at the optimum there would be no gradient to find
AVERAGED = tuple(4**power for power in range(8))  # how many gradients are averaged: 1 … 16,384

Doubles = NDArray[np.float64]


def measure_bias(settings: Mapping[str, Any]) -> dict[str, Any]:
    """For each estimator: the share of the exact gradient that its mean has, with its interval, and its error by draws averaged."""
    from latentlab.questions.vae_measures import yardstick

    data, _, _ = yardstick(json.dumps(settings["shared"], sort_keys=True))
    x, model, matrix, log_var = problem(data.train)
    exact = exact_flat(x, model, matrix, log_var)
    found: dict[str, Any] = {"averaged": list(AVERAGED), "draws": DRAWS, "parameters": len(exact), "estimators": {}}
    for name in ESTIMATORS:
        found["estimators"][name] = compared(gradients(name, x, model, matrix, log_var, settings["seed"]), exact)
    return found


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
    found = {"share": along.value, "low": along.low, "high": along.high, "error": errors, "distance": distance}
    return found | {"excess": excess_over_noise(estimates, exact)}


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
