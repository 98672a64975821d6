"""What trains the networks of a run: torch itself, or Keras."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from latentlab.base.backends import keras_backend
from latentlab.base.errors import LabError, refusal
from latentlab.base.machine import fastest_threads, pick_bf16, pick_device
from latentlab.base.texts import reason
from latentlab.config.schema import Config
from latentlab.config.sources import of_points
from latentlab.models.engine import Engine, TorchEngine
from latentlab.models.learner import Learner


def usual_threads(config: Config) -> int:
    """What "auto" means. TensorFlow's convolutions on several threads differ from run to run; what XLA makes of dense layers does not."""
    convolutions = config.model.channels or getattr(config.model, "discriminator_channels", ())
    return 1 if config.train.engine == "keras" and keras_backend() == "tensorflow" and convolutions else fastest_threads()


def engine_device(config: Config, given: Mapping[str, Any]) -> torch.device:
    """Where the torch learner of a run is. Raises LabError for what Keras does not do."""
    if config.train.engine == "torch":
        return pick_device(config.train.device)
    if given or config.own:
        raise refusal("train.engine", reason("must.torch"), "keras", reason("remedy.torch"))
    for name, fits in (("device", ("auto", "cpu")), ("precision", ("auto", "fp32"))):
        if (value := getattr(config.train, name)) not in fits:
            raise refusal(f"train.{name}", reason("must.keras", fits=" or ".join(fits)), value)
    return torch.device("cpu")


def computes_bf16(config: Config, precision: str, device: torch.device) -> bool:
    """Whether a run computes in bf16, which Keras never does here; its eight bits of a coordinate would be too coarse for points."""
    return config.train.engine == "torch" and not of_points(config.data.spec) and pick_bf16(precision, device)


def engine_of(
    config: Config,
    shape: tuple[int, int, int],
    learner: Learner,
    device: torch.device,
    remark: Callable[[str], None],
    backend: str | None = None,
) -> tuple[Engine, dict[str, str]]:
    """What trains a learner, and what environment.json says of it. A run that is resumed stays with its `backend`.

    Raises LabError where Keras is not installed, and where it computes with another backend in this process already.
    """
    if config.train.engine == "torch":
        return TorchEngine(learner, device), {}
    if backend is not None and backend != keras_backend():
        if "keras" in sys.modules:
            raise LabError(reason("keras.backend", backend=backend, here=keras_backend()))
        os.environ["KERAS_BACKEND"] = backend
    from latentlab.keras import versions
    from latentlab.keras.build import engine

    return engine(config, shape, learner, remark), versions()
