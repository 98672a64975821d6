"""`folder:PATH`: a folder's images, decoded once (`cache.py`) and found again by paths, sizes and times alone.

The key of a decoded folder is the sha256 of every file's path and content and of the settings: a copy of it is not decoded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, printable
from latentlab.base.files import cache_folder, read_json_or_nothing, replace_json
from latentlab.base.processes import place
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.sources import SOURCES, parse
from latentlab.data.building import CHUNK, SMALL, Building, by_threads
from latentlab.data.cache import MAX_BYTES, Decoded, Item, Settings, errors_of, read
from latentlab.data.folder import SUFFIXES, Entry, Listing, label_of, walk
from latentlab.data.sets import Data, cut_by_content

MANY = 100_000  # files above which it is enough that no folder got or lost one
_NAMED = 5  # files that the note on skipped ones names
_VERSION = 1  # of the pixels and of the files; a change of either makes new keys
_SETTLED_NS = 2_000_000_000  # after which another change gives a folder another time
_TRIES = 3  # and one for each process of the run: as it finishes, it clears away what another may be about to read


def load_folder(config: DataConfig) -> Data:
    """A folder's images, split by the content of the files. The source is a read-only memory map in the cache.

    Where every image lies in one of several sub-folders, these are the labels. Rows are in the order of the paths. Raises
    LabError for a missing folder and for fewer than 3 usable images.
    """
    path = parse(config.spec).path
    assert path is not None, config.spec  # noqa: S101 - a fault of ours, not the user's
    return cut(config, open_decoded(path, settings_of(config)), "folder")


def settings_of(config: DataConfig) -> Settings:
    """What the configuration says of how a file becomes an image."""
    return Settings(config.image_size or SOURCES["folder"].size, config.fit, config.channels)


def cut(config: DataConfig, decoded: Decoded, kind: str) -> Data:
    """Decoded images as a data set, with what is to be said of them. Raises LabError where most files are none."""
    unread, read = decoded.skipped, len(decoded.images)
    if len(unread) > read:
        raise LabError(reason("folder.mostly", spec=config.spec, **_unread(unread, read)))
    data = cut_by_content(config, decoded.images, decoded.labels, decoded.class_names, decoded.digests, f"{kind} {decoded.key}")
    skipped = tuple(f"{printable(name)}: {why}" for name, why in unread)
    return replace(data, skipped=skipped, notes=(*data.notes, *folder_notes(unread, read, decoded.beside)))


def folder_notes(unread: Sequence[tuple[str, str]], read: int, beside: Sequence[str]) -> list[str]:
    """What is to be said of a folder: the files that are not read, each with its reason, and images beside class folders."""
    notes = [reason("note.files", **_unread(unread, read))] if unread else []
    return [*notes, reason("note.classes", count=len(beside), named=some(beside))] if beside else notes


def _unread(unread: Sequence[tuple[str, str]], read: int) -> dict[str, Any]:
    named = some([f"{printable(name)} ({why})" for name, why in unread])
    return {"unread": len(unread), "count": len(unread) + read, "named": named}


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def open_decoded(root: Path, settings: Settings) -> Decoded:
    """The folder's images, from the cache where they are there, else decoded now, by all cores and all processes of a run.

    Raises LabError when there is no folder, when no file in it can be decoded, when a file changes meanwhile, and when the
    cache cannot be written; OutOfSpace when its disk is full.
    """
    home = cache_folder() / "folders"
    asked = hashlib.sha256(f"{_VERSION} {asdict(settings)} ".encode() + os.fsencode(root)).hexdigest()
    start = home / "starts" / f"{asked}.json"
    for left in reversed(range(_TRIES + place()[1])):
        try:
            return _opened(root, settings, start)
        except FileNotFoundError:
            if not left:
                raise LabError(f"{home} lost files while they were made. Run again when nothing clears it.") from None
    raise AssertionError


def _opened(root: Path, settings: Settings, start: Path) -> Decoded:
    seen = read_json_or_nothing(start, {"key": str, "stamp": str, "odd": list, "folders": list})
    if seen and _unchanged(root, seen["folders"]) and (found := read(start.parents[1] / seen["key"])):
        return _with(found, seen["odd"])
    begun = time.time_ns()
    listing = walk(root)
    stamp, unreadable = listing.stamp(), list[tuple[str, str]]()
    found = read(start.parents[1] / seen["key"]) if seen.get("stamp") == stamp else None
    if found is None:
        found, unreadable = _built(root, listing, settings, start, stamp)
    settled = len(listing.entries) > MANY and all(changed < begun - _SETTLED_NS for _, changed in listing.folders)
    record = {"key": found.key, "stamp": stamp, "odd": listing.odd, "folders": listing.folders if settled else []}
    if not unreadable and (settled or (seen.get("key"), seen.get("stamp")) != (found.key, stamp)):
        with errors_of(start.parents[1]):
            replace_json(start, record)
    return _with(found, [*listing.odd, *unreadable])


def _unchanged(root: Path, folders: Sequence[tuple[str, int]]) -> bool:
    """Whether no folder got or lost a file; False where that was not written down."""
    try:
        return bool(folders) and all(os.stat(root / below).st_mtime_ns == changed for below, changed in folders)
    except OSError:
        return False


def _with(decoded: Decoded, odd: Sequence[tuple[str, str]]) -> Decoded:
    return replace(decoded, skipped=tuple(sorted([*((path, why) for path, why in odd), *decoded.skipped])))


def _built(root: Path, listing: Listing, settings: Settings, start: Path, stamp: str) -> tuple[Decoded, list[tuple[str, str]]]:
    """The folder decoded, or its copy, and "path", "reason" of files that cannot be read now: they may be readable the next time."""
    home = start.parents[1]
    chunks = [listing.entries[at : at + CHUNK] for at in range(0, len(listing.entries), CHUNK)]
    sizes, unreadable = [len(chunk) for chunk in chunks], list[tuple[str, str]]()

    def items(number: int) -> Iterator[Item]:
        size = _mean_size(chunks[number])
        for path, sha256 in building.told("reading", number)["digests"]:
            yield Item(path, size, partial(_content, root / path), label_of(path), sha256)

    def nothing(named: str) -> str:
        return reason("folder.none", root=root, named=named or f"no file in it is called {', '.join(SUFFIXES)}")

    def digests() -> Iterator[list[list[str]]]:
        for told in building.pieces("reading", sizes, lambda number, _: _digests(root, chunks[number])):
            unreadable.extend((path, why) for path, why in told["unreadable"])
            yield told["digests"]

    with errors_of(home), Building(home, hashlib.sha256(f"{start.stem} {stamp}".encode()).hexdigest()[:32]) as building:
        return building.decode(sizes, items, settings, _key(settings, digests()), nothing), unreadable


def _key(settings: Settings, digests: Iterator[list[list[str]]]) -> str:
    """sha256 of the settings and of each file's path and content, as JSON."""
    key = hashlib.sha256(f"[{_VERSION}, {json.dumps(asdict(settings))}, [".encode())
    between = ""
    for pairs in digests:
        if pairs:
            key.update((between + json.dumps(pairs)[1:-1]).encode())
            between = ", "
    key.update(b"]]")
    return key.hexdigest()


def _mean_size(entries: Sequence[Entry]) -> int:
    return sum(entry.size for entry in entries) // max(1, len(entries))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabError(f"{path} vanished while its folder was read ({error.strerror}). Run again when nothing writes there.") from None


def _digests(root: Path, entries: Sequence[Entry]) -> dict[str, Any]:
    """[path, sha256] of each file's bytes, and [path, reason] for those that cannot be read."""

    def digest(entry: Entry) -> tuple[str | None, str]:
        if entry.size > MAX_BYTES:
            return None, "larger than 1 GiB"
        try:
            with open(root / entry.path, "rb") as file:  # file_digest makes a buffer as large as many a small file
                content = hashlib.sha256(file.read()) if entry.size < SMALL else hashlib.file_digest(file, "sha256")
                return content.hexdigest(), ""
        except OSError as error:
            return None, (error.strerror or "cannot be read").lower()

    found = [(entry.path, *result) for entry, result in by_threads(_mean_size(entries), digest, entries)]
    return {
        "digests": [(path, sha256) for path, sha256, _ in found if sha256],
        "unreadable": [(path, why) for path, sha256, why in found if not sha256],
    }
