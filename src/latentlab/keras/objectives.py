"""Objectives in Keras's operations, as `latentlab.models.objectives` has them in torch's: logits, nats per image, no mean.

Axes: N images, H height, W width, C channels, Z latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), exact for any size of x."""
    return ops.relu(x) + ops.log1p(ops.exp(-ops.abs(x)))


def flat(values: Any) -> Any:
    """[N, H, W, C] as [N, H·W·C]: XLA computes what goes element by element twice as fast when the last axis is long."""
    return ops.reshape(values, (-1, math.prod(values.shape[1:])))


def bernoulli_nats(logits: Any, x: Any) -> Any:
    """−log p(x|z) for p = Bernoulli(sigmoid(logits)): [N, H, W, C] to [N] nats."""
    logits, x = flat(logits), flat(x)
    at = ops.stop_gradient(logits)  # the slope is written out: the automatic one of the stable form costs as much as a layer
    return ops.sum(softplus(at) + ops.sigmoid(at) * (logits - at) - x * logits, 1)


def gaussian_nats(logits: Any, x: Any) -> Any:
    """−log p(x|z) for p = N(sigmoid(logits), 1) without its constant: [N, H, W, C] to [N] nats."""
    return 0.5 * ops.sum(ops.square(ops.sigmoid(flat(logits)) - flat(x)), 1)


NATS: Mapping[str, Callable[[Any, Any], Any]] = {"bernoulli": bernoulli_nats, "bce": bernoulli_nats, "mse": gaussian_nats}


def kl_to_standard_normal(mean: Any, log_var: Any) -> Any:
    """KL(N(mean, exp(log_var)) ‖ N(0, I)) for each latent unit, [N, Z] to [N, Z] nats."""
    return 0.5 * (ops.square(mean) + ops.exp(log_var) - 1.0 - log_var)


class Adversarial(NamedTuple):
    """Both losses of a game, per image, from logits [N]."""

    discriminator: Callable[[Any, Any, float], tuple[Any, Any]]  # on real and fake, and the target of real ones
    generator: Callable[[Any], Any]


ADVERSARIAL: Mapping[str, Adversarial] = {
    "non-saturating": Adversarial(
        lambda real, fake, target: (target * softplus(-real) + (1 - target) * softplus(real), softplus(fake)),
        lambda fake: softplus(-fake),
    ),
    "hinge": Adversarial(lambda real, fake, target: (ops.relu(1 - real), ops.relu(1 + fake)), lambda fake: -fake),
    "least-squares": Adversarial(
        lambda real, fake, target: (0.5 * ops.square(real - 1), 0.5 * ops.square(fake + 1)), lambda fake: 0.5 * ops.square(fake)
    ),
    "wasserstein": Adversarial(lambda real, fake, target: (-real, fake), lambda fake: -fake),
}
