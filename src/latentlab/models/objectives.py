"""Objectives as pure functions of logits, and what each name of the configuration stands for.

Reconstruction terms −log p(x|z) are in nats per image: summed over pixels, never averaged.
Axes: N images, S draws of one image, C channels, H height, W width, Z latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from latentlab.models.nets import PIXELS, POINTS, Values, to_bytes, to_unit


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


def squared_error(logits: Tensor, x: Tensor, mean: Callable[[Tensor], Tensor] = torch.sigmoid) -> Tensor:
    """Mean squared error per pixel of mean(logits), [N, C, H, W] to [N]; pixels in [0, 1]."""
    return (mean(logits) - x).square().flatten(1).mean(1)


DEVIATION = 0.05  # of each coordinate of a point under its Gaussian: between that of `ring` and the distance of its modes


def point_error_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) of points for p = N(outputs, 1) without its constant: ½ Σ (x − outputs)², [N, 2, 1, 1] to [N] nats."""
    return 0.5 * (outputs - x).square().flatten(1).sum(1)


def point_nats(outputs: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) of points for p = N(outputs, σ²) with σ = DEVIATION: ½ Σ ((x − outputs) / σ)² + log(2π σ²), to [N] nats of a density."""
    return point_error_nats(outputs / DEVIATION, x / DEVIATION) + math.log(2 * math.pi * DEVIATION**2)


class Likelihood(NamedTuple):
    """p(x|z) as a decoder's output [N, C, H, W] gives it; of which pixels it is one, `latentlab.config.BINARY` says."""

    nats: Callable[[Tensor, Tensor], Tensor]  # −log p(x|z) of outputs and targets, [N, C, H, W] twice to [N]
    nats_of_one: Callable[[Tensor, Tensor], Tensor]  # of one target [C, H, W] under outputs [S, C, H, W]: [S]
    mean: Callable[[Tensor], Tensor] = torch.sigmoid  # of x, in [0, 1]
    target: Callable[[Tensor], Tensor] = to_unit  # bytes uint8 [N, H, W, C] to x [N, C, H, W]
    held: Callable[[Tensor], Tensor] = to_bytes  # the mean as a data set holds images

    def squared_error(self, outputs: Tensor, x: Tensor) -> Tensor:
        """Of the mean, per pixel: [N, C, H, W] to [N]."""
        return squared_error(outputs, x, self.mean)


BERNOULLI = Likelihood(bernoulli_nats, bernoulli_nats_of_one)
LIKELIHOODS: Mapping[str, Likelihood] = {
    "bernoulli": BERNOULLI,
    "bce": BERNOULLI,
    "mse": Likelihood(gaussian_nats, gaussian_nats),
}
OF_POINTS: Mapping[str, Likelihood] = {  # the configuration refuses others
    "mse": Likelihood(point_error_nats, point_error_nats, POINTS.mean, POINTS.seen, POINTS.held),
    "gaussian": Likelihood(point_nats, point_nats, POINTS.mean, POINTS.seen, POINTS.held),
}


def likelihood_of(name: str, values: Values) -> Likelihood:
    """That of a name of the configuration, for images or for points."""
    return (LIKELIHOODS if values is PIXELS else OF_POINTS)[name]


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) for each latent unit, [N, Z] to [N, Z] nats.

    −½ (1 + log σ² − μ² − σ²), Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_var.exp() - 1.0 - log_var)


# Adversarial losses on logits: no sigmoid is ever followed by a logarithm. Each returns one loss per image, [N].
#
# D(x) is the discriminator's logit, large for real.


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


def least_squares_discriminator(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """½ (D(x) − 1)² and ½ (D(G(z)) + 1)², each [N] (Mao et al. 2017, eq. 8)."""
    return 0.5 * (real - 1.0).square(), 0.5 * (fake + 1.0).square()


def least_squares_generator(fake: Tensor) -> Tensor:
    """½ D(G(z))², [N]: with these targets the game minimises a Pearson χ² (Mao et al. 2017, eq. 8)."""
    return 0.5 * fake.square()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """−D(x) and D(G(z)), each [N] (Arjovsky et al. 2017, eq. 2): a distance where the slope of D is at most 1."""
    return -real, fake


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(−(D(x) − D(G(z)))), [N], each real image beside one fake (Jolicoeur-Martineau 2019, RpGAN)."""
    return F.softplus(fake - real)


def relativistic_generator(fake: Tensor, real: Tensor) -> Tensor:
    """softplus(−(D(G(z)) − D(x))), [N] (Jolicoeur-Martineau 2019, RpGAN)."""
    return F.softplus(real - fake)


def r1_penalty(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∂D/∂x‖² at images [N, C, H, W], summed over pixels: [N] (Mescheder et al. 2018, eq. 9 without γ/2; at fakes it is R2).

    The discriminator must judge each image apart: batch norm would mix their gradients.
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """(‖∂D/∂x‖ − 1)² at x = share · real + (1 − share) · fake, a share [N] for each pair: [N] (Gulrajani et al. 2017, eq. 3)."""
    share = share[:, None, None, None]
    squares = r1_penalty(discriminator, share * real + (1.0 - share) * fake)
    return ((squares + 1e-12).sqrt() - 1.0).square()  # the sum keeps the root's slope finite at no slope


class Adversarial(NamedTuple):
    """Both losses of a game; what else is known of it is `latentlab.config.GAMES` under the same name."""

    discriminator: Callable[[Tensor, Tensor, float], Tensor]  # logits on real and fake [N], the target of real ones: their sum [N]
    generator: Callable[[Tensor, Tensor], Tensor]  # logits on fakes and, in a paired game, on real images [N]


def _both(losses: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor, Tensor, float], Tensor]:
    return lambda real, fake, _: torch.add(*losses(real, fake))


ADVERSARIAL: Mapping[str, Adversarial] = {
    "non-saturating": Adversarial(
        lambda *given: torch.add(*non_saturating_discriminator(*given)), lambda fake, _: non_saturating_generator(fake)
    ),
    "hinge": Adversarial(_both(hinge_discriminator), lambda fake, _: hinge_generator(fake)),
    "least-squares": Adversarial(_both(least_squares_discriminator), lambda fake, _: least_squares_generator(fake)),
    "wasserstein": Adversarial(_both(wasserstein_discriminator), lambda fake, _: hinge_generator(fake)),
    "relativistic": Adversarial(lambda real, fake, _: relativistic_discriminator(real, fake), relativistic_generator),
}
