"""From a configuration to a learner: a closed union and one `match`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.base.seeding import seed_for
from latentlab.config.layers import Shape
from latentlab.config.networks import networks
from latentlab.config.parts import AutoencoderModel, AutoencoderTrain, GANModel, GANTrain, VAEModel, VAETrain
from latentlab.config.schema import Config

if TYPE_CHECKING:
    import torch

    from latentlab.models.learner import Learner
    from latentlab.models.own import Own


def build(config: Config, shape: Shape, device: torch.device, bf16: bool, own: Own | None = None) -> Learner:
    """The learner of a configuration for images of `shape` (H, W, C), with its first weights drawn from the seed.

    `own` are the parts that are somebody's own; their networks are copied.
    """
    from latentlab.models.own import Own, seeded

    given = Own() if own is None else own.copied()
    learner = _built(config, shape, device, bf16, given)
    if own is not None and own.parts:  # which may draw from torch's own generator
        for name in ("run_phase", "after_phase"):
            setattr(learner, name, seeded(getattr(learner, name), config.train.seed, learner.phases))
    return learner


def _built(config: Config, shape: Shape, device: torch.device, bf16: bool, own: Own) -> Learner:
    import torch

    from latentlab.models.nets import values_of

    layers, values = networks(config.model, shape), values_of(shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.train.seed, "weights"))
        match config.model, config.train:
            case AutoencoderModel() as model, AutoencoderTrain() as train:
                from latentlab.models.autoencoder import AutoencoderLearner

                return AutoencoderLearner(model, train, layers, device, bf16, own, values)
            case VAEModel() as model, VAETrain() as train:
                from latentlab.models.vae import VAELearner
                from latentlab.models.vaegan import VAEGANLearner

                learner = VAEGANLearner if model.discriminator_channels else VAELearner
                return learner(model, train, layers, device, bf16, own, values)
            case GANModel() as model, GANTrain() as train:
                from latentlab.models.gan import GANLearner

                return GANLearner(model, train, layers, device, bf16, own, values)
            case _:
                raise AssertionError(f"{config.family} with {type(config.train).__name__}")  # Config refuses it
