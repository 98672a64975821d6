"""What a diagnosis needs to know of a run beside its rows of metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latentlab.config import Config, GANModel, GANTrain, VAETrain


@dataclass(frozen=True)
class Facts:
    """A run's configuration and data as far as verdicts and remedies depend on them. A GAN's `learning_rate` is its generator's."""

    family: str  # "ae", "vae" or "gan"
    latent_dim: int = 32
    learning_rate: float = 1e-3
    discriminator_learning_rate: float = 0.0
    beta: float = 1.0
    beta_warmup_steps: int = 0
    loss: str = ""  # "hinge" or "non-saturating"
    normalization: str = ""  # of the discriminator
    activation: str = "relu"
    generator_updates: int = 1
    discriminator_updates: int = 1
    generator_frozen_images: int = 0
    train_images: int = 0  # how many are learned from; 0: unknown
    train_limit: int | None = None  # data.train_images, when it was given
    classes: int = 0
    pair_distance: float | None = None  # mean RMS pixel distance, in [0, 1], of pairs of training images

    def changed(self, settings: Mapping[str, Any]) -> Facts:
        """With fields set while training, by their dotted names, as a request's line of metrics has them."""
        renamed = {"generator_learning_rate": "learning_rate"}
        known = {item.name for item in dataclasses.fields(self)}
        leaves = {renamed.get(leaf := name.partition(".")[2], leaf): value for name, value in settings.items()}
        return dataclasses.replace(self, **{name: value for name, value in leaves.items() if name in known})


def facts_of(config: Config, environment: Mapping[str, Any]) -> Facts:
    """The facts of a run from its config.json and environment.json; what an old environment lacks is unknown."""
    model, train = config.model, config.train
    names, images = environment.get("class_names"), environment.get("images") or {}
    facts = Facts(
        family=config.family,
        latent_dim=model.latent_dim,
        activation=model.activation,
        train_images=int(images.get("train") or 0),
        train_limit=config.data.train_images,
        classes=len(names) if names else 0,
        pair_distance=environment.get("pair_distance"),
    )
    if isinstance(train, GANTrain) and isinstance(model, GANModel):
        return dataclasses.replace(
            facts,
            learning_rate=train.generator_learning_rate,
            discriminator_learning_rate=train.discriminator_learning_rate,
            loss=train.loss,
            normalization=model.discriminator_normalization,
            generator_updates=train.generator_updates,
            discriminator_updates=train.discriminator_updates,
            generator_frozen_images=train.generator_frozen_images,
        )
    facts = dataclasses.replace(facts, learning_rate=getattr(train, "learning_rate", 0.0))
    if isinstance(train, VAETrain):
        facts = dataclasses.replace(facts, beta=train.beta, beta_warmup_steps=train.beta_warmup_steps)
    return facts
