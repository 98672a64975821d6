"""Downloads against an https server of our own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from imagefiles import tiny_set
from servers import HttpsServer, trust

from latentlab.base.errors import LabError, OutOfSpace
from latentlab.config.sources import SOURCES
from latentlab.data import download as module
from latentlab.data import fetch, load_data
from latentlab.data.download import download

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "train.gz"


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trust(monkeypatch, tmp_path)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 5.0)


def get(folder: Path, *addresses: str) -> Path:
    return download(NAME, SHA256, len(CONTENT), addresses, folder, "Use --data digits.", lambda line: None)


def test_whole_file_arrives(tmp_path: Path) -> None:
    with HttpsServer({f"/{NAME}": CONTENT}) as server:
        path = get(tmp_path / "mnist", server.url.rstrip("/"))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == [NAME]
    assert server.requests == [(f"/{NAME}", None)]


def test_dropped_connection_is_resumed_with_the_missing_bytes_only(tmp_path: Path) -> None:
    with HttpsServer({f"/{NAME}": CONTENT}, drop_after=[100_000, 50_000]) as server:
        path = get(tmp_path, server.url)
    assert path.read_bytes() == CONTENT
    assert server.requests == [(f"/{NAME}", None), (f"/{NAME}", "bytes=100000-"), (f"/{NAME}", "bytes=150000-")]


def test_an_interrupted_download_is_resumed_by_the_next_call(tmp_path: Path) -> None:
    with HttpsServer({f"/{NAME}": CONTENT}, drop_after=[100_000, 0]) as server:
        with pytest.raises(LabError, match=r"could not be downloaded \(127\.0\.0\.1:\d+: ended after 100,000 of 300,000 bytes"):
            get(tmp_path, server.url)
        assert (tmp_path / f"{NAME}.part").read_bytes() == CONTENT[:100_000]
        assert not (tmp_path / NAME).exists()
        get(tmp_path, server.url)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert server.requests[-1] == (f"/{NAME}", "bytes=100000-")
    assert not (tmp_path / f"{NAME}.part").exists()


def test_another_address_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    with HttpsServer({f"/{NAME}": CONTENT}, drop_after=[70_000, 0]) as first, HttpsServer({f"/{NAME}": CONTENT}) as second:
        get(tmp_path, first.url, second.url)
    assert second.requests == [(f"/{NAME}", "bytes=70000-")]
    assert (tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) - 5, len(CONTENT) + 5])
@pytest.mark.parametrize("told", [True, False])
def test_wrong_content_is_dropped_and_the_next_address_used(tmp_path: Path, length: int, told: bool) -> None:
    wrong = HttpsServer({f"/{NAME}": os.urandom(length)}, told_length=told)
    with wrong, HttpsServer({f"/{NAME}": CONTENT}) as right:
        path = get(tmp_path, wrong.url, right.url)
    assert path.read_bytes() == CONTENT


def test_wrong_content_everywhere_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        HttpsServer({f"/{NAME}": bytes(len(CONTENT))}) as server,
        pytest.raises(LabError, match=r"wrong content.*; .*HTTP 404.*Use --data digits\.") as caught,
    ):
        get(tmp_path / "mnist", server.url, server.url + "elsewhere")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "mnist").iterdir()) == []


def test_server_without_ranges_starts_again(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"rubbish")
    with HttpsServer({f"/{NAME}": CONTENT}, ranges=False) as server:
        assert get(tmp_path, server.url).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_part_of_something_else_is_given_up(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"rubbish")
    with HttpsServer({f"/{NAME}": CONTENT}) as server:
        assert get(tmp_path, server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=7-", None]


def test_range_not_satisfiable_starts_again(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    with HttpsServer({f"/{NAME}": CONTENT}, satisfiable=False) as server:
        assert get(tmp_path, server.url).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]


def test_a_range_from_another_place_is_not_appended(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    with HttpsServer({f"/{NAME}": CONTENT}, shift=-1, told_length=False) as server, pytest.raises(LabError, match="HTTP 206 where 200"):
        get(tmp_path, server.url)
    assert (tmp_path / f"{NAME}.part").read_bytes() == CONTENT[:1000]


def test_a_page_of_another_length_is_not_even_read(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    with HttpsServer({f"/{NAME}": b"<html>"}, ranges=False) as server, pytest.raises(LabError, match="would send 6 bytes"):
        get(tmp_path, server.url)
    assert len(server.requests) == 1


def test_a_part_that_is_whole_needs_no_request(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    with HttpsServer() as server:
        assert get(tmp_path, server.url).read_bytes() == CONTENT
    assert server.requests == []


def test_plain_http_is_refused_without_a_request(tmp_path: Path) -> None:
    for address in ("http://127.0.0.1:1/", "file:///etc/", "ftp://127.0.0.1/", "127.0.0.1"):
        with pytest.raises(LabError, match=r"must be https://"):
            get(tmp_path, address)
        with pytest.raises(LabError, match=r"must be https://"):
            fetch("mnist", tmp_path, [address])


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_redirect_away_from_https_is_refused(tmp_path: Path, target: str) -> None:
    with HttpsServer(redirects={f"/{NAME}": target}) as server, pytest.raises(LabError, match=r"not https|not allowed"):
        get(tmp_path, server.url)


def test_redirect_to_https_is_followed(tmp_path: Path) -> None:
    with HttpsServer({"/there": CONTENT}) as there, HttpsServer(redirects={f"/{NAME}": there.url + "there"}) as server:
        assert get(tmp_path, server.url).read_bytes() == CONTENT


def test_a_server_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with HttpsServer({f"/{NAME}": CONTENT}) as server, pytest.raises(LabError, match=r"(?i)certificate"):
        get(tmp_path, server.url)
    assert server.requests == []


def test_another_process_at_work_on_the_part_is_left_alone(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with HttpsServer({f"/{NAME}": CONTENT}) as server, open(tmp_path / f"{NAME}.part", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b"half")
        other.flush()
        assert get(tmp_path, server.url).read_bytes() == CONTENT
        assert (tmp_path / f"{NAME}.part").read_bytes() == b"half"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with HttpsServer({f"/{NAME}": CONTENT}) as server:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            with pytest.raises(OutOfSpace, match=r"full disk.*300,000 bytes"):
                get(tmp_path, server.url)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_fetch_then_load_then_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members, packed = tiny_set()
    monkeypatch.setitem(SOURCES, "mnist", members)
    lines: list[str] = []
    with HttpsServer({f"/{name}": content for name, content in packed.items()}) as server:
        folder = fetch("mnist", tmp_path, [server.url], lines.append)
        assert len(lines) == len(server.requests) == 4
        assert fetch("mnist", tmp_path, [server.url], lines.append) == folder == tmp_path / "mnist"
    assert len(lines) == 4
    assert len(load_data("mnist", root=tmp_path, offline=True, val_images=2).train) == 10


def test_load_downloads_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    members, packed = tiny_set()
    with HttpsServer({f"/{name}": content for name, content in packed.items()}) as server:
        object.__setattr__(members, "addresses", (server.url,))
        monkeypatch.setitem(SOURCES, "mnist", members)
        assert len(load_data("mnist", root=tmp_path, val_images=2).train) == 10
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 4


def test_digits_need_no_download() -> None:
    with pytest.raises(LabError, match="digits needs no download"):
        fetch("digits")
