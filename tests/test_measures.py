"""Measures against closed forms, and collapse that is called collapse."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from latentlab.base.errors import LabError
from latentlab.base.texts import catalogue, languages
from latentlab.measure.metrics.classes import entropy_nats, reverse_kl_nats, shares
from latentlab.measure.metrics.features import Moments, frechet_distance, moments
from latentlab.measure.metrics.pixels import mean_squared_error, psnr
from latentlab.measure.table import BY_NAME, GROUPS, MEASURES


def test_frechet_of_diagonal_gaussians_is_the_closed_form() -> None:
    a = Moments(np.array([0.0, 1.0, -2.0]), np.diag([1.0, 4.0, 0.25]))
    b = Moments(np.array([1.0, 1.0, 0.0]), np.diag([9.0, 1.0, 0.25]))
    expected = 1 + 0 + 4 + (1 - 3) ** 2 + (2 - 1) ** 2 + 0  # |Δμ|² + Σ (σ₁ − σ₂)²
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_equal_covariances_is_the_distance_of_the_means_in_any_rotation() -> None:
    source = np.random.default_rng(0)
    root = source.normal(size=(6, 6))
    shift = source.normal(size=6)
    a, b = Moments(np.zeros(6), root @ root.T), Moments(shift, root @ root.T)
    assert frechet_distance(a, b) == pytest.approx(shift @ shift, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_frechet_agrees_with_the_matrix_square_root() -> None:
    from scipy.linalg import sqrtm

    source = np.random.default_rng(1)
    sets = [source.normal(size=(500, 8)) @ source.normal(size=(8, 8)) for _ in range(2)]
    a, b = map(moments, sets)
    expected = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance - 2 * sqrtm(a.covariance @ b.covariance).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_frechet_of_degenerate_features_is_finite_and_bad_features_are_refused() -> None:
    flat = moments(np.ones((10, 3)))
    assert frechet_distance(flat, flat) == 0.0
    for bad in (np.ones((1, 3)), np.full((5, 2), np.nan), np.ones(4)):
        with pytest.raises(LabError, match="features must be"):
            moments(bad)


def test_balance_calls_a_collapse_by_its_name() -> None:
    even, one = shares(np.arange(100) % 10, 10), shares(np.zeros(100, int), 10)
    assert entropy_nats(even) == pytest.approx(math.log(10))
    assert reverse_kl_nats(even, even) == 0.0
    assert entropy_nats(one) == 0.0
    assert reverse_kl_nats(one, even) == pytest.approx(math.log(10))
    assert reverse_kl_nats(even, one) == math.inf
    half = shares(np.array([0, 1]), 4)
    assert reverse_kl_nats(half, np.full(4, 0.25)) == pytest.approx(math.log(2))


def test_reconstruction_error_is_per_pixel_in_unit_range() -> None:
    black, white = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 255, np.uint8)
    assert mean_squared_error(black, white).tolist() == [1.0, 1.0]
    assert mean_squared_error(white, white).tolist() == [0.0, 0.0]
    assert psnr(np.array([0.01, 0.0])).tolist() == [pytest.approx(20.0), pytest.approx(100.0)]


def test_the_docs_name_the_measures_of_the_table_and_the_same_way_that_is_better() -> None:
    docs = (Path(__file__).parents[1] / "docs" / "measures.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in docs.splitlines() if line.startswith("| `")]
    named = [re.findall(r"`(\w+)`", row[0]) for row in rows]
    assert {name for names in named for name in names} <= set(BY_NAME) <= set(re.findall(r"`(\w+)`", docs))
    for row, names in zip(rows, named, strict=True):
        ways = row[2].split("; ") if len(row) > 2 else []
        for name, way in zip(names, ways * (len(names) if len(ways) == 1 else 1), strict=bool(ways)):
            assert BY_NAME[name].better == way, name


@pytest.mark.parametrize("lang", languages())
def test_every_measure_has_its_texts(lang: str) -> None:
    assert len(BY_NAME) == len(MEASURES)
    for measure in MEASURES:
        keys = [f"compare.measure.{measure.name}"] + [measure.unit.key] * bool(measure.unit.key)
        if measure.group:
            keys += [f"measure.group.{measure.group}", f"measure.{measure.name}", f"measure.{measure.name}.about"]
        if measure.group in ("samples", "codes"):  # what real images reach, or the commonest class
            keys.append(f"measure.{measure.name}.floor")
        assert set(keys) <= set(catalogue(lang)), measure.name
        assert measure.group in ("", *GROUPS)
