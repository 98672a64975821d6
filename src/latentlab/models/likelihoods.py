"""Likelihoods p(x|z) as functions of a decoder's outputs, and what each name of the configuration stands for.

All are −log p(x|z) in nats per image: summed over pixels, never averaged. But for the Bernoulli's they are of an image's
bytes: a density of the dequantised image in [0, 1] is one of its bytes with log 256 for each of them (Theis et al. 2016,
section 3.1), so that nats of any two compare. Axes: N images, S draws of one image, C channels, P outputs, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from latentlab.config import MIXED
from latentlab.models.modules import ContinuousBernoulliMean, LogisticMixtureMean
from latentlab.models.nets import IMAGES, POINTS, Values

Function = Callable[[Tensor], Tensor]
LEVELS = 256  # of a byte
STEEPEST = -7.0  # log of a mixed logistic's smallest scale (Salimans et al. 2017)
FINEST = (1 / LEVELS) ** 2 / 12  # the variance that dequantising alone has


def bernoulli_nats(logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) for p = Bernoulli(sigmoid(logits)): Σ softplus(logits) − x·logits, [N, C, H, W] to [N] nats.

    Exact for any size of logit (Kingma & Welling 2014, appendix C.1, written in logits). For x strictly between 0 and 1
    it is a cross-entropy and not a likelihood: its floor is the entropy of x, not 0.
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def bernoulli_nats_of_one(logits: Tensor, x: Tensor) -> Tensor:
    """`bernoulli_nats` of one image x [C, H, W] under S logits [S, C, H, W], [S] nats: Σ softplus(logits) − logits · x.

    The product with x is one matrix-vector product, which spares importance sampling a pass over S copies of x.
    """
    flat = logits.flatten(1)  # [S, C·H·W]
    return F.softplus(flat).sum(1) - flat @ x.flatten()


def unit_gaussian_nats(logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) for p = N(sigmoid(logits), 1) without its constant: ½ Σ (x − sigmoid(logits))², to [N] nats."""
    return 0.5 * (torch.sigmoid(logits) - x).square().flatten(1).sum(1)


def gaussian_nats(outputs: Tensor, x: Tensor, mean: Function = torch.sigmoid, levels: int = LEVELS) -> Tensor:
    """−log of the bytes' probability for p = N(mean(logits), σ²), outputs [N, 2C, H, W] the logits and log σ: [N] nats.

    With one level it is of a density.
    """
    logits, log_scale = outputs.chunk(2, 1)
    error = (x - mean(logits)) * torch.exp(-log_scale)
    return (0.5 * error.square() + log_scale + 0.5 * math.log(2 * math.pi) + math.log(levels)).flatten(1).sum(1)


def with_optimal_scale(outputs: Tensor, x: Tensor, mean: Function = torch.sigmoid) -> Tensor:
    """Outputs [N, 2C, H, W] with the σ of each channel under which x [N, C, H, W] is most probable: the root of its mean squared error.

    Rybkin et al. 2021, eq. 5. No smaller than what dequantising alone makes of it.
    """
    logits = outputs.chunk(2, 1)[0]
    error = (x - mean(logits)).square().mean((0, 2, 3))  # [C]
    log_scale = 0.5 * error.clamp_min(FINEST).log()
    return torch.cat([logits, log_scale[:, None, None].expand_as(logits)], 1)


def continuous_bernoulli_nats(logits: Tensor, x: Tensor) -> Tensor:
    """−log of the bytes' probability for a density ∝ λ^x (1 − λ)^(1 − x) on [0, 1], λ = sigmoid(logits): [N] nats.

    Written with η = logits it is exp(η x − A(η)) with A(η) = log((e^η − 1) / η) (Loaiza-Ganem & Cunningham 2019, eq. 7).
    """
    size = logits.abs()
    far = size > 0.5
    a = torch.where(far, size, 1.0)
    beyond = 0.5 * (logits + a) + torch.log(-torch.expm1(-a)) - a.log()
    square = torch.where(far, 0.0, logits).square()
    near = 0.5 * logits + square * (1 / 24 - square * (1 / 2880 - square / 181_440))  # where (e^η − 1) / η would lose its digits
    return (torch.where(far, beyond, near) - logits * x + math.log(LEVELS)).flatten(1).sum(1)


def logistic_log_probability(location: Tensor, log_scale: Tensor, x: Tensor) -> Tensor:
    """log P(byte) of a logistic distribution cut into 256 levels, the outer ones with its tails; x in [0, 1], all of one shape.

    Kingma et al. 2016, section 5.1. With b and a the level's ends σ(b) − σ(a) = σ(b) σ(−a) (1 − e^{a − b}), which
    keeps its digits in the tails, where the difference has none left.
    """
    slope, half = torch.exp(-log_scale), 0.5 / (LEVELS - 1)
    above, below = slope * (x + half - location), slope * (x - half - location)
    up = torch.where(x < 1 - half, F.logsigmoid(above), 0.0)  # log P(≤ this level)
    down = torch.where(x > half, F.logsigmoid(-below), 0.0)  # log P(≥ this level)
    inside = torch.log(-torch.expm1(-2 * half * slope))
    return up + down + torch.where((x > half) & (x < 1 - half), inside, 0.0)


