"""Reconstruction terms −log p(x|z), in nats per image: summed over pixels, never averaged.

Axes: N images, C channels, H height, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def bernoulli_nats(logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) for p = Bernoulli(sigmoid(logits)): Σ softplus(logits) − x·logits, [N, C, H, W] to [N] nats.

    Exact for any size of logit (Kingma & Welling 2014, appendix C.1, written in logits). For x strictly between 0 and 1
    it is a cross-entropy and not a likelihood: its floor is the entropy of x, not 0.
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def bernoulli_nats_of_one(logits: Tensor, x: Tensor) -> Tensor:
    """`bernoulli_nats` of one image x [C, H, W] under S logits [S, C, H, W], [S] nats: Σ softplus(logits) − logits · x.

    The product with x is one matrix-vector product, which spares importance sampling a pass over S copies of x.
    """
    flat = logits.flatten(1)  # [S, C·H·W]
    return F.softplus(flat).sum(1) - flat @ x.flatten()


def gaussian_nats(logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) for p = N(sigmoid(logits), 1) without its constant: ½ Σ (x − sigmoid(logits))², to [N] nats."""
    return 0.5 * (torch.sigmoid(logits) - x).square().flatten(1).sum(1)


def squared_error(logits: Tensor, x: Tensor) -> Tensor:
    """Mean squared error per pixel of sigmoid(logits), [N, C, H, W] to [N]; pixels in [0, 1]."""
    return (torch.sigmoid(logits) - x).square().flatten(1).mean(1)
