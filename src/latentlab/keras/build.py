"""From a configuration and its torch learner to the engine that trains it under Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

from latentlab.base.texts import reason
from latentlab.config.layers import Layers, Shape
from latentlab.config.networks import networks
from latentlab.config.parts import AutoencoderModel, AutoencoderTrain, GANModel, GANTrain, VAEModel, VAETrain
from latentlab.config.schema import Config
from latentlab.keras.backend import use_threads
from latentlab.keras.coders import CoderEngine
from latentlab.keras.convert import places
from latentlab.keras.engine import Network
from latentlab.keras.gans import GANEngine
from latentlab.keras.networks import connected, judged
from latentlab.models.engine import Engine, TorchEngine
from latentlab.models.learner import Learner
from latentlab.models.optimiser import Average


def engine(config: Config, shape: Shape, learner: Learner, remark: Callable[[str], object]) -> Engine:
    """The Keras engine for a learner of this configuration, for images of `shape` (H, W, C); `remark` is told what is otherwise."""
    if not use_threads(int(config.train.threads)):
        remark(reason("keras.threads", threads=config.train.threads))
    twin: Any = learner
    base = TorchEngine(learner, torch.device("cpu"))
    averages = twin.averages if hasattr(twin, "averages") else {"generator": twin.average}
    made = []
    for name, layers in networks(config.model, shape).items():
        optimiser = name if config.family == "gan" else "adam"
        model, found = network(name, layers, config, shape)
        made.append(Network(name, model, found, optimiser, averages.get(name) or Average(learner.networks[name], 0)))
    match config.model, config.train:
        case (AutoencoderModel() | VAEModel()) as model, (AutoencoderTrain() | VAETrain()) as train:
            return CoderEngine(twin, base, made, model, train)
        case GANModel() as model, GANTrain() as train:
            return GANEngine(twin, base, made, model, train)
        case _:
            raise AssertionError(f"{config.family} with {type(config.train).__name__}")  # Config refuses it


def network(name: str, layers: Layers, config: Config, shape: Shape, published: bool = False) -> tuple[Any, Any]:
    """The Keras model of one network of a configuration, and where its torch tensors are in it.

    One that is `published` is made of Keras's own layers alone, and a decoder's or a generator's gives images, not logits.
    """
    from_codes = name in ("decoder", "generator")
    inputs = keras.Input((config.model.latent_dim,), name="z") if from_codes else keras.Input(tuple(shape), name="images")
    if name == "discriminator":
        outputs, drawn = judged(layers, inputs)
    else:
        heads = ("mean", "log_var") if name == "encoder" and isinstance(config.model, VAEModel) else ()
        outputs, drawn = connected(layers, inputs, heads, published)
        if published and from_codes:
            outputs = keras.layers.Activation("sigmoid", name="image")(outputs)
    return keras.Model(inputs, outputs, name=name), places(drawn)
