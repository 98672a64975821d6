"""Files of runs on their way between machines that share no storage, by path, size and time. No torch here, and no Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from latentlab.base.errors import LabError
from latentlab.base.files import replace_bytes

Stamps = dict[str, tuple[int, int]]  # file → size, time in ns
Changes = tuple[dict[str, tuple[int, bytes]], list[str]]  # file → time in ns, content; files that are gone


class Keeper:
    """Where the command was typed: lends a run's files to the node that has it now, and keeps what that node alone gives back."""

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}

    def lend(self, own: list[str], reads: list[str], known: Stamps, holder: str) -> Changes:
        """What is new to a node that knows some files; `own` are its from now on."""
        self.holders |= dict.fromkeys(own, holder)
        return changes(stamps([*own, *reads]), known)

    def keep(self, own: list[str], holder: str, found: Changes) -> None:
        """Take what a node has made. Raises LabError when another has the run since: this one was given up."""
        if any(self.holders.get(path) != holder for path in own):
            raise LabError(f"{own[0]} is trained by another node since. This one was thought dead.")
        take(found)


def stamps(paths: Sequence[str]) -> Stamps:
    """Size and time of each file at these paths or below, but for locks and what is half-written."""
    found = {}
    for root in map(Path, paths):
        for path in (root, *root.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix != ".lock" and path.name != "lock" and not hidden:
                with suppress(FileNotFoundError):
                    if path.is_file():
                        found[str(path)] = path.stat().st_size, path.stat().st_mtime_ns
    return found


def changes(there: Stamps, known: Stamps) -> Changes:
    """What one who knows some files lacks. They were listed before any is read: metrics reach at least as far as a checkpoint does."""
    new = {}
    for path, stamp in there.items():
        if known.get(path) != stamp:
            with suppress(FileNotFoundError):
                new[path] = stamp[1], Path(path).read_bytes()
    return new, [path for path in known if path not in there]


def take(found: Changes) -> None:
    """Make files what they are elsewhere."""
    new, gone = found
    for path, (time, content) in new.items():
        replace_bytes(Path(path), content)
        os.utime(path, ns=(time, time))
    for path in gone:
        Path(path).unlink(missing_ok=True)
        with suppress(OSError):  # it is not empty
            Path(path).parent.rmdir()
