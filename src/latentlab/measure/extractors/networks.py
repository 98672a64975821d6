"""The networks that see for the measures: a classifier, random convolutions, Inception.

The classifier is small, trained here once for each labelled data set and then read from the cache. Its classes count
the modes of samples, its 128 features are compared by the Frechet distance. Training is deterministic (for one
machine, torch and number of threads); its accuracy on the test split and the sha256 of its weights go into every
result.
"""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import cache_folder, read_json, replace_bytes, replace_json
from latentlab.base.machine import fastest_threads, threads
from latentlab.base.seeding import seed_for
from latentlab.base.shapes import is_amount
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


class StackedClassifier(Classifier):
    """The classifier of the grey set that a stacked one is made of, on each channel: features side by side, logits added up."""

    dimensions = 3 * FEATURES
    note = "the classifier of one channel's images, on each of the three"

    def look(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        planes = to_unit(batch)  # [n, C, H, W]
        features, logits = self.network(planes.flatten(0, 1)[:, None])  # [n C, 128], [n C, classes]
        first, *others = logits.unflatten(0, planes.shape[:2]).unbind(1)  # [n, classes] each
        for other in others:
            first = (first[:, :, None] + other[:, None]).flatten(1)
        return features.reshape(len(batch), -1), first  # [n, 128 C], [n, classes ** C]


def _on_channels(grey: Classifier, channels: int) -> StackedClassifier:
    """Its accuracy is that of channels which are drawn each for itself: all of them must be right."""
    return StackedClassifier(grey.network, grey.sha256, None if grey.accuracy is None else grey.accuracy**channels)


def classifier_for(data: Data) -> Classifier:
    """The classifier of a labelled data set: from the cache, else trained now. Raises LabError when there are no labels."""
    if data.train.labels is None or data.test.labels is None or data.class_names is None:
        raise refusal("a set to classify", "labelled (one sub-folder for each class)", data.spec)
    if data.stacked is not None:
        return _on_channels(classifier_for(data.stacked), data.shape[2])
    return cached_classifier(data) or _train(_fresh(data), data, _cached_at(data))


def cached_classifier(data: Data) -> Classifier | None:
    """The data set's classifier if the cache has it whole; nothing is trained."""
    if data.train.labels is None or data.class_names is None:
        return None
    if data.stacked is not None:
        grey = cached_classifier(data.stacked)
        return None if grey is None else _on_channels(grey, data.shape[2])
    network = _fresh(data)
    try:
        content = _cached_at(data).read_bytes()
        facts = read_json(_cached_at(data).with_suffix(".json"), {"sha256": str, "accuracy": is_amount})
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


# A fixed random convolutional network, for images without labels.
#
# Random convolutions tell textures, edges and coarse layout apart, though they know no object: distances on their features
# compare low-level statistics, and are labelled so. Their ranking of generative models is known to be of use where no
# trained network fits (Naeem et al. 2020, section 4, randomly initialised VGG16).

WIDTHS = (32, 64, 64)


class RandomConvolutions(Extractor):
    """3 x 3 convolutions of 32, 64 and 64 channels with leaky ReLU and 2 x 2 means; then mean and deviation of each channel."""

    identity = "random-convolutions"
    dimensions = 128
    note = "random convolutions, never trained: low-level statistics only"

    def look(self, batch: Tensor) -> tuple[Tensor, None]:
        maps = self.network(2 * to_unit(batch) - 1)  # [n, 64, h, w]
        return torch.cat([maps.mean((2, 3)), maps.std((2, 3), correction=0)], 1), None  # [n, 128]


@lru_cache(maxsize=2)
def random_convolutions(channels: int) -> RandomConvolutions:
    """The network for grey (1) or RGB (3) images: the same weights on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "random-convolutions", channels))
        layers, deep = list[nn.Module](), channels
        for wide in WIDTHS:
            layer = nn.Conv2d(deep, wide, 3, padding=1)
            nn.init.kaiming_normal_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            layers += [layer, nn.LeakyReLU(0.2), nn.AvgPool2d(2)]
            deep = wide
    network = nn.Sequential(*layers[:-1]).eval().requires_grad_(False)  # the last map keeps its size: its deviation is a feature
    return RandomConvolutions(network, hashlib.sha256(save(network.state_dict())).hexdigest())


# Inception-v3 (2015-12-05) through torch-fidelity, from a weights file that the user gives: latentlab bundles and downloads none.


class Inception(Extractor):
    """The 2,048 features before the last layer. Grey images are tiled to three channels."""

    identity = "inception-v3"
    published = True
    dimensions = 2048
    resize = "299 x 299, bilinear as in TensorFlow 1, inside the network"

    def look(self, batch: Tensor) -> tuple[Tensor, None]:
        planes = batch.permute(0, 3, 1, 2)  # uint8 [n, C, H, W]
        return self.network(planes.expand(-1, 3, -1, -1) if planes.shape[1] == 1 else planes)[0], None


def inception(weights: str | Path | None, sha256: str | None) -> Inception:
    """The network from a weights file of torch-fidelity's form, whose sha256 must be the one given.

    Raises LabError without a file or a checksum, for another content, and when torch-fidelity is not installed.
    """
    if weights is None or sha256 is None:
        raise LabError(
            "inception-v3 needs --inception-weights FILE and --inception-sha256 HEX (latentlab downloads no weights). Give both."
        )
    path = Path(weights)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal("--inception-weights", "a file that can be read", str(weights), f"({error.strerror})") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256.lower():
        raise refusal("--inception-sha256", f"the sha256 of {path}, {digest}", sha256, "Use the file that the checksum belongs to.")
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit this torch
        raise LabError(f"inception-v3 needs torch-fidelity ({error}). Install it with `pip install latentlab[fidelity]`.") from None
    try:
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=_without_code(content))
    except Exception as error:  # whatever a foreign file makes torch raise
        reason = " ".join(str(error).split())[:120]
        raise LabError(
            f"--inception-weights {path} must be Inception weights as torch-fidelity reads them ({reason}). Use its file."
        ) from None
    return Inception(network.eval(), digest)


def _without_code(content: bytes) -> io.BytesIO:
    """The tensors of a weights file as a new file. torch-fidelity unpickles what it is given: a file may hold code, this one cannot."""
    clean = io.BytesIO()
    torch.save(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), clean)
    clean.seek(0)
    return clean
