"""Adversarial losses on logits: no sigmoid is ever followed by a logarithm. Each returns one loss per image, [N].

D(x) is the discriminator's logit, large for real.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def non_saturating_discriminator(real: Tensor, fake: Tensor, real_target: float = 1.0) -> tuple[Tensor, Tensor]:
    """The losses on real and on fake logits, each [N] (Goodfellow et al. 2014, eq. 1).

    Real: t·softplus(−D) + (1−t)·softplus(D) with the target t; 0.9 is one-sided label smoothing (Salimans et al. 2016,
    section 3.4). Fakes always have the target 0: smoothing them too would pull the generator to where it already is.
    """
    smooth = (1.0 - real_target) * F.softplus(real) if real_target != 1.0 else 0.0
    return real_target * F.softplus(-real) + smooth, F.softplus(fake)


def non_saturating_generator(fake: Tensor) -> Tensor:
    """−log sigmoid(D(G(z))) = softplus(−D), [N] (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake)


def hinge_discriminator(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """max(0, 1 − D(x)) and max(0, 1 + D(G(z))), each [N] (Lim & Ye 2017)."""
    return F.relu(1.0 - real), F.relu(1.0 + fake)


def hinge_generator(fake: Tensor) -> Tensor:
    """−D(G(z)), [N] (Lim & Ye 2017)."""
    return -fake
