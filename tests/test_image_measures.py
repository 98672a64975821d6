"""Measures of images and their intervals: against definitions, published values and another program, and by simulation."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from latentlab.base.errors import LabError
from latentlab.measure.metrics import (
    Estimate,
    around,
    delete_groups,
    half_width,
    jackknife2,
    jackknife_variance,
    mean_estimate,
    share_estimate,
    wilson,
)
from latentlab.measure.metrics.classes import (
    entropy_estimate,
    entropy_nats,
    knn_accuracy,
    probe_accuracy,
    reverse_kl_estimate,
    reverse_kl_nats,
    shares,
)
from latentlab.measure.metrics.features import (
    frechet_distance,
    frechet_estimate,
    kernel_distance,
    kernel_estimate,
    kid,
    kid_estimate,
    moments,
    root_mean_square,
)
from latentlab.measure.metrics.manifold import Manifold, manifold, manifold_estimate, radii
from latentlab.measure.metrics.pixels import Scales, fitting_scales, mean_pair_distance, ms_ssim, nearest, pair_similarity, ssim

FEW = settings(max_examples=25, deadline=None)


def jackknife(value: float, left_out: list[float]) -> Estimate:
    """The delete-a-group jackknife of one sample (Shao & Wu 1989), as it is written there."""
    without = np.asarray(left_out, np.float64)
    half = half_width(jackknife_variance(without), len(without) - 1)
    return around(value, value - half, value + half)


def gaussians(seed: int, n: int, m: int, d: int, scale: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    return source.normal(size=(n, d)), source.normal(size=(m, d)) * scale + shift


def images_of(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Real handwritten digits, uint8 [1797, 24, 24, 1], and their labels."""
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    large = np.kron(small.reshape(-1, 8, 8) / 16 * 255, np.ones((1, 3, 3)))
    return np.rint(large).astype(np.uint8)[..., None], labels


# Intervals


def test_groups_share_out_every_sample_once_and_mix_a_periodic_order() -> None:
    groups = delete_groups(1003)
    assert sorted(np.concatenate(groups).tolist()) == list(range(1003))
    assert {len(group) for group in groups} == {50, 51}
    assert all(len(set((group % 10).tolist())) >= 8 for group in groups)  # labels 0, 1 … 9, 0, 1 … stay mixed
    assert [len(group) for group in delete_groups(3)] == [1, 1, 1]
    assert all(np.array_equal(a, b) for a, b in zip(groups, delete_groups(1003), strict=True))
    with pytest.raises(LabError, match="at least 2"):
        delete_groups(1)


def test_the_jackknife_of_a_mean_is_the_textbook_interval() -> None:
    from scipy.stats import t

    values = np.random.default_rng(0).normal(size=40)
    left_out = [np.delete(values, i).mean() for i in range(40)]
    expected = t.interval(0.95, 39, values.mean(), values.std(ddof=1) / math.sqrt(40))
    assert jackknife(values.mean(), left_out) == pytest.approx((values.mean(), *expected))
    assert mean_estimate(values) == pytest.approx((values.mean(), *expected))
    both = jackknife2(0.0, left_out, left_out)
    assert both.high == pytest.approx((expected[1] - values.mean()) * math.sqrt(2))
    assert both.stderr == pytest.approx(both.high / 1.959964)
    with pytest.raises(LabError, match="at least 2"):
        mean_estimate(values[:1])


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@FEW
def test_wilson_ends_where_the_score_test_rejects(case: tuple[int, int]) -> None:
    successes, n = case
    value, low, high = share_estimate(successes, n)
    assert 0 <= low <= value <= high <= 1
    assert high > low
    for end in (low, high):  # the roots of (p − π)² = z² π (1 − π) / n
        assert (value - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / n, rel=1e-5, abs=1e-12)
    assert wilson(value, n) == (value, low, high)


def test_impossible_shares_are_refused() -> None:
    for successes, n in ((1, 0), (5, 4), (-1, 3)):
        with pytest.raises(LabError, match="successes must be"):
            share_estimate(successes, n)


