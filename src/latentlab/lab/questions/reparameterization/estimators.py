"""Estimators of the gradient of the ELBO from one draw of z per image, as pure functions.

ELBO(x) = E_q [log p(x|z)] − KL(q(z|x) ‖ p(z)), q = N(μ, diag σ²). The KL term is known in closed form; what is estimated is
the gradient of the expectation. Each function gives log p(x|z) of its draws, [N] nats, so written that its derivative with
respect to the encoder is the estimate, and with respect to the decoder ∇θ log p(x|z) in all of them.

Axes: N images (or draws), Z latent units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, assert_never

import torch
from torch import Tensor

from latentlab.models.nets import Posterior

Estimator = Literal["pathwise", "score-baseline", "score", "blocked"]
ESTIMATORS: tuple[Estimator, ...] = ("pathwise", "score-baseline", "score", "blocked")
LogLikelihood = Callable[[Tensor], Tensor]  # z [N, Z] → log p(x|z) [N], in nats


def draw(q: Posterior, epsilon: Tensor) -> Tensor:
    """z = μ + σ ⊙ ε, ε ~ N(0, I): a draw of q(z|x) that depends smoothly on μ and σ, [N, Z]."""
    return q.mean + (0.5 * q.log_var).exp() * epsilon


def log_density(q: Posterior, z: Tensor) -> Tensor:
    """log q(z|x) of a diagonal Gaussian: −½ Σ (log 2π + log σ² + (z − μ)² / σ²), [N, Z] to [N]."""
    return -0.5 * (math.log(2 * math.pi) + q.log_var + (z - q.mean).square() * (-q.log_var).exp()).sum(-1)


def pathwise(q: Posterior, epsilon: Tensor, log_likelihood: LogLikelihood) -> Tensor:
    """The reparameterised estimator: ∇φ log p(x | μ + σ ⊙ ε), the gradient runs through z itself.

    Kingma & Welling 2014, eqs. 4–6; Rezende, Mohamed & Wierstra 2014, section 3; Mohamed et al. 2020, section 5.
    """
    return log_likelihood(draw(q, epsilon))


def score(q: Posterior, epsilon: Tensor, log_likelihood: LogLikelihood, baseline: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The score-function estimator (REINFORCE): (log p(x|z) − b) ∇φ log q(z|x), z taken as a number that came from nowhere.

    Williams 1992, section 4; Mohamed et al. 2020, section 4. `baseline` gives b [N] from log p(x|z) [N]; it leaves the mean
    of the estimate alone as long as an image's b does not depend on that image's own z.
    """
    z = draw(q, epsilon).detach()
    reward = log_likelihood(z)
    log_q = log_density(q, z)
    advantage = reward.detach() - (baseline(reward.detach()) if baseline else 0.0)
    return reward + advantage * (log_q - log_q.detach())


def blocked(q: Posterior, epsilon: Tensor, log_likelihood: LogLikelihood) -> Tensor:
    """What differentiating gives when z is drawn and nothing is done about it: the reconstruction tells the encoder nothing.

    It is no estimator of the gradient: its mean is 0 instead of ∇φ E_q [log p(x|z)].
    """
    return log_likelihood(draw(q, epsilon).detach())


def others_mean(reward: Tensor) -> Tensor:
    """A baseline from the batch: for each image the mean reward of the other images, [N] to [N]. Needs N of at least 2."""
    return (reward.sum(0) - reward) / (reward.shape[0] - 1)


def expectation(name: Estimator, q: Posterior, epsilon: Tensor, log_likelihood: LogLikelihood) -> Tensor:
    """log p(x|z) [N] by the estimator of that name."""
    match name:
        case "pathwise":
            return pathwise(q, epsilon, log_likelihood)
        case "score":
            return score(q, epsilon, log_likelihood)
        case "score-baseline":
            return score(q, epsilon, log_likelihood, others_mean)
        case "blocked":
            return blocked(q, epsilon, log_likelihood)
        case _:
            assert_never(name)


def trace_variance(gradients: Tensor) -> float:
    """The variance of a gradient, summed over its coordinates, from R independent ones [R, P]; unbiased."""
    return float(gradients.double().var(0, unbiased=True).sum())


def flat_gradient(loss: Tensor, parameters: list[Tensor]) -> Tensor:
    """The derivative of a scalar with respect to parameters, as one vector [P]; 0 where it does not depend on one."""
    slopes = torch.autograd.grad(loss, parameters, retain_graph=False, allow_unused=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, slopes, strict=True)])


# A VAE whose ELBO and its gradient are known exactly: linear encoder and decoder, Gaussian throughout.
#
# p(z) = N(0, I), p(x|z) = N(W z + c, s² I): probabilistic principal components (Tipping & Bishop 1999).
# q(z|x) = N(V (x − c), diag exp λ).
#
# Axes: N images, D pixels, Z latent units.


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
