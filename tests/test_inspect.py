"""`data inspect`: what becomes of each file, against files whose fate is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import refusal, run
from imagefiles import encoded, noise, write
from PIL import Image

from latentlab.config.parts import DataConfig
from latentlab.data import load_data
from latentlab.data.inspected import Inspection, inspect


@pytest.fixture
def odd(root: Path) -> Path:
    """Twenty ordinary images in two folders, and one of each kind beside them."""
    files = {f"{'ab'[n % 2]}/{n:02d}.png": encoded(noise(n, 16, 16, 3)) for n in range(20)}
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = Image.fromarray(np.random.default_rng(1).integers(0, 256, (16, 16, 4), np.uint8))
    deep = Image.fromarray(np.random.default_rng(2).integers(0, 65536, (16, 16)).astype(np.uint16))
    return write(
        root,
        files
        | {
            "a/double.png": files["a/00.png"],
            "a/turned.jpg": encoded(noise(30, 16, 24, 3), "JPEG", exif=exif),
            "b/alpha.png": encoded(alpha),
            "b/deep.png": encoded(deep),
            "b/small.png": encoded(noise(31, 8, 8, 3)),
            "b/cmyk.jpg": encoded(noise(32, 16, 16, 3).convert("CMYK"), "JPEG"),
            "b/film.gif": encoded(noise(33), "GIF", save_all=True, append_images=[noise(34)]),
            "b/bad.png": b"x",
            "notes.txt": b"x",
            "a/more.txt": b"x",
            "a/clip.mp4": b"x",
            "a/.hidden.txt": b"x",
        },
    )


def found_in(root: Path, **changes: object) -> Inspection:
    config = DataConfig(spec=f"folder:{root}", image_size=16, **changes)
    return inspect(config, load_data(config))


def test_each_file_is_what_it_was_made_to_be(odd: Path) -> None:
    found = found_in(odd)
    how = {used.path: set(used.how) for used in found.used}
    special = {path: kinds for path, kinds in how.items() if kinds}
    assert special == {
        "a/turned.jpg": {"turned", "cropped"},
        "b/alpha.png": {"transparent"},
        "b/deep.png": {"deep", "coloured"},
        "b/small.png": {"enlarged"},
        "b/cmyk.jpg": {"cmyk"},
        "b/film.gif": special["b/film.gif"],
    }
    assert {"frames"} <= special["b/film.gif"] <= {"frames", "palette", "coloured"}
    greyed = {used.path for used in found_in(odd, channels="grey").used if "greyed" in used.how}
    assert greyed == set(how) - {"b/deep.png", "b/film.gif"}
    doubles = {used.path: used.double_of for used in found.used if used.double_of}
    assert doubles in ({"a/double.png": "a/00.png"}, {"a/00.png": "a/double.png"})
    assert [path for path, _ in found.skipped] == ["b/bad.png"]
    assert found.aside == {".txt": 2, ".mp4": 1}
    assert found.classes() == {"a": 12, "b": 15}
    turned = next(used for used in found.used if used.path == "a/turned.jpg")
    assert (turned.width, turned.height) == (16, 24)
    assert found.sizes()["smallest"] == [8, 8]
    assert {used.path for used in found_in(odd, fit="pad").used if "padded" in used.how} == {"a/turned.jpg"}


def test_the_splits_are_those_that_are_trained_on(odd: Path) -> None:
    found = found_in(odd)
    images = {used.path: used.split for used in found.used}
    data = load_data(f"folder:{odd}", image_size=16)
    assert found.splits() == {"train": len(data.train), "val": len(data.val), "test": len(data.test)}
    for path, split in list(images.items())[:20]:
        if path.endswith(("0.png", "2.png", "4.png")) and path[2].isdigit():
            pixels = np.asarray(Image.open(odd / path)).tobytes()
            assert pixels in {image.tobytes() for image in getattr(data, split).images}


def test_a_named_set_has_rows_instead_of_files() -> None:
    config = DataConfig(spec="digits")
    found = inspect(config, load_data(config))
    assert found.counted() == {"used": 1797, "double": 0, "skipped": 0, "aside": 0}
    assert found.sizes() == {}
    assert len({used.path for used in found.used}) == 1797


def test_the_command_tells_it_in_both_languages_as_json_and_as_a_page(odd: Path, tmp_path: Path) -> None:
    words = "data", "inspect", f"folder:{odd}", "--data.image-size", 16
    said = run(*words, "--skip-unreadable", "--out", tmp_path / "page.html").stdout
    assert "27 images of 16 x 16 x 3 are used." in said
    assert "b/bad.png (not a JPEG" in said
    assert "enlarged (1): b/small.png" in said
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 1
    assert "b/cmyk.jpg" in page
    assert "http" not in page.partition("<body>")[2]
    assert "agrandies (1)\u00a0: b/small.png" in run(*words, "--skip-unreadable", "--lang", "fr").stdout
    told = json.loads(run(*words, "--skip-unreadable", "--json").stdout)
    assert (told["counts"]["used"], len(told["files"]), told["skipped"][0]["path"]) == (27, 27, "b/bad.png")
    line = refusal(*words)
    assert "at most 1 % of the files" in line
    assert "1 of 28 are: b/bad.png" in line


def test_a_phone_s_pictures_are_read_where_pillow_can(root: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    write(
        root,
        {f"{n}.HEIC": encoded(noise(n, 64, 64, 3), "HEIF", quality=-1) for n in range(4)}
        | {"x.avif": encoded(noise(9, 64, 64, 3), "AVIF")},
    )
    data = load_data(f"folder:{root}", image_size=64)
    assert len(data.train) + len(data.val) + len(data.test) == 5
    assert data.skipped == ()
