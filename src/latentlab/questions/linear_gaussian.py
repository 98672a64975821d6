"""A VAE whose ELBO and its gradient are known exactly: linear encoder and decoder, Gaussian throughout.

p(z) = N(0, I), p(x|z) = N(W z + c, s² I): probabilistic principal components (Tipping & Bishop 1999).
q(z|x) = N(V (x − c), diag exp λ).

Axes: N images, D pixels, Z latent units.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from latentlab.nets.build import Posterior


class LinearGaussian(NamedTuple):
    """The decoder."""

    weight: Tensor  # W [D, Z]
    offset: Tensor  # c [D]
    variance: float  # s²

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log N(x; W z + c, s² I) in nats: x [N, D] and z [..., N, Z] to [..., N].

        |x − c − W z|² is expanded to |x − c|² − 2 zᵀWᵀ(x − c) + zᵀWᵀW z, so that many draws of z cost no pixels.
        """
        centred = x - self.offset  # [N, D]
        along, inner = centred @ self.weight, self.weight.T @ self.weight  # [N, Z], [Z, Z]
        error = centred.square().sum(-1) - 2 * (z * along).sum(-1) + ((z @ inner) * z).sum(-1)
        return -0.5 * (error / self.variance + x.shape[1] * math.log(2 * math.pi * self.variance))

    def expected_log_likelihood(self, x: Tensor, q: Posterior) -> Tensor:
        """E_q [log p(x|z)] in closed form, [N]: log p(x|μ) − 1/(2 s²) Σ_j σ_j² |W_j|²."""
        spread = (q.log_var.exp() * self.weight.square().sum(0)).sum(-1)
        return self.log_likelihood(x, q.mean) - 0.5 * spread / self.variance

    def exact_gradient(self, x: Tensor, q: Posterior) -> Posterior:
        """The derivatives of E_q [log p(x|z)] with respect to μ and log σ², each [N, Z].

        ∂/∂μ = Wᵀ (x − c − W μ) / s²,  ∂/∂log σ_j² = −σ_j² |W_j|² / (2 s²).
        """
        residual = x - self.offset - q.mean @ self.weight.T
        return Posterior(residual @ self.weight / self.variance, -0.5 * q.log_var.exp() * self.weight.square().sum(0) / self.variance)


def principal(x: Tensor, size: int) -> LinearGaussian:
    """The maximum-likelihood decoder of images [N, D] with `size` latent units (Tipping & Bishop 1999, eqs. 7 and 8)."""
    offset = x.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(x.T))  # ascending
    variance = float(values[:-size].clamp_min(0).mean())
    weight = vectors[:, -size:] * (values[-size:] - variance).clamp_min(0).sqrt()
    return LinearGaussian(weight, offset, variance)


def posterior_matrix(model: LinearGaussian) -> Tensor:
    """V [Z, D] of the exact posterior mean: (WᵀW + s² I)⁻¹ Wᵀ."""
    inner = model.weight.T @ model.weight
    solved: Tensor = torch.linalg.solve(inner + model.variance * torch.eye(len(inner), dtype=inner.dtype), model.weight.T)
    return solved
