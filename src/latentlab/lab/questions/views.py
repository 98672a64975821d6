"""How the questions look at runs: real images that no network has learned from, one extractor for all, and what a VAE or AE is measured by.

Few images, no repeated passes, a second or less. Axes: N images, H height, W width, C channels, Z latent units.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images, as_png, grid, shaded, to_pil
from latentlab.base.seeding import numpy_generator
from latentlab.base.texts import Phrase
from latentlab.config.presets import preset
from latentlab.data import Data, ImageSet, load_data
from latentlab.lab.kit import Doubles
from latentlab.measure.extractors import Extractor, Seen, extractors_for
from latentlab.measure.likelihood import marginal, posterior
from latentlab.measure.metrics.classes import active_units, entropy_nats, knn_accuracy, shares
from latentlab.measure.metrics.features import frechet_distance, kernel_distance, kid, kid_estimate, moments
from latentlab.measure.metrics.manifold import manifold
from latentlab.measure.metrics.pareto import TRUSTED
from latentlab.measure.sources import codes_by_source
from latentlab.measure.table import extractor_words
from latentlab.models.likelihoods import bernoulli_nats_of_one
from latentlab.models.vae import VAELearner
from latentlab.train import Run

REAL = 1_000  # real images, at most; `digits` holds out fewer
FITTED = 2_000  # training images that probes learn from, at most
NEIGHBOURS = 5


@dataclass(frozen=True)
class View:
    """The data of an experiment, its extractor, and what that sees of images that no network has learned from."""

    data: Data
    extractor: Extractor
    held_out: Images  # [N, H, W, C]
    labels: NDArray[np.int64] | None  # [N]
    seen: Seen

    @property
    def classes(self) -> int:
        """How many classes the images have; 0 without labels."""
        return len(self.data.class_names or ())

    def kid(self, fakes: NDArray[np.float32]) -> float:
        """The KID of features [M, D] to those of the held-out images."""
        return kid(fakes, self.seen.features, self.extractor.unit(self.seen.features))

    def quality(self, fakes: Images) -> dict[str, float]:
        """Samples uint8 [M, H, W, C] against the held-out images: kid, precision, recall and, with classes, their entropy."""
        fake = self.extractor(fakes)
        near = manifold(self.seen.features, fake.features, NEIGHBOURS)
        values = {"kid": self.kid(fake.features), "precision": near.precision, "recall": near.recall}
        if fake.labels is not None and self.classes:
            values["class_entropy_nats"] = entropy_nats(shares(fake.labels, self.classes))
        return values

    def kid_told(self) -> Phrase:
        """What a card says beside a KID: who saw it, and what as many real training images reach, with its interval."""
        real = self.extractor(first(self.data.train, len(self.held_out)).images).features
        floor = kid_estimate(real, self.seen.features, self.extractor.unit(self.seen.features))
        seen_by = extractor_words(self.extractor.identity)
        return Phrase("card.kid", {"extractor": seen_by, "count": len(real), "floor": floor.value, "low": floor.low, "high": floor.high})


def view(settings: Mapping[str, Any], splits: Sequence[str] = ("val", "test")) -> View:
    """The view of a task, of as many images of each split: `settings["shared"]` are the fields of every run, the data's among them."""
    return _view(_data_fields(settings), tuple(splits))


def data_of(settings: Mapping[str, Any]) -> Data:
    """The data of a task."""
    return _data(_data_fields(settings))


def _data_fields(settings: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in settings["shared"].items() if k.startswith("data.")}, sort_keys=True)


@functools.lru_cache(maxsize=1)
def _data(fields: str) -> Data:
    return load_data(preset("conv-vae", **json.loads(fields)).data)


