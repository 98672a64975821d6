"""Codes from each source between an image's own and the prior's: their moments are those of the aggregate posterior."""

from __future__ import annotations

import numpy as np
import pytest

from latentlab.measure.sources import SOURCES, codes_by_source
from latentlab.models.sampling import mixture_codes


def test_each_source_has_the_moments_that_it_should() -> None:
    random = np.random.default_rng(0)
    signs = random.choice([-2.0, 2.0], (500, 1))
    mean = np.hstack([signs, 0.5 * signs]) + random.normal(0, 0.1, (500, 2))  # two clouds: no Gaussian
    deviation = np.tile([0.3, 0.6], (500, 1))
    found = codes_by_source(mean, deviation, 40_000, seed=3)
    assert tuple(found) == SOURCES
    assert {codes.shape for codes in found.values()} == {(40_000, 2)}
    own = np.cov(mean, rowvar=False)
    aggregate = own + np.diag([0.09, 0.36])
    for name, covariance in {"reconstructions": own, "posterior": aggregate, "fitted": aggregate}.items():
        assert np.cov(found[name], rowvar=False) == pytest.approx(covariance, rel=0.05, abs=0.03), name
        assert found[name].mean(0) == pytest.approx(mean.mean(0), abs=0.05), name
    empty = {name: float((np.abs(codes[:, 0]) < 0.5).mean()) for name, codes in found.items()}
    assert empty["reconstructions"] == empty["posterior"] == 0.0 < 0.1 < empty["fitted"]  # the Gaussian fills the gap between the clouds


def test_a_mixture_has_the_moments_too_and_leaves_the_gap_empty() -> None:
    random = np.random.default_rng(0)
    mean = (random.choice([-2.0, 2.0], (500, 1)) * [1.0, 0.5] + random.normal(0, 0.1, (500, 2))).astype(np.float32)
    codes = mixture_codes(mean, 4_000, seed=3)
    assert np.cov(codes, rowvar=False) == pytest.approx(np.cov(mean, rowvar=False), rel=0.06)
    assert codes.mean(0) == pytest.approx(mean.mean(0), abs=0.1)
    assert not (np.abs(codes[:, 0]) < 0.5).any()  # where the one Gaussian puts more than a tenth


def test_codes_of_an_autoencoder_are_reconstructions_alone_and_no_image_is_used_twice_while_others_are_left() -> None:
    mean = np.arange(20.0).reshape(10, 2)
    found = codes_by_source(mean, None, 10, seed=1)
    assert list(found) == ["reconstructions"]
    assert sorted(found["reconstructions"][:, 0]) == sorted(mean[:, 0])
    assert found["reconstructions"].dtype == np.float32


def test_the_seed_decides_every_draw() -> None:
    posteriors = np.arange(20.0).reshape(10, 2), np.ones((10, 2))
    first, again, other = (codes_by_source(*posteriors, 10, seed) for seed in (1, 1, 2))
    for name in SOURCES:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
