"""Divergences in nats. Axes: N images, Z latent."""

from __future__ import annotations

from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) for each latent unit, [N, Z] to [N, Z] nats.

    −½ (1 + log σ² − μ² − σ²), Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var)
