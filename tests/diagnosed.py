"""Runs to diagnose: forty that are well, and spoilt ones by what is the matter with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.runs.folder import RunFolder
from latentlab.train.events import Diagnosed, Event, Logged
from latentlab.train.loop import events
from latentlab.train.start import create

ONE_MACHINE = {"train.threads": 1, "train.device": "cpu", "train.precision": "fp32", "train.checkpoint_seconds": 1e9}
MNIST = {"data.spec": "mnist", "data.val_images": 1000}
SMALL_ART = {"data.image_size": 32, "model.channels": (16, 32, 64), "model.discriminator_channels": (16, 32, 64)}


def well(name: str, steps: int, seed: int = 0, **changes: Any) -> tuple[str, dict[str, Any]]:
    """A healthy run: preset and changes, in which `__` stands for the dot."""
    return name, {"train.steps": steps, "train.seed": seed} | {key.replace("__", "."): value for key, value in changes.items()}


HEALTHY: list[tuple[str, dict[str, Any]]] = [
    well("mlp-ae", 20),
    well("mlp-ae", 150, 1, model__latent_dim=2, train__evaluate_epochs=0.1),
    well("mlp-ae", 300, 2, model__latent_dim=64, train__batch_size=32, train__log_steps=1),
    well("mlp-ae", 250, 3, model__latent_dim=8, **MNIST),
    well("mlp-ae", 200, 4, data__train_images=2000, train__evaluate_epochs=0.25, **MNIST),
    well("mlp-vae", 22),
    well("mlp-vae", 60, 1, train__log_steps=1),
    well("mlp-vae", 300, 2, model__latent_dim=2, train__evaluate_epochs=0.3),
    well("mlp-vae", 400, 3, model__latent_dim=8, train__batch_size=32),
    well("mlp-vae", 250, 4, model__latent_dim=20, train__learning_rate=1e-4),
    well("mlp-vae", 200, 5, model__latent_dim=64, train__evaluate_epochs=0.1),
    well("mlp-vae", 250, 6, train__beta_warmup_steps=100),
    well("mlp-vae", 300, 7, train__beta=4.0),
    well("mlp-vae", 400, 8, train__evaluate_epochs=0.05, **MNIST),
    well("mlp-vae", 300, 9, data__train_images=3000, model__latent_dim=64, **MNIST),
    well("mlp-vae", 500, 10, model__hidden=(200, 200), model__activation="tanh", train__batch_size=20, train__learning_rate=1e-4, **MNIST),
    well("mlp-vae", 250, 11, model__latent_dim=2, model__binarization="dynamic", **MNIST),
    well("conv-ae", 24),
    well("conv-ae", 120, 1, model__latent_dim=8, train__evaluate_epochs=0.25),
    well("conv-ae", 100, 2, train__log_steps=3, **MNIST),
    well("conv-ae", 80, 3, model__latent_dim=2, train__batch_size=32),
    well("conv-vae", 22),
    well("conv-vae", 150, 1, model__latent_dim=2, train__evaluate_epochs=0.25),
    well("conv-vae", 120, 2, model__latent_dim=64),
    well("conv-vae", 200, 3, model__latent_dim=20, train__batch_size=32, train__log_steps=5),
    well("conv-vae", 120, 4, model__latent_dim=8, train__evaluate_epochs=0.02, **MNIST),
    well("conv-vae", 100, 5, data__train_images=1000, **MNIST),
    well("sn-gan", 20, train__log_steps=5),
    well("sn-gan", 110, 1, train__evaluate_epochs=0.2, train__log_steps=1),
    well("sn-gan", 350, 2, model__latent_dim=8),
    well("sn-gan", 200, 3, model__latent_dim=2, train__measure_samples=64),
    well("sn-gan", 250, 4, train__evaluate_epochs=0.02, **MNIST),
    well("sn-gan", 250, 5, model__latent_dim=64, data__train_images=1000, **MNIST),
    well("conv-gan", 22, train__log_steps=1),
    well("conv-gan", 90, 1, train__evaluate_epochs=0.5),
    well("conv-gan", 120, 2, model__latent_dim=20, train__batch_size=64, train__evaluate_epochs=0.02, **MNIST),
    well("gan-from-vae", 60, 1, train__evaluate_epochs=0.2),
    well("gan-from-vae", 150, 2, train__generator_frozen_images=3000),
    well("art-gan", 100, 1, data__spec="art", **SMALL_ART),
    well("sn-gan", 60, 6, data__spec="art", data__image_size=32, train__evaluate_epochs=1.0),
]
assert len(HEALTHY) == 40


# What `art-gan` wrote of 748 abstract paintings when it had batch norm in its discriminator and four times as many weights:
# its samples were 64 like grey tiles and stayed so.
BATCH_NORM_ON_PAINTINGS = {
    "model.discriminator_normalization": "batch",
    "train.generator_learning_rate": 2e-4,
    "train.discriminator_learning_rate": 1e-4,
    "train.r1_weight": 0.0,
}
_SEEN = ("real_logit", "pair_distance", "kid")
_PLAYED = ("discriminator_loss", "real_logit", "fake_logit", "generator_loss", "gradient_norm")
BATCH_NORM_ON_PAINTINGS_ROWS: list[dict[str, Any]] = sorted(
    [
        {"step": step, "epoch": step * 64 / 748, "split": "val", "recall": 0.0, "real_pair_distance": 0.3799}
        | dict(zip(_SEEN, seen, strict=True))
        for step, *seen in (
            (0, 0.0035, 0.002, 0.2106),
            (12, -1.3048, 0.0125, 0.1993),
            (24, -2.5437, 0.0229, 0.1854),
            (36, -5.9284, 0.0209, 0.1822),
            (47, -9.463, 0.0169, 0.1843),
        )
    ]
    + [
        {"step": step, "epoch": step * 64 / 748, "split": "train"} | dict(zip(_PLAYED, played, strict=True))
        for step, *played in (
            (20, 6.1924, -1.2555, 4.5518, 0.1089, 5.1422),
            (40, 6.6637, -2.026, 4.6164, 0.3864, 17.3699),
        )
    ],
    key=lambda row: row["step"],
)


def drawn_folder(path: Path, count: int, size: int = 32, seed: int = 0, noise: float | None = None) -> str:
    """A folder of drawn pictures as a data set; with `noise` (grey levels, standard deviation) all of the same picture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    path.mkdir(parents=True)
    first = None
    for number in range(count):
        picture = np.broadcast_to(random.uniform(0, 1, 3), (size, size, 3)).copy()
        for _ in range(6):
            (row, column), radius = random.uniform(0, 1, 2), random.uniform(0.05, 0.35)
            disc, box = np.hypot(y - row, x - column) < radius, (abs(y - row) < radius) & (abs(x - column) < radius / 2)
            picture[disc if random.random() < 0.5 else box] = random.uniform(0, 1, 3)
        first = picture if first is None else first
        shown = picture if noise is None else first + random.normal(0, noise, picture.shape) / 255
        Image.fromarray((255 * np.clip(shown, 0, 1)).round().astype(np.uint8)).save(path / f"{number:04d}.png")
    return f"folder:{path}"


