"""The exponential moving average of a network's weights, from which everything is sampled."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

STRIDE = 4  # steps between two averagings of a small network: each costs as much as one of its layers
RAMP = 0.1  # the half-life is at most this share of the images seen, so that the first weights are soon forgotten


class Average:
    """An averaged copy of a network, parameters and buffers alike (a copy without buffers samples with stale batch norm).

    The decay over B images is 0.5^(B / half-life); the half-life rises with the images seen (Karras et al. 2022, EDM).
    Without averaging (half-life 0) `network` is the trained network itself.
    """

    def __init__(self, network: nn.Module, halflife_images: int, every: int = 1) -> None:
        self.source = network
        self.halflife_images = halflife_images
        self.every = every  # steps between two updates
        self.network = copy.deepcopy(network) if halflife_images else network
        self._pairs: tuple[list[Tensor], list[Tensor]] | None = None

    @property
    def active(self) -> bool:
        """Whether there is a copy."""
        return self.network is not self.source

    @torch.no_grad()
    def update(self, steps: int, images: int, images_seen: int) -> None:
        """Move the copy towards the network after `steps` steps and `images_seen` images, `images` of them in the last."""
        if not self.active or steps % self.every:
            return
        if self._pairs is None:  # state_dict() costs more than the arithmetic, and its tensors stay the same objects
            mine, theirs = self.network.state_dict(), self.source.state_dict()
            floats = [name for name, value in mine.items() if value.is_floating_point()]
            self._pairs = [mine[name] for name in floats], [theirs[name] for name in floats]
        halflife = min(float(self.halflife_images), RAMP * images_seen)
        weight = 1.0 - 0.5 ** (self.every * images / halflife) if halflife > 0 else 1.0
        torch._foreach_lerp_(self._pairs[0], self._pairs[1], weight)
        for (_, mine_), (_, theirs_) in zip(self.network.named_buffers(), self.source.named_buffers(), strict=True):
            if not mine_.is_floating_point():
                mine_.copy_(theirs_)

    def sampler(self) -> nn.Module:
        """The network to sample from, in evaluation mode."""
        return self.network.eval()
