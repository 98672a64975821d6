"""How near reconstructions are, on uint8 images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentlab.images import Images

Doubles = NDArray[np.float64]


def mean_squared_error(a: Images, b: Images) -> Doubles:
    """The mean squared error per pixel of each pair, pixels in [0, 1]: uint8 [N, H, W, C] twice to float64 [N]."""
    difference = a.astype(np.float32) - b.astype(np.float32)
    result: Doubles = np.square(difference, dtype=np.float64).mean(axis=(1, 2, 3)) / 255.0**2
    return result


def psnr(mse: Doubles) -> Doubles:
    """Peak signal-to-noise ratio in decibels, 10 log₁₀(1 / MSE), of each pair; at most 100 dB for identical images."""
    return 10.0 * np.log10(1.0 / np.maximum(mse, 1e-10))