def test_95_percent_intervals_cover_the_mean_of_their_statistic() -> None:
    draws, rows = 60, {}
    for draw in range(draws):
        real, fake = gaussians(draw, 400, 400, 8, 1.1, 0.3)
        found = {"frechet": frechet_estimate(fake, real), "kid": kernel_estimate(fake, real), **manifold_estimate(real, fake)}
        for name, estimate in found.items():
            rows.setdefault(name, []).append(estimate)
    assert set(rows) == {"frechet", "kid", *Manifold._fields}
    for name, estimates in rows.items():
        value, low, high = np.array(estimates).T
        assert ((low <= value) & (value <= high)).all()
        covered = ((low <= value.mean()) & (value.mean() <= high)).mean()
        assert covered >= 0.85, (name, covered)
        assert 1.5 < (high - low).mean() / 2 / value.std() < 4.5, name  # neither too narrow nor so wide that it says nothing


# Frechet and kernel distance


@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_frechet_and_kernel_distance_agree_with_torch_fidelity(fidelity: types.SimpleNamespace, spread: float) -> None:
    import torch

    source = np.random.default_rng(3)
    mix = source.normal(size=(48, 48)) / 7
    a, b = (np.maximum(side @ mix * spread, 0) for side in gaussians(4, 1500, 1500, 48, 1.1, 0.1))  # as after a ReLU
    tensors = [torch.from_numpy(side) for side in (a, b)]
    theirs = fidelity.fid.fid_statistics_to_metric(*(fidelity.fid.fid_features_to_statistics(side) for side in tensors), False)
    assert frechet_estimate(a, b).value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    whole = fidelity.kid.kid_features_to_metric(*tensors, kid_subsets=1, kid_subset_size=1500, verbose=False)
    assert kernel_distance(a, b) == pytest.approx(whole["kernel_inception_distance_mean"], rel=1e-6)
    subsets = fidelity.kid.kid_features_to_metric(*tensors, kid_subsets=100, kid_subset_size=300, verbose=False)
    error = subsets["kernel_inception_distance_std"] / math.sqrt(100)
    assert abs(kernel_distance(a, b) - subsets["kernel_inception_distance_mean"]) < 4 * error


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_kid_does_not_depend_on_the_unit_of_the_features(factor: float, seed: int) -> None:
    fake, real = gaussians(seed, 20, 30, 4, 1.3, 0.2)
    unit = root_mean_square(real)
    assert unit == pytest.approx(math.sqrt((real**2).mean()))
    expected = 1_000 * kernel_distance(fake / unit, real / unit)
    assert kid(factor * fake, factor * real, root_mean_square(factor * real)) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    estimate = kid_estimate(fake, real, unit)
    assert estimate.value == pytest.approx(expected)
    assert estimate.high - estimate.low == pytest.approx(1_000 * np.subtract(*reversed(kernel_estimate(fake / unit, real / unit)[1:])))
    assert root_mean_square(0 * real) == 1.0


def test_kernel_distance_is_its_definition_for_sets_of_unequal_size() -> None:
    a, b = gaussians(5, 23, 31, 4, 1.3, 0.2)
    k = lambda x, y: (x @ y / 4 + 1) ** 3  # noqa: E731
    within = [np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    expected = sum(within) - 2 * np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(expected, rel=1e-10)
    assert kernel_distance(b, a) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("estimate", "distance"),
    [(frechet_estimate, lambda a, b: frechet_distance(moments(a), moments(b))), (kernel_estimate, kernel_distance)],
)
def test_the_jackknife_of_a_distance_is_that_of_recomputing_it_without_each_group(estimate: object, distance: object) -> None:
    a, b = gaussians(6, 90, 133, 5, 1.2, 0.4)
    a += 100.0  # far from the origin
    b += 100.0
    without_a = [distance(np.delete(a, group, 0), b) for group in delete_groups(90, 7)]
    without_b = [distance(a, np.delete(b, group, 0)) for group in delete_groups(133, 7)]
    expected = jackknife2(distance(a, b), without_a, without_b)
    found = estimate(a, b, groups=7)
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    assert found.high == pytest.approx(expected.high, rel=1e-6)


