"""What a VAE reaches on held-out images, in nats and bits: the sampled negative ELBO, its parts and the importance-sampled NLL."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.data import ImageSet, entropy_floor_nats, is_binary
from latentlab.evaluation.entries import Entry, finite, mean_entry
from latentlab.evaluation.likelihood import marginal
from latentlab.evaluation.progress import Watcher
from latentlab.learners.vae import VAELearner
from latentlab.nets.build import Posterior
from latentlab.objectives.divergences import kl_to_standard_normal
from latentlab.objectives.likelihoods import bernoulli_nats_of_one
from latentlab.watching import ACTIVE_VARIANCE, active_units

if TYPE_CHECKING:
    from latentlab.run import Run

CHUNK = 500
NOT_A_LIKELIHOOD = "binary cross-entropy on grey pixels: not a likelihood"

Doubles = NDArray[np.float64]


def vae_scores(run: Run, images: ImageSet, nll_samples: int, nll_images: int, watch: Watcher) -> dict[str, Entry]:
    """Every likelihood score of a VAE on a split. `nll_samples` 0 leaves out the NLL.

    On grey pixels the Bernoulli term is no likelihood; then it is said, beside the entropy of the data that no model can
    go below.
    """
    learner = run.learner
    if not isinstance(learner, VAELearner):
        raise TypeError(type(learner))
    dimensions = int(np.prod(images.shape))
    more: dict[str, Any] = {}
    if not learner.binarized and not is_binary(images):
        more = {"floor": entropy_floor_nats(images), "note": NOT_A_LIKELIHOOD}
    values, unit_kl, active = held_out(run, learner, images, watch)
    scores = {
        "negative_elbo_nats": in_bits(mean_entry(values["loss_nats"], "nats per image", **more), dimensions),
        "reconstruction_nats": in_bits(mean_entry(values["reconstruction_nats"], "nats per image", **more), dimensions),
        "kl_nats": in_bits(mean_entry(values["kl_nats"], "nats per image"), dimensions) | {"per_unit_nats": unit_kl.tolist()},
        "active_units": {
            "value": active, "unit": f"of {len(unit_kl)} latent units", "n": len(images),
            "threshold": f"variance of the posterior mean over images > {ACTIVE_VARIANCE}",
        },
    }  # fmt: skip
    if nll_samples:
        scores |= nll_scores(run, learner, images, nll_samples, nll_images, watch, more)
    return scores


def in_bits(entry: Entry, dimensions: int) -> Entry:
    """The entry with its value in bits per dimension beside the nats: nats / (D log 2), D = H·W·C."""
    return entry if entry["value"] is None else entry | {"bits_per_dim": entry["value"] / (dimensions * math.log(2))}


def held_out(run: Run, learner: VAELearner, images: ImageSet, watch: Watcher) -> tuple[dict[str, Doubles], Doubles, int]:
    """Per-image losses [N] (one sampled z an image, β = 1), KL of each latent unit [Z] in nats, and the active units."""
    advance, seed = watch("negative ELBO", len(images)), run.config.train.seed
    collected: dict[str, list[Doubles]] = {}
    means, kl = [], []
    for start in range(0, len(images), CHUNK):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + CHUNK, len(images)))))
        for name, found in learner.held_out(batch, seed, start).items():
            collected.setdefault(name, []).append(found.double().numpy())
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
    run: Run, learner: VAELearner, images: ImageSet, samples: int, most: int, watch: Watcher, more: dict[str, Any]
) -> dict[str, Entry]:
    """nll_nats and bits_per_dim of the first `most` images of the split, with `samples` importance samples each."""
    count, seed, decoder = min(most, len(images)), run.config.train.seed, learner.averages["decoder"].sampler()
    advance = watch(f"NLL, {samples} importance samples", count)
    nll, effective, variances = [], [], 0.0
    bounds: dict[int, list[Doubles]] = {}
    for start in range(0, count, CHUNK):
        batch = torch.from_numpy(images.take(np.arange(start, min(start + CHUNK, count))))
        x = learner.target(batch, seed, start)  # [N, C, H, W]

        def log_likelihood(z: torch.Tensor, i: int, x: torch.Tensor = x) -> torch.Tensor:
            return -bernoulli_nats_of_one(decoder(z), x[i])

        found = marginal(posterior(learner, batch, seed, start), log_likelihood, samples, seed, start, advance)
        nll.append(found.nll_nats)
        effective.append(found.effective)
        variances += (found.monte_carlo_stderr(samples) * len(batch)) ** 2
        for k, bound in found.bounds.items():
            bounds.setdefault(k, []).append(bound)
    sizes = np.concatenate(effective)
    said: dict[str, Any] = {
        "k": samples,
        "effective_samples": {"mean": finite(float(sizes.mean())), "least": finite(float(sizes.min()))},
        "monte_carlo_stderr": finite(math.sqrt(variances) / count),
        "bounds_nats": {str(k): finite(float(np.concatenate(parts).mean())) for k, parts in bounds.items()},
    }
    entry = mean_entry(np.concatenate(nll), "nats per image", **said, **more)
    scale = 1 / (int(np.prod(images.shape)) * math.log(2))
    bits = mean_entry(np.concatenate(nll) * scale, "bits per dimension", k=samples)
    if more:
        bits |= {"floor": more["floor"] * scale, "note": more["note"]}
    return {"nll_nats": entry, "bits_per_dim": bits}
