"""The marginal likelihood of a VAE by importance sampling. Axes: N images, Z latent, K importance samples of an image.

−log p(x) ≤ −L_k(x) = −E log (1/k) Σ w_i ≤ −ELBO(x), w = p(x|z) p(z) / q(z|x), z ~ q(z|x) (Burda, Grosse & Salakhutdinov
2016, eqs. 8–10). With k in the thousands −L_k is taken for the NLL. Each image is encoded once; its K samples are drawn
from a stream of their own and come by in chunks, so neither K nor the batching of images costs memory or changes a number.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import refusal
from latentlab.machine import threads
from latentlab.nets.build import Posterior
from latentlab.seeding import torch_generator

CHUNK = 500  # importance samples at a time: their logits fit a processor's second cache
BOUNDS = (1, 5, 50, 500)  # the k of the IWAE bounds that are estimated on the way, from groups of the same samples

Doubles = NDArray[np.float64]


class LogLikelihood(Protocol):
    """log p(x_i | z) of z [S, Z], in nats: [S]."""

    def __call__(self, z: Tensor, i: int) -> Tensor: ...


class Marginal(NamedTuple):
    """What importance sampling says of N images."""

    nll_nats: Doubles  # [N]
    effective: Doubles  # [N], the effective sample size (Σ w)² / Σ w² (Kong 1992), between 1 and K
    bounds: dict[int, Doubles]  # k → −L_k, [N] nats

    def monte_carlo_stderr(self, samples: int) -> float:
        """The part of the mean's standard error that more importance samples would take away.

        Var(log mean w) ≈ (K / ESS − 1) / K for each image, by the delta method.
        """
        count = len(self.nll_nats)
        return math.sqrt(float(np.maximum(1.0 / self.effective - 1.0 / samples, 0.0).sum())) / count


def marginal(
    q: Posterior,
    log_likelihood: LogLikelihood,
    samples: int,
    seed: int,
    first: int = 0,
    advance: Callable[[int], None] = lambda images: None,
) -> Marginal:
    """−log p(x) of each of N images from `samples` draws of its posterior q.

    `log_likelihood(z, i=i)` is log p(x_i | z) for z [S, Z], in nats, [S]. The noise of image i is a function of
    (seed, first + i) alone. `advance` is told of every image that is done. Raises LabError when samples < 1.
    """
    if samples < 1:
        raise refusal("--nll-samples", "an integer of at least 1", samples)
    bounds: dict[int, list[float]] = {k: [] for k in BOUNDS if k <= samples}
    nll, effective = [], []

    def one(i: int) -> Tensor:
        with torch.no_grad():  # which holds for one thread
            parts = [
                _log_weights(q.mean[i], q.log_var[i], functools.partial(log_likelihood, i=i), min(CHUNK, samples - at), seed, first + i, at)
                for at in range(0, samples, CHUNK)
            ]
            return torch.cat(parts)  # [K]

    for log_weights in _side_by_side(one, len(q.mean), q.mean.device):
        total = torch.logsumexp(log_weights, 0)
        nll.append(math.log(samples) - float(total))
        effective.append(float((2 * total - torch.logsumexp(2 * log_weights, 0)).exp()))
        for k, found in bounds.items():
            groups = log_weights[: samples // k * k].view(-1, k)  # [G, k]
            found.append(math.log(k) - float(torch.logsumexp(groups, 1).mean()))
        advance(1)
    return Marginal(np.array(nll, np.float64), np.array(effective), {k: np.array(found, np.float64) for k, found in bounds.items()})


def _side_by_side(one: Callable[[int], Tensor], count: int, device: torch.device) -> Iterator[Tensor]:
    """one(0) … one(count − 1) in order; on a CPU as many at once as torch has threads, each in one of them.

    A chunk of one image is too small to be worth sharing: two threads on one product gain a fifth, two images side by side
    nearly all. The numbers do not depend on how many there are.
    """
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    if workers == 1:
        yield from map(one, range(count))
        return
    with threads(1):
        pool = ThreadPoolExecutor(workers)
        try:
            yield from pool.map(one, range(count))
        finally:
            pool.shutdown(cancel_futures=True)


def _log_weights(
    mean: Tensor, log_var: Tensor, log_likelihood: Callable[[Tensor], Tensor], count: int, seed: int, number: int, start: int
) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) of one chunk of samples of one image: float64 [count].

    With z = μ + σ ε the normal densities leave ½ |ε|² − ½ |z|² + Σ log σ.
    """
    source = torch_generator(mean.device, seed, "importance", number, start)
    epsilon = torch.randn(CHUNK, len(mean), generator=source, device=mean.device)[:count]  # [S, Z]
    z = mean + (0.5 * log_var).exp() * epsilon  # [S, Z]
    ratio = 0.5 * (epsilon.square() - z.square()).sum(1).double() + 0.5 * log_var.double().sum()
    return log_likelihood(z).double() + ratio
