"""`folder:PATH`: any folder of images; where every image lies in one of several sub-folders, these are the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.config.schema import DataConfig
from latentlab.data.decoded import Settings, open_decoded
from latentlab.data.sets import Data, by_content, cut, fingerprint
from latentlab.data.sources import parse

SIZE = 64
_NAMED = 5  # files that the note on skipped ones names


def load_folder(config: DataConfig) -> Data:
    """A folder's images, split by the content of the files. The source is a read-only memory map in the cache.

    Rows are in the order of the paths. Raises LabError for a missing folder and for fewer than 3 usable images.
    """
    path = parse(config.spec).path
    if path is None:
        raise refusal("data.spec", "folder:PATH", config.spec)
    decoded = open_decoded(path, Settings(config.image_size or SIZE, config.fit, config.channels))
    labels, class_names = classes(decoded.paths)
    splits = by_content(decoded.digests, config.val_share, config.test_share, f"folder:{path}")
    parts = cut(decoded.images, labels, splits, config.train_images)
    skipped = tuple(f"{printable(name)}: {reason}" for name, reason in decoded.skipped)
    notes = [] if splits.note is None else [splits.note]
    if skipped:
        named = ", ".join(f"{printable(name)} ({reason})" for name, reason in decoded.skipped[:_NAMED])
        more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
        notes.append(f"{len(skipped)} of {len(skipped) + len(decoded.paths)} files could not be used: {named}{more}.")
    return Data(f"folder:{path}", *parts, class_names, fingerprint(f"folder {decoded.key}", *parts), skipped=skipped, notes=tuple(notes))


def classes(paths: tuple[str, ...]) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels [N] and sorted class names from the first folder of each path; (None, None) unless all have one of at least two."""
    heads = [path.partition("/")[0] if "/" in path else None for path in paths]
    names = sorted({head for head in heads if head is not None})
    if None in heads or len(names) < 2:
        return None, None
    number = {name: label for label, name in enumerate(names)}
    labels = np.array([number[head] for head in heads if head is not None], np.int64)
    return labels, tuple(printable(name) for name in names)


def printable(name: str) -> str:
    """A file's name as it can be shown in one line of any encoding that has Unicode."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
