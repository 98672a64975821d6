"""Truncated sampling: a normal truncated at ±T, by inverse transform."""

from __future__ import annotations

import numpy as np
import pytest
from commands import refusal_here
from conftest import FAMILIES, TINY
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm, truncnorm

import latentlab as ll
from latentlab.base.seeding import latents
from latentlab.models.sampling import truncated

pytestmark = pytest.mark.usefixtures("undrawn")
BOUNDS = st.floats(1e-6, 40)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    root = tmp_path_factory.mktemp("runs")
    chosen = ("mlp-ae", "conv-vae", "sn-gan")
    return {n: ll.train(ll.preset(n, **TINY | FAMILIES[n] | {"train.steps": 12}), root / n) for n in chosen}


@pytest.mark.parametrize("bound", [0.05, 0.5, 1.0, 2.0, 5.0, 9.0])
def test_it_is_the_truncated_normal(bound: float) -> None:
    drawn = truncated(latents(2000, 10, 3), bound)
    assert drawn.dtype == np.float32
    assert drawn.shape == (2000, 10)
    assert kstest(drawn.ravel(), truncnorm(-bound, bound).cdf).pvalue > 1e-3
    assert 0.9 * min(bound, 4) < np.abs(drawn).max() <= bound


@given(bound=BOUNDS, z=st.lists(st.floats(-45, 45, width=32), min_size=2, max_size=20))
def test_it_is_within_its_bounds_monotone_and_odd(bound: float, z: list[float]) -> None:
    given_ = np.sort(np.array([z], np.float32))
    moved = truncated(given_, bound)
    assert np.isfinite(moved).all()
    assert (np.abs(moved).astype(np.float64) <= bound).all()  # also where the nearest float32 to the bound is above it
    assert (np.abs(moved) <= np.abs(given_) * (1 + 1e-6) + 1e-12).all()
    assert (np.diff(moved[0]) >= 0).all()
    assert np.array_equal(truncated(-given_, bound), -moved)


def test_the_quantiles_are_those_of_the_closed_form() -> None:
    z = np.linspace(-6, 6, 301, dtype=np.float32)[None]
    for bound in (0.3, 1.5, 4.0):
        exact = truncnorm(-bound, bound).ppf(norm.cdf(z.astype(np.float64)))  # another road to the same numbers
        assert np.allclose(truncated(z, bound), exact, rtol=0, atol=1e-6 * bound)


def test_around_zero_no_digit_is_lost() -> None:
    z = np.array([[-1e-12, 0.0, 1e-12, 1e-6]], np.float32)
    for bound in (0.3, 1.5, 4.0):  # there the map is z times the probability within the bounds
        assert np.allclose(truncated(z, bound), z * (norm.cdf(bound) - norm.cdf(-bound)), rtol=1e-6, atol=0)


def test_a_wide_bound_changes_nothing_and_a_small_change_of_it_little() -> None:
    z = latents(100, 8, 0)
    assert np.array_equal(truncated(z, 12.0), z)
    assert np.array_equal(truncated(z, 1e6), z)
    assert np.abs(truncated(z, 1.0) - truncated(z, 1.001)).max() < 1.1e-3
    assert (np.abs(truncated(z, 1.0)) <= np.abs(truncated(z, 1.1))).all()


@pytest.mark.parametrize("name", ["mlp-ae", "conv-vae", "sn-gan"])
def test_a_run_samples_from_truncated_z(name: str, runs) -> None:
    run = runs[name]
    images = run.sample(5, seed=3, truncation=0.4)
    z = truncated(latents(5, 3, 3), 0.4)
    assert np.array_equal(images, run.decode(run._opened.prior(z)))  # an autoencoder's z before its prior
    assert np.array_equal(images[:2], run.sample(2, seed=3, truncation=0.4))  # by (seed, i) alone
    assert np.array_equal(run.sample(5, seed=3, truncation=50.0), run.sample(5, seed=3))
    assert not np.array_equal(images, run.sample(5, seed=3))


def test_the_command_and_python_draw_the_same(runs, tmp_path, capsys) -> None:
    from latentlab.cli import main

    out = tmp_path / "drawn.npz"
    assert main(["sample", str(runs["sn-gan"].path), "--count", "4", "--seed", "2", "--truncation", "0.7", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert np.array_equal(np.load(out)["images"], runs["sn-gan"].sample(4, 2, truncation=0.7))


@pytest.mark.parametrize("bound", ["0", "-1", "nan", "inf", "little", ""])
def test_a_wrong_bound_is_refused_in_one_line(bound: str, runs, tmp_path, capsys) -> None:
    line = refusal_here(capsys, "sample", runs["conv-vae"].path, f"--truncation={bound}", "--out", tmp_path / "x.png")
    assert "--truncation must be a number of more than 0" in line
    assert bound in line
    assert not (tmp_path / "x.png").exists()


def test_a_mixture_is_not_truncated(runs, tmp_path, capsys) -> None:
    line = refusal_here(capsys, "sample", runs["conv-vae"].path, "--truncation=1", "--prior", "gmm", "--out", tmp_path / "x.png")
    assert "--truncation must be left out with the prior gmm" in line
    for bound in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ll.LabError, match=r"^truncation must be"):
            runs["sn-gan"].sample(1, truncation=bound)
