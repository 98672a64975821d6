"""Splits by content and the order of batches, as properties."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.config.presets import preset
from latentlab.data.sets import Splits, batch_indices, by_content, step_indices

contents = st.lists(st.integers(0, 40), min_size=3, max_size=80)
shares = st.floats(0.01, 0.3)
quick = settings(max_examples=60, deadline=None)
GOLDEN = [8, 3, 1, 6, 9, 7, 4, 2, 5, 0]


def cut(values: list[int], val: float = 0.1, test: float = 0.1) -> Splits:
    return by_content([hashlib.sha256(str(value).encode()).hexdigest() for value in values], val, test, "set")


def held(values: list[int], rows: np.ndarray) -> set[int]:
    return {values[row] for row in rows}


@quick
@given(contents, shares, shares)
def test_splits_are_disjoint_complete_and_none_is_empty(values: list[int], val: float, test: float) -> None:
    train, held_out, tested, _ = cut(values, val, test)
    assert sorted([*train, *held_out, *tested]) == list(range(len(values)))
    assert min(len(train), len(held_out), len(tested)) >= 1


@quick
@given(contents)
def test_equal_contents_fall_on_one_side(values: list[int]) -> None:
    splits = cut(values)
    parts = [held(values, rows) for rows in splits[:3]]
    if len(set(values)) >= 3:
        assert splits.note is None
        assert sum(map(len, parts)) == len(set(values))
    else:
        assert splits.note is not None
        assert "share contents" in splits.note


@quick
@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=60, unique=True), st.randoms(use_true_random=False))
def test_splits_do_not_depend_on_the_order_of_the_files(values: list[int], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for rows, again in zip(cut(values)[:3], cut(shuffled)[:3], strict=True):
        assert [values[row] for row in rows] == [shuffled[row] for row in again]


@quick
@given(st.lists(st.integers(0, 10**6), min_size=10, max_size=80, unique=True), st.integers(1, 5))
def test_more_images_move_at_most_as_many_over_each_border(values: list[int], more: int) -> None:
    train, val, test, _ = cut(values)
    grown = values + [-n for n in range(1, more + 1)]
    train_after, _, test_after, _ = cut(grown)
    assert len(held(values, test) - held(grown, test_after)) <= more
    assert len(held(values, train) & held(grown, test_after)) <= more
    assert len((held(values, val) | held(values, test)) & held(grown, train_after)) <= more


def test_shares_are_of_the_different_contents() -> None:
    train, val, test, _ = cut([*range(100), *range(100)], 0.2, 0.1)
    assert (len(train), len(val), len(test)) == (140, 40, 20)


def test_too_few_images_or_too_large_shares_are_refused() -> None:
    with pytest.raises(LabError, match=r"at least 3 images.*Got 2"):
        cut([1, 2])
    with pytest.raises(LabError, match=r"data\.val_share and data\.test_share"):
        cut(list(range(10)), 0.5, 0.5)


@quick
@given(st.integers(0, 2**31 - 1), st.integers(1, 50), st.integers(0, 5))
def test_each_epoch_is_a_permutation(seed: int, size: int, epoch: int) -> None:
    assert sorted(batch_indices(seed, epoch * size, size, size)) == list(range(size))


@quick
@given(st.integers(0, 9), st.integers(1, 30), st.integers(0, 200), st.integers(0, 100), st.integers(0, 100))
def test_batches_are_pieces_of_one_sequence(seed: int, size: int, position: int, first: int, second: int) -> None:
    whole = batch_indices(seed, position, first + second, size)
    pieces = [batch_indices(seed, position, first, size), batch_indices(seed, position + first, second, size)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert whole.dtype == np.int64
    assert len(whole) == first + second


@quick
@given(st.integers(0, 9), st.sampled_from([1, 2, 4, 8]), st.integers(8, 60), st.integers(0, 30), st.integers(1, 40))
def test_by_shard_each_has_images_of_its_own_and_sees_all_of_them(seed: int, shards: int, size: int, start: int, count: int) -> None:
    """The s-th rows of a batch are of shard s, the pieces of one sequence, an epoch of which has each of its rows once."""
    rows = batch_indices(seed, start * shards, count * shards, size, shards).reshape(shards, count)
    assert (rows % shards == np.arange(shards)[:, None]).all()
    whole = batch_indices(seed, 0, (start + count) * shards, size, shards).reshape(shards, -1)
    assert np.array_equal(whole[:, start:], rows)
    for shard in range(shards):
        own = list(range(shard, size, shards))
        sequence = batch_indices(seed, 0, 2 * len(own) * shards, size, shards).reshape(shards, -1)[shard]
        assert sorted(sequence[: len(own)]) == sorted(sequence[len(own) :]) == own


def test_by_shard_the_shards_and_their_epochs_have_orders_of_their_own() -> None:
    rows = batch_indices(0, 0, 800, 400, 4).reshape(4, 2, 100) // 4
    assert len({order.tobytes() for order in rows.reshape(8, 100)}) == 8


def test_a_step_of_several_batches_gives_each_its_shards() -> None:
    train = preset("sn-gan").replace(**{"train.shards": 4, "train.order": "shard", "train.batch_size": 16}).train
    rows = step_indices(train, 32, 48, 100)
    assert np.array_equal(rows % 4, np.tile(np.repeat(np.arange(4), 4), 3))
    assert np.array_equal(rows[16:32], step_indices(train, 48, 16, 100))
    mixed = replace(train, order="all")
    assert np.array_equal(step_indices(mixed, 32, 48, 100), batch_indices(train.seed, 32, 48, 100))


def test_epochs_and_seeds_differ() -> None:
    orders = {batch_indices(seed, epoch * 100, 100, 100).tobytes() for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_order_is_the_published_one() -> None:
    """A change here would make every run resume on other batches."""
    assert batch_indices(0, 0, 10, 10).tolist() == GOLDEN


def test_what_comes_back_is_the_callers_own() -> None:
    first = batch_indices(1, 0, 10, 10)
    first[:] = -1
    assert sorted(batch_indices(1, 0, 10, 10)) == list(range(10))


@pytest.mark.parametrize(("position", "count", "size"), [(-1, 1, 1), (0, -1, 1), (0, 1, 0)])
def test_nonsense_is_refused(position: int, count: int, size: int) -> None:
    with pytest.raises(LabError, match="must be at least"):
        batch_indices(0, position, count, size)


@pytest.mark.parametrize(("position", "count", "size"), [(2, 4, 9), (4, 6, 9), (0, 4, 3)])
def test_what_no_shards_can_share_is_refused(position: int, count: int, size: int) -> None:
    with pytest.raises(LabError, match=r"must be at least .* and a multiple of 4"):
        batch_indices(0, position, count, size, 4)
