"""Adam (Kingma & Ba 2015) by torch's fused kernel, its state in plain tensors that are saved and restored like weights.

`torch.optim.Adam` does the same arithmetic, but its bookkeeping at each step (hooks, groups, profiler records) takes as
long as the kernel itself on a small network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

EPSILON = 1e-8


class Adam:
    """Updates `named` parameters from their gradients; `learning_rate` may be changed at any time."""

    def __init__(self, named: Sequence[tuple[str, nn.Parameter]], learning_rate: float, betas: tuple[float, float]) -> None:
        self.named = list(named)
        self.learning_rate, self.betas = learning_rate, betas
        self._parameters: list[Tensor] = [parameter for _, parameter in self.named]
        self._means = [torch.zeros_like(p) for p in self._parameters]
        self._squares = [torch.zeros_like(p) for p in self._parameters]
        self._steps = [torch.zeros((), device=p.device) for p in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """One update. Every parameter must have its gradient."""
        adam(
            self._parameters,
            [p.grad for p in self._parameters if p.grad is not None],
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """The moments and step counts, by parameter."""
        found: dict[str, Tensor] = {}
        for (name, _), mean, square, step in zip(self.named, self._means, self._squares, self._steps, strict=True):
            found |= {f"{name}.mean": mean, f"{name}.square": square, f"{name}.step": step}
        return found
