"""What codes know of the classes: k-NN and a linear probe, on an encoder's codes and on a discriminator's features alike.

The measured side of "encoder versus discriminator": both networks read images, only one was asked for a code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.data import Data, ImageSet
from latentlab.evaluation.entries import Entry, estimate_entry
from latentlab.images import Images
from latentlab.metrics.probes import knn_accuracy, probe_accuracy
from latentlab.nets.build import Discriminator, to_unit

if TYPE_CHECKING:
    from latentlab.run import Run

FITTED = MEASURED = 10_000  # images that k-NN and the probe learn from, and are measured on
CHUNK = 500
Floats = NDArray[np.float32]


def representation_scores(run: Run, data: Data, images: ImageSet) -> dict[str, Entry]:
    """knn_accuracy and probe_accuracy on a labelled held-out split; their floor is the share of the most frequent class.

    Codes are posterior means (VAE), codes (AE) or the discriminator's last hidden layer (GAN). Fitted on training images.
    """
    if images.labels is None or data.train.labels is None:
        return {}
    fit, held_out = (np.arange(min(most, len(s))) for most, s in ((FITTED, data.train), (MEASURED, images)))
    train_codes, codes = (features(run, s.take(rows)) for s, rows in ((data.train, fit), (images, held_out)))
    train_labels, labels = data.train.labels[fit], images.labels[held_out]
    if len(np.unique(train_labels)) < 2:
        return {}
    most_frequent = float(np.bincount(labels).max() / len(labels))
    more: dict[str, Any] = {"features": described(run), "dimensions": codes.shape[1], "fitted": len(fit)}
    return {
        "knn_accuracy": estimate_entry(
            knn_accuracy(train_codes, train_labels, codes, labels), "share, k = 5", len(held_out), most_frequent, **more
        ),
        "probe_accuracy": estimate_entry(
            probe_accuracy(train_codes, train_labels, codes, labels), "share", len(held_out), most_frequent, **more
        ),
    }


def described(run: Run) -> str:
    """What stands for an image in a run of this family."""
    return {"ae": "code", "vae": "posterior mean", "gan": "discriminator's last hidden layer"}[run.config.family]


def features(run: Run, images: Images) -> Floats:
    """What stands for images uint8 [N, H, W, C]: [N, F]."""
    if run.config.family != "gan":
        return run.encode(images).mean
    discriminator = run.networks()["discriminator"]
    if not isinstance(discriminator, Discriminator):
        raise TypeError(type(discriminator))
    with torch.no_grad():
        parts = [discriminator.features(to_unit(torch.from_numpy(images[i : i + CHUNK]))).numpy() for i in range(0, len(images), CHUNK)]
    return np.concatenate(parts)
