"""What a VAE reaches on held-out images, in nats and bits: the sampled negative ELBO, its parts and the importance-sampled NLL."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.base.errors import refusal
from latentlab.base.machine import threads
from latentlab.base.seeding import torch_generator
from latentlab.config import BINARY
from latentlab.data import ImageSet, entropy_floor_nats, is_binary
from latentlab.measure import Watcher
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE, active_units
from latentlab.measure.table import GREY, Scores, finite, mean_score, unit
from latentlab.models.nets import Posterior
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.models.vae import VAELearner

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


CHUNK = 500  # images at a time
NOT_A_LIKELIHOOD = GREY.english

Doubles = NDArray[np.float64]


def vae_scores(run: Trained, images: ImageSet, nll_samples: int, nll_images: int, watch: Watcher) -> Scores:
    """Every likelihood score of a VAE on a split. `nll_samples` 0 leaves out the NLL.

    On grey pixels the Bernoulli term is no likelihood; then it is said, beside the entropy of the data that no model can
    go below.
    """
    learner = cast(VAELearner, run.learner)
    dimensions = int(np.prod(images.shape))
    more: dict[str, Any] = {}
    if run.config.objective in BINARY and not learner.binarized and not is_binary(images):
        more = {"floor": entropy_floor_nats(images), "note": NOT_A_LIKELIHOOD}
    values, unit_kl, active = held_out(run, learner, images, watch)
    scores = mean_score("negative_elbo_nats", values["loss_nats"], **more)
    scores |= mean_score("reconstruction_nats", values["reconstruction_nats"], **more)
    scores |= mean_score("kl_nats", values["kl_nats"])
    for entry in scores.values():
        if entry["value"] is not None:
            entry["bits_per_dim"] = entry["value"] / (dimensions * math.log(2))
    scores["kl_nats"]["per_unit_nats"] = unit_kl.tolist()
    scores["active_units"] = {
        "value": active, "unit": unit("active_units", all=len(unit_kl)), "n": len(images),
        "threshold": f"variance of the posterior mean over images > {ACTIVE_VARIANCE}",
    }  # fmt: skip
    if nll_samples:
        scores |= nll_scores(run, learner, images, nll_samples, nll_images, watch, more)
    return scores


def held_out(run: Trained, learner: VAELearner, images: ImageSet, watch: Watcher) -> tuple[dict[str, Doubles], Doubles, int]:
    """Per-image losses [N] (one sampled z an image, β = 1), KL of each latent unit [Z] in nats, and the active units."""
    advance, seed = watch("negative ELBO", len(images)), run.config.train.seed
    collected: dict[str, list[Doubles]] = {}
    means, kl = [], []
    for start in range(0, len(images), CHUNK):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + CHUNK, len(images)))))
        for name, losses in learner.held_out(batch, seed, start).items():
            collected.setdefault(name, []).append(losses.double().numpy())
        q = posterior(learner, batch, seed, start)
        means.append(q.mean.numpy())
        kl.append(kl_to_standard_normal(q.mean.double(), q.log_var.double()).numpy())
        advance(len(batch))
    values = {name: np.concatenate(parts) for name, parts in collected.items()}
    return values, np.concatenate(kl).mean(0), active_units(np.concatenate(means))


@torch.no_grad()
def posterior(learner: VAELearner, batch: torch.Tensor, seed: int, first: int) -> Posterior:
    """q(z|x) of held-out images as the likelihood sees them (binarised where the model learns from binarised pixels)."""
    q: Posterior = learner.averages["encoder"].sampler()(learner.target(batch, seed, first))
    return q


def nll_scores(
    run: Trained, learner: VAELearner, images: ImageSet, samples: int, most: int, watch: Watcher, more: dict[str, Any]
) -> Scores:
    """nll_nats and bits_per_dim of the first `most` images of the split, with `samples` importance samples each."""
    count, seed, decoder = min(most, len(images)), run.config.train.seed, learner.averages["decoder"].sampler()
    advance = watch(f"NLL, {samples} importance samples", count)
    nll, effective, variances = [], [], 0.0
    bounds: dict[int, list[Doubles]] = {}
    for start in range(0, count, CHUNK):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + CHUNK, count))))
        x = learner.target(batch, seed, start)  # [N, C, H, W]

        def log_likelihood(z: torch.Tensor, i: int, x: torch.Tensor = x) -> torch.Tensor:
            return -learner.likelihood.nats_of_one(decoder(z), x[i])

        chunk = marginal(posterior(learner, batch, seed, start), log_likelihood, samples, seed, start, advance)
        nll.append(chunk.nll_nats)
        effective.append(chunk.effective)
        variances += (chunk.monte_carlo_stderr(samples) * len(batch)) ** 2
        for k, bound in chunk.bounds.items():
            bounds.setdefault(k, []).append(bound)
    sizes = np.concatenate(effective)
    known: dict[str, Any] = {
        "k": samples,
        "effective_samples": {"mean": finite(float(sizes.mean())), "least": finite(float(sizes.min()))},
        "monte_carlo_stderr": finite(math.sqrt(variances) / count),
        "bounds_nats": {str(k): finite(float(np.concatenate(parts).mean())) for k, parts in bounds.items()},
    }
    scale = 1 / (int(np.prod(images.shape)) * math.log(2))
    in_bits = more | {"floor": more["floor"] * scale} if more else {}
    return mean_score("nll_nats", np.concatenate(nll), **known, **more) | mean_score(
        "bits_per_dim", np.concatenate(nll) * scale, k=samples, **in_bits
    )


# The marginal likelihood of a VAE by importance sampling. Axes: N images, Z latent, K importance samples of an image.
#
# −log p(x) ≤ −L_k(x) = −E log (1/k) Σ w_i ≤ −ELBO(x), w = p(x|z) p(z) / q(z|x), z ~ q(z|x) (Burda, Grosse & Salakhutdinov
# 2016, eqs. 8–10). With k in the thousands −L_k is taken for the NLL. Each image is encoded once; its K samples are drawn
# from a stream of their own and come by in chunks, so neither K nor the batching of images costs memory or changes a number.

DRAWN = 500  # importance samples at a time: their logits fit a processor's second cache
BOUNDS = (1, 5, 50, 500)  # the k of the IWAE bounds that are estimated on the way, from groups of the same samples


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
        raise refusal("nll_samples", "an integer of at least 1", samples)
    bounds: dict[int, list[float]] = {k: [] for k in BOUNDS if k <= samples}
    nll, effective = [], []

    def one(i: int) -> Tensor:
        with torch.no_grad():  # which holds for one thread
            parts = [
                _log_weights(q.mean[i], q.log_var[i], functools.partial(log_likelihood, i=i), min(DRAWN, samples - at), seed, first + i, at)
                for at in range(0, samples, DRAWN)
            ]
            return torch.cat(parts)  # [K]

    for log_weights in _side_by_side(one, len(q.mean), q.mean.device):
        total = torch.logsumexp(log_weights, 0)
        nll.append(math.log(samples) - float(total))
        effective.append(float((2 * total - torch.logsumexp(2 * log_weights, 0)).exp()))
        for k, bound in bounds.items():
            groups = log_weights[: samples // k * k].view(-1, k)  # [G, k]
            bound.append(math.log(k) - float(torch.logsumexp(groups, 1).mean()))
        advance(1)
    return Marginal(np.array(nll, np.float64), np.array(effective), {k: np.array(bound, np.float64) for k, bound in bounds.items()})


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
    epsilon = torch.randn(DRAWN, len(mean), generator=source, device=mean.device)[:count]  # [S, Z]
    z = mean + (0.5 * log_var).exp() * epsilon  # [S, Z]
    ratio = 0.5 * (epsilon.square() - z.square()).sum(1).double() + 0.5 * log_var.double().sum()
    return log_likelihood(z).double() + ratio
