"""Latent walks and priors beyond the standard normal: pure functions of arrays, decoded by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.base.seeding import numpy_generator

Floats = NDArray[np.float32]
Prior = Literal["standard", "gmm", "fitted"]


def _floats(values: NDArray[Any]) -> Floats:
    return values.astype(np.float32)


def line(a: Floats, b: Floats, steps: int) -> Floats:
    """`steps` codes on the straight line from a [Z] to b [Z], both included: [steps, Z]."""
    if steps < 2:
        raise refusal("steps", "an integer of at least 2", steps)
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    return _floats((1 - t) * a + t * b)


def arc(a: Floats, b: Floats, steps: int) -> Floats:
    """`steps` codes from a [Z] to b [Z] along the great circle (White 2016): [steps, Z].

    For normal z of many dimensions a straight line passes through lengths that the prior never draws; the arc does not.
    """
    straight = line(a, b, steps)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) == 0:
        return straight
    angle = np.arccos(np.clip(np.dot(a, b) / (lengths[0] * lengths[1]), -1.0, 1.0))
    if np.sin(angle) < 1e-4:
        return straight
    t = np.linspace(0.0, 1.0, steps)[:, None]
    return _floats((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle))


def traverse(centre: Floats, dims: Sequence[int], scales: Floats, reach: float, steps: int) -> Floats:
    """One row of codes for each latent unit in `dims`: the centre [Z] with that unit moved by ±reach·scale.

    Returns [len(dims), steps, Z]. `scales` [Z] is each unit's standard deviation.
    """
    offsets = np.linspace(-reach, reach, steps, dtype=np.float32)
    rows = np.tile(centre, (len(dims), steps, 1)).astype(np.float32)
    for row, unit in enumerate(dims):
        rows[row, :, unit] = centre[unit] + offsets * scales[unit]
    return rows


def plane(side: int, reach: float = 2.5) -> Floats:
    """A side × side grid of points of the plane, top left first, from −reach to reach: [side², 2]."""
    axis = np.linspace(-reach, reach, side, dtype=np.float32)
    return np.stack(np.meshgrid(axis, -axis), axis=-1).reshape(-1, 2)


def principal_plane(codes: Floats, side: int, reach: float = 2.0) -> Floats:
    """A side × side grid of codes on the plane of most variance through codes [N, Z], to ±reach standard deviations.

    With Z = 2 it is the whole plane. Returns [side², Z].
    """
    centre = codes.mean(0)
    if codes.shape[1] == 1:
        return _floats(centre + plane(side, reach)[:, :1] * codes.std(0))
    if codes.shape[1] == 2:
        return _floats(centre + plane(side, reach) * codes.std(0))
    _, lengths, axes = np.linalg.svd(codes - centre, full_matrices=False)
    return _floats(centre + plane(side, reach) @ (axes[:2] * (lengths[:2, None] / np.sqrt(len(codes)))))


def corner_sheet(corners: Floats, side: int) -> Floats:
    """A side × side grid of codes between four z [4, Z] at its corners, along arcs: it never leaves the prior's shell."""
    left, right = arc(corners[0], corners[2], side), arc(corners[1], corners[3], side)
    return np.concatenate([arc(a, b, side) for a, b in zip(left, right, strict=True)])


def truncated(z: Floats, bound: float) -> Floats:
    """Standard normal z [N, Z], each component brought into [−bound, bound] as a draw of the normal truncated there.

    The map is Φ⁻¹(Φ(−bound) + (Φ(bound) − Φ(−bound)) Φ(z)), monotone, odd, and for a large bound the identity. Brock et al.
    2019 (section 3.1) sample from the same distribution but draw anew what lies outside; here the same z moves smoothly
    with the bound. Raises LabError for a bound that is not above 0.
    """
    from scipy.special import erf, erfinv, log_ndtr, ndtri_exp

    if not 0 < bound < np.inf:
        raise refusal("truncation", "a number of more than 0, in standard deviations", bound)
    size = np.abs(z.astype(np.float64))  # the map is odd
    share = erf(bound / np.sqrt(2))  # Φ(bound) − Φ(−bound)
    near = np.sqrt(2) * erfinv(share * erf(np.minimum(size, 1) / np.sqrt(2)))  # keeps its digits around 0, where Φ is near ½
    far = -ndtri_exp(np.logaddexp(log_ndtr(-bound), np.log(share) + log_ndtr(-size)))  # and this one where Φ is near 1
    moved = np.where(size < 1, near, far)
    edge = np.float32(bound)
    edge = edge if float(edge) <= bound else np.nextafter(edge, np.float32(0))  # the nearest float32 that is not outside
    return _floats(np.copysign(np.minimum(moved, edge), z))


def drawn_classes(count: int, seed: int, shares: Sequence[float] | None) -> NDArray[np.int64] | None:
    """A class for each of `count` draws, in these shares: [count]; row i depends on (seed, i) alone. None without shares."""
    if shares is None:
        return None
    edges = np.cumsum(shares)
    places = np.array([numpy_generator(seed, "class", row).random() for row in range(count)])
    labels: NDArray[np.int64] = np.minimum(np.searchsorted(edges, places * edges[-1], "right"), len(edges) - 1).astype(np.int64)
    return labels


def of_classes(codes: Floats, labels: NDArray[np.int64] | None, classes: int) -> Floats:
    """Codes [N, Z] with their classes behind them, one-hot: [N, Z + K]; as they are for a model that is given none (K = 0)."""
    if not classes or labels is None:
        return codes
    return np.concatenate([codes, np.eye(classes, dtype=np.float32)[labels]], 1)


def gaussian_codes(z: NDArray[Any], means: NDArray[Any], deviations: NDArray[Any]) -> Floats:
    """Standard normal z [N, Z] as draws of a Gaussian with the mean and covariance of the aggregate posterior: [N, Z].

    Those of the posteriors' means [M, Z], and the mean of their variances [M, Z] (Ghosh et al. 2020).
    """
    centred = means.astype(np.float64) - means.mean(0, dtype=np.float64)
    covariance = centred.T @ centred / max(len(means) - 1, 1) + np.diag(np.square(deviations, dtype=np.float64).mean(0))
    values, vectors = np.linalg.eigh(covariance)  # the symmetric root: that of vectors whose signs are left open would be another
    return _floats(means.mean(0, dtype=np.float64) + z @ (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def mixture_codes(means: Floats, count: int, seed: int, components: int = 10) -> Floats:
    """Draws from a Gaussian mixture fitted to codes [N, Z] (Ghosh et al. 2020 sample autoencoders so): [count, Z].

    Row i depends on (seed, i) alone, as for every prior.
    """
    from sklearn.mixture import GaussianMixture

    components = min(components, max(1, len(means) // 10))
    fitted = GaussianMixture(components, covariance_type="full", reg_covar=1e-4, random_state=0).fit(means.astype(np.float64))
    roots = np.linalg.cholesky(fitted.covariances_)
    edges = np.cumsum(fitted.weights_)
    codes = np.empty((count, means.shape[1]), np.float32)
    for row in range(count):
        source = numpy_generator(seed, "mixture", row)
        component = min(int(np.searchsorted(edges, source.random())), components - 1)
        codes[row] = fitted.means_[component] + roots[component] @ source.standard_normal(means.shape[1])
    return codes
