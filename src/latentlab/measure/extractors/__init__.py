"""What looks at images for the measures: fixed functions from images to features, with a name and a fingerprint that go into results.

By default one looks: the data set's classifier where there are labels, else random convolutions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab.base.errors import refusal
from latentlab.base.images import Images
from latentlab.data import Data
from latentlab.measure.metrics.features import root_mean_square

NAMES = ("classifier", "random-convolutions", "inception-v3")
CHUNK = 250  # images at a time: features do not depend on it beyond rounding, memory does


class Seen(NamedTuple):
    """What an extractor makes of N images."""

    features: NDArray[np.float32]  # [N, D]
    labels: NDArray[np.int64] | None  # [N], the classes that it names; None for an extractor without classes


@dataclass(frozen=True)
class Extractor(ABC):
    """A fixed network that looks at images uint8 [N, H, W, C]."""

    network: nn.Module
    sha256: str  # of its weights
    accuracy: float | None = None  # of its classes on the test split

    identity: ClassVar[str]  # its name in scores.json
    dimensions: ClassVar[int]  # D, the number of features
    resize: ClassVar[str] = "none"  # how images reach it
    note: ClassVar[str] = ""
    published: ClassVar[bool] = False  # whether papers give distances of its features

    def unit(self, real: NDArray[np.float32]) -> float:
        """What KID divides features by, so that the constant of its kernel weighs alike for each extractor: the root mean square
        of the real images' features [N, D]. 1 for features with which papers compare: they are taken as they are.
        """
        return 1.0 if self.published else root_mean_square(real)

    def facts(self) -> dict[str, Any]:
        """What a result says of it."""
        known = {"sha256": self.sha256, "accuracy": self.accuracy, "dimensions": self.dimensions, "resize": self.resize}
        return known | ({"note": self.note} if self.note else {})

    @abstractmethod
    def look(self, batch: Tensor) -> tuple[Tensor, Tensor | None]:
        """Bytes uint8 [n, H, W, C] to features [n, D] and, where it has classes, logits [n, K]."""

    @torch.no_grad()
    def __call__(self, images: Images) -> Seen:
        """Images to features [N, D] and, where it has classes, labels [N]."""
        self.network.eval()
        features, labels = [], []
        for start in range(0, len(images), CHUNK):
            seen, logits = self.look(torch.from_numpy(images[start : start + CHUNK].copy()))
            features.append(seen.float().numpy())
            if logits is not None:
                labels.append(logits.argmax(1).numpy())
        return Seen(np.concatenate(features), np.concatenate(labels) if labels else None)


def check_names(names: Sequence[object]) -> None:
    """Raise LabError for a name that no extractor has."""
    for name in names:
        if name not in NAMES:
            raise refusal("extractors", "some of " + ", ".join(NAMES), name)


def extractors_for(
    data: Data,
    names: Sequence[str] | None = None,
    inception_weights: str | Path | None = None,
    inception_sha256: str | None = None,
    training: Callable[[], object] = lambda: None,
) -> list[Extractor]:
    """The extractors of those names, the first of which gives the headline numbers.

    By default the classifier (labelled sets; it is trained now unless the cache has it, and `training` called before) or random
    convolutions; and Inception beside it when its weights are given. Raises LabError for a name or a file that cannot be had.
    """
    from latentlab.measure.extractors.networks import cached_classifier, classifier_for, inception, random_convolutions

    if names is None:
        names = ["classifier" if data.labelled else "random-convolutions"] + (["inception-v3"] if inception_weights else [])
    check_names(names)
    chosen: dict[str, Extractor] = {}
    for name in sorted(names, key=lambda name: name == "classifier"):  # last, because its training takes a while: refusals come first
        match name:
            case "classifier":
                if data.labelled and cached_classifier(data) is None:
                    training()
                chosen[name] = classifier_for(data)
            case "random-convolutions":
                chosen[name] = random_convolutions(data.shape[2])
            case "inception-v3":
                chosen[name] = inception(inception_weights, inception_sha256)
    return [chosen[name] for name in dict.fromkeys(names)]
