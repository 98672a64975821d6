"""The door of the studio: which hosts, which tokens, which files; and what the command refuses. Plain requests, no browser."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from commands import run
from fakeruns import fake_run
from studios import address_of, begin, end, studio

pytest.importorskip("streamlit")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("studio")
    fake_run(home / "runs" / "lab" / "vae", "vae")
    (home / "secret.png").write_bytes(b"secret")
    return home / "runs"


@pytest.fixture(scope="module")
def page(runs: Path):
    with studio(runs) as address:
        yield address


def ask(page: str, path: str, host: str | None = None, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of one request, its path sent as it is."""
    place = urlsplit(page)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": host or place.netloc, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return found


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def test_it_listens_on_this_machine_alone(page: str):
    assert urlsplit(page).hostname == "127.0.0.1"
    outside = own_address()
    if outside.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError), socket.create_connection((outside, urlsplit(page).port), 2):
        pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "[::1]", "", "localhost.evil", "0.0.0.0"])
@pytest.mark.parametrize("path", ["/", "/lab/picture/samples/0?run=lab/vae", "/_stcore/health", "/_stcore/stream"])
def test_another_host_is_refused_everywhere(page: str, host: str, path: str):
    status, body, _ = ask(page, path, host=host or " ")
    assert status in (400, 403)
    assert b"PNG" not in body


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_its_own_names_pass(page: str, name: str):
    assert ask(page, "/", host=f"{name}:{urlsplit(page).port}")[0] == 200


def test_what_it_answers_lets_the_page_ask_nobody_else(page: str):
    for path in ("/", "/lab/picture/samples/0?run=lab/vae"):
        _, _, headers = ask(page, path)
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy.replace("'self'", "")
        assert headers["x-frame-options"] == "DENY"


def test_uploads_are_off(page: str):
    for path in ("/_stcore/upload_file/abc/def", "/_stcore/upload_file"):
        assert ask(page, path, method="PUT")[0] == 403


def test_a_picture_is_given_as_it_lies_there(page: str, runs: Path):
    status, body, headers = ask(page, "/lab/picture/samples/10?run=lab/vae")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert body == (runs / "lab/vae/samples/step-00000010.png").read_bytes()


HOSTILE = [
    "/lab/picture/samples/0?run=..", "/lab/picture/samples/0?run=../secret",
    "/lab/picture/samples/0?run=" + quote("../", safe=""), "/lab/picture/samples/0?run=%2Fetc",
    "/lab/picture/samples/0?run=C:%5C", "/lab/picture/samples/0?run=%5C%5Chost%5Cshare",
    "/lab/picture/samples/..%2f..%2fsecret?run=lab/vae", "/lab/picture/../../secret.png?run=lab/vae",
    "/lab/picture/checkpoints/0?run=lab/vae", "/lab/picture/samples/-1?run=lab/vae", "/lab/picture/samples/0",
    "/lab/picture/samples/7?run=lab/vae", "/lab/explorer", "/lab/explorer?run=..", "/lab/explorer?run=lab%00vae",
    "/lab/picture/samples/0?run=lab%2F..%2F..%2Fsecret.png", "/lab/picture/samples/99999999999?run=lab/vae",
    "/lab/picture/tiles/7?run=lab/vae", "/lab/picture/tiles/0?run=..",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_from_outside_opens_nothing(page: str, path: str):
    status, body, _ = ask(page, path)
    assert b"secret" not in body.replace(b"../secret", b"").replace(b"secret.png", b"")
    if status == 200:  # a path that is no route of ours is the page itself, as every unknown one
        assert b"<html" in body.lower()
    else:
        assert status in (400, 404)
        assert len(body.decode().splitlines()) <= 1


def test_exposed_it_asks_for_a_token(runs: Path):
    process = begin(runs, "--expose", own_address())
    try:
        address = address_of(process)
        place = urlsplit(address)
        token = place.query.partition("=")[2]
        assert len(token) >= 32
        plain = f"http://{place.netloc}/"
        for path in ("/", "/lab/picture/samples/0?run=lab/vae", "/_stcore/health", "/?token=wrong", f"/?token={token[:-1]}"):
            status, body, _ = ask(plain, path)
            assert status == 403, path
            assert b"token" in body
        status, _, headers = ask(plain, f"/explore?lang=fr&token={token}")
        assert (status, headers["location"]) == (303, "/explore?lang=fr")
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        kept = cookie.partition(";")[0]
        assert token not in kept  # whoever reads it learns no address
        assert ask(plain, "/", Cookie=kept)[0] == 200
        assert ask(plain, "/", Cookie=kept[:-1])[0] == 403
        assert ask(plain, "/", host="evil.example", Cookie=kept)[0] == 403
    finally:
        end(process)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "0"], "--port must be an integer of at least 1"),
        (["--port", "x"], "--port must be"),
        (["--expose", "0.0.0.0"], "--expose must be the address"),
        (["--expose", "203.0.113.7"], "--expose must be an address or name of this machine"),
        (["--token-file", "there-is-none"], "--token-file belongs to --expose"),
        (["--expose", "127.0.0.1", "--token-file", "there-is-none"], "--token-file must be a text file that can be read"),
        (["--expose", "127.0.0.1", "--token-file", __file__], "--token-file must be a file with at least 16 letters"),
        (["--prot", "8000"], "Did you mean --port?"),
    ],
)
def test_wrong_options_are_said_in_one_line(options: list[str], said: str):
    found = run("studio", *options, status=2)
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run("studio", "--port", port, "--runs", tmp_path, status=2)
    assert f"Got {port}" in found.stderr


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "runs").write_text("x")
    assert "--runs must be a folder" in run("studio", "--runs", tmp_path / "runs", status=2).stderr


def test_the_page_loads_no_torch():
    """Every module of the studio but what its tasks run."""
    code = (
        "import sys, pkgutil, importlib, latentlab.studio as s\n"
        "for found in pkgutil.walk_packages(s.__path__, 'latentlab.studio.'):\n"
        "    if not found.name.endswith('.app'): importlib.import_module(found.name)\n"
        "assert 'streamlit' in sys.modules\n"
        "print([name for name in sys.modules if name == 'torch'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("origin", "passes"), [(None, True), ("own", True), ("http://localhost:3000", False), ("http://evil.example", False), ("null", False)]
)
def test_another_page_does_not_steer_it(page: str, origin: str | None, passes: bool):
    """The channel by which the page is steered: a WebSocket, which browsers open to any host."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if origin is not None:
        headers["Origin"] = page.rstrip("/") if origin == "own" else origin
    status, _, _ = ask(page, "/_stcore/stream", **headers)
    assert (status == 101) is passes


def test_a_token_leads_to_this_host_alone(runs: Path, tmp_path: Path):
    (tmp_path / "token").write_text("abcdefghijklmnopqrstuv\n", encoding="utf-8")
    process = begin(runs, "--expose", "127.0.0.1", "--token-file", str(tmp_path / "token"))
    try:
        address = address_of(process)  # the first line that it prints: no address without a token before it
        plain = urlsplit(address)._replace(query="").geturl()
        for path in ("//evil.example/", "/\\evil.example/", "///evil.example/x"):
            status, _, headers = ask(plain, f"{path}?token=abcdefghijklmnopqrstuv")
            assert status != 303 or headers["location"].startswith("/")
            assert not headers.get("location", "").startswith(("//", "/\\"))
    finally:
        end(process)
