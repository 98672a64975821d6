"""Where a decoder's samples lose: the same decoder on codes that come nearer and nearer to its prior.

From codes of real images to draws of the prior each source has one thing more that can be wrong. Reconstructions: the
decoder. Draws of q(z|x), the aggregate posterior: its noise too. A Gaussian fitted to those: the shape of the cloud too. The
prior: its place and width too. What a VAE's samples lose between the aggregate posterior and the prior is a mismatch of the
prior and no blur of the decoder (Rosca et al. 2018; Dai & Wipf 2019; Ghosh et al. 2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.seeding import numpy_generator
from latentlab.models.sampling import gaussian_codes

SOURCES = ("reconstructions", "posterior", "fitted")  # besides the prior
Floats = NDArray[np.float32]


def codes_by_source(mean: NDArray[Any], deviation: NDArray[Any] | None, count: int, seed: int) -> dict[str, Floats]:
    """`count` codes [count, Z] from each source, by its name, of the posteriors [N, Z] of training images.

    Without deviations, an AE's codes, there are reconstructions alone: it has no posterior, and its own samples are those of
    the fitted Gaussian. The images are drawn without a repeat as far as they reach. The Gaussian has the mean and the
    covariance of the aggregate posterior: those of the means, and the mean variance of q.
    """
    random = numpy_generator(seed, "sources", len(mean))
    chosen = np.resize(random.permutation(len(mean)), count)
    found = {"reconstructions": mean[chosen]}
    if deviation is not None:
        found["posterior"] = mean[chosen] + deviation[chosen] * random.standard_normal((count, mean.shape[1]))
        found["fitted"] = gaussian_codes(random.standard_normal((count, mean.shape[1])), mean, deviation)
    return {name: codes.astype(np.float32) for name, codes in found.items()}
