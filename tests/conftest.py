"""One thread, a cache of the session's own, and small runs to test with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

# Two busy cores make two-threaded torch up to 15 times slower than one: also in the commands that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# Small enough for a second, large enough to hold every part: warm-up, averaging, several epochs.
TINY = {"data.train_images": 96, "train.batch_size": 16, "train.threads": 1, "train.log_steps": 3, "train.checkpoint_seconds": 0.0}
FAMILIES = {
    "mlp-ae": {"model.hidden": (24,), "model.latent_dim": 3, "train.ema_halflife_images": 40},
    "conv-vae": {
        "model.hidden": (16,),
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "train.ema_halflife_images": 40,
        "train.beta_warmup_steps": 9,
        "model.binarization": "dynamic",
    },
    "sn-gan": {"model.channels": (4, 8), "model.hidden": (16,), "model.latent_dim": 3, "model.discriminator_channels": (4, 8)},
    "conv-gan": {
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "model.discriminator_channels": (4, 8),
        "model.discriminator_normalization": "batch",
        "train.generator_updates": 2,
        "train.discriminator_updates": 2,
        "train.label_smoothing": 0.9,
    },
}


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["LATENTLAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def tiny() -> Callable[..., object]:
    """A small configuration of a family's preset: `tiny("sn-gan", **{"train.steps": 5})`."""
    from latentlab.presets import preset

    return lambda name, **changes: preset(name, **TINY | FAMILIES[name] | {"train.epochs": 3.0} | changes)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Where MNIST lies; the test is skipped where there is none."""
    root = os.environ.get("LATENTLAB_DATA")
    if not root or not (Path(root) / "mnist").is_dir():
        pytest.skip("LATENTLAB_DATA names no folder with mnist/: set it to run the tests on MNIST")
    return Path(root)
