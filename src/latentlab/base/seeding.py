"""Randomness as a function of (seed, stream, step), never a shared state.

Every random number of a run is drawn from a key made of the run's seed, the name of a stream ("order", "posterior",
"prior" …) and a position (a step, an epoch, the number of an image). So resuming, evaluating more often or drawing a
larger grid changes nothing that was drawn before. (The idea is edm2's; here the key is hashed, not added up.)
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_for(seed: int, stream: str, *position: int) -> int:
    """A 63-bit key for one place in one stream; equal input gives an equal key on every machine."""
    text = "/".join([str(seed), stream, *map(str, position)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_generator(seed: int, stream: str, *position: int) -> np.random.Generator:
    """A fresh NumPy generator for one place in one stream."""
    return np.random.Generator(np.random.Philox(key=seed_for(seed, stream, *position)))


def torch_generator(device: torch.device | str, seed: int, stream: str, *position: int) -> torch.Generator:
    """A fresh torch generator on `device` for one place in one stream."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_for(seed, stream, *position))


def latents(count: int, latent_dim: int, seed: int, stream: str = "prior", first: int = 0) -> np.ndarray:
    """Standard normal z for the images `first … first + count - 1` of a grid: float32 [count, latent_dim].

    Each image has a generator of its own: image 5 is the same in a grid of 6 and in one of 10,000.
    """
    key = seed_for(seed, stream)
    rows = np.empty((count, latent_dim), np.float32)
    for row in range(count):
        bits = np.random.Philox(key=key, counter=[0, 0, 0, first + row])
        rows[row] = np.random.Generator(bits).standard_normal(latent_dim, np.float32)
    return rows
