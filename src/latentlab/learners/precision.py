"""Computing in bf16 with fp32 weights, where it pays.

Autocast casts every weight, bias and gradient by an operation of its own, each recorded for the backward pass; in a small
network that costs as much as its arithmetic. Here bf16 copies of the large layers compute; all weights go in and all
gradients come out in one call each. Weights, optimiser, normalisation and objectives stay in fp32.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

WORTHWHILE = 2**15  # weights: a smaller product is over before bf16 has been prepared (measured with oneDNN)


class Typed(nn.Module):
    """A layer that takes any floating type and computes in that of its weights."""

    def __init__(self, layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.to(self.layer.weight.dtype))
        return out


class Compute:
    """A network as it computes: itself in fp32, or a copy whose large dense and convolutional layers are bf16.

    Everything else in the copy, small layers and normalisation, is the very same module as in the network.
    """

    def __init__(self, network: nn.Module, bf16: bool) -> None:
        self.source = network
        self.network = copy.deepcopy(network) if bf16 else network
        self._pairs: list[tuple[Tensor, Tensor]] = []
        for (name, mine), theirs in zip(list(self.network.named_modules()) if bf16 else [], network.modules(), strict=bf16):
            if isinstance(mine, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                if isinstance(mine, nn.Linear) and mine.weight.numel() < WORTHWHILE:
                    self.network.set_submodule(name, Typed(theirs))  # type: ignore[arg-type]
                    continue
                self._pairs += zip(theirs.parameters(), mine.to(torch.bfloat16).parameters(), strict=True)
                self.network.set_submodule(name, Typed(mine))
            elif isinstance(mine, nn.BatchNorm1d | nn.BatchNorm2d):
                self.network.set_submodule(name, theirs)
        self._masters = [master for master, _ in self._pairs]
        self._copies = [mine for _, mine in self._pairs]
        self._gradients: list[Tensor] = []

    def begin(self) -> nn.Module:
        """The network to compute with, in training mode, its weights those of the fp32 network."""
        if not self.source.training:  # walking through the modules costs as much as a small layer
            self.source.train()
        if self._pairs:
            if not self.network.training:
                self.network.train()
            with torch.no_grad():
                torch._foreach_copy_(self._copies, self._masters)
        return self.network

    def collect(self) -> None:
        """After the backward pass: the gradients, in fp32, on the fp32 weights."""
        if not self._pairs:
            return
        if not self._gradients:  # one set of buffers for the whole run: fresh pages cost more than the cast
            self._gradients = [torch.empty_like(master) for master in self._masters]
        torch._foreach_copy_(self._gradients, [c.grad for c in self._copies if c.grad is not None])
        for master, mine, gradient in zip(self._masters, self._copies, self._gradients, strict=True):
            master.grad, mine.grad = gradient, None