def configuration(name: str, changes: dict[str, Any], home: Path) -> Config:
    """The configuration of an entry of HEALTHY; what it needs (a folder of pictures, a VAE) is made in `home`."""
    changes = ONE_MACHINE | changes
    if changes.get("data.spec") == "art":
        folder = home / "art"
        changes["data.spec"] = f"folder:{folder}" if folder.exists() else drawn_folder(folder, 240)
    if name == "gan-from-vae":
        decoder = home / "vae"
        if not decoder.exists():
            trained(preset("conv-vae", **ONE_MACHINE, **{"train.steps": 80}), decoder)
        changes["train.generator_from"] = str(decoder)
    return preset(name, **changes)


def trained(config: Config, out: Path) -> list[Event]:
    """Every event of a run from its beginning to its end."""
    return list(events(create(config, out)))


def alarms(happened: list[Event]) -> dict[str, int]:
    """Each key that was found while a run trained, with how many evaluations of a trained network there had been by then."""
    found: dict[str, int] = {}
    evaluations = 0
    for event in happened:
        if isinstance(event, Logged) and event.row["split"] == "val" and event.row["step"] > 0:
            evaluations += 1
        if isinstance(event, Diagnosed):
            for finding in event.findings:
                found.setdefault(finding.key, evaluations)
    return found


def status_keys(folder: RunFolder) -> list[str]:
    """The keys in status.json."""
    return [entry["key"] for entry in folder.status()["diagnosis"]]
