"""Folders of images: what is found, what is skipped and named, and the cache of decoded pixels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from imagefiles import encoded, everything, greys, load, noise, write

from latentlab.base.errors import LabError


def test_pixels_labels_and_names(root: Path) -> None:
    greys(root, 6, "cat")
    greys(root, 6, "dog/young", first=6)
    data = load(root)
    assert (data.shape, data.labelled, data.class_names) == ((16, 16, 1), True, ("cat", "dog"))
    assert data.spec == f"folder:{root}"
    assert sorted(len(part) for part in (data.train, data.val, data.test)) == [1, 1, 10]
    assert isinstance(data.train.source, np.memmap)
    for part in (data.train, data.val, data.test):
        assert part.labels is not None
        for image, row, label in zip(part.images, part.indices, part.labels, strict=True):
            assert np.array_equal(image[:, :, 0], np.asarray(noise(int(row))))
            assert label == (row >= 6)


@pytest.mark.parametrize("names", [["cat/1.png", "0099.png"], ["dog/1.png"], ["dog/cat/1.png"]])
def test_labels_only_where_every_image_has_one_of_several(root: Path, names: list[str]) -> None:
    greys(root, 6, "dog")
    write(root, {name: encoded(noise(90 + number)) for number, name in enumerate(names)})
    data = load(root)
    assert (data.labelled, data.class_names, data.train.labels) == (False, None, None)


def test_one_coloured_image_makes_the_set_rgb(root: Path) -> None:
    greys(root, 5)
    assert load(root).shape == (16, 16, 1)
    write(root, {"colour.png": encoded(noise(7, 16, 16, 3))})
    assert load(root).shape == (16, 16, 3)
    assert load(root, channels="grey").shape == (16, 16, 1)


def test_a_coloured_file_that_is_skipped_does_not_make_the_set_rgb(root: Path) -> None:
    greys(root, 5)
    write(root, {"colour.png": encoded(noise(7, 16, 16, 3))[:300]})
    assert load(root).shape == (16, 16, 1)
    assert load(root, channels="rgb").shape == (16, 16, 3)


def test_odd_files_are_skipped_and_named(root: Path) -> None:
    greys(root, 4)
    write(root, {"wrong.jpg": encoded(noise(10)), "UPPER.PNG": encoded(noise(11)), "größe 猫.png": encoded(noise(12))})
    write(root, {"empty.png": b"", "cut.png": encoded(noise(13))[:-40], "text.gif": b"hello", "line\nfeed.png": b"x"})
    write(root, {".hidden.png": encoded(noise(14)), ".git/a.png": encoded(noise(15)), "notes.txt": b"no image"})
    data = load(root)
    assert len(everything(data)) == 7
    assert {line.partition(":")[0] for line in data.skipped} == {"empty.png", "cut.png", "text.gif", "line\\nfeed.png"}
    assert "empty.png: empty file" in data.skipped
    assert "cut.png: truncated" in data.skipped
    assert len(data.notes) == 1
    assert data.notes[0].startswith("4 of 11 files could not be used: ")
    assert load(root).skipped == data.skipped, "the second start, from the cache, names them too"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_links_and_pipes(root: Path, tmp_path: Path) -> None:
    greys(root, 4, "real")
    outside = greys(tmp_path / "outside", 2, first=50)
    (root / "loop").symlink_to(root)
    (root / "real" / "loop").symlink_to("..")
    (root / "out").symlink_to(outside)
    (root / "out.png").symlink_to(outside / "0050.png")
    (root / "self.png").symlink_to("self.png")
    (root / "dead.png").symlink_to("nowhere.png")
    (root / "again.png").symlink_to("real/0000.png")
    os.mkfifo(root / "pipe.png")
    data = load(root)
    assert len(data.train) + len(data.val) + len(data.test) == 5
    assert len(everything(data)) == 4
    reasons = dict(line.split(": ", 1) for line in data.skipped)
    assert set(reasons) == {"out", "out.png", "self.png", "dead.png", "pipe.png"}
    assert reasons["out"] == reasons["out.png"] == "a link out of the folder"
    assert reasons["pipe.png"] == "not a regular file"


@pytest.mark.skipif(os.name == "nt", reason="needs names that are not Unicode")
def test_a_name_that_is_not_unicode(root: Path) -> None:
    greys(root, 4)
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/\xff.png")).write_bytes(encoded(noise(20)))
        Path(os.fsdecode(os.fsencode(root) + b"/\xfe.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system allows Unicode names only")
    for _ in range(2):
        data = load(root)
        assert len(everything(data)) == 5
        data.skipped[0].encode()
        data.notes[0].encode()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no file in it is called .jpg"),
        ({"a.png": b"", "b.png": b"x"}, r"a\.png \(empty file\); b\.png \(not a JPEG"),
        ({"a.png": encoded(noise(0)), "b.png": encoded(noise(1))}, "at least 3 images.*Got 2"),
    ],
)
def test_too_few_images_are_refused(root: Path, files: dict[str, bytes], says: str) -> None:
    root.mkdir()
    write(root, files)
    with pytest.raises(LabError, match=says) as caught:
        load(root)
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_folder_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LabError, match="not there"):
        load(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="It is a file"):
        load(tmp_path / "file")


def test_identical_images_are_cut_by_position_with_a_note(root: Path) -> None:
    write(root, {f"{n}.png": encoded(noise(0)) for n in range(6)})
    data = load(root)
    assert [len(part) for part in (data.train, data.val, data.test)] == [4, 1, 1]
    assert "share contents" in data.notes[0]


def test_nothing_goes_to_stdout(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    greys(root, 5)
    load(root)
    assert capsys.readouterr() == ("", "")


def test_images_of_formats_that_are_not_read_are_named_and_a_folder_of_them_is_refused(root: Path) -> None:
    greys(root, 6)
    write(root, {"a.HEIC": b"x" * 40, "b.jxl": b"y", "notes.txt": b"no image", "LICENSE": b"no image"})
    data = load(root)
    assert data.skipped == ("a.HEIC: HEIC is not read: save it as JPEG or PNG", "b.jxl: JXL is not read: save it as JPEG or PNG")
    assert "2 of 8 files could not be used" in data.notes[0]
    write(root, {f"{number}.heic": b"z" for number in range(5)})
    with pytest.raises(LabError, match=r"most of whose images can be read, but 7 of 13 files cannot: .*HEIC is not read"):
        load(root)


def test_a_folder_most_of_whose_files_are_damaged_is_refused(root: Path) -> None:
    greys(root, 5)
    write(root, {f"damaged-{number}.png": encoded(noise(number))[:-40] for number in range(6)})
    with pytest.raises(LabError, match=r"6 of 11 files cannot: damaged-0.png \(truncated\)"):
        load(root)


def test_images_under_other_suffixes_or_none_are_read(root: Path) -> None:
    greys(root, 3)
    colours = {"a.jfif": "JPEG", "b.jpe": "JPEG", "c.avif": "AVIF", "suffixless": "PNG", "another": "JPEG"}
    for number, (name, kind) in enumerate(colours.items()):
        noise(20 + number).save(root / name, format=kind)
    data = load(root)
    assert len(everything(data)) == 8
    assert data.skipped == ()


def test_images_beside_class_folders_are_said_for_whose_sake_there_are_no_labels(root: Path) -> None:
    greys(root, 4, "cat")
    greys(root, 4, "dog", first=4)
    assert load(root).notes == ()
    write(root, {"stray.png": encoded(noise(99))})
    [note] = load(root).notes
    assert "images lie beside the class folders (1): stray.png" in note
