"""Downloads over https only: resumed where they were interrupted, never longer than published, checked, then renamed.

A file in the making is called NAME.part. It may be continued from another address, since its sha256 is known beforehand.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from latentlab.base.errors import LabError, OutOfSpace, refusal
from latentlab.base.files import is_full, rename, try_lock
from latentlab.base.texts import reason

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4  # at one address, as long as each brings more
_BLOCK = 1 << 16
_QUIET_SECONDS = 1.0  # before a bar is shown
_LINE_SECONDS = 15.0  # between two lines where there is no bar


class _Failed(Exception):
    """This address did not give the file; the text is short and says why."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl).scheme != "https":
            fp.close()
            raise _Failed(f"redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(address: str) -> str:
    """The address with a slash at its end. Raises LabError unless it is https with a host."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme != "https" or not parts.netloc:
        raise refusal("the address of a download", "https://HOST/FOLDER/", address, "Other ways in are not safe.")
    return address if address.endswith("/") else address + "/"


def download(name: str, sha256: str, size: int, addresses: Sequence[str], folder: Path, remedy: str, report: Callable[[str], None]) -> Path:
    """Download file `name` of `size` bytes from the first address that gives the right content, into `folder`.

    Raises LabError, naming what failed at each address, and OutOfSpace. What was received stays in NAME.part and is
    continued at the next call; wrong content is deleted.
    """
    bases = [check_address(address) for address in addresses]
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part, file = _open_part(target)
    except OSError as error:
        raise LabError(f"{folder} must be a folder that can be written. {error.strerror}. Choose another with --data-root.") from None
    failures = []
    try:
        with file:
            for base in bases:
                try:
                    _from_address(base + name, sha256, size, file, report)
                    break
                except _Failed as failure:
                    failures.append(f"{urllib.parse.urlsplit(base).netloc}: {failure}")
            else:
                raise LabError(reason("download", name=name, failures="; ".join(failures), remedy=remedy))
            file.flush()
            os.fsync(file.fileno())
        rename(part, target)
    except OSError as error:
        if is_full(error):
            raise OutOfSpace(f"{folder} is on a full disk: {name} needs {size:,} bytes. Make room, or choose --data-root.") from None
        raise LabError(f"{target} could not be written. {error.strerror or error}. Choose another folder with --data-root.") from None
    finally:
        if part.exists() and (part.stat().st_size == 0 or part.suffix != ".part"):
            part.unlink(missing_ok=True)
    return target


def _open_part(target: Path) -> tuple[Path, IO[bytes]]:
    """NAME.part, opened and locked; a file of our own when another process is at work on it."""
    part = target.with_name(target.name + ".part")
    file = open(part, "a+b")  # noqa: SIM115 (the caller closes it)
    if not try_lock(file):
        file.close()
        part = part.with_name(f"{part.name}.{os.getpid()}")
        file = open(part, "a+b")  # noqa: SIM115
    return part, file


def _from_address(url: str, sha256: str, size: int, file: IO[bytes], report: Callable[[str], None]) -> None:
    """Fill `file` from one address until it has the right content, or raise _Failed."""
    while True:
        foreign = _length(file)  # bytes that may be another address's, and wrong
        if foreign < size:
            report(f"{url}: {size / 1e6:.1f} MB" + (f", continued at {foreign / 1e6:.1f} MB" if foreign else ""))
        _receive_patiently(url, size, file)
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:  # type: ignore[arg-type,unused-ignore]
            return
        file.truncate(0)
        if not foreign:
            raise _Failed("wrong content (its sha256 is not the published one)")


def _receive_patiently(url: str, size: int, file: IO[bytes]) -> None:
    """Receive until the file is whole, again and again while that brings more."""
    for _ in range(ATTEMPTS):
        before = _length(file)
        try:
            if before < size:
                _receive(url, size, file)
            if _length(file) == size:
                return
            failure = _Failed(f"ended after {_length(file):,} of {size:,} bytes")
        except _Failed as error:
            failure = error
        if _length(file) <= before:
            break
    raise failure


def _receive(url: str, size: int, file: IO[bytes]) -> None:
    """One request for what is missing, appended to the file; the whole of it where the server cannot continue."""
    have = _length(file)
    headers = {"User-Agent": "latentlab", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()), _HttpsOnly)
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            file.truncate(0)
            return _receive(url, size, file)
        raise _Failed(f"HTTP {error.code} {error.reason}") from None
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise _Failed(_short(error)) from None
    with response:
        continued = have > 0 and response.status == 206 and (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        if not continued:
            if response.status != 200:
                raise _Failed(f"HTTP {response.status} where 200 was due")
            file.truncate(0)
            have = 0
        length = response.headers.get("Content-Length")
        if length is not None and length != str(size - have):
            raise _Failed(f"would send {length} bytes where {size - have} were due")
        _copy(response, url, size, have, file)


def _copy(response: Any, url: str, size: int, have: int, file: IO[bytes]) -> None:
    with progress(url.rpartition("/")[2], size, "B") as advance:
        advance(have)
        while True:
            try:
                block = response.read(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                file.flush()
                raise _Failed(_short(error)) from None
            if not block:
                break
            have += len(block)
            if have > size:
                file.truncate(0)
                raise _Failed(f"sent more than the published {size:,} bytes")
            file.write(block)
            advance(len(block))
    file.flush()


def _length(file: IO[bytes]) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size


def _short(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join((str(reason) or type(reason).__name__).split())[:120]


@contextmanager
def progress(text: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A function that is told how many units more are done: on a terminal they move a bar, else they are a line now and then."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

        scaled = unit == "B"
        with tqdm(total=total, desc=text, unit=unit, unit_scale=scaled, delay=_QUIET_SECONDS, leave=False, file=sys.stderr) as bar:
            yield lambda more: bar.update(more) and None
        return
    done, last = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, last
        done += more
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            print(f"{text}: {done:,} of {total:,} {unit}", file=sys.stderr, flush=True)

    yield advance
