"""Structural similarity of pairs of images: SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003).

Axes: N images, H height, W width, C channels; B = N·C planes; h, w what a window leaves of H and W.
A window is separable, so filtering is two products with a banded matrix: [h, H] on the left, [W, w] on the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.base.images import Images, check
from latentlab.base.seeding import numpy_generator
from latentlab.measure.metrics import Estimate, mean_estimate

Doubles = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5  # pixels; a smaller window keeps their ratio
C1, C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first (Wang et al. 2003, section 3.2)
BATCH_PIXELS = 400_000  # what fits a processor's cache


class Scales(NamedTuple):
    """What fits an image: the side of the Gaussian window in pixels, and how many scales."""

    window: int
    scales: int


Measure = Callable[[Doubles, Doubles, Scales], Doubles]  # planes [B, H, W] twice to [B]


def fitting_scales(height: int, width: int) -> Scales:
    """The largest odd window of at most 11 pixels that fits, and as many scales, up to 5, as it still fits.

    28 × 28: window 11, 2 scales (28 and 14 pixels); 64 × 64: 3; five from 176 × 176 on.
    """
    side = min(height, width)
    window = min(WINDOW, side - (side + 1) % 2)
    scales = 1
    while scales < len(WEIGHTS) and side >> scales >= window:
        scales += 1
    return Scales(window, scales)


def ssim(a: Images, b: Images) -> Doubles:
    """Mean SSIM of each pair, uint8 [N, H, W, C] twice to float64 [N]: 1 for identical images, at most 1, may be negative.

    Windows that lie wholly inside the image; channels averaged. Raises LabError when the shapes differ.
    """
    return _by_batches(a, b, lambda x, y, s: _ssim_and_contrast(x, y, s.window)[0])


def ms_ssim(a: Images, b: Images) -> Doubles:
    """MS-SSIM of each pair, uint8 [N, H, W, C] twice to float64 [N] in [0, 1], at the scales of `fitting_scales`.

    Π csⱼ^wⱼ over the finer scales times SSIM^w of the coarsest; the weights of the scales in use are made to sum to 1.
    A negative mean at any scale (structure reversed) has no real power: it counts as 0, no similarity, and makes the
    product 0. Four in ten random pairs of MNIST's test images are of that kind.
    """
    return _by_batches(a, b, _ms_ssim)


def pair_similarity(images: Images, pairs: int = 2000, seed: int = 0) -> Estimate:
    """Mean MS-SSIM of random pairs of images [N, H, W, C]: high where they resemble each other (Odena et al. 2017).

    At most `pairs` pairs that share no image, so that their values are independent and the mean has Student's interval.
    It says something only beside the value of real images. Raises LabError when N < 4.
    """
    images = check(images)
    if len(images) < 4:
        raise refusal("images", "at least 4, for two pairs", len(images))
    order = numpy_generator(seed, "pairs").permutation(len(images))[: 2 * min(pairs, len(images) // 2)]
    return mean_estimate(ms_ssim(images[order[0::2]], images[order[1::2]]))


def _by_batches(a: Images, b: Images, measure: Measure) -> Doubles:
    """A measure of planes, batch by batch, averaged over the channels of each image."""
    a, b = check(a), check(b)
    if a.shape != b.shape:
        raise refusal("pairs of images", f"two sets of one shape, here {list(a.shape)}", list(b.shape))
    count, height, width, channels = a.shape
    scales = fitting_scales(height, width)
    size = max(1, BATCH_PIXELS // (height * width * channels))
    result = np.empty(count)
    for first in range(0, count, size):
        rows = slice(first, first + size)
        result[rows] = measure(_planes(a[rows]), _planes(b[rows]), scales).reshape(-1, channels).mean(1)
    return result


def _planes(images: Images) -> Doubles:
    """[N, H, W, C] to float64 [N·C, H, W]."""
    count, height, width, channels = images.shape
    return images.transpose(0, 3, 1, 2).reshape(count * channels, height, width).astype(np.float64)


def _ms_ssim(a: Doubles, b: Doubles, scales: Scales) -> Doubles:
    weights = np.array(WEIGHTS[: scales.scales])
    result = np.ones(len(a))
    for scale, weight in enumerate(weights / weights.sum(), start=1):
        similarity, contrast = _ssim_and_contrast(a, b, scales.window)
        result *= np.maximum(similarity if scale == scales.scales else contrast, 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return result


def _ssim_and_contrast(a: Doubles, b: Doubles, window: int) -> tuple[Doubles, Doubles]:
    """The mean over all windows of SSIM and of its contrast-structure term alone: [B, H, W] twice to [B] twice.

    Written in the sum s = a + b and the difference d = a − b, which takes four filtered planes instead of five:
    4 ab = s² − d² and 2 (a² + b²) = s² + d². It is then symmetric, and 1 for identical planes, to the last bit.
    """
    s, d = a + b, a - b
    mean_s, mean_d = (np.square(_filtered(x, window)) for x in (s, d))  # μ_s², μ_d²
    spread_s, spread_d = _filtered(s * s, window) - mean_s, _filtered(d * d, window) - mean_d  # σ_s², σ_d²
    contrast = (spread_s - spread_d + 2.0 * C2) / (spread_s + spread_d + 2.0 * C2)  # (2 σ_ab + C2) / (σ_a² + σ_b² + C2)
    luminance = (mean_s - mean_d + 2.0 * C1) / (mean_s + mean_d + 2.0 * C1)
    return (luminance * contrast).mean((1, 2)), contrast.mean((1, 2))


def _filtered(planes: Doubles, window: int) -> Doubles:
    """[B, H, W] to the Gaussian means of all windows inside: [B, h, w]."""
    height, width = planes.shape[1:]
    rows = planes.reshape(-1, width) @ _band(width, window).T
    result: Doubles = _band(height, window) @ rows.reshape(len(planes), height, -1)
    return result


@cache
def _band(length: int, window: int) -> Doubles:
    """The matrix [length − window + 1, length] whose rows are the window at each place."""
    offsets = np.arange(window) - window // 2
    gaussian = np.exp(-0.5 * np.square(offsets / (SIGMA * window / WINDOW)))
    places = length - window + 1
    band = np.zeros((places, length))
    for row in range(places):
        band[row, row : row + window] = gaussian / gaussian.sum()
    return band


def _halved(planes: Doubles) -> Doubles:
    """The means of 2 × 2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in planes.shape[1:])
    even = planes[:, :height, :width]
    halves = even[:, 0::2] + even[:, 1::2]
    result: Doubles = 0.25 * (halves[:, :, 0::2] + halves[:, :, 1::2])
    return result


