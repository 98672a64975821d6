"""What an evaluation sees of samples and codes while a run trains: cheap measures, made of few images, for curves and diagnosis.

The samples are seen by the data set's classifier if the cache has it when the run is created (a training run never waits for
one), else by random convolutions; environment.json pins which, and each line of metrics says it. scores.json, from many more
images, is the place for results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from latentlab.base.images import Images
from latentlab.data import Data
from latentlab.measure.extractors.base import Extractor
from latentlab.measure.extractors.classifier import cached_classifier
from latentlab.measure.extractors.fixed import random_convolutions
from latentlab.measure.metrics.classes import entropy_nats, reverse_kl_nats, shares
from latentlab.measure.metrics.features import frechet_distance, kernel_distance, moments
from latentlab.measure.metrics.images import mean_pair_distance
from latentlab.measure.metrics.manifold import manifold

CODED = 1_000  # val images whose codes are looked at
PAIRED = 256  # images whose pairs are compared pixel by pixel
NEIGHBOURS = 5
LEAST_REAL = 20  # val images without which nothing can be said of samples
LEAST_SHOWN = 64  # fewer samples say nothing of diversity
PER_FEATURE = 10  # images that a Gaussian fitted to D features needs for each of them


def watcher_of(data: Data) -> Extractor:
    """What will look at the samples of a new run: the classifier if the cache has it, else random convolutions."""
    return cached_classifier(data) or random_convolutions(data.shape[2])


def known_watcher(data: Data, facts: Mapping[str, Any] | None) -> Extractor | None:
    """The extractor that a run's environment names; None when it is not to be had any more, so that no curve mixes two."""
    if facts is None:
        return None
    for found in (cached_classifier(data), random_convolutions(data.shape[2])):
        if found is not None and (found.identity, found.sha256) == (facts.get("identity"), facts.get("sha256")):
            return found
    return None


class Watch:
    """Val images as an extractor sees them, to hold samples against."""

    def __init__(self, data: Data, samples: int, extractor: Extractor) -> None:
        self.count = samples
        real = data.val.take(np.arange(min(len(data.val), max(1_000, 2 * samples))))
        self.extractor = extractor
        self.features = self.extractor(real).features
        self.real_pair_distance = mean_pair_distance(real[:PAIRED])
        classes = len(data.class_names) if data.class_names else 0
        self.shares = shares(data.val.labels, classes) if classes and data.val.labels is not None else None

    def samples(self, images: Images) -> dict[str, Any]:
        """Measures of samples uint8 [N, H, W, C] against the val images."""
        seen = self.extractor(images)
        values: dict[str, Any] = {
            "extractor": self.extractor.identity,
            "samples": len(images),
            "pair_distance": mean_pair_distance(images[:PAIRED]),
            "real_pair_distance": self.real_pair_distance,
        }
        if not np.isfinite(seen.features).all():
            return values
        values["kid"] = kernel_distance(seen.features, self.features)
        if min(len(images), len(self.features)) > NEIGHBOURS:
            values["recall"] = manifold(self.features, seen.features, NEIGHBOURS).recall
        if min(len(images), len(self.features)) >= PER_FEATURE * self.extractor.dimensions:
            values["frechet"] = frechet_distance(moments(seen.features), moments(self.features))
        if seen.labels is not None and self.shares is not None:
            drawn = shares(seen.labels, len(self.shares))
            values["class_entropy_nats"] = entropy_nats(drawn)
            values["class_reverse_kl_nats"] = reverse_kl_nats(drawn, self.shares)
        return values
