"""Image sets: sources, decoding, splits and the order of batches. NumPy and Pillow only; torch is never imported here.

image file → source (decode, verify) → `ImageSet` uint8 [N, H, W, C] → `batch_indices(seed, position, …)` → learner
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from latentlab.base.errors import refusal
from latentlab.config.field import declared, plain
from latentlab.config.parts import DataConfig, check_part
from latentlab.config.sources import canonical, parse
from latentlab.data.arrays import load_npz, spec_of
from latentlab.data.decoded import load_folder
from latentlab.data.named import fetch, is_at_hand, load_digits, load_published
from latentlab.data.points import load_points
from latentlab.data.remote import load_remote
from latentlab.data.sets import Data, ImageSet, batch_indices, entropy_floor_nats, is_binary, step_indices

__all__ = [
    "Data", "ImageSet", "batch_indices", "canonical", "entropy_floor_nats", "fetch", "is_at_hand", "is_binary", "load_data", "parse",
    "spec_of", "step_indices",
]  # fmt: skip


def load_data(spec_or_config: Any = "digits", *, root: str | Path | None = None, offline: bool | None = None, **changes: Any) -> Data:
    """The data set of a SPEC, of a configuration or of what `spec_of` takes, such as arrays; cut into train, val and test.

    `root` is the data root, `offline` forbids downloads; other keywords are fields of DataConfig (`image_size=32`).
    Writes nothing on stdout. Raises LabError for a wrong SPEC or value, and whatever the source raises.
    """
    if isinstance(spec_or_config, DataConfig):
        config = spec_or_config
    else:
        config = DataConfig(spec=spec_of(spec_or_config))
    names = [field.leaf for field in declared("data", DataConfig).values()]
    if unknown := [name for name in changes if name not in names]:
        raise refusal("a keyword of load_data", f"one of {', '.join(names)}", unknown[0])
    if root is not None:
        changes["root"] = str(root)
    if offline is not None:
        changes["offline"] = offline
    config = dataclasses.replace(config, **{name: plain(value) for name, value in changes.items()})
    check_part("data", config)
    spec = parse(config.spec)
    config = dataclasses.replace(config, spec=str(spec))
    match spec.source.kind:
        case "embedded":
            return load_digits(config)
        case "published":
            return load_published(config)
        case "folder":
            return load_folder(config)
        case "remote":
            return load_remote(config)
        case "arrays":
            return load_npz(config)
        case "points":
            return load_points(config)
