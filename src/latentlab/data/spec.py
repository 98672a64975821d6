"""SPEC, the text that names a data set: digits, mnist, fashion-mnist, kmnist or folder:PATH."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentlab.errors import LabError, refusal

PUBLISHED = ("mnist", "fashion-mnist", "kmnist")
VALID = "digits, mnist, fashion-mnist, kmnist or folder:PATH"
_PREFIX = "folder:"


@dataclass(frozen=True)
class Spec:
    """What a SPEC means. `path` is absolute, and only a folder has one."""

    kind: Literal["digits", "published", "folder"]
    name: str
    path: Path | None = None

    def __str__(self) -> str:
        return self.name if self.path is None else f"{_PREFIX}{self.path}"


def parse(spec: str) -> Spec:
    """The meaning of a SPEC. Raises LabError, listing what is valid. Whether a folder exists is asked when it is read."""
    if spec == "digits":
        return Spec("digits", spec)
    if spec in PUBLISHED:
        return Spec("published", spec)
    if isinstance(spec, str) and spec.startswith(_PREFIX):
        if not spec[len(_PREFIX) :].strip():
            raise refusal("data.spec", "folder: followed by the path of a folder of images", spec, "For example folder:pictures.")
        return Spec("folder", "folder", Path(os.path.abspath(os.path.expanduser(spec[len(_PREFIX) :]))))
    raise _unknown(spec)


def _unknown(spec: object) -> LabError:
    remedy = ""
    if isinstance(spec, str) and spec and "\0" not in spec and os.path.isdir(os.path.expanduser(spec)):
        remedy = f"For the images of that folder: folder:{spec}"
    return refusal("data.spec", VALID, spec, remedy)


def canonical(spec: str) -> str:
    """The same SPEC wherever it is read from: a folder's path becomes absolute."""
    return str(parse(spec))
