"""What one trained VAE or AE of an experiment is measured by: few images, no repeated passes, a second or less.

Axes: N images, H height, W width, C channels, Z latent units.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.base.seeding import numpy_generator
from latentlab.config.presets import preset
from latentlab.data import Data, ImageSet, load_data
from latentlab.measure.extractors import Extractor, Seen, extractors_for
from latentlab.measure.likelihood import marginal, posterior
from latentlab.measure.metrics.classes import active_units, knn_accuracy
from latentlab.measure.metrics.features import frechet_distance, kernel_distance, moments
from latentlab.models.objectives import bernoulli_nats_of_one
from latentlab.models.vae import VAELearner
from latentlab.train import Run

IMAGES = 1_000  # of each split, at most
SAMPLES = 1_000
TRIED = 250  # test images by which it is seen which units are needed
NEEDED = 1.01  # a unit is needed if reconstructions without it err by more than this times as much
NEIGHBOURS = 5

Doubles = NDArray[np.float64]


def measure(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about one run: {"train", "test"} losses, units, codes against the prior, samples, with `nll_samples` the NLL.

    `settings["shared"]` are the fields of the data that every run of the experiment has: their test split and their
    classifier are the yardstick, whatever part of the training images the run itself has seen.
    """
    data, extractor, real = yardstick(json.dumps(settings["shared"], sort_keys=True))
    seen, unseen = first(run.data().train), first(data.test)
    found: dict[str, Any] = {"train": losses(run, seen), "test": losses(run, unseen)}
    mean, deviation = run.encode(seen.images)
    found |= {"needed_units": needed_units(run, unseen.images[:TRIED]), "variance_shares": variance_shares(mean)}
    if seen.labels is not None and unseen.labels is not None:
        codes = run.encode(unseen.images).mean
        found["knn_accuracy"] = knn_accuracy(mean, seen.labels, codes, unseen.labels, NEIGHBOURS).value
    if deviation is not None:
        found["active_units"] = active_units(mean)
        found |= aggregate(mean, deviation, run.config.train.seed)
    if settings.get("nll_samples"):
        found["nll_nats"] = nll(run, unseen, settings["nll_samples"], settings["nll_images"])
    if samples := settings.get("samples", SAMPLES):
        found |= sample_quality(run.sample(samples, seed=run.config.train.seed + 1), extractor, real)
    return found


@functools.lru_cache(maxsize=1)
def yardstick(shared: str) -> tuple[Data, Extractor, Seen]:
    """The experiment's data, its extractor and what that sees of the test images: the same for every run of a worker."""
    fields = {name: value for name, value in json.loads(shared).items() if name.startswith("data.")}
    data = load_data(preset("conv-vae", **fields).data)
    extractor = extractors_for(data)[0]
    return data, extractor, extractor(first(data.test).images)


def first(images: ImageSet) -> ImageSet:
    """The first images of a split, as many as are measured."""
    labels = None if images.labels is None else images.labels[:IMAGES]
    return ImageSet(images.source, images.indices[:IMAGES], labels)


def losses(run: Run, images: ImageSet) -> dict[str, float]:
    """Means over the images of what the learner says of held-out images: an AE's loss and mse, a VAE's −ELBO and its parts."""
    pixels = torch.from_numpy(np.ascontiguousarray(images.images))
    found = run.learner.held_out(pixels, run.config.train.seed, 0)
    return {name: float(values.double().mean()) for name, values in found.items()}


def needed_units(run: Run, images: Images) -> int:
    """How many latent units the decoder needs: with the unit held at its mean, reconstructions err by over 1 % more."""
    codes = run.encode(images).mean  # [N, Z]
    with_all = _error(run, images, codes)
    needed = 0
    for unit in range(codes.shape[1]):
        without = codes.copy()
        without[:, unit] = codes[:, unit].mean()
        needed += _error(run, images, without) > NEEDED * with_all
    return needed


@torch.no_grad()
def _error(run: Run, images: Images, codes: NDArray[np.float32]) -> float:
    decoder = run.networks()["decoder"]
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2) / 255.0  # [N, C, H, W]
    return float((torch.sigmoid(decoder(torch.from_numpy(codes))) - x).square().mean())


def variance_shares(codes: NDArray[np.float32]) -> list[float]:
    """Each principal axis's share of the variance of codes [N, Z], largest first."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(codes.astype(np.float64), rowvar=False)))[::-1]
    return [float(value) for value in np.maximum(values, 0.0) / max(values.sum(), np.finfo(float).tiny)]


def aggregate(mean: NDArray[np.float32], deviation: NDArray[np.float32], seed: int) -> dict[str, float]:
    """How far the aggregate posterior q(z) = 1/N Σ q(z|x_n) is from the prior N(0, I), from means and deviations [N, Z].

    `aggregate_kl_nats`: KL(N(μ, Σ) ‖ N(0, I)) of q(z)'s own mean and covariance; `aggregate_kl_floor`: what N draws of the
    prior itself give, which is not 0. `aggregate_mmd`: the unbiased squared MMD of one draw for each image against as many
    of the prior, kernel (a·b / Z + 1)³ (Gretton et al. 2012); about 0 where both are alike.
    """
    source = numpy_generator(seed, "aggregate")
    drawn = mean + deviation * source.standard_normal(mean.shape)
    prior = source.standard_normal(mean.shape)
    covariance = np.atleast_2d(np.cov(mean.astype(np.float64), rowvar=False, bias=True)) + np.diag(
        (deviation.astype(np.float64) ** 2).mean(0)
    )
    return {
        "aggregate_kl_nats": gaussian_kl_nats(mean.astype(np.float64).mean(0), covariance),
        "aggregate_kl_floor": gaussian_kl_nats(prior.mean(0), np.atleast_2d(np.cov(prior, rowvar=False))),
        "aggregate_mmd": kernel_distance(drawn, prior),
    }


def gaussian_kl_nats(mean: Doubles, covariance: Doubles) -> float:
    """KL(N(mean, covariance) ‖ N(0, I)) = ½ (tr Σ + μᵀμ − Z − log det Σ), in nats; mean [Z], covariance [Z, Z]."""
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(0.5 * (np.trace(covariance) + mean @ mean - len(mean) - log_determinant))


def nll(run: Run, images: ImageSet, samples: int, most: int) -> float:
    """−log p(x) in nats per image by importance sampling (Burda et al. 2016), over the first `most` images; infinity for an AE."""
    learner = cast(VAELearner, run.learner)
    seed, decoder = run.config.train.seed, run.networks()["decoder"]
    batch = torch.from_numpy(images.images[:most].copy())
    x = learner.target(batch, seed, 0)  # [N, C, H, W]

    def log_likelihood(z: torch.Tensor, i: int) -> torch.Tensor:
        return -bernoulli_nats_of_one(decoder(z), x[i])

    return float(marginal(posterior(learner, batch, seed, 0), log_likelihood, samples, seed).nll_nats.mean())


def sample_quality(fakes: Images, extractor: Extractor, real: Seen) -> dict[str, float]:
    """KID and Frechet distance of samples to the test images on one extractor's features."""
    seen = extractor(fakes)
    return {
        "kid": kernel_distance(seen.features, real.features),
        "frechet": frechet_distance(moments(seen.features), moments(real.features)),
    }
