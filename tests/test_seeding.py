"""Randomness is a function of (seed, stream, position)."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.seeding import latents, numpy_generator, seed_for, torch_generator


def test_keys_are_those_of_every_machine() -> None:
    assert seed_for(0, "prior") == 7153740728792565021
    assert seed_for(1, "order", 2, 3) == 3914215777547255460
    expected = [[-1.7308, -0.4884, 0.5911], [0.4221, -0.0555, 1.2759]]
    np.testing.assert_allclose(latents(2, 3, 0), expected, atol=1e-4)


@given(st.tuples(st.integers(0, 2**31), st.sampled_from(["a", "b", "order"]), st.integers(0, 10**9)), st.data())
def test_another_place_has_another_key(place, data) -> None:
    other = data.draw(st.tuples(st.integers(0, 2**31), st.sampled_from(["a", "b", "order"]), st.integers(0, 10**9)))
    assert (seed_for(*place) == seed_for(*other)) == (place == other)
    assert 0 <= seed_for(*place) < 2**63


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 30))
def test_a_row_is_the_same_in_any_grid(count: int, size: int, first: int) -> None:
    whole = latents(80, size, 7)
    assert np.array_equal(latents(count, size, 7, first=first), whole[first : first + count])


def test_rows_are_standard_normal_and_independent() -> None:
    z = latents(20_000, 4, 3).astype(np.float64)
    assert np.abs(z.mean(0)).max() < 0.03
    assert np.abs(np.cov(z.T) - np.eye(4)).max() < 0.04
    assert abs(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]) < 0.03


def test_generators_are_fresh_each_time() -> None:
    assert numpy_generator(0, "a", 1).random() == numpy_generator(0, "a", 1).random()
    draws = [torch.randn(3, generator=torch_generator("cpu", 0, "a", k)).tolist() for k in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
