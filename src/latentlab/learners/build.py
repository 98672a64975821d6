"""From a configuration to a learner: a closed union and one `match`."""

from __future__ import annotations

import torch

from latentlab.config import AutoencoderModel, AutoencoderTrain, Config, GANModel, GANTrain, VAEModel, VAETrain
from latentlab.layers import Shape, networks
from latentlab.learners.autoencoder import AutoencoderLearner
from latentlab.learners.base import Learner
from latentlab.learners.gan import GANLearner
from latentlab.learners.vae import VAELearner
from latentlab.seeding import seed_for


def build(config: Config, shape: Shape, device: torch.device, bf16: bool) -> Learner:
    """The learner of a configuration for images of `shape` (H, W, C), with its first weights drawn from the seed."""
    layers = networks(config.model, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.train.seed, "weights"))
        match config.model, config.train:
            case AutoencoderModel() as model, AutoencoderTrain() as train:
                return AutoencoderLearner(model, train, layers, device, bf16)
            case VAEModel() as model, VAETrain() as train:
                return VAELearner(model, train, layers, device, bf16)
            case GANModel() as model, GANTrain() as train:
                return GANLearner(model, train, layers, device, bf16)
            case _:
                raise AssertionError(f"{config.family} with {type(config.train).__name__}")  # Config refuses it
