"""The cache of a folder's decoded pixels: found again, noticed when stale, made again when damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagefiles import encoded, everything, greys, load, noise, write
from PIL import Image

from latentlab.base.errors import LabError, OutOfSpace
from latentlab.base.files import make_folder
from latentlab.data import building as pieces
from latentlab.data import decoded as module
from latentlab.data.decoded import Settings, open_decoded
from latentlab.data.folder import walk


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        pytest.fail("an image file was opened")

    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(module, "_digests", refuse)


def test_a_later_start_opens_no_image(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greys(root, 5, "a")
    greys(root, 5, "b", first=5)
    write(root, {"a/bad.png": b"x"})
    first = load(root)
    forbid_decoding(monkeypatch)
    second = load(root)
    assert second.fingerprint == first.fingerprint
    assert second.skipped == first.skipped
    assert np.array_equal(second.train.images, first.train.images)


@pytest.mark.parametrize("change", ["content", "time", "new", "gone", "renamed"])
def test_a_change_is_noticed(root: Path, change: str) -> None:
    greys(root, 6)
    before = load(root)
    path = root / "0002.png"
    if change == "content":
        path.write_bytes(encoded(noise(77)))
    elif change == "time":  # the same size, another content
        path.write_bytes(encoded(noise(2).transpose(Image.Transpose.ROTATE_180)).ljust(path.stat().st_size, b"\0"))
        os.utime(path, ns=(1, 1))
    elif change == "new":
        greys(root, 1, first=77)
    elif change == "gone":
        path.unlink()
    else:
        path.rename(root / "9999.png")
    after = load(root)
    assert after.fingerprint != before.fingerprint
    assert (everything(after) == everything(before)) == (change == "renamed")


def test_a_touched_or_copied_folder_is_not_decoded_again(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greys(root, 5)
    before = load(root)
    os.utime(root / "0001.png", ns=(1, 1))
    shutil.copytree(root, tmp_path / "copy")
    monkeypatch.setattr(Image, "open", lambda *arguments, **named: pytest.fail("an image was decoded"))
    assert load(root).fingerprint == load(tmp_path / "copy").fingerprint == before.fingerprint


def test_settings_have_their_own_entries(root: Path) -> None:
    write(root, {f"{n}.png": encoded(noise(n, 20, 30)) for n in range(4)})
    prints = {load(root, image_size=size, fit=fit).fingerprint for size in (16, 20) for fit in ("crop", "pad")}
    assert len(prints) == 4


def damage_pixels(entry: Path) -> None:
    content = (entry / "images.npy").read_bytes()
    (entry / "images.npy").write_bytes(content[:-1])


def damage_header(entry: Path) -> None:
    np.save(entry / "images.npy", np.zeros((2, 3), np.float32))


def damage_index(entry: Path) -> None:
    index = json.loads((entry / "index.json").read_text())
    index["class_names"] = ["a", "b"]
    (entry / "index.json").write_text(json.dumps(index))


def damage_names(entry: Path) -> None:
    content = (entry / "files.npz").read_bytes()
    assert b"0003.png" in content
    (entry / "files.npz").write_bytes(content.replace(b"0003.png", b"0004.png"))


@pytest.mark.parametrize(
    "damage",
    [
        damage_pixels,
        damage_header,
        damage_index,
        damage_names,
        lambda entry: (entry / "files.npz").unlink(),
        lambda entry: (entry / "images.npy").write_bytes(b""),
        lambda entry: (entry / "images.npy").unlink(),
        lambda entry: (entry / "index.json").write_text("{"),
        lambda entry: (entry / "index.json").write_text("[]"),
        lambda entry: shutil.rmtree(entry),
    ],
)
def test_a_damaged_cache_is_made_again(root: Path, cache: Path, damage: object) -> None:
    greys(root, 5)
    before = load(root)
    pixels = everything(before)
    del before  # lets go of the memory map
    (entry,) = (path for path in cache.iterdir() if path.name != "starts")
    damage(entry)  # type: ignore[operator]
    assert everything(load(root)) == pixels
    assert sorted(path.name for path in cache.iterdir()) == sorted([entry.name, "starts"])


def test_a_damaged_start_is_read_again(root: Path, cache: Path) -> None:
    greys(root, 5)
    before = load(root).fingerprint
    for text in ("", "[]", "{}", '{"stamp": 3, "key": "../../x"}'):
        (start,) = (cache / "starts").iterdir()
        start.write_text(text)
        assert load(root).fingerprint == before


def test_chunks_keep_the_order(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    greys(root, 10)
    write(root, {"0004.png": b"x"})
    found = open_decoded(root, Settings(16, "crop", "auto"))
    assert found.paths == tuple(f"{n:04d}.png" for n in range(10) if n != 4)
    for path, image in zip(found.paths, found.images, strict=True):
        assert np.array_equal(image[:, :, 0], np.asarray(noise(int(path[:4]))))
    assert found.skipped == (("0004.png", "not a JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF image"),)


MAKING = """
import sys
from pathlib import Path
from latentlab.data import building, decoded
from latentlab.data.decoded import Settings, open_decoded
from latentlab.data.folder import walk
building.CHUNK = decoded.CHUNK = 2
count = [0]
original = building._decode
def counted(*arguments):
    count[0] += 1
    return original(*arguments)
