"""What a run is made of. Here: the objectives that a configuration can choose, and what is known of them without computing.

No torch is loaded. What a name computes is declared under the same name in `latentlab.models.likelihoods` or `.objectives`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple

Reconstruction = Literal["mse", "bce"]  # of an autoencoder
Likelihood = Literal[  # of a VAE
    "bernoulli", "continuous-bernoulli", "gaussian", "gaussian-learned", "gaussian-optimal", "logistic", "logistic-mixture"
]
Loss = Literal["non-saturating", "hinge", "least-squares", "wasserstein", "relativistic"]  # of a GAN
EngineName = Literal["torch", "keras"]  # what trains
BINARY: Collection[Reconstruction | Likelihood] = ("bce", "bernoulli")  # of pixels that are 0 or 1: on grey ones no likelihood
Scale = Literal["none", "fixed", "learned", "optimal"]  # of a likelihood: where it comes from, one number for each channel
MIXED = 5  # logistics that are mixed at a pixel


class Pixels(NamedTuple):
    """A likelihood p(x|z) of an image's bytes as whoever builds or reads a network knows it."""

    source: str
    scale: Scale = "none"
    density: bool = False  # of real numbers: a byte b is learned from as (b + u) / 256 with u uniform (Theis et al. 2016, section 3.1)
    outputs: Callable[[int], int] = lambda channels: channels  # of the decoder at each pixel, for an image's channels
    mean: bool = False  # whether its mean is something else than the sigmoid of the decoder's output


PIXELS: Mapping[str, Pixels] = {
    "bernoulli": Pixels("Kingma & Welling 2014"),
    "continuous-bernoulli": Pixels("Loaiza-Ganem & Cunningham 2019", density=True, mean=True),
    "gaussian": Pixels("Kingma & Welling 2014", "fixed", density=True),
    "gaussian-learned": Pixels("Rybkin et al. 2021", "learned", density=True),
    "gaussian-optimal": Pixels("Rybkin et al. 2021", "optimal", density=True),
    "logistic": Pixels("Kingma et al. 2016", "learned"),
    "logistic-mixture": Pixels("Salimans et al. 2017", outputs=lambda channels: MIXED * (1 + 2 * channels), mean=True),
}


class Game(NamedTuple):
    """An adversarial loss as whoever reads a run knows it. The gap is that of the mean logits of real and generated images."""

    source: str
    smoothed: bool  # whether the target of real images may be less than 1
    chance_nats: float  # the discriminator's loss when it says 0 to everything
    won_gap: float  # wider: it is not a game any more
    flat_share: float = 0.0  # of chance's loss: below it the loss is flat at any gap
    paired: bool = False  # whether the generator's loss looks at real images too
    bounded: bool = True  # whether it makes sense without a bound on the discriminator's slope

    @property
    def relative(self) -> bool:
        """Whether only differences of logits mean anything."""
        return self.paired or not self.bounded

    def threshold(self, real_target: float = 1.0) -> float | None:
        """The logit of the best discriminator where an image is as likely real as generated; None where only differences count.

        Of the non-saturating loss σ(D) = t p / (p + q) with the target t of real images, whose density is p.
        """
        return None if self.relative else math.log(real_target / (2 - real_target)) if self.smoothed else 0.0

    def won(self, gap: float, loss_nats: float) -> bool:
        """Whether the discriminator has won, by what both are over some steps (measured: `diagnosis.symptoms.discriminator_wins`)."""
        return gap > self.won_gap or (gap > 0 and loss_nats < self.flat_share * self.chance_nats)


PENALTIES = ("r1_weight", "r2_weight", "gradient_penalty")  # of a GAN's training, on the discriminator's slope
GAMES: Mapping[str, Game] = {
    "non-saturating": Game("Goodfellow et al. 2014", smoothed=True, chance_nats=2 * math.log(2), won_gap=15.0),
    "hinge": Game("Lim & Ye 2017", smoothed=False, chance_nats=2.0, won_gap=5.0, flat_share=0.1),
    "least-squares": Game("Mao et al. 2017", smoothed=False, chance_nats=1.0, won_gap=math.inf, flat_share=0.02),
    "wasserstein": Game("Arjovsky et al. 2017", smoothed=False, chance_nats=0.0, won_gap=math.inf, bounded=False),
    "relativistic": Game("Jolicoeur-Martineau 2019", smoothed=False, chance_nats=math.log(2), won_gap=15.0, paired=True),
}
