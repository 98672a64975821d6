"""Where latentlab keeps what it downloads and what it can compute again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """LATENTLAB_CACHE, else the platform's cache folder for latentlab. Not created here."""
    given = os.environ.get("LATENTLAB_CACHE")
    return Path(given).expanduser().absolute() if given else Path(platformdirs.user_cache_dir("latentlab", appauthor=False))


def data_root(root: str | Path | None = None) -> Path:
    """The folder that holds `mnist/train-images-idx3-ubyte.gz` and so on: `root`, else LATENTLAB_DATA, else in the cache folder."""
    given = root or os.environ.get("LATENTLAB_DATA")
    return Path(given).expanduser().absolute() if given else cache_folder() / "data"
