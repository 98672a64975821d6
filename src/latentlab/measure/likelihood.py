"""What a VAE reaches on held-out images, in nats and bits: the sampled negative ELBO, its parts and the importance-sampled NLL."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.base.errors import refusal
from latentlab.base.machine import threads
from latentlab.base.seeding import numpy_generator, torch_generator
from latentlab.config import BINARY
from latentlab.data import ImageSet, entropy_floor_nats, is_binary
from latentlab.measure import Watcher
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE, active_units
from latentlab.measure.metrics.pareto import TRUSTED, fit_tail, log_mean_deviation
from latentlab.measure.table import BYTES, GREY, Scores, finite, mean_score, unit
from latentlab.models.engine import one_hot
from latentlab.models.learner import coded
from latentlab.models.nets import Posterior
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.models.vae import VAELearner

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


CHUNK = 500  # images at a time
NOT_A_LIKELIHOOD = GREY.english

Doubles = NDArray[np.float64]
T = TypeVar("T")


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
    elif run.config.objective not in BINARY:
        more = {"note": BYTES.english}
    values, unit_kl, active = held_out(run, learner, images, watch)
    one_draw = learner.own_loss is None and learner.draws > 1  # else what is minimised is the negative ELBO
    elbo = values["reconstruction_nats"] + values["kl_nats"] if one_draw else values["loss_nats"]
    scores = mean_score("negative_elbo_nats", elbo, **more)
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
        labels = labels_of(learner, images, start, len(batch))
        for name, losses in learner.held_out(batch, seed, start, labels).items():
            collected.setdefault(name, []).append(losses.double().numpy())
        q = posterior(learner, batch, seed, start, labels)
        means.append(q.mean.numpy())
        kl.append(kl_to_standard_normal(q.mean.double(), q.log_var.double()).numpy())
        advance(len(batch))
    values = {name: np.concatenate(parts) for name, parts in collected.items()}
    return values, np.concatenate(kl).mean(0), active_units(np.concatenate(means))


def labels_of(learner: VAELearner, images: ImageSet, start: int, count: int) -> torch.Tensor | None:
    """The classes [count, K] of images from `start` on where the networks are given them."""
    if not learner.classes or images.labels is None:
        return None
    return one_hot(images.labels[start : start + count], learner.classes, torch.device("cpu"))


@torch.no_grad()
def posterior(learner: VAELearner, batch: torch.Tensor, seed: int, first: int, labels: torch.Tensor | None = None) -> Posterior:
    """q(z|x) of held-out images as the likelihood sees them (binarised where the model learns from binarised pixels)."""
    q: Posterior = learner.averages["encoder"].sampler()(learner.target(batch, seed, first), labels)
    return q


def nll_scores(
    run: Trained, learner: VAELearner, images: ImageSet, samples: int, most: int, watch: Watcher, more: dict[str, Any]
) -> Scores:
    """nll_nats and bits_per_dim of the first `most` images of the split, with `samples` importance samples each, or more."""
    count, seed, decoder = min(most, len(images)), run.config.train.seed, learner.averages["decoder"].sampler()
    advance = watch(f"NLL, {samples} importance samples", count)
    found = []
    for start in range(0, count, CHUNK):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + CHUNK, count))))
        x = learner.target(batch, seed, start)  # [N, C, H, W]
        labels = labels_of(learner, images, start, len(batch))

        def log_likelihood(z: torch.Tensor, i: int, x: torch.Tensor = x, labels: torch.Tensor | None = labels) -> torch.Tensor:
            codes = coded(z, None if labels is None else labels[i].expand(len(z), -1))
            return -learner.likelihood.nats_of_one(decoder(codes), x[i])

        found.append(marginal(posterior(learner, batch, seed, start, labels), log_likelihood, samples, seed, start, advance))
    every = Marginal.joined(found)
    known: dict[str, Any] = {
        "k": samples,
        "drawn": {"mean": float(every.drawn.mean()), "most": int(every.drawn.max())},
        "effective_samples": {"mean": finite(float(every.effective.mean())), "least": finite(float(every.effective.min()))},
        "monte_carlo_stderr": finite(every.monte_carlo_stderr),
        "bounds_nats": {str(k): finite(float(bound.mean())) for k, bound in every.bounds.items()},
    }
    if (shapes := every.pareto_k[np.isfinite(every.pareto_k)]).size:
        above = float((shapes > TRUSTED).mean())
        known["pareto_k"] = {"mean": float(shapes.mean()), "most": float(shapes.max()), "threshold": TRUSTED, "above": above}
    scale = 1 / (int(np.prod(images.shape)) * math.log(2))
    in_bits = more | {"floor": more["floor"] * scale} if "floor" in more else more
    return mean_score("nll_nats", every.nll_nats, **known, **more) | mean_score(
        "bits_per_dim", every.nll_nats * scale, k=samples, **in_bits
    )


# The marginal likelihood of a VAE by importance sampling. Axes: N images, Z latent, K importance samples of an image.
#
# −log p(x) ≤ −L_k(x) = −E log (1/k) Σ w_i ≤ −ELBO(x), w = p(x|z) p(z) / q(z|x), z ~ q(z|x) (Burda, Grosse & Salakhutdinov
# 2016, eqs. 8–10). With k in the thousands −L_k is taken for the NLL. Each image is encoded once; its K samples are drawn
# from a stream of their own and come by in chunks, so neither K nor the batching of images costs memory or changes a number.
# An image whose log mean weight is still uncertain gets more of them: its posterior q is too narrow, its weights' tail heavy.

DRAWN = 500  # importance samples at a time: their logits fit a processor's second cache
UNCERTAIN = 0.2  # nats: an image that is known no better gets twice as many samples, up to MORE times as many as asked for
MORE = 4
BOUNDS = (1, 5, 50, 500)  # the k of the IWAE bounds that are estimated on the way, from groups of the same samples


class LogLikelihood(Protocol):
    """log p(x_i | z) of z [S, Z], in nats: [S]."""

    def __call__(self, z: Tensor, i: int) -> Tensor: ...


class Marginal(NamedTuple):
    """What importance sampling says of N images."""

    nll_nats: Doubles  # [N]
    effective: Doubles  # [N], the effective sample size (Σ w)² / Σ w² (Kong 1992), between 1 and K
    pareto_k: Doubles  # [N], the shape of the tail of the weights; NaN where they are too few or all alike
    deviation: Doubles  # [N] nats: how far nll_nats moves with other samples
    drawn: NDArray[np.int64]  # [N], importance samples
    bounds: dict[int, Doubles]  # k → −L_k, [N] nats, from the samples that were asked for

    @property
    def monte_carlo_stderr(self) -> float:
        """The part of the mean's standard error that more importance samples would take away, in nats.

        Not by the delta method, (K / ESS − 1) / K: what the largest weight could have been is in no sample's variance, and
        where q is too narrow that error is two to three times too small.
        """
        return math.sqrt(float(np.square(self.deviation).sum())) / len(self.nll_nats)

    @staticmethod
    def joined(parts: Sequence[Marginal]) -> Marginal:
        """What was found of several batches, as of one."""
        joined: list[Any] = [np.concatenate(field) for field in zip(*(part[:-1] for part in parts), strict=True)]
        return Marginal._make([*joined, {k: np.concatenate([part.bounds[k] for part in parts]) for k in parts[0].bounds}])


def marginal(
    q: Posterior,
    log_likelihood: LogLikelihood,
    samples: int,
    seed: int,
    first: int = 0,
    advance: Callable[[int], None] = lambda images: None,
) -> Marginal:
    """−log p(x) of each of N images from `samples` draws of its posterior q, up to MORE times as many where they do not suffice.

    `log_likelihood(z, i=i)` is log p(x_i | z) for z [S, Z], in nats, [S]. The noise of image i is a function of
    (seed, first + i) alone. `advance` is told of every image that is done. Raises LabError when samples < 1.
    """
    if samples < 1:
        raise refusal("nll_samples", "an integer of at least 1", samples)
    bounds: dict[int, list[float]] = {k: [] for k in BOUNDS if k <= samples}
    nll, effective, shapes, deviations, drawn = [], [], [], [], []

    def one(i: int) -> tuple[Tensor, float, float]:
        """log w [K] of an image, the shape of their tail, and the deviation of their log mean."""
        of_image = functools.partial(log_likelihood, i=i)
        log_weights = torch.empty(0, dtype=torch.float64)
        with torch.no_grad():  # which holds for one thread
            for total in (samples * 2**times for times in range(1 + int(math.log2(MORE)))):
                have = len(log_weights)
                parts = (range(max(at, have), min(at + DRAWN, total)) for at in range(have // DRAWN * DRAWN, total, DRAWN))
                more = [_log_weights(q.mean[i], q.log_var[i], of_image, part, seed, first + i) for part in parts]
                log_weights = torch.cat([log_weights, *(part.cpu() for part in more)])
                weights = (log_weights - log_weights.max()).exp().numpy()
                if not np.isfinite(weights).all():
                    return log_weights, math.nan, math.inf
                tail = fit_tail(weights)
                deviation = log_mean_deviation(weights, tail, numpy_generator(seed, "tail", first + i))
                if not deviation > UNCERTAIN:
                    break
        return log_weights, math.nan if tail is None else tail.shape, deviation

    for log_weights, shape, deviation in _side_by_side(one, len(q.mean), q.mean.device):
        total = torch.logsumexp(log_weights, 0)
        nll.append(math.log(len(log_weights)) - float(total))
        effective.append(float((2 * total - torch.logsumexp(2 * log_weights, 0)).exp()))
        shapes.append(shape)
        deviations.append(deviation)
        drawn.append(len(log_weights))
        for k, bound in bounds.items():
            groups = log_weights[: samples // k * k].view(-1, k)  # [G, k]
            bound.append(math.log(k) - float(torch.logsumexp(groups, 1).mean()))
        advance(1)
    found: list[Any] = [np.array(values) for values in (nll, effective, shapes, deviations, drawn)]
    return Marginal._make([*found, {k: np.array(bound) for k, bound in bounds.items()}])


def _side_by_side(one: Callable[[int], T], count: int, device: torch.device) -> Iterator[T]:
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


def _log_weights(mean: Tensor, log_var: Tensor, log_likelihood: Callable[[Tensor], Tensor], which: range, seed: int, number: int) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) of some samples of one image, within one chunk: float64 [S].

    With z = μ + σ ε the normal densities leave ½ |ε|² − ½ |z|² + Σ log σ.
    """
    start = which.start // DRAWN * DRAWN
    source = torch_generator(mean.device, seed, "importance", number, start)
    epsilon = torch.randn(DRAWN, len(mean), generator=source, device=mean.device)[which.start - start : which.stop - start]  # [S, Z]
    z = mean + (0.5 * log_var).exp() * epsilon  # [S, Z]
    ratio = 0.5 * (epsilon.square() - z.square()).sum(1).double() + 0.5 * log_var.double().sum()
    return log_likelihood(z).double() + ratio
