"""A fixed random convolutional network, for images without labels.

Random convolutions tell textures, edges and coarse layout apart, though they know no object: distances on their features
compare low-level statistics, and are labelled so. Their ranking of generative models is known to be of use where no
trained network fits (Naeem et al. 2020, section 4, randomly initialised VGG16).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from latentlab.extractors.base import Seen, in_chunks
from latentlab.images import Images
from latentlab.nets.build import to_unit
from latentlab.seeding import seed_for

FEATURES = 128
WIDTHS = (32, 64, 64)
NOTE = "random convolutions, never trained: low-level statistics only"


@dataclass(frozen=True)
class RandomConvolutions:
    """3 x 3 convolutions of 32, 64 and 64 channels with leaky ReLU and 2 x 2 means; then mean and deviation of each channel."""

    network: nn.Sequential
    sha256: str

    identity = "random-convolutions"
    dimensions = FEATURES

    def facts(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "accuracy": None, "dimensions": FEATURES, "resize": "none", "note": NOTE}

    def __call__(self, images: Images) -> Seen:
        def look(batch: Tensor) -> tuple[Tensor, None]:
            maps = self.network(2 * to_unit(batch) - 1)  # [n, 64, h, w]
            return torch.cat([maps.mean((2, 3)), maps.std((2, 3), correction=0)], 1), None  # [n, 128]

        return in_chunks(images, look)


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
