"""Which extractors look at a data set: by default one, its classifier where there are labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from latentlab.base.errors import refusal
from latentlab.data import Data
from latentlab.measure.extractors.base import Extractor
from latentlab.measure.extractors.classifier import cached_classifier, classifier_for
from latentlab.measure.extractors.fixed import random_convolutions

NAMES = ("classifier", "random-convolutions", "inception-v3")


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
    if names is None:
        names = ["classifier" if data.labelled else "random-convolutions"] + (["inception-v3"] if inception_weights else [])
    found: dict[str, Extractor] = {}
    for name in sorted(names, key=lambda name: name == "classifier"):  # last, because its training takes a while: refusals come first
        match name:
            case "classifier":
                if data.labelled and cached_classifier(data) is None:
                    training()
                found[name] = classifier_for(data)
            case "random-convolutions":
                found[name] = random_convolutions(data.shape[2])
            case "inception-v3":
                from latentlab.measure.extractors.fixed import inception

                found[name] = inception(inception_weights, inception_sha256)
            case _:
                raise refusal("--extractors", "some of " + ", ".join(NAMES), name)
    return [found[name] for name in dict.fromkeys(names)]
