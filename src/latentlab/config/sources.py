"""The sources of images, and of points: one table, from which SPECs, help, choices and downloads are drawn. `latentlab.data` loads them.

A SPEC is the text that names a source: its name, and of what lies somewhere NAME:PATH, as folder:PATH.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from latentlab.base.errors import LabError, refusal

Kind = Literal["embedded", "published", "folder", "arrays", "remote", "points"]


_EXAMPLE = "https://….tar"


@dataclass(frozen=True)
class SourceFile:
    """One file of a published set, downloaded as NAME.gz. `content_sha256` is of the uncompressed file, where it is known.

    "idx" (MNIST's form) is one array of this shape; "cifar" a tar file of six: rows of a label and 3 x 32 x 32 bytes, the last
    sixth of them the test images.
    """

    name: str
    shape: tuple[int, ...]
    gz_sha256: str
    gz_bytes: int
    content_sha256: str | None = None
    form: Literal["idx", "cifar"] = "idx"


@dataclass(frozen=True)
class Mixture:
    """Round Gaussians in the plane, all alike and equally likely."""

    centres: tuple[tuple[float, float], ...]
    deviation: float  # of each coordinate


@dataclass(frozen=True)
class Source:
    """Where images come from.

    `kind` says how they are had and cut: "embedded" in a package, split by content; "published" in files that are
    downloaded, cut as they were published; "folder", "arrays" in a file and "remote" behind an address, of the user's, split by content;
    "points" of the plane in place of images, drawn from a `mixture` or in a file of the user's.
    """

    name: str
    kind: Kind
    size: int = 28  # height and width of its images, unless data.image_size says otherwise
    channels: int = 1  # of its images; a folder's own decide
    class_names: tuple[str, ...] = ()  # a folder's sub-folders name its classes
    licence: str = ""  # and whose work it is
    addresses: tuple[str, ...] = ()  # https folders that the files are published under, tried in order
    files: tuple[SourceFile, ...] = ()  # training images and labels, test images and labels; or one that holds all
    stacked: str = ""  # the grey set whose images are the channels of its own, and whose files are therefore its files
    mixture: Mixture | None = None

    @property
    def spelling(self) -> str:
        """What a user types for it."""
        spellings = {"folder": "folder:PATH", "arrays": "npz:FILE", "remote": f"an address such as {_EXAMPLE}"}
        return "points:FILE" if self.kind == "points" and self.placed else spellings.get(self.kind, self.name)

    @property
    def placed(self) -> bool:
        """Whether it lies somewhere that the SPEC names."""
        return self.kind in ("folder", "arrays", "remote") or (self.kind == "points" and self.mixture is None)

    @property
    def folder(self) -> str:
        """Where its files lie below the data root."""
        return self.stacked or self.name

    @property
    def train_count(self) -> int:
        """How many images of a published set are training images."""
        first = self.files[0]
        return first.shape[0] * 5 // 6 if first.form == "cifar" else first.shape[0]

    @property
    def download_bytes(self) -> int:
        """The size of its download."""
        return sum(file.gz_bytes for file in self.files)


def _like_mnist(*packed: tuple[str, int], contents: Sequence[str | None] = (None,) * 4) -> tuple[SourceFile, ...]:
    """The four files of a set in MNIST's form, from their .gz's (sha256, bytes) and the sha256 of what they unpack to."""
    kinds = (
        ("train-images-idx3-ubyte", (60000, 28, 28)),
        ("train-labels-idx1-ubyte", (60000,)),
        ("t10k-images-idx3-ubyte", (10000, 28, 28)),
        ("t10k-labels-idx1-ubyte", (10000,)),
    )
    return tuple(SourceFile(*kind, *gz, content) for kind, gz, content in zip(kinds, packed, contents, strict=True))


_ROW = (-4.0, -2.0, 0.0, 2.0, 4.0)  # of `grid`
_MNIST = Source(
    "mnist",
    "published",
    class_names=tuple("0123456789"),
    licence="CC BY-SA 3.0; Y. LeCun, C. Cortes and C. Burges",
    addresses=("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
    files=_like_mnist(
        ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
        ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
        ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
        ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
        contents=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

_SOURCES = (
    Source("digits", "embedded", class_names=tuple("0123456789"), licence="CC BY 4.0; E. Alpaydin and C. Kaynak, UCI 1998, the test part"),
    _MNIST,
    Source(
        "fashion-mnist",
        "published",
        class_names=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        licence="MIT; H. Xiao, K. Rasul and R. Vollgraf 2017",
        addresses=("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",),
        files=_like_mnist(
            ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
            ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
            ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
            ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
        ),
    ),
    Source(
        "kmnist",
        "published",
        class_names=tuple("おきすつなはまやれを"),
        licence="CC BY-SA 4.0; T. Clanuwat et al. 2018",
        addresses=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        files=_like_mnist(
            ("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18165135),
            ("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497),
            ("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3041136),
            ("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120),
        ),
    ),
    Source(
        "cifar10",
        "published",
        size=32,
        channels=3,
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        licence="none stated; A. Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        addresses=("https://www.cs.toronto.edu/~kriz/",),
        files=(
            SourceFile(
                "cifar-10-binary.tar",
                (60000, 3073),
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170052171,
                form="cifar",
            ),
        ),
    ),
    replace(
        _MNIST,
        name="stacked-mnist",
        channels=3,
        class_names=tuple(f"{number:03}" for number in range(1000)),
        licence=f"{_MNIST.licence}, three to an image after L. Metz et al. 2017",
        stacked="mnist",
    ),
    Source(
        "ring",
        "points",
        size=1,
        channels=2,
        licence="drawn here, as in Z. Lin et al. 2018, PacGAN",
        mixture=Mixture(tuple((math.cos(k * math.tau / 8), math.sin(k * math.tau / 8)) for k in range(8)), 0.01),
    ),
    Source(
        "grid",
        "points",
        size=1,
        channels=2,
        licence="drawn here, as in Z. Lin et al. 2018, PacGAN",
        mixture=Mixture(tuple((x, y) for x in _ROW for y in _ROW), 0.05),
    ),
    Source("points", "points", size=1, channels=2),
    Source("folder", "folder", size=64),
    Source("npz", "arrays"),
    Source("address", "remote", size=64),
)
SOURCES: dict[str, Source] = {source.name: source for source in _SOURCES}
PUBLISHED = tuple(source.name for source in _SOURCES if source.kind == "published")
CLASSIFIED = tuple(source.name for source in _SOURCES if source.class_names and not source.stacked)  # by classes that few images show


def valid(*kinds: Kind, default: str = "") -> str:
    """The SPECs of the sources of these kinds, or of all, as help and refusals list them: "digits (default), mnist or kmnist"."""
    *most, last = (
        source.spelling + (" (default)" if source.name == default else "") for source in _SOURCES if not kinds or source.kind in kinds
    )
    return f"{', '.join(most)} or {last}"


@dataclass(frozen=True)
class Spec:
    """What a SPEC means. `path` is absolute, of what lies at one; `address` is one that fsspec knows."""

    source: Source
    path: Path | None = None
    address: str | None = None

    def __str__(self) -> str:
        return self.address or (self.source.name if self.path is None else f"{self.source.name}:{self.path}")


def parse(spec: str) -> Spec:
    """The meaning of a SPEC. Raises LabError, listing what is valid. Whether a folder exists is asked when it is read."""
    if _ADDRESS.match(spec.strip()):
        return Spec(SOURCES["address"], address=_checked(spec.strip()))
    name, colon, path = spec.partition(":")
    source = SOURCES.get(name.strip().lower())
    source = None if source is not None and source.kind == "remote" else source
    if source is None or bool(colon) != source.placed or (colon and not path.strip()):
        raise _unknown(spec)
    if not source.placed:
        return Spec(source)
    return Spec(source, Path(os.path.abspath(os.path.expanduser(path))))


_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://.", re.IGNORECASE)


def _checked(address: str) -> str:
    """An address that holds no password: it is written into config.json, and shown. Raises LabError for one that does."""
    user, at, host = address.split("/")[2].rpartition("@")
    if at and ":" in user:
        remedy = "Give it as the service's own variables or files do, such as AWS_PROFILE or ~/.netrc."
        raise refusal("data.spec", "an address without a password", f"…@{host}", remedy)
    return address


def _unknown(spec: str) -> LabError:
    is_folder = "\0" not in spec and os.path.isdir(os.path.expanduser(spec))
    known = [source.name for source in _SOURCES if source.kind != "remote"]
    near = difflib.get_close_matches(spec.partition(":")[0].strip().lower(), known, 1)
    remedy = f"For the images of that folder: folder:{spec}" if is_folder else f"Did you mean {SOURCES[near[0]].spelling}?" if near else ""
    return refusal("data.spec", valid(), spec, remedy)


def of_points(spec: str) -> bool:
    """Whether a SPEC names points of the plane and no images; False for a text that names nothing."""
    source = SOURCES.get(spec.partition(":")[0].strip().lower())
    return source is not None and source.kind == "points"


def named(spec: str) -> str:
    """A SPEC as others may read it, such as in a hand-in: a folder by its name, not by where it lies on one machine."""
    source, colon, path = spec.partition(":")
    return f"{source}:{Path(path.partition('?')[0]).name}" if colon else spec


def canonical(spec: str) -> str:
    """The same SPEC wherever it is read from: a folder's path becomes absolute."""
    return str(parse(spec))
