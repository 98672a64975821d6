"""Points of the plane: mixtures drawn as published, and a file of one's own. float32 [N, 1, 1, 2], in coordinates as they are."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, refusal
from latentlab.base.images import as_points
from latentlab.base.seeding import numpy_generator
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.sources import Mixture, parse
from latentlab.data.arrays import classes
from latentlab.data.sets import Data, ImageSet, cut_by_content, fingerprint, first_images

DRAWN, TEST = 100_000, 10_000  # points as published (Lin et al. 2018), and as many more as other sets have test images
SMALLEST, LARGEST = 0.5, 10.0  # between which the largest coordinate lies: networks see coordinates as they are


def load_points(config: DataConfig) -> Data:
    """Points of a mixture, labelled by their modes, the last `val_images` of them val; or those of a file, split by content.

    Raises LabError for a file that cannot be read or holds anything else, and for settings of images.
    """
    if config.image_size is not None or config.channels != "auto":
        raise refusal("data.image_size and data.channels", "left out with points, which have no pixels", config.spec)
    spec = parse(config.spec)
    if spec.source.mixture is not None:
        return _drawn(config, spec.source.mixture)
    assert spec.path is not None, config.spec  # noqa: S101 - a fault of ours, not the user's
    found, named = read_points(spec.path)
    points = as_points(found, f"points in {spec.path}")
    largest = float(np.abs(points).max(initial=0.0))
    if not SMALLEST <= largest <= LARGEST:
        raise refusal(f"points in {spec.path}", reason("must.reach", least=SMALLEST, most=LARGEST), f"{largest:g}", reason("remedy.reach"))
    labels, names = classes(named, len(points), f"labels in {spec.path}")
    digests = [hashlib.sha256(point.tobytes()).hexdigest() for point in points]
    known = "" if labels is None else hashlib.sha256(labels.tobytes()).hexdigest()
    content = f"points {hashlib.sha256(''.join(digests).encode()).hexdigest()} {known} {names}"
    return cut_by_content(config, points, labels, names, digests, content)


def _drawn(config: DataConfig, mixture: Mixture) -> Data:
    """The same points on every machine; whatever is asked for, train and test stay apart."""
    if config.val_images >= DRAWN:
        raise refusal("data.val_images", f"less than {DRAWN}, the number of training points of {config.spec}", config.val_images)
    source, count = numpy_generator(0, f"points-{config.spec}"), DRAWN + TEST
    labels = source.integers(len(mixture.centres), size=count)
    drawn = np.array(mixture.centres)[labels] + mixture.deviation * source.standard_normal((count, 2))
    points, rows, border = as_points(drawn), np.arange(count), DRAWN - config.val_images
    parts = first_images(rows[:border], config.train_images), rows[border:DRAWN], rows[DRAWN:]
    train, val, test = (ImageSet(points, part, labels[part]) for part in parts)
    names = tuple(str(mode) for mode in range(len(mixture.centres)))
    content = f"{config.spec} {hashlib.sha256(points.tobytes()).hexdigest()}"
    return Data(config.spec, train, val, test, names, fingerprint(content, train, val, test))


def read_points(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """What a .csv (with a line of names, or without), .npy or .npz file holds: points, and of an .npz labels where there are any."""
    try:
        match path.suffix.lower():
            case ".csv":
                lines = path.read_text(encoding="utf-8-sig").splitlines()
                named = bool(lines) and any(cell.strip()[:1].isalpha() and cell.strip().lower() != "nan" for cell in lines[0].split(","))
                return np.loadtxt(lines[named:], delimiter=",", ndmin=2), None
            case ".npy":
                return np.load(path, allow_pickle=False), None
            case ".npz":
                with np.load(path, allow_pickle=False) as file:
                    return file["points"], file["labels"] if "labels" in file.files else None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())[:100].rstrip(".")
        raise LabError(reason("points.unread", path=path, why=why)) from None
    raise refusal("data.spec", reason("must.points_file"), str(path))