@given(st.integers(0, 1000), st.integers(1, 40))
@FEW
def test_blocks_change_neither_kernel_nor_manifold(seed: int, block: int) -> None:
    a, b = gaussians(seed, 60, 45, 3, 0.8, 0.2)
    assert kernel_distance(a, b, block=block) == pytest.approx(kernel_distance(a, b), rel=1e-9, abs=1e-12)
    assert kernel_estimate(a, b, block=block) == pytest.approx(kernel_estimate(a, b), rel=1e-9, abs=1e-12)
    assert manifold(a, b, block=block) == manifold(a, b)


# Precision, recall, density, coverage


def brute_manifold(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, ...]:
    """The definitions, read aloud: distances by subtraction, balls one by one."""
    distance = lambda x, y: np.sqrt(np.square(x[:, None] - y[None]).sum(2))  # noqa: E731
    real_radius = np.sort(distance(real, real), 1)[:, k]  # column 0 is the point itself
    fake_radius = np.sort(distance(fake, fake), 1)[:, k]
    between = distance(real, fake)
    precision = np.mean([any(between[:, j] <= real_radius) for j in range(len(fake))])
    recall = np.mean([any(between[i] <= fake_radius) for i in range(len(real))])
    density = np.mean([sum(between[:, j] <= real_radius) for j in range(len(fake))]) / k
    coverage = np.mean([any(between[i] <= real_radius[i]) for i in range(len(real))])
    return precision, recall, density, coverage


@pytest.mark.parametrize(("n", "m", "k", "scale"), [(200, 150, 5, 1.0), (120, 300, 3, 0.5), (12, 40, 1, 1.5), (700, 650, 5, 1.2)])
def test_manifold_is_its_definition(n: int, m: int, k: int, scale: float) -> None:
    real, fake = gaussians(7, n, m, 6, scale, 0.3)
    expected = brute_manifold(real, fake, k)
    assert manifold(real, fake, k) == pytest.approx(expected, abs=1e-12)
    assert manifold(real + 1e4, fake + 1e4, k) == pytest.approx(expected, abs=1e-12)
    assert manifold(real, fake, k, radii(real, k), radii(fake, k)) == manifold(real, fake, k)


def test_manifold_without_a_group_is_that_of_the_others() -> None:
    from latentlab.measure.metrics.manifold import _shares

    real, fake = gaussians(8, 170, 90, 4, 0.7, 0.2)
    real[::3] = real[0]  # duplicates, whose radius may grow from 0
    value, without_real, without_fake = _shares(real, fake, 3, None, None, 32)
    assert value == pytest.approx(brute_manifold(real, fake, 3))
    for group, found in zip(delete_groups(170), without_real, strict=True):
        assert found == pytest.approx(brute_manifold(np.delete(real, group, 0), fake, 3))
    for group, found in zip(delete_groups(90), without_fake, strict=True):
        assert found == pytest.approx(brute_manifold(real, np.delete(fake, group, 0), 3))


def test_radii_of_many_points_are_their_sorted_distances_whatever_ties_there_are() -> None:
    source = np.random.default_rng(0)
    for points in (source.normal(size=(2100, 3)), source.integers(0, 4, (2100, 3)).astype(float), np.full((2100, 3), 0.3)):
        balls = radii(points, 5)
        for row in range(0, 2100, 150):
            squares = np.square(points - points[row]).sum(1)
            squares[row] = np.inf
            assert balls.squared[row] == pytest.approx(np.sort(squares)[4], abs=1e-12)
            for group in range(20):
                assert balls.without[row, group] == pytest.approx(np.sort(squares[balls.group != group])[4], abs=1e-12)


def test_copies_are_inside_balls_of_radius_zero_whatever_rounding_does() -> None:
    for seed in range(20):
        source = np.random.default_rng(seed)
        twice = source.normal(size=100) * 3
        real = np.concatenate([np.tile(twice, (20, 1)), source.normal(size=(20 + seed, 100)) + 50])
        fake = np.concatenate([source.normal(size=(31, 100)) - 50, np.tile(twice, (10, 1))])
        found = manifold(real, fake, 5)
        assert found.precision == pytest.approx(10 / 41)
        assert found.density == pytest.approx(20 * 10 / (5 * 41))
        assert (found.recall, found.coverage) == pytest.approx((20 / (40 + seed),) * 2)


