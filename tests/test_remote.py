"""Images behind an address: shards and folders, read once, found again, gone on with when a connection breaks."""

from __future__ import annotations

import functools
import http.server
import io
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, refusal, run
from imagefiles import encoded, everything, noise, write

from latentlab.base.errors import LabError, Unreachable
from latentlab.config.sources import named
from latentlab.data import Data, building, load_data
from latentlab.data.remote import expanded
from latentlab.runs.folder import next_folder

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp", reason="fsspec needs it for http")
SHARDS, EACH = 3, 12
SHARED = "--train.shards", 2, "--train.order", "shard"


def tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as made:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            made.addfile(about, io.BytesIO(data))
    return content.getvalue()


def sample(number: int) -> dict[str, bytes]:
    """An image of random pixels and its class, as WebDataset has them."""
    return {f"{number:04d}.png": encoded(noise(number)), f"{number:04d}.cls": str(number % 3).encode()}


def shard(number: int) -> bytes:
    return tar({name: data for image in range(EACH) for name, data in sample(number * EACH + image).items()})


class Served:
    """A folder behind http://127.0.0.1 by Python's own server, which knows no ranges; what was asked of it, and how it can break."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, Counter[str]()
        self.cut: dict[str, int] = {}  # by name: how often half of it is sent

    def __enter__(self) -> Served:
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                outer.asked[f"GET {name}"] += 1
                if outer.cut.get(name, 0):
                    outer.cut[name] -= 1
                    content = (outer.root / name).read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content[: len(content) // 2])
                    return
                super().do_GET()

            def do_HEAD(self) -> None:
                outer.asked["HEAD"] += 1
                super().do_HEAD()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(self.root)))
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def shards(self) -> str:
        return f"{self.url}/{{0000..{SHARDS - 1:04d}}}.tar"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Served]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    root = write(tmp_path / "served", {f"{number:04d}.tar": shard(number) for number in range(SHARDS)})
    with Served(root) as server:
        yield server


def load(spec: str, **changes: Any) -> Data:
    return load_data(spec, image_size=16, **changes)


def contents(data: Data, part: str) -> list[bytes]:
    return sorted(image.tobytes() for image in getattr(data, part).images)


def test_shards_give_the_images_splits_and_labels_that_a_folder_of_them_gives(served: Served, tmp_path: Path) -> None:
    files = {f"{number % 3}/{number:04d}.png": sample(number)[f"{number:04d}.png"] for number in range(SHARDS * EACH)}
    folder, remote = load(f"folder:{write(tmp_path / 'pictures', files)}"), load(served.shards)
    for part in ("train", "val", "test"):
        assert contents(remote, part) == contents(folder, part)
        pairs = [
            {image.tobytes(): int(label) for image, label in zip(own.images, own.labels, strict=True)}
            for own in (getattr(folder, part), getattr(remote, part))
        ]
        assert pairs[0] == pairs[1]
    assert remote.class_names == ("0", "1", "2")
    assert remote.shape == (16, 16, 1)
    assert remote.notes == ()


def test_a_second_start_reads_no_shard_and_offline_asks_nothing(served: Served) -> None:
    with pytest.raises(LabError, match=r"data\.offline must be false where http.* was not read before"):
        load(served.shards, offline=True)
    first = load(served.shards)
    assert {name: count for name, count in served.asked.items() if "GET" in name} == {f"GET {n:04d}.tar": 1 for n in range(SHARDS)}
    served.asked.clear()
    assert load(served.shards).fingerprint == first.fingerprint
    assert set(served.asked) == {"HEAD"}
    served.asked.clear()
    assert load(served.shards, offline=True).fingerprint == first.fingerprint
    assert not served.asked


def test_a_shard_that_changed_is_read_again(served: Served) -> None:
    before = load(served.shards)
    (served.root / "0001.tar").write_bytes(tar({f"{n}.png": encoded(noise(1000 + n)) for n in range(EACH + 1)}))
    after = load(served.shards)
    assert len(everything(after)) == len(everything(before)) + 1
    assert after.fingerprint != before.fingerprint
    assert after.class_names is None  # of which one shard has none
    assert f"({EACH + 1})" in after.notes[0]


def test_a_connection_that_breaks_is_tried_again_and_what_is_there_is_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_BREATH_SECONDS", 0.0)
    served.cut = {"0000.tar": 1, "0002.tar": 5}
    with pytest.raises(Unreachable, match=r"0002|tar.*cannot be read: .*what is already in the cache is kept") as caught:
        load(served.shards)
    assert "\n" not in str(caught.value)
    assert (served.asked["GET 0000.tar"], served.asked["GET 0002.tar"]) == (2, 3)
    served.cut.clear()
    served.asked.clear()
    assert len(everything(load(served.shards))) == SHARDS * EACH
    assert [name for name in served.asked if name.startswith("GET")] == ["GET 0002.tar"]


def test_odd_members_are_skipped_or_left_out_and_named(served: Served) -> None:
    odd = {"a/x.jpg": b"no image", "a/.hidden.png": encoded(noise(1)), "a/readme.txt": b"text", "__MACOSX/._y.jpg": b"x"}
    odd |= {f"{'ab'[n % 2]}/{n}.seen.PNG": encoded(noise(50 + n)) for n in range(6)}
    (served.root / "odd.tar").write_bytes(tar(odd))
    data = load(f"{served.url}/odd.tar")
    assert data.skipped == ("odd.tar/a/x.jpg: not a JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF image",)
    assert data.class_names == ("a", "b")
    assert len(everything(data)) == 6


@pytest.mark.parametrize("content", [b"", b"no tar file" * 100, shard(0)[:3000]])
def test_a_shard_that_is_none_is_one_line(content: bytes, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_BREATH_SECONDS", 0.0)
    (served.root / "0001.tar").write_bytes(content)
    with pytest.raises(LabError, match=r"cannot be read"):
        load(served.shards)


def test_a_folder_behind_an_address_has_its_first_folders_as_classes(served: Served, cache: Path) -> None:
    write(served.root / "pictures", {f"{'ab'[n % 2]}/{n}.png": encoded(noise(n)) for n in range(10)})
    (served.root / "nothing").mkdir()
    with pytest.raises(LabError, match=r"No file in it is called"):
        load(f"{served.url}/nothing/")
    data = load(f"{served.url}/pictures/")
    assert (data.class_names, len(everything(data))) == (("a", "b"), 10)
    write(served.root / "pictures", {"a/0.png": encoded(noise(99, 17, 17))})
    assert everything(load(f"{served.url}/pictures/")) != everything(data)
    memory = fsspec.filesystem("memory")
    for number in range(5):
        memory.pipe(f"/set/{number}.png", encoded(noise(number)))
    assert len(everything(load("memory://set"))) == 5
    memory.pipe("/shards/00.tar", shard(0))
    assert len(everything(load("memory://shards/*.tar"))) == EACH


def test_braces_count_with_their_digits() -> None:
    assert expanded("s3://b/{8..11}-{0..1}.tar") == [f"s3://b/{n}-{m}.tar" for n in (8, 9, 10, 11) for m in (0, 1)]
    assert expanded("s3://b/{0098..0101}.tar")[::3] == ["s3://b/0098.tar", "s3://b/0101.tar"]
    assert expanded("s3://b/x.tar") == ["s3://b/x.tar"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("s3://bucket/{7..3}.tar", r"data\.spec must be \{LOW\.\.HIGH\}, the lower number first. Got '\{7\.\.3\}'"),
        ("nonsense://host/x.tar", r"an address of a kind that fsspec knows.*nonsense"),
        ("https://me:secret@host/x.tar", r"an address without a password. Got '…@host'"),
        ("http://127.0.0.1:9/{0..1}.tar", r"cannot be read: .*127\.0\.0\.1"),
        ("address:x", r"must be digits, .*npz:FILE or an address such as https://"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(spec: str, said: str, cache: Path) -> None:
    with pytest.raises(LabError, match=said) as caught:
        load(spec)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    for name in ("s3fs", "s3fs.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(LabError, match=r"s3://b/x\.tar needs a package that is not installed: Install s3fs.*\[remote\]"):
        load("s3://b/x.tar")


def test_others_see_neither_where_it_lies_nor_how_it_was_signed() -> None:
    assert named("https://host/secret/path/{00..09}.tar?signature=abc") == "https:{00..09}.tar"
    assert next_folder("conv-vae", "s3://bucket/art/{00..09}.tar", Path("/nowhere")).name == "conv-vae-00-09-tar-001"


def test_a_run_learns_from_it_on_two_processes_and_goes_on(served: Served, tmp_path: Path) -> None:
    own = "--data", served.shards, "--data.image-size", 16, "--data.train-images", 24, "--batch-size", 8
    run("train", "mlp-ae", *TINY, *own, *SHARED, "--steps", 4, "--processes", 2, "--out", tmp_path / "run")
    run("resume", tmp_path / "run", "--steps", 6)
    run("evaluate", tmp_path / "run", "--count", 20)
    (served.root / "0001.tar").write_bytes(shard(9))
    assert "must hold the images that" in refusal("resume", tmp_path / "run", "--steps", 8)
