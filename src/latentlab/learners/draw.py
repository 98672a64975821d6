"""Images from a learner and codes from images, in chunks of one fixed size.

Matrix products round differently for different batch sizes; a fixed chunk, filled up with zeros, makes an image the same
whether it is asked for alone or among 10,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.images import Images
from latentlab.learners.base import Learner, Reconstructor
from latentlab.seeding import latents

CHUNK = 64

Floats = NDArray[np.float32]


def _chunks(rows: NDArray[np.generic]) -> Iterator[tuple[int, torch.Tensor]]:
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        filled = np.zeros((CHUNK, *rows.shape[1:]), rows.dtype)
        filled[: len(part)] = part
        yield len(part), torch.from_numpy(filled)


def decode(learner: Learner, z: Floats, device: torch.device) -> Images:
    """Codes float32 [N, Z] to images uint8 [N, H, W, C]."""
    parts = [learner.decode(chunk.to(device))[:count].cpu().numpy() for count, chunk in _chunks(z)]
    return np.concatenate(parts)


def draw(learner: Learner, count: int, latent_dim: int, seed: int, device: torch.device) -> Images:
    """`count` images from the prior, uint8 [count, H, W, C]; image i depends on (seed, i) alone."""
    return decode(learner, prior_codes(learner, latents(count, latent_dim, seed), device), device)


def prior_codes(learner: Learner, z: Floats, device: torch.device) -> Floats:
    """Standard normal rows [N, Z] as codes of the model's prior, [N, Z]."""
    parts = [learner.code_from_normal(chunk.to(device))[:count].cpu().numpy() for count, chunk in _chunks(z)]
    return np.concatenate(parts)


def encode(learner: Learner, images: Images, device: torch.device) -> tuple[Floats, Floats | None]:
    """Images uint8 [N, H, W, C] to mean [N, Z] and standard deviation [N, Z] (None for an AE)."""
    reconstructor = cast(Reconstructor, learner)
    means, deviations = [], []
    for count, chunk in _chunks(images):
        mean, deviation = reconstructor.encode(chunk.to(device))
        means.append(mean[:count].cpu().numpy())
        if deviation is not None:
            deviations.append(deviation[:count].cpu().numpy())
    return np.concatenate(means), np.concatenate(deviations) if deviations else None
