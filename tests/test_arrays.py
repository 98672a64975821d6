"""Images that are arrays: what is taken, what is refused with its mending, and that a run finds them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import latentlab as ll
from latentlab.data.arrays import as_bytes, classes, spec_of

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = {key: value for key, value in TINY.items() if key != "data.train_images"} | {"hidden": (8,), "latent_dim": 2}


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 12, 12), np.uint8)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_bytes_go_through_floats_and_come_back_as_they_were(images: np.ndarray) -> None:
    for kind in (np.float32, np.float64):
        assert np.array_equal(as_bytes(images / kind(255)), images[..., None])
    assert np.array_equal(as_bytes(torch.from_numpy(images)), images[..., None])
    assert np.array_equal(as_bytes(images[..., None].repeat(3, 3)), images[..., None].repeat(3, 3))


@given(st.floats(-0.001, 1.001))
def test_a_little_beyond_the_range_is_brought_back_into_it(value: float) -> None:
    assert as_bytes(np.full((1, 2, 2), value)).max() == round(255 * min(1.0, max(0.0, value)))


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((5, 3, 8, 8), np.uint8), r"channels come last: images.transpose\(0, 2, 3, 1\)"),
        (np.full((5, 8, 8), 200.0), "float64 from 200 to 200'. If they are bytes: \\(images / 255\\)"),
        (np.linspace(-1, 1, 64).reshape(1, 8, 8), r"from -1 to 1'. If they are from -1 to 1: \(images \+ 1\) / 2"),
        (np.full((1, 8, 8), np.nan), "Got 'NaN or infinity'"),
        (np.zeros((5, 8, 8), np.int64), "int64 from 0 to 0'. If they are bytes: images.astype"),
        (np.zeros((8, 8), np.uint8), r"Got 'uint8 \[8, 8\]'"),
        (np.zeros((5, 8, 8, 4), np.uint8), r"Got 'uint8 \[5, 8, 8, 4\]'"),
        (np.array(["a"]), "Got '<U1"),
        (None, "Got 'object"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_mending(images: Any, says: str) -> None:
    with pytest.raises(ll.LabError, match=says):
        as_bytes(images)


def test_labels_are_numbers_or_words() -> None:
    numbers, names = classes(np.array([7, 3, 7]), 3)
    assert (numbers.tolist(), names) == ([1, 0, 1], ("3", "7"))
    numbers, names = classes(["cat", "ant", "cat"], 3)
    assert (numbers.tolist(), names) == ([1, 0, 1], ("ant", "cat"))
    for wrong in (np.zeros(2, int), np.zeros((3, 1), int), np.zeros(3), [None] * 3):
        with pytest.raises(ll.LabError, match="labels must be integers or words, one for each of the 3 images"):
            classes(wrong, 3)


class Items:
    """A torch data set in all that is asked of one."""

    def __init__(self, items: list[Any]) -> None:
        self.items, self.read = items, list[int]()

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: int) -> Any:
        self.read.append(row)
        return self.items[row]


def test_everything_that_holds_the_same_images_is_the_same_data(pictures, cache, tmp_path: Path) -> None:
    labels = np.arange(40) % 12
    tensors = [(torch.from_numpy(image / np.float32(255))[None], int(label)) for image, label in zip(pictures, labels, strict=True)]
    pil = [(Image.fromarray(image), label) for image, label in zip(pictures, labels, strict=True)]
    np.savez(tmp_path / "own.npz", images=pictures, labels=labels)
    whole = ll.load_data((pictures, labels))
    given = [
        (pictures[..., None], labels.tolist()),
        (pictures / 255, labels),
        Items(tensors),
        Items(pil),
        tmp_path / "own.npz",
        f"npz:{tmp_path / 'own.npz'}",
    ]
    given += [
        ll.ImageSet(pictures[..., None], np.arange(40), labels),
        torch.utils.data.TensorDataset(torch.stack([t for t, _ in tensors]), torch.from_numpy(labels)),
    ]
    for data in given:
        assert ll.load_data(data).fingerprint == whole.fingerprint
    assert repr(whole).endswith(": train 32, val 4, test 4 images of 12 x 12 x 1, 12 classes)")
    assert whole.class_names == tuple(map(str, range(12)))
    assert repr(whole.val) == "ImageSet(4 images of 12 x 12 x 1, labelled)"
    assert ll.load_data(pictures).fingerprint != whole.fingerprint
    assert ll.load_data(pictures).class_names is None
    assert ll.load_data((pictures, labels[::-1])).fingerprint != whole.fingerprint


def test_a_data_set_is_read_once_and_must_not_change(pictures) -> None:
    data = Items(list(pictures))
    spec_of(data)
    assert sorted(data.read) == [0, *range(40)]

    class Augmenting(Items):
        def __getitem__(self, row: int) -> Any:
            return np.roll(super().__getitem__(row), len(self.read))

    with pytest.raises(ll.LabError, match="gives the same image each time"):
        spec_of(Augmenting(list(pictures)))
    with pytest.raises(ll.LabError, match="images of one size"):
        spec_of(Items([*pictures, pictures[0, :5]]))
    with pytest.raises(ll.LabError, match="a data set with images"):
        spec_of(Items([]))


@pytest.mark.parametrize("wrong", [None, 5, {"images": 1}, object()])
def test_what_is_no_data_is_refused(wrong: Any) -> None:
    with pytest.raises(ll.LabError, match="data must be"):
        spec_of(wrong)


def test_a_run_on_arrays_finds_them_again(pictures, cache, tmp_path: Path) -> None:
    run = ll.train("mlp-vae", tmp_path / "run", data=pictures / 255, epochs=2, **SMALL)
    kept = Path(run.config.data.spec.removeprefix("npz:"))
    assert kept.parent == cache.parent / "arrays"
    assert np.array_equal(run.data().train.source[..., 0], pictures)
    longer = run.resume(epochs=3)
    assert longer.status()["state"] == "finished"
    straight = ll.train("mlp-vae", tmp_path / "straight", data=pictures, epochs=3, **SMALL)
    assert [row["loss_nats"] for row in straight.metrics()] == [row["loss_nats"] for row in longer.metrics()]
    before = longer.step
    kept.unlink()
    with pytest.raises(ll.LabError, match="It is not there"):
        run.resume(epochs=4)
    assert run.resume(epochs=4, data=pictures).step > before  # and they are kept again
    assert kept.is_file()
    with pytest.raises(ll.LabError, match="must hold the images"):
        run.resume(epochs=5, data=255 - pictures)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "cannot be read"), (b"PK\x03\x04" + bytes(50), "cannot be read"), (None, "an array `images`"), ("object", "cannot be read")],
)
def test_a_file_that_holds_no_images_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **({"pictures": np.zeros(3)} if content is None else {"images": np.array([{}])}))
    with pytest.raises(ll.LabError, match=says):
        ll.load_data(path)
    with pytest.raises(ll.LabError, match="left out with arrays"):
        ll.load_data(path, image_size=32)


@pytest.mark.parametrize("shape", [(9, 12, 13), (9, 7, 7), (9, 257, 257), (12, 12, 3)])
def test_arrays_are_of_the_sizes_that_models_take(shape: tuple[int, ...], cache) -> None:
    """The last is one picture, not twelve."""
    with pytest.raises(ll.LabError, match="must be square, of 8 to 256 pixels a side"):
        ll.load_data(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("spec", ["npz:", "folder: ", "digits:", "mnist:x"])
def test_a_path_is_given_where_a_source_has_one_and_only_there(spec: str) -> None:
    with pytest.raises(ll.LabError, match=r"data\.spec must be digits.*npz:FILE or an address such as .*. Got"):
        ll.load_data(spec)
