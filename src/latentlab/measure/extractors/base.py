"""What every extractor is: a fixed function from images to features, with a name and a fingerprint that go into results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.base.images import Images

CHUNK = 250  # images at a time: features do not depend on it beyond rounding, memory does


class Seen(NamedTuple):
    """What an extractor makes of N images."""

    features: NDArray[np.float32]  # [N, D]
    labels: NDArray[np.int64] | None  # [N], the classes that it names; None for an extractor without classes


class Extractor(Protocol):
    """A fixed network that looks at images uint8 [N, H, W, C]."""

    @property
    def identity(self) -> str:
        """Its name in scores.json."""

    @property
    def sha256(self) -> str:
        """Of its weights."""

    @property
    def dimensions(self) -> int:
        """D, the number of features."""

    def facts(self) -> dict[str, Any]:
        """What a result says of it: sha256, accuracy where it has one, how images reach it."""

    def __call__(self, images: Images) -> Seen:
        """Images to features [N, D] and, where it has classes, labels [N]."""


@torch.no_grad()
def in_chunks(images: Images, look: Callable[[Tensor], tuple[Tensor, Tensor | None]]) -> Seen:
    """`look` over images uint8 [N, H, W, C], a chunk at a time; it gives features [n, D] and logits [n, K] or None."""
    features, labels = [], []
    for start in range(0, len(images), CHUNK):
        found, logits = look(torch.from_numpy(images[start : start + CHUNK].copy()))
        features.append(found.float().numpy())
        if logits is not None:
            labels.append(logits.argmax(1).numpy())
    return Seen(np.concatenate(features), np.concatenate(labels) if labels else None)
