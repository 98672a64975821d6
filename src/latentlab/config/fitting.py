"""From a preset to a run of one's own images: a model for their shape, a length for their number, and what to type for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from latentlab.config.field import written
from latentlab.config.layers import Shape
from latentlab.config.networks import fit_model
from latentlab.config.presets import DECODERS_DATA, preset
from latentlab.config.schema import Config

DECODER_FORM = (  # of a model: what a generator takes over with a decoder
    "latent_dim",
    "hidden",
    "channels",
    "blocks",
    "stages",
    "upsampling",
    "activation",
    "normalization",
    "conditional",
    "classes",
)
# Of a run that is worth looking at: at least so many steps, else the preset's epochs. Measured to fit 3 minutes on digits, 2 cores.
CODER_STEPS, GAN_STEPS = 450, 1_100
EVALUATIONS = 20  # at most about so many: to look at samples after each of many short epochs would cost a third of the training


def length_for(train_images: int, family: str, epochs: float, batch_size: int) -> dict[str, float]:
    """The fields of a length that suits a set of so many images: a small one is gone through more often than `epochs`."""
    steps = GAN_STEPS if family == "gan" else CODER_STEPS
    total = float(max(epochs, math.ceil(steps * batch_size / train_images)))
    return {"train.epochs": total, "train.evaluate_epochs": max(1.0, float(round(total / EVALUATIONS)))}


def fitted(config: Config, shape: Shape, plain: bool = False) -> Config:
    """A configuration with its model adapted to images of `shape` (H, W, C); `plain` as `fit_model` has it, and so is Keras."""
    return replace(config, model=fit_model(config.model, shape, plain or config.train.engine == "keras"))


def fitted_preset(name: str, shape: Sequence[int] | None) -> Config:
    """The preset as a run on images of `shape` (H, W, C) starts from it: what differs from that was changed by somebody.

    Without a shape, as a run of old or a damaged one tells none, the preset as it is. Raises LabError for an unknown name.
    """
    config = preset(name)
    return config if shape is None or len(shape) != 3 else fitted(config, (shape[0], shape[1], shape[2]))


def unplaced(base: Config, config: Config) -> Config:
    """A preset, of which a configuration is told by its differences: without data where those of the run that it starts from would be."""
    return base.replace(data=DECODERS_DATA) if config.train.init_from else base


def arguments(config: Config) -> list[str]:
    """The options of `latentlab train PRESET` that make this configuration: one for each field that is not the preset's.

    >>> arguments(preset("mlp-vae", **{"train.beta": 4.0, "model.hidden": (400, 200)}))
    ['--model.hidden', '400,200', '--train.beta', '4.0']
    """
    changed = config.differs(unplaced(preset(config.preset), config))
    return [word for name, (value, _) in changed.items() for word in (f"--{name}", written(value))]