@functools.lru_cache(maxsize=1)
def _view(fields: str, splits: tuple[str, ...]) -> View:
    data = _data(fields)
    parts = [first(getattr(data, split), REAL // len(splits)) for split in splits]
    images = np.concatenate([part.images for part in parts])
    labels = None if not data.labelled else np.concatenate([part.labels for part in parts if part.labels is not None])
    extractor = extractors_for(data)[0]
    return View(data, extractor, images, labels, extractor(images))


def first(images: ImageSet, most: int) -> ImageSet:
    """The first images of a split, at most so many."""
    labels = None if images.labels is None else images.labels[:most]
    return ImageSet(images.source, images.indices[:most], labels)


def exceeds(a: NDArray[Any], b: NDArray[Any]) -> float:
    """The share of pairs in which a value of a [N] is above one of b [M], ties counted half: the area under the ROC curve.

    1: a threshold tells them apart without error; ½: it is a guess (Mann & Whitney 1947).
    """
    gaps = a[:, None] - b
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())


SHADES = 16
COLORS = 64


def sheet(images: Images, columns: int, zoom: int = 1, optimize: bool = True) -> bytes:
    """Images uint8 [N, H, W, C] row by row as a small PNG without text, for a panel: 16 shades of grey in 4 bits a pixel, or 64 colours."""
    picture = grid(images, columns).repeat(zoom, 0).repeat(zoom, 1)
    if images.shape[3] == 1:
        return as_png(shaded(picture, SHADES), bits=4, optimize=optimize)
    return as_png(to_pil(picture).quantize(COLORS), optimize=optimize)


strip = functools.partial(sheet, zoom=2, optimize=False)  # the same, of few images


# What one trained VAE or AE is measured by.

SAMPLES = 1_000
TRIED = 250  # test images by which it is seen which units are needed
NEEDED = 1.01  # a unit is needed if reconstructions without it err by more than this times as much


def measure_coder(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about one run: {"train", "test"} losses, units, codes against the prior, samples, with `nll_samples` the NLL.
    With `fitted`, for a VAE, its samples from a Gaussian fitted to its codes, as an AE's are drawn.

    The test split and the classifier of the experiment's data are the yardstick, whatever part of the training images the run
    itself has seen.
    """
    looking = view(settings, ("test",))
    seen, unseen = first(run.data().train, REAL), first(looking.data.test, REAL)
    measured: dict[str, Any] = {"train": losses(run, seen), "test": losses(run, unseen)}
    mean, deviation = run.encode(seen.images)
    measured |= {"needed_units": needed_units(run, unseen.images[:TRIED]), "variance_shares": variance_shares(mean)}
    if seen.labels is not None and unseen.labels is not None:
        codes = run.encode(unseen.images).mean
        measured["knn_accuracy"] = knn_accuracy(mean, seen.labels, codes, unseen.labels, NEIGHBOURS).value
    if deviation is not None:
        measured["active_units"] = active_units(mean)
        measured |= aggregate(mean, deviation, run.config.train.seed)
    if settings.get("nll_samples"):
        measured["nll"] = nll(run, unseen, settings["nll_samples"], settings["nll_images"])
    if samples := settings.get("samples", SAMPLES):
        seed = run.config.train.seed + 1
        fakes = looking.extractor(run.sample(samples, seed=seed)).features
        real = looking.seen.features
        measured |= {"kid": looking.kid(fakes), "frechet": frechet_distance(moments(fakes), moments(real))}
        if settings.get("fitted"):
            fitted = run.decode(codes_by_source(mean, deviation, samples, seed)["fitted"])
            measured["kid_fitted"] = looking.kid(looking.extractor(fitted).features)
    return measured


def losses(run: Run, images: ImageSet) -> dict[str, float]:
    """Means over the images of what the learner says of held-out images: an AE's loss and mse, a VAE's −ELBO and its parts."""
    pixels = torch.from_numpy(np.ascontiguousarray(images.images))
    values = run.learner.held_out(pixels, run.config.train.seed, 0)
    return {name: float(of_images.double().mean()) for name, of_images in values.items()}


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


def nll(run: Run, images: ImageSet, samples: int, most: int) -> dict[str, float]:
    """−log p(x) in "nats" per image by importance sampling (Burda et al. 2016), over the first `most` images.

    With the mean "effective" sample size, and the share of images "above" the Pareto k up to which a mean can be trusted.
    """
    learner = cast(VAELearner, run.learner)
    seed, decoder = run.config.train.seed, run.networks()["decoder"]
    batch = torch.from_numpy(images.images[:most].copy())
    x = learner.target(batch, seed, 0)  # [N, C, H, W]

    def log_likelihood(z: torch.Tensor, i: int) -> torch.Tensor:
        return -bernoulli_nats_of_one(decoder(z), x[i])

    found = marginal(posterior(learner, batch, seed, 0), log_likelihood, samples, seed)
    means = {"nats": found.nll_nats, "effective": found.effective, "above": found.pareto_k > TRUSTED}
    return {name: float(values.mean()) for name, values in means.items()}