# How near reconstructions are, on uint8 images.


def mean_squared_error(a: Images, b: Images) -> Doubles:
    """The mean squared error per pixel of each pair, pixels in [0, 1]: uint8 [N, H, W, C] twice to float64 [N]."""
    difference = a.astype(np.float32) - b.astype(np.float32)
    result: Doubles = np.square(difference, dtype=np.float64).mean(axis=(1, 2, 3)) / 255.0**2
    return result


def psnr(mse: Doubles) -> Doubles:
    """Peak signal-to-noise ratio in decibels, 10 log₁₀(1 / MSE), of each pair; at most 100 dB for identical images."""
    return 10.0 * np.log10(1.0 / np.maximum(mse, 1e-10))


# Distances between images themselves, exact: the check for samples that repeat the training set.
#
# Axes: N queries, m images of a chunk, P = H·W·C pixels. A distance is the root of the mean squared difference of two
# images' pixels in [0, 1]: 0 for identical images, 1 for black and white.

Singles = NDArray[np.float32]

BLOCK = 2048  # columns of the distance matrix held at once
EXACT = 1024  # pixels


def nearest(queries: Images, chunks: Iterable[Images]) -> tuple[Doubles, NDArray[np.int64]]:
    """The distance [N] to the nearest image of all chunks and its row [N], counted through the chunks in order.

    Of equally near images the first. Raises LabError when the chunks hold no image or images of another shape.
    """
    points, sizes = _centred(check(queries))
    best = np.full(len(points), np.inf)
    row = np.full(len(points), -1, np.int64)
    first = 0
    for chunk in chunks:
        others, squares = _centred(check(chunk, "chunk", queries.shape[1:]))
        for start in range(0, len(others), BLOCK):
            block = slice(start, start + BLOCK)
            gaps = squares[block] - 2.0 * _products(points, others[block])  # [N, m], short of the query's own |x|²
            least = gaps.argmin(1)
            gap = gaps[np.arange(len(gaps)), least] + sizes
            nearer = gap < best
            best[nearer], row[nearer] = gap[nearer], least[nearer] + first + start
        first += len(others)
    if first == 0:
        raise refusal("chunks", "at least one image", 0)
    return _distance(best, points.shape[1]), row


def mean_pair_distance(images: Images) -> float:
    """The mean distance of all pairs of distinct images [N, H, W, C]; exactly 0 when all are identical.

    N² distances: a few thousand images take seconds. Raises LabError when N < 2.
    """
    points, sizes = _centred(check(images))
    if len(points) < 2:
        raise refusal("images", "at least 2", len(points))
    total = 0.0
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        gaps = sizes[block, None] + sizes - 2.0 * _products(points[block], points)
        total += _distance(gaps, points.shape[1]).sum()
    return float(total / (len(points) * (len(points) - 1)))


def _centred(images: Images) -> tuple[Singles, Doubles]:
    """Pixels less 128 [N, P] and their squared norms [N]."""
    points = images.reshape(len(images), -1).astype(np.float32) - np.float32(128)
    return points, np.einsum("np,np->n", points, points, dtype=np.float64)


def _products(a: Singles, b: Singles) -> Doubles:
    """Inner products [N, m] of a [N, P] and b [m, P], exact although float32 multiplies.

    Pixels less 128 are integers of at most 2⁷, their products of at most 2¹⁴: 1,024 of them sum to at most 2²⁴, and up to
    there float32 holds every integer. Longer sums are put together in float64.
    """
    total = np.zeros((len(a), len(b)))
    for first in range(0, a.shape[1], EXACT):
        part = slice(first, first + EXACT)
        total += a[:, part] @ b[:, part].T
    return total


def _distance(squares: Doubles, pixels: int) -> Doubles:
    result: Doubles = np.sqrt(squares / pixels) / 255.0
    return result
