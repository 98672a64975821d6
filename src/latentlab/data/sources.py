"""SPEC, the text that names a data set: digits, mnist, fashion-mnist, kmnist or folder:PATH."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentlab.base.errors import LabError, refusal

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


# The published idx sets: their files, addresses and checksums.
#
# mnist: LeCun, Cortes and Burges; fashion-mnist: Xiao, Rasul and Vollgraf 2017; kmnist: Clanuwat et al. 2018.


@dataclass(frozen=True)
class PublishedFile:
    """One idx file. `content_sha256` is of the uncompressed file, where it is known."""

    name: str
    shape: tuple[int, ...]
    gz_sha256: str
    gz_bytes: int
    content_sha256: str | None = None

    @property
    def content_bytes(self) -> int:
        """Size of the uncompressed file: magic number, one 4-byte size for each axis, one byte an element."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


@dataclass(frozen=True)
class PublishedSet:
    """The four files of a set, the addresses they are published under, and the names of its classes."""

    train_images: PublishedFile
    train_labels: PublishedFile
    test_images: PublishedFile
    test_labels: PublishedFile
    addresses: tuple[str, ...]
    class_names: tuple[str, ...]

    @property
    def files(self) -> tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]:
        """The four files."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels


def _published(gz: tuple[tuple[str, int], ...], contents: tuple[str | None, ...], addresses: tuple[str, ...], names: str) -> PublishedSet:
    kinds = (
        ("train-images-idx3-ubyte", (60000, 28, 28)),
        ("train-labels-idx1-ubyte", (60000,)),
        ("t10k-images-idx3-ubyte", (10000, 28, 28)),
        ("t10k-labels-idx1-ubyte", (10000,)),
    )
    files = [
        PublishedFile(name, shape, digest, size, content)
        for (name, shape), (digest, size), content in zip(kinds, gz, contents, strict=True)
    ]
    return PublishedSet(files[0], files[1], files[2], files[3], addresses, tuple(names.split(",")))


SETS: dict[str, PublishedSet] = {
    "mnist": _published(
        (
            ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
            ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
            ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
            ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
        ),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        "0,1,2,3,4,5,6,7,8,9",
    ),
    "fashion-mnist": _published(
        (
            ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
            ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
            ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
            ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
        ),
        (None, None, None, None),
        ("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",),
        "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot",
    ),
    "kmnist": _published(
        (
            ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18165135),
            ("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497),
            ("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3041136),
            ("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120),
        ),
        (None, None, None, None),
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        "お,き,す,つ,な,は,ま,や,れ,を",
    ),
}
