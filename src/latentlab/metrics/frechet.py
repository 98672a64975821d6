"""The Frechet distance between two Gaussians fitted to features (Heusel et al. 2017)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal

Doubles = NDArray[np.float64]


class Moments(NamedTuple):
    """The Gaussian fitted to features."""

    mean: Doubles  # [D]
    covariance: Doubles  # [D, D]


def moments(features: NDArray[Any]) -> Moments:
    """Mean and unbiased covariance of features [N, D]. Raises LabError when N < 2 or a feature is not finite."""
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise refusal("features", "finite numbers of shape [N, D] with N of at least 2", list(values.shape))
    return Moments(values.mean(0), np.atleast_2d(np.cov(values, rowvar=False)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), without a matrix square root.

    tr (Σ₁Σ₂)^½ is the sum of the singular values of Σ₁^½ Σ₂^½: real and not negative by construction, where an
    eigenvalue or square-root routine applied to Σ₁Σ₂ returns imaginary parts to be thrown away.
    """
    roots = [_square_root(m.covariance) for m in (a, b)]
    cross = np.linalg.svd(roots[0] @ roots[1], compute_uv=False).sum()
    gap = a.mean - b.mean
    return float(max(gap @ gap + np.trace(a.covariance) + np.trace(b.covariance) - 2.0 * cross, 0.0))


def _square_root(covariance: Doubles) -> Doubles:
    values, vectors = np.linalg.eigh(covariance)
    root: Doubles = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return root
