"""A small classifier, trained here once for each labelled data set and then read from the cache.

It sees for the measures: its classes count the modes of samples, its 128 features are compared by the Frechet distance.
Training is deterministic (for one machine, torch and number of threads); its accuracy on the test split and the sha256
of its weights go into every result.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from latentlab.base.errors import refusal
from latentlab.base.files import cache_folder, read_json, replace_bytes, replace_json
from latentlab.base.machine import fastest_threads, threads
from latentlab.base.seeding import seed_for
from latentlab.data import Data, ImageSet, batch_indices
from latentlab.measure.extractors import Extractor
from latentlab.models.nets import to_unit

FEATURES = 128
VERSION = 1  # part of the cache's key: raise it when the network or its training changes
BATCH, LEARNING_RATE = 128, 3e-3
LEAST_STEPS, EPOCHS = 600, 4


class Network(nn.Module):
    """3 x 3 convolutions of 32, 64, 64 … channels, each with a 2 x 2 maximum, down to 8 pixels; dense 128; classes."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        (height, width, depth), blocks, wide = shape, list[nn.Module](), 32
        while min(height, width) > 7 and len(blocks) < 15:
            blocks += [nn.Conv2d(depth, wide, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            height, width, depth, wide = height // 2, width // 2, wide, 64
        blocks += [nn.Flatten(), nn.Dropout(0.25), nn.Linear(depth * height * width, FEATURES), nn.ReLU()]
        self.features = nn.Sequential(*blocks)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # [N, C, H, W]
        features = self.features(x)  # [N, 128]
        return features, self.head(features)  # [N, 128], [N, classes]


class Classifier(Extractor):
    """A trained classifier with its provenance."""

    identity = "classifier"
    dimensions = FEATURES

    def look(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = self.network(to_unit(batch))
        return features, logits


def classifier_for(data: Data) -> Classifier:
    """The classifier of a labelled data set: from the cache, else trained now. Raises LabError when there are no labels."""
    if data.train.labels is None or data.test.labels is None or data.class_names is None:
        raise refusal("a set to classify", "labelled (one sub-folder for each class)", data.spec)
    return cached_classifier(data) or _train(_fresh(data), data, _cached_at(data))


def cached_classifier(data: Data) -> Classifier | None:
    """The data set's classifier if the cache has it whole; nothing is trained."""
    if data.train.labels is None or data.class_names is None:
        return None
    network = _fresh(data)
    try:
        content = _cached_at(data).read_bytes()
        facts = read_json(_cached_at(data).with_suffix(".json"))
        sha256 = hashlib.sha256(content).hexdigest()
        if facts["sha256"] != sha256:
            return None
        network.load_state_dict(load(content))
    except (OSError, ValueError, KeyError, RuntimeError):
        return None  # none yet, or damaged
    return Classifier(network, sha256, facts["accuracy"])


def _cached_at(data: Data) -> Path:
    return cache_folder() / "classifiers" / f"{data.fingerprint[:32]}-v{VERSION}.safetensors"


def _fresh(data: Data) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "classifier-weights"))
        return Network(data.shape, len(data.class_names or ()))


def _train(network: Network, data: Data, path: Path) -> Classifier:
    train = data.train
    assert train.labels is not None  # noqa: S101 - checked by classifier_for
    labels = torch.from_numpy(train.labels)
    total = max(LEAST_STEPS, EPOCHS * len(train) // BATCH)
    adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, LEARNING_RATE, total)
    network.train()
    with threads(fastest_threads()), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "classifier-dropout"))
        for step in range(total):
            rows = batch_indices(0, step * BATCH, BATCH, len(train))
            _, logits = network(to_unit(torch.from_numpy(train.take(rows))))
            adam.zero_grad()
            F.cross_entropy(logits, labels[torch.from_numpy(rows)]).backward()  # type: ignore[no-untyped-call]
            adam.step()
            schedule.step()
    content = save(network.state_dict())
    sha256 = hashlib.sha256(content).hexdigest()
    accuracy = measured_accuracy(Classifier(network, sha256), data.test)
    try:
        replace_bytes(path, content)
        facts = {"sha256": sha256, "accuracy": accuracy, "spec": data.spec}
        replace_json(path.with_suffix(".json"), facts)
    except OSError:
        pass  # a cache that cannot be written is trained again
    return Classifier(network, sha256, accuracy)


def measured_accuracy(classifier: Classifier, images: ImageSet) -> float:
    """The share of a labelled split that it names rightly."""
    return float(np.mean(classifier(images.images).labels == images.labels))