def logistic_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log P(bytes) under `logistic_log_probability`, outputs [N, 2C, H, W] logits of the location and log scale: [N] nats."""
    logits, log_scale = outputs.chunk(2, 1)
    return -logistic_log_probability(torch.sigmoid(logits), log_scale, x).flatten(1).sum(1)


def logistic_mixture_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log P(bytes) of K such logistics mixed at each pixel, all channels from one of them: [N, K (1 + 2C), H, W] to [N] nats.

    Salimans et al. 2017, eq. 2, without what one channel tells of the next. The outputs are K logits of the weights, C · K
    logits of the locations, and as many log scales.
    """
    n, channels, height, width = x.shape
    places = (n, MIXED, channels, height, width)
    weights, logits, log_scale = torch.split(outputs, [MIXED, MIXED * channels, MIXED * channels], 1)
    log_scale = log_scale.reshape(places) + math.log(0.1)  # so that outputs of 0 are as wide as other scales start
    each = logistic_log_probability(torch.sigmoid(logits.reshape(places)), log_scale.clamp_min(STEEPEST), x[:, None].expand(places))
    return -torch.logsumexp(F.log_softmax(weights, 1) + each.sum(2), 1).flatten(1).sum(1)


def of_one(nats: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The nats of one target [C, H, W] under outputs [S, P, H, W]: [S]."""
    return lambda outputs, x: nats(outputs, x.expand(len(outputs), *x.shape))


class Likelihood(NamedTuple):
    """p(x|z) as a decoder's outputs [N, P, H, W] give it; what else is known of it is `latentlab.config.PIXELS` under the same name."""

    nats: Callable[[Tensor, Tensor], Tensor]  # −log p(x|z) of outputs [N, P, H, W] and targets [N, C, H, W], to [N]
    nats_of_one: Callable[[Tensor, Tensor], Tensor]  # of one target [C, H, W] under outputs [S, P, H, W]: [S]
    logits: Callable[[Tensor], Tensor] = torch.Tensor.float  # of the mean of x, from outputs: [N, C, H, W]
    settled: Callable[[Tensor, Tensor], Tensor] | None = None  # outputs with what a batch of targets says is best of them
    values: Values = IMAGES  # how x is held, and what its mean is of logits

    @property
    def target(self) -> Function:
        """What a data set holds, [N, H, W, C], to x [N, C, H, W]."""
        return self.values.seen

    def mean(self, outputs: Tensor) -> Tensor:
        """Of x: [N, C, H, W]."""
        return self.values.mean(self.logits(outputs))

    def squared_error(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Of the mean, per number: [N, P, H, W] to [N]."""
        return (self.mean(outputs) - x).square().flatten(1).mean(1)


def located(outputs: Tensor) -> Tensor:
    """The logits of the location, beside which the log scale stands: [N, 2C, H, W] to [N, C, H, W]."""
    return outputs.chunk(2, 1)[0]


BERNOULLI = Likelihood(bernoulli_nats, bernoulli_nats_of_one)
GAUSSIAN = Likelihood(gaussian_nats, of_one(gaussian_nats), located)
LIKELIHOODS: Mapping[str, Likelihood] = {
    "bernoulli": BERNOULLI,
    "bce": BERNOULLI,
    "mse": Likelihood(unit_gaussian_nats, unit_gaussian_nats),
    "continuous-bernoulli": Likelihood(continuous_bernoulli_nats, of_one(continuous_bernoulli_nats), ContinuousBernoulliMean()),
    "gaussian": GAUSSIAN,
    "gaussian-learned": GAUSSIAN,
    "gaussian-optimal": GAUSSIAN._replace(settled=with_optimal_scale),
    "logistic": Likelihood(logistic_nats, of_one(logistic_nats), located),
    "logistic-mixture": Likelihood(logistic_mixture_nats, of_one(logistic_mixture_nats), LogisticMixtureMean()),
}


def point_error_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) of points for p = N(outputs, 1) without its constant: ½ Σ (x − outputs)², [N, 2, 1, 1] to [N] nats."""
    return 0.5 * (outputs - x).square().flatten(1).sum(1)


def point_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) of points for p = N(outputs, σ²), [N, 4, 1, 1] means and log σ: [N] nats of a density."""
    return gaussian_nats(outputs, x, POINTS.mean, levels=1)


OF_A_POINT = Likelihood(point_nats, of_one(point_nats), located, values=POINTS)
OF_POINTS: Mapping[str, Likelihood] = {  # the configuration refuses others
    "mse": Likelihood(point_error_nats, point_error_nats, values=POINTS),
    "gaussian": OF_A_POINT,
    "gaussian-learned": OF_A_POINT,
    "gaussian-optimal": OF_A_POINT._replace(settled=partial(with_optimal_scale, mean=POINTS.mean)),
}


def likelihood_of(name: str, values: Values) -> Likelihood:
    """That of a name of the configuration, for images or for points."""
    return (LIKELIHOODS if values is IMAGES else OF_POINTS)[name]