@pytest.mark.slow
def test_manifold_of_independent_normal_samples_has_the_published_values() -> None:
    """n = 10,000, d = 1,000, k = 5: the example of Naeem et al.'s package, whose authors print one draw without its seed.

    Density has a standard deviation of 0.06 between draws, from points near the centre that are everybody's neighbours.
    So beside a draw near theirs stand the expected values that their paper derives: density 1, coverage 1 − 2⁻ᵏ for large n.
    """
    real, fake = gaussians(2, 10_000, 10_000, 1000)
    found = manifold_estimate(real, fake, 5)
    assert [found[name].value for name in Manifold._fields] == pytest.approx([0.477, 0.471, 1.056, 0.974], abs=0.03)
    assert found["density"].low < 1.0 < found["density"].high
    assert found["coverage"].low < 1 - 2**-5 < found["coverage"].high


def test_manifold_refuses_what_has_no_kth_neighbour() -> None:
    real, fake = gaussians(9, 20, 5, 2)
    for a, b in ((real, fake), (fake, real)):
        with pytest.raises(LabError, match="more than k = 5"):
            manifold(a, b, 5)
    with pytest.raises(LabError, match="finite"):
        manifold(real, np.full((20, 2), np.nan))
    estimates = manifold_estimate(real[:6], fake, 4)  # too few for any confidence, yet an interval that can be written
    assert all(math.isfinite(end) for estimate in estimates.values() for end in estimate)


# Similarity


def direct_ssim(a: np.ndarray, b: np.ndarray, window: int) -> tuple[float, float]:
    """SSIM and its contrast-structure term of two planes [H, W], every window cut out and weighed on its own."""
    offsets = np.arange(window) - window // 2
    weight = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (1.5 * window / 11) ** 2))
    weight /= weight.sum()
    x, y = (np.lib.stride_tricks.sliding_window_view(side.astype(float), (window, window)) for side in (a, b))
    mean_x, mean_y = (((side * weight).sum((2, 3)))[..., None, None] for side in (x, y))
    var_x, var_y = (weight * (x - mean_x) ** 2).sum((2, 3)), (weight * (y - mean_y) ** 2).sum((2, 3))
    both = (weight * (x - mean_x) * (y - mean_y)).sum((2, 3))
    mean_x, mean_y = mean_x[..., 0, 0], mean_y[..., 0, 0]
    contrast = (2 * both + 7.65**2) / (var_x + var_y + 7.65**2)
    luminance = (2 * mean_x * mean_y + 2.55**2) / (mean_x**2 + mean_y**2 + 2.55**2)
    return float((luminance * contrast).mean()), float(contrast.mean())


@pytest.mark.parametrize("shape", [(3, 28, 28, 1), (2, 20, 33, 3), (2, 8, 9, 1)])
def test_ssim_is_its_definition(shape: tuple[int, ...]) -> None:
    a = images_of(*shape)
    b = np.clip(a + np.random.default_rng(1).normal(0, 40, shape), 0, 255).astype(np.uint8)
    window = 7 if shape[1] == 8 else 11
    expected = [np.mean([direct_ssim(x[..., c], y[..., c], window)[0] for c in range(shape[3])]) for x, y in zip(a, b, strict=True)]
    assert ssim(a, b) == pytest.approx(expected, abs=1e-10)


