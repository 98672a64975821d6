"""Images behind an address that fsspec knows (s3://, gs://, https://, file:// …): WebDataset shards, or a folder of image files.

    https://HOST/PATH/{0000..0099}.tar   shards: tar files whose images are read as they come; NAME.cls beside NAME.jpg is its class
    s3://BUCKET/FOLDER                   every image file below it, first folders as classes; so does a tar without .cls

All is read once, decoded, and kept in the cache (`cache.py`) under what the addresses tell of themselves (size, ETag, time).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

from latentlab.base.errors import LabError, Unreachable, refusal
from latentlab.base.files import cache_folder, read_json_or_nothing, replace_json
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.sources import parse
from latentlab.data.building import CHUNK, Building
from latentlab.data.cache import MAX_BYTES, Decoded, Item, Settings, errors_of, read
from latentlab.data.decoded import cut, settings_of
from latentlab.data.folder import SUFFIXES, label_of
from latentlab.data.sets import Data

_VERSION = 1
_TOGETHER = 32  # files that are asked for at once
_BUFFER = 1 << 20  # bytes of a tar file
_TELLING = ("size", "ETag", "etag", "Last-Modified", "LastModified", "mtime", "updated", "md5Hash", "Content-MD5", "checksum")
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Far(NamedTuple):
    """A file behind an address: its path in the file system, what it is called in the set, and what tells its content apart."""

    path: str
    name: str
    stamp: str


def load_remote(config: DataConfig) -> Data:
    """The images behind an address, split by their content. Raises LabError; Unreachable where nothing answers.

    With `offline` nothing is asked: what is in the cache from the last time is used.
    """
    address = parse(config.spec).address
    assert address is not None, config.spec  # noqa: S101 - a fault of ours, not the user's
    settings, home = settings_of(config), cache_folder() / "folders"
    asked = hashlib.sha256(f"{_VERSION} {asdict(settings)} {address}".encode()).hexdigest()
    start = home / "starts" / f"{asked}.json"
    if config.offline:
        seen = read_json_or_nothing(start, {"key": str})
        if not seen or (found := read(home / seen["key"])) is None:
            raise refusal("data.offline", reason("must.cached", address=address), True, reason("remedy.online"))
        return cut(config, found, "remote")
    fs, files = _listed(address)
    key = hashlib.sha256(json.dumps([_VERSION, asdict(settings), [(file.name, file.stamp) for file in files]]).encode()).hexdigest()
    found = read(home / key)
    if found is None:
        try:
            found = _built(fs, files, address, key, settings)
        except FileNotFoundError:  # another process has finished and cleared away
            if (found := read(home / key)) is None:
                raise
    with errors_of(home):
        replace_json(start, {"key": key})
    return cut(config, found, "remote")


def expanded(address: str) -> list[str]:
    """The addresses that braces stand for: {0000..0099} counts, with as many digits as are written.

    >>> expanded("s3://b/{08..10}.tar")
    ['s3://b/08.tar', 's3://b/09.tar', 's3://b/10.tar']
    """
    if (found := _RANGE.search(address)) is None:
        return [address]
    low, high = found.groups()
    if int(low) > int(high):
        raise refusal("data.spec", reason("must.braces"), found[0])
    numbers = (f"{number:0{len(low)}d}" for number in range(int(low), int(high) + 1))
    return [one for number in numbers for one in expanded(address[: found.start()] + number + address[found.end() :])]


def _listed(address: str) -> tuple[Any, list[Far]]:
    """The file system, and the files in it: tar files as the address names them, else the image files below it."""
    with _answers(address):
        import fsspec

        fs, path = fsspec.core.url_to_fs(expanded(address)[0])
        if is_sharded(address):
            paths = [fs._strip_protocol(one) for one in expanded(address)]
            paths = sorted(itertools.chain.from_iterable(fs.glob(one) if "*" in one else [one] for one in paths))
            told = {path: fs.info(path) for path in paths}
            names = {path: posixpath.basename(path.partition("?")[0]) for path in paths}
        else:
            told = {one: about for one, about in fs.find(path, detail=True).items() if one.lower().endswith(SUFFIXES)}
            told = {one: about if _stamp(about) != "{}" else fs.info(one) for one, about in told.items()}
            names = {one: posixpath.relpath(one, path) for one in told}
    if not told:
        raise LabError(reason("folder.none", root=address, named=reason("remote.empty", suffixes=", ".join((*SUFFIXES, ".tar")))))
    return fs, [Far(one, names[one], _stamp(about)) for one, about in sorted(told.items())]


def is_sharded(address: str) -> bool:
    """Whether an address names tar files."""
    return posixpath.basename(address.partition("?")[0]).endswith(".tar")


def _stamp(about: dict[str, Any]) -> str:
    return json.dumps({name: str(about[name]) for name in _TELLING if about.get(name) is not None})


@contextmanager
def _answers(address: str) -> Iterator[None]:
    """Say in one line why an address cannot be read. Raises Unreachable, and LabError where a package is missing."""
    try:
        yield
    except LabError:
        raise
    except ImportError as error:  # fsspec names the package in its own words
        raise LabError(reason("remote.package", address=address, why=str(error))) from None
    except ValueError as error:  # a protocol that there is not
        raise refusal("data.spec", reason("must.address"), address, str(error)) from None
    except Exception as error:  # each file system raises its own
        why = " ".join(str(error.__cause__ or error).split())[:200].rstrip(".") or type(error).__name__
        raise Unreachable(reason("remote.unreachable", address=address, why=why)) from None


def _built(fs: Any, files: list[Far], address: str, key: str, settings: Settings) -> Decoded:
    home, sharded = cache_folder() / "folders", is_sharded(address)
    step = 1 if sharded else CHUNK
    pieces = [files[at : at + step] for at in range(0, len(files), step)]

    def items(number: int) -> Iterator[Item]:
        with _answers(address):
            yield from _of_shard(fs, pieces[number][0]) if sharded else _of_files(fs, pieces[number])

    def nothing(named: str) -> str:
        return reason("folder.none", root=address, named=named or reason("remote.empty", suffixes=", ".join(SUFFIXES)))

    with errors_of(home), Building(home, key[:32]) as building:
        return building.decode([len(piece) for piece in pieces], items, settings, key, nothing)


def _of_files(fs: Any, files: list[Far]) -> Iterator[Item]:
    for at in range(0, len(files), _TOGETHER):
        some = files[at : at + _TOGETHER]
        contents = fs.cat_ranges([file.path for file in some], None, None, on_error="raise")
        yield from (
            Item(file.name, len(content), partial(bytes, content), label_of(file.name))
            for file, content in zip(some, contents, strict=True)
        )


def _of_shard(fs: Any, file: Far) -> Iterator[Item]:
    """The images of a tar file as they come. Members of one sample stand together and are called alike up to the first dot."""
    whole = {"block_size": 0} if "http" in fs.protocol else {}  # one request, not one for each block
    with fs.open(file.path, "rb", **whole) as stream, tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER) as tar:
        members = (member for member in tar if member.isfile() and not posixpath.basename(member.name).startswith("."))
        for sample, together in itertools.groupby(members, key=_sample):
            found = {member.name: _content(tar, member) for member in together if member.name.lower().endswith((*SUFFIXES, ".cls"))}
            named = [content.decode("ascii", "replace").strip() for name, content in found.items() if name.lower().endswith(".cls")]
            for name, content in found.items():
                if name.lower().endswith(SUFFIXES):
                    label = named[0] if named else label_of(sample.removeprefix("./"))
                    yield Item(f"{file.name}/{name}", len(content), partial(bytes, content), label)


def _sample(member: tarfile.TarInfo) -> str:
    folder, slash, name = member.name.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member) if member.size <= MAX_BYTES else None
    return b"" if opened is None else opened.read()
