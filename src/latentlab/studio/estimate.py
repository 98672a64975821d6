"""About how long training will take on this machine: by runs that were trained here, and before there are any by a measured product."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from latentlab.base.errors import LabError
from latentlab.base.texts import duration, number
from latentlab.config.layers import Layer, Shape, TransposedConvolution, parameter_count, shape_after
from latentlab.config.networks import fit_model, networks
from latentlab.config.parts import GANTrain
from latentlab.config.schema import Config
from latentlab.studio.library import Library
from latentlab.studio.overview import overviews

REMEMBERED_SECONDS = 20.0  # that a run may end without being reckoned with
SIDE, TRIES = 512, 8  # of the product that is measured
BESIDE = 2.5  # how many times as long as its products alone a step takes: on one core from 1.5 to 3 for the presets of images


@dataclass(frozen=True)
class Measured:
    """How fast a run was: multiplications a second."""

    preset: str
    family: str
    rate: float


def seconds(config: Config, shape: tuple[int, int, int], images: int, library: Library) -> float:
    """How long a run on so many training images of `shape` (H, W, C) will take: as fast as the last run that was most like it."""
    runs = _measured(library, round(time.monotonic() / REMEMBERED_SECONDS))
    alike = [run for run in runs if run.preset == config.preset] or [run for run in runs if run.family == config.family] or runs
    read = config.train.steps * images_per_step(config) if config.train.steps is not None else config.train.epochs * images
    return work(config, shape) * read / (alike[-1].rate if alike else products() / BESIDE)


def about(time: float, language: str) -> str:
    """Seconds that are not known better than so: "25 s", "2 min"."""
    if time < 55:
        return number(max(5, 5 * round(time / 5)), language) + "\u00a0s"
    return number(round(time / 60), language) + "\u00a0min" if time < 5_400 else duration(time, language)


def images_per_step(config: Config) -> int:
    """The training images that a step reads: a batch for each update of a GAN's discriminator."""
    return config.train.batch_size * (config.train.discriminator_updates if isinstance(config.train, GANTrain) else 1)


def work(config: Config, shape: tuple[int, int, int]) -> float:
    """How many multiplications a training image of `shape` (H, W, C) costs: a backward pass as many as two forward ones."""
    model, train = fit_model(config.model, shape), config.train
    parts = {}
    for name, layers in networks(model, shape).items():
        drawn = name in ("decoder", "generator")
        parts[name] = _forward(layers, (model.latent_dim,) if drawn else (shape[2], *shape[:2]))
    judge = parts.pop("discriminator", 0.0)
    if not isinstance(train, GANTrain):
        return 3 * (parts["encoder"] + getattr(train, "importance_samples", 1) * parts["decoder"]) + 12 * judge
    drawing = parts["generator"]
    return drawing + 6 * judge + train.generator_updates / train.discriminator_updates * 3 * (drawing + judge)


def _forward(layers: Sequence[Layer], shape: Shape) -> float:
    total = 0.0
    for layer in layers:
        after = shape_after(layer, shape)
        if isinstance(layer, TransposedConvolution):  # a smooth one computes with a larger kernel than it learns
            total += (layer.inputs * layer.outputs * layer.kernel**2 + layer.outputs) * math.prod(shape[1:])
        else:
            total += parameter_count((layer,)) * math.prod(after[1:])
        shape = after
    return total


@lru_cache(maxsize=4)
def _measured(library: Library, moment: int) -> tuple[Measured, ...]:
    """How fast each run was that was trained here, the last one last."""
    found = []
    for run in sorted(overviews(library), key=lambda run: run.changed):
        took, read = float(run.last.get("seconds", 0)), float(run.last.get("images_seen", 0))
        if run.config is None or took <= 0 or read <= 0:
            continue
        try:
            shape = run.folder.environment()["image_shape"]
            found.append(Measured(run.config.preset, run.config.family, work(run.config, tuple(shape)) * read / took))
        except LabError:
            continue
    return tuple(found)


@cache
def products() -> float:
    """Multiplications a second of a product of matrices here."""
    factor, took = np.ones((SIDE, SIDE), np.float32), math.inf
    for _ in range(TRIES):
        began = time.perf_counter()
        _ = factor @ factor
        took = min(took, time.perf_counter() - began)
    return SIDE**3 / took