building._decode = counted
found = open_decoded(Path(sys.argv[1]), Settings(16, "crop", "auto"))
print(count[0], found.key, found.images.tobytes().hex())
"""


def test_processes_that_decode_at_once_share_the_work(root: Path, cache: Path) -> None:
    greys(root, 40)
    write(root, {"0004.png": b"x"})
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MAKING, str(root)],
            stdout=subprocess.PIPE,
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "3", "MASTER_ADDR": "here"},
        )
        for rank in range(3)
    ]
    told = [process.communicate()[0].split() for process in started]
    assert {tuple(each[1:]) for each in told} == {tuple(told[0][1:])}
    assert sum(int(each[0]) for each in told) == 20  # each piece once
    assert len(list(cache.iterdir())) == 2
    found = open_decoded(root, Settings(16, "crop", "auto"))
    assert found.paths == tuple(f"{n:04d}.png" for n in range(40) if n != 4)
    for path, image in zip(found.paths, found.images, strict=True):
        assert np.array_equal(image[:, :, 0], np.asarray(noise(int(path[:4]))))


def test_a_slow_process_makes_no_piece_of_what_another_has_finished(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    greys(root, 12)
    wanted = everything(load(root))
    (finished,) = (path for path in cache.iterdir() if path.name != "starts")
    finished.rename(cache.parent / "aside")
    original, numbers = pieces._decode, list[str]()

    def slow(*arguments: Any) -> Any:
        told = original(*arguments)
        numbers.append(arguments[2].name)
        if len(numbers) == 3:  # another one finishes and clears away, a third one has read the files again
            (cache.parent / "aside").rename(finished)
            for decoded in arguments[2].parent.glob("decoding-*"):
                decoded.unlink()
        return told

    monkeypatch.setattr(pieces, "_decode", slow)
    assert everything(load(root)) == wanted
    assert len(numbers) == 3


def test_a_folder_that_another_one_clears_away_as_it_is_asked_for_is_made(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greys(root, 4)
    original, vanished = os.mkdir, list[str]()

    def mkdir(path: Any, *arguments: Any) -> None:
        if ".building-" in str(path) and not vanished:
            vanished.append(str(path))
            raise FileExistsError(path)  # at this moment; at the next one it is gone
        original(path, *arguments)

    monkeypatch.setattr(os, "mkdir", mkdir)
    assert len(open_decoded(root, Settings(16, "crop", "auto")).paths) == 4
    assert vanished


def test_what_is_no_folder_is_not_made_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for name in ("file", "nowhere"):
        with pytest.raises(FileExistsError):
            make_folder(tmp_path / name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "folder")
    make_folder(tmp_path / "there")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_what_a_killed_process_left_is_gone_on_with(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    greys(root, 12)
    original, numbers = pieces._decode, list[str]()

    def killed(*arguments: Any) -> Any:
        if len(numbers) == 3:
            raise KeyboardInterrupt
        numbers.append(arguments[2].name)
        return original(*arguments)

    monkeypatch.setattr(pieces, "_decode", killed)
    with pytest.raises(KeyboardInterrupt):
        load(root)
    left, numbers[:] = numbers[:], []
    monkeypatch.setattr(pieces, "_decode", lambda *arguments: numbers.append(arguments[2].name) or original(*arguments))
    assert len(everything(load(root))) == 12
    assert not set(left) & set(numbers)
    assert len(left) + len(numbers) == 6
    assert len(list(cache.iterdir())) == 2


def test_of_very_many_files_only_the_folders_are_looked_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 5)
    greys(root, 6, "a")
    greys(root, 6, "b", first=6)
    load(root)  # the folders have just changed, and may change again in the same moment: not yet
    for folder in (root, root / "a", root / "b"):
        os.utime(folder, ns=(1, 1))
    before = load(root)
    walked = list[Path]()
    monkeypatch.setattr(module, "walk", lambda path: walked.append(path) or walk(path))
    assert load(root).fingerprint == before.fingerprint
    assert not walked
    (root / "b" / "0007.png").rename(root / "a" / "0007.png")
    after = load(root)
    assert walked
    assert after.fingerprint != before.fingerprint


def test_a_full_disk_is_one_line_and_leaves_nothing(root: Path, cache: Path) -> None:
    resource = pytest.importorskip("resource")
    greys(root, 20)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutOfSpace, match=r"full.*LATENTLAB_CACHE"):
            load(root, image_size=64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache.iterdir()) == []
    assert load(root, image_size=64).shape == (64, 64, 1)


def test_a_cache_that_cannot_be_written_is_one_line(root: Path, tmp_path: Path) -> None:
    greys(root, 5)
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(LabError, match=r"must be a folder that can be written.*LATENTLAB_CACHE"):
        load(root)


def test_a_file_that_changes_meanwhile_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greys(root, 5)
    original = module._digests

    def then_change(*arguments: object) -> object:
        found = original(*arguments)  # type: ignore[arg-type]
        (root / "0001.png").write_bytes(encoded(noise(50)))
        return found

    monkeypatch.setattr(module, "_digests", then_change)
    with pytest.raises(LabError, match=r"0001\.png changed while"):
        load(root)
