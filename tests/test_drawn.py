"""Pictures that are drawn where none are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentlab.cli import main
from latentlab.data import load_data
from latentlab.data.drawn import MANNERS, draw_picture, palette
from latentlab.measure.metrics.pixels import mean_pair_distance


def make(out: Path, *options: str) -> int:
    return main(["data", "make-art", "--out", str(out), *options])


def test_a_picture_depends_on_its_seed_and_number_alone(tmp_path: Path) -> None:
    assert make(tmp_path / "few", "--count", "3", "--size", "32") == 0
    assert make(tmp_path / "many", "--count", "7", "--size", "32") == 0
    assert make(tmp_path / "other", "--count", "3", "--size", "32", "--seed", "1") == 0
    few, many, other = ([np.asarray(Image.open(path)) for path in sorted((tmp_path / name).iterdir())] for name in ("few", "many", "other"))
    assert [len(few), len(many)] == [3, 7]
    assert all(np.array_equal(one, two) for one, two in zip(few, many, strict=False))
    assert not any(np.array_equal(one, two) for one, two in zip(few, other, strict=True))
    assert few[0].shape == (32, 32, 3)


def test_pictures_are_unlike_each_other_in_colour_and_form() -> None:
    """At least as far apart as photographs and paintings are (0.3, the mean of uniform noise against itself is 0.41)."""
    pictures = np.stack([np.asarray(draw_picture(0, number, 32)) for number in range(120)])
    assert mean_pair_distance(pictures) > 0.3
    assert pictures.mean((1, 2)).std(0).min() > 30
    assert pictures.std((1, 2)).mean(1).min() > 3
    assert len({picture.tobytes() for picture in pictures}) == 120


@pytest.mark.parametrize("manner", MANNERS)
def test_every_manner_changes_its_ground_and_no_other_picture(manner) -> None:
    for seed in range(8):
        random = np.random.default_rng(seed)
        ground = Image.new("RGB", (48, 48), (120, 130, 140))
        picture = ground.copy()
        manner(random, picture, palette(random)[2:])
        assert picture.size == (48, 48)
        assert np.any(np.asarray(picture) != np.asarray(ground))


def test_they_are_a_folder_to_learn_from(tmp_path: Path, cache) -> None:
    assert make(tmp_path / "art", "--count", "30", "--size", "40") == 0
    assert load_data(f"folder:{tmp_path / 'art'}", image_size=32).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--count", "0"], "--count must be an integer of at least 1"),
        (["--size", "8"], "--size must be an integer of at least 16"),
        (["--color", "red"], "has no option '--color'"),
    ],
)
def test_wrong_input_is_one_line(options: list[str], says: str, tmp_path: Path, capsys) -> None:
    assert make(tmp_path / "art", *options) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "art").exists()


def test_nothing_is_drawn_among_other_files(tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert make(tmp_path) == 2
    assert "--out must be a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert main(["data", "make-art"]) == 2