def test_ms_ssim_is_its_definition() -> None:
    a = images_of(2, 64, 65, 1) // 2 + np.linspace(0, 120, 65).astype(np.uint8)[:, None]
    b = a // 2 + images_of(2, 64, 65, 1, seed=1) // 8
    weights = np.array([0.0448, 0.2856, 0.3001])
    for x, y, found in zip(a[..., 0].astype(float), b[..., 0].astype(float), ms_ssim(a, b), strict=True):
        expected = 1.0
        for scale, weight in enumerate(weights / weights.sum()):
            similarity, contrast = direct_ssim(x, y, 11)
            expected *= (similarity if scale == 2 else contrast) ** weight
            x, y = (side[:, : side.shape[1] // 2 * 2].reshape(side.shape[0] // 2, 2, -1, 2).mean((1, 3)) for side in (x, y))
        assert found == pytest.approx(expected, abs=1e-10)


def test_scales_fit_the_image_and_are_stated() -> None:
    assert fitting_scales(28, 28) == Scales(window=11, scales=2)
    assert fitting_scales(64, 200) == Scales(11, 3)
    assert fitting_scales(176, 176) == Scales(11, 5)
    assert fitting_scales(2000, 2000) == Scales(11, 5)
    assert fitting_scales(8, 8) == Scales(7, 1)
    assert fitting_scales(1, 5) == Scales(1, 1)


@given(st.integers(0, 10_000), st.sampled_from([(28, 28, 1), (13, 17, 3), (5, 5, 1)]))
@FEW
def test_similarity_is_symmetric_at_most_one_and_the_same_in_any_batch(seed: int, shape: tuple[int, int, int]) -> None:
    a = images_of(5, *shape, seed=seed)
    b = np.where(images_of(5, *shape, seed=seed + 1) < 128, a, images_of(5, *shape, seed=seed + 2))
    for measure in (ssim, ms_ssim):
        found = measure(a, b)
        assert found.tolist() == measure(b, a).tolist()
        assert (found <= 1).all()
        assert np.isfinite(found).all()
        assert np.concatenate([measure(a[i : i + 1], b[i : i + 1]) for i in range(5)]) == pytest.approx(found, abs=1e-12)
        assert measure(a, a).tolist() == [1.0] * 5


def test_reversed_structure_is_no_similarity_and_not_nan() -> None:
    a = images_of(4, 28, 28, 1)
    assert (ssim(a, 255 - a) < 0).all()
    assert ms_ssim(a, 255 - a).tolist() == [0.0] * 4
    with pytest.raises(LabError, match="one shape"):
        ssim(a, a[:2])
    with pytest.raises(LabError, match="uint8"):
        ssim(a / 255, a / 255)


def test_pairs_are_random_share_no_image_and_repeat_with_their_seed(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images = digits[0]
    assert pair_similarity(images, 300, seed=1) == pair_similarity(images, 300, seed=1)
    assert pair_similarity(images, 300, seed=1) != pair_similarity(images, 300, seed=2)
    estimates = [pair_similarity(images, 300, seed=seed) for seed in range(5)]
    everything = ms_ssim(np.repeat(images[:300], 300, 0), np.tile(images[:300], (300, 1, 1, 1))).reshape(300, 300)
    mean = (everything.sum() - 300) / (300 * 299)
    assert sum(low - 0.02 <= mean <= high + 0.02 for _, low, high in estimates) >= 4
    one_odd = np.zeros((8, 28, 28, 1), np.uint8)
    one_odd[0] = images_of(28, 28, 1)
    assert pair_similarity(one_odd).value == pytest.approx((3 + ms_ssim(one_odd[:1], one_odd[1:2])[0]) / 4)  # in one pair of four
    with pytest.raises(LabError, match="at least 4"):
        pair_similarity(images[:3])


# Neighbours


@given(
    st.sampled_from([(4, 4, 1), (24, 24, 3)]).flatmap(
        lambda shape: st.tuples(hnp.arrays(np.uint8, (3, *shape), fill=st.sampled_from([0, 255])), st.integers(0, 1000))
    ),
    st.integers(1, 7),
)
@FEW
def test_nearest_is_exact_and_indifferent_to_chunks(case: tuple[np.ndarray, int], size: int) -> None:
    queries, seed = case
    others = images_of(11, *queries.shape[1:], seed=seed)
    others[7], others[3] = queries[1], queries[1]
    distance, row = nearest(queries, (others[first : first + size] for first in range(0, 11, size)))
    squares = np.square(queries[:, None].astype(np.int64) - others[None].astype(np.int64)).sum((2, 3, 4))
    assert row.tolist() == squares.argmin(1).tolist()  # of equals the first
    assert distance == pytest.approx(np.sqrt(squares.min(1) / queries[0].size) / 255, rel=1e-14)
    assert distance[1] == 0.0
    assert row[1] == 3


def test_one_grey_level_of_one_pixel_is_told_apart_in_large_images() -> None:
    query = np.full((1, 64, 64, 3), 255, np.uint8)
    query[0, :, ::2] = 0
    near = query.copy()
    near[0, 5, 5, 1] -= 1
    distance, row = nearest(query, [near, query])
    assert (distance[0], row[0]) == (0.0, 1)
    assert nearest(query, [near])[0][0] == pytest.approx(math.sqrt(1 / query.size) / 255)


def test_distances_have_the_unit_range_and_bad_chunks_are_refused() -> None:
    black, white = np.zeros((2, 4, 4, 1), np.uint8), np.full((2, 4, 4, 1), 255, np.uint8)
    assert nearest(black, [white])[0].tolist() == [1.0, 1.0]
    with pytest.raises(LabError, match="at least one image"):
        nearest(black, [])
    with pytest.raises(LabError, match="chunk"):
        nearest(black, [np.zeros((2, 5, 5, 1), np.uint8)])


def test_mean_pair_distance_is_its_definition_and_zero_for_one_image() -> None:
    images = images_of(9, 6, 6, 3)
    pairs = [np.sqrt(np.mean((images[i] / 255 - images[j] / 255) ** 2)) for i in range(9) for j in range(i)]
    assert mean_pair_distance(images) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert mean_pair_distance(np.repeat(images_of(1, 28, 28, 1), 50, 0)) == 0.0
    assert mean_pair_distance(np.concatenate([np.zeros((1, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), 255, np.uint8)])) == 1.0
    with pytest.raises(LabError, match="at least 2"):
        mean_pair_distance(images[:1])


# Class balance


def test_balance_intervals_are_the_delete_one_jackknife() -> None:
    labels = np.random.default_rng(2).choice(4, 60, p=[0.5, 0.3, 0.2, 0])
    real = np.array([0.25, 0.25, 0.3, 0.2])
    for estimate, statistic in (
        (entropy_estimate(labels, 4), entropy_nats),
        (reverse_kl_estimate(labels, real), lambda p: reverse_kl_nats(p, real)),
    ):
        first = jackknife(statistic(shares(labels, 4)), [statistic(shares(np.delete(labels, i), 4)) for i in range(60)])
        quantile = half_width(1.0, 59)
        half = math.sqrt(((first.high - first.value) / quantile) ** 2 + 3 / (2 * 60**2)) * quantile  # and the χ² term of 4 classes
        assert tuple(estimate) == pytest.approx((first.value, max(0, first.value - half), min(math.log(4), first.value + half)))
    balanced = entropy_estimate(np.arange(1000) % 10, 10)
    assert (balanced.value, balanced.high) == pytest.approx((math.log(10), math.log(10)))
    # 2N·KL ~ χ² with 9 degrees of freedom: sd √18, so that half a 95 % interval is 1.96 √18 / 2000 nats.
    assert balanced.value - balanced.low == pytest.approx(1.9623 * math.sqrt(18) / 2000, rel=1e-3)
    assert entropy_estimate(np.append(np.arange(1000) % 10, 0), 10).high <= math.log(10)
    alone = entropy_estimate(np.zeros(50, int), 10)
    assert (alone.value, alone.low) == (0.0, 0.0)
    assert 3 / 50 < alone.high < 15 / 50  # some twentieth of what was not drawn may be other classes
    assert reverse_kl_estimate(np.array([0, 1, 2]), np.array([0.5, 0.5, 0.0])) == (math.inf,) * 3
    assert reverse_kl_estimate(np.arange(100) % 4, np.full(4, 0.25)).low == 0.0
    with pytest.raises(LabError, match="labels"):
        entropy_estimate(np.zeros(1, int), 10)


# Probes


def test_probes_read_labels_that_are_there_and_none_that_are_not() -> None:
    source = np.random.default_rng(0)
    labels = source.integers(0, 4, 1200)
    codes = source.normal(size=(1200, 5))
    codes[:, :2] += 8 * np.stack([labels % 2, labels // 2], axis=1)
    codes[:, 3] = 7.0  # a dead unit
    codes[:, 4] *= 1e-3
    parts = codes[:800], labels[:800], codes[800:]
    for accuracy in (knn_accuracy, probe_accuracy):
        told = accuracy(*parts, labels[800:])
        assert told.value > 0.98
        assert told == accuracy(*parts, labels[800:])
        assert told == share_estimate(round(told.value * 400), 400)
        guessed = accuracy(codes[:800], source.permutation(labels[:800]), codes[800:], labels[800:])
        assert abs(guessed.value - 0.25) < 0.1
    scaled = codes * np.array([1e-4, 1e-4, 1, 1, 1])  # faint beside the noise: lost to the neighbours, not to a standardised probe
    assert knn_accuracy(scaled[:800], labels[:800], scaled[800:], labels[800:]).value < 0.5
    assert probe_accuracy(scaled[:800], labels[:800], scaled[800:], labels[800:]).value > 0.98


def test_neighbours_vote_by_majority() -> None:
    codes, labels = np.array([[0.0], [0.1], [-0.2], [9.0]]), np.array([1, 0, 0, 1])
    votes = [knn_accuracy(codes, labels, np.zeros((2, 1)), np.array([1, 1]), k).value for k in (1, 2, 3)]
    assert votes == [1.0, 0.0, 0.0]  # a tie goes to the smallest label


def test_probes_refuse_what_they_cannot_learn_from() -> None:
    codes, labels = np.random.default_rng(0).normal(size=(6, 2)), np.arange(6) % 2
    with pytest.raises(LabError, match="k must be"):
        knn_accuracy(codes[:4], labels[:4], codes, labels)
    with pytest.raises(LabError, match="at least 2 classes"):
        probe_accuracy(codes, np.zeros(6, int), codes, labels)
    with pytest.raises(LabError, match="label for each"):
        probe_accuracy(codes, labels[:3], codes, labels)
    with pytest.raises(LabError, match="as the training codes"):
        knn_accuracy(codes, labels, codes[:, :1], labels)


# What every measure must say of copies and of collapse


def test_identical_sets_are_called_identical(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, _ = digits
    features = images[:600, ::3, ::3, 0].reshape(600, -1) / 255.0
    scale = np.trace(moments(features).covariance)
    estimate = frechet_estimate(features, features)
    assert 0 <= estimate.low <= estimate.value <= 1e-6 * scale
    kid = kernel_estimate(features, features)
    assert kid.low <= 0 <= kid.high
    assert kid.high - kid.low < 0.1 * kernel_estimate(features, features + 0.5).value
    found = manifold(features, features)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    assert all(e.high == 1.0 and e.low > 0.9 for name, e in manifold_estimate(features, features).items() if name != "density")
    copies = np.repeat(features[:1], 50, 0)  # radius 0
    assert manifold(copies, copies)[:2] == (1.0, 1.0)
    assert ms_ssim(images[:50], images[:50]).tolist() == [1.0] * 50
    assert ssim(images[:50], images[:50]).tolist() == [1.0] * 50
    distance, row = nearest(images[100:150], [images[:120], images[120:]])
    assert distance.max() == 0.0
    assert (images[row] == images[100:150]).all()


def test_a_sample_of_one_class_is_called_collapsed_by_every_diversity_measure(digits: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.decomposition import PCA

    images, labels = digits
    features = PCA(16, svd_solver="full").fit_transform(images.reshape(len(images), -1) / 255.0)
    half = np.random.default_rng(0).permutation(len(images))
    real, other = half[:900], half[900:]
    one = np.flatnonzero(labels == 0)
    balance = shares(labels[real], 10)

    def diversity(rows: np.ndarray) -> dict[str, Estimate]:
        found = manifold_estimate(features[real], features[rows])
        return {
            "recall": found["recall"],
            "coverage": found["coverage"],
            "entropy": entropy_estimate(labels[rows], 10),
            "reverse KL": reverse_kl_estimate(labels[rows], balance),
            "MS-SSIM": pair_similarity(images[rows], 80),
            "precision": found["precision"],
        }

    healthy, collapsed = diversity(other), diversity(one)
    for name in ("recall", "coverage", "entropy"):
        assert collapsed[name].high < healthy[name].low / 2, name
    for name in ("reverse KL", "MS-SSIM"):
        assert collapsed[name].low > healthy[name].high, name
    assert collapsed["precision"].value > 0.9  # real images all the same: no measure of diversity
    assert mean_pair_distance(images[one]) < 0.8 * mean_pair_distance(images[other])
