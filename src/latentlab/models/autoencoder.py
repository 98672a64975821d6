"""The autoencoder, and what it shares with the VAE. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.config.layers import Layers
from latentlab.config.networks import classes_of
from latentlab.config.parts import AutoencoderModel, AutoencoderTrain, NetworkConfig, VAETrain
from latentlab.models.learner import Losses, Moment, Parts, buffers_held
from latentlab.models.likelihoods import Likelihood, likelihood_of
from latentlab.models.nets import IMAGES, Chain, Decoder, Encoder, Values, drawn
from latentlab.models.optimiser import STRIDE, Adam, Average, Compute
from latentlab.models.own import Own, per_image
from latentlab.models.shards import Shards


class EncoderDecoder(ABC):
    """An encoder and a decoder that one optimiser trains. What they minimise is the subclass's."""

    phases: tuple[str, ...]
    minimised: str  # as a refusal names it

    def __init__(
        self,
        encoder: type[Chain],
        likelihood: Likelihood,
        model: NetworkConfig,
        train: AutoencoderTrain | VAETrain,
        layers: Mapping[str, Layers],
        device: torch.device,
        bf16: bool,
        own: Own,
    ) -> None:
        self.images_per_step, self.device, self.likelihood, self.classes = train.batch_size, device, likelihood, classes_of(model)
        self.shards = Shards(train.shards)
        kinds: dict[str, type[Chain]] = {"encoder": encoder, "decoder": Decoder}
        self.own_loss = own.loss
        self.networks: dict[str, nn.Module] = {
            name: drawn(kind, layers[name], model.initialization, own.networks.get(name)).to(device) for name, kind in kinds.items()
        }
        self.computes = [Compute(network, bf16) for network in self.networks.values()]
        self.averages = {name: Average(network, train.ema_halflife_images, every=STRIDE) for name, network in self.networks.items()}
        self.averaged = {name: average.network for name, average in self.averages.items()}
        named = [(f"{n}.{k}", p) for n, network in self.networks.items() for k, p in network.named_parameters()]
        self.adams = {"adam": Adam(named, train.learning_rate, train)}
        active = {name: average for name, average in self.averages.items() if average.active}
        self.parts = Parts(self.networks, active, self.adams, {})

    def update(self, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        losses: Losses = {}
        for phase in self.phases:
            losses |= self.run_phase(phase, images, moment, labels)
        return losses

    def run_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        losses, inputs = partial(self._losses, moment), self._inputs(images, moment, labels)
        adam = self.adams["adam"]
        adam.schedule(moment.images_seen)
        told, norm = self.shards.descend(losses, inputs, adam, moment.step, self.minimised, self.networks.values(), self.computes)
        self._averaged(moment)
        return told | {"gradient_norm": norm}

    def _averaged(self, moment: Moment) -> None:
        """A step is done: the averages follow."""
        for average in self.averages.values():
            average.update(moment.step + 1, self.images_per_step, moment.images_seen + self.images_per_step)

    @abstractmethod
    def _inputs(self, images: Tensor, moment: Moment, labels: Tensor | None) -> tuple[Tensor, ...]:
        """What a batch is learned from: the images as the likelihood sees them, [N, C, H, W], and what else there is of each, [N, …]."""

    @abstractmethod
    def _losses(self, *given: Any, **named: Any) -> Losses:
        """Of a moment and of inputs: what is minimised, first, and what is recorded beside it, means over the images."""

    @torch.no_grad()
    def after_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        with buffers_held(self.networks["encoder"]), buffers_held(self.networks["decoder"]):
            return self.shards.means(partial(self._losses, moment), self._inputs(images, moment, labels))

    def set(self, name: str, value: float) -> None:
        for adam in self.adams.values():
            adam.learning_rate = {"learning_rate": value}[name]

    def tensors(self) -> dict[str, Tensor]:
        return self.parts.tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.parts.load(tensors)

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        return self.likelihood.values.held(self.likelihood.mean(self.averages["decoder"].sampler()(z)))


class AutoencoderLearner(EncoderDecoder):
    """Minimises the reconstruction term alone; the code has no prior, so one is fitted to it for sampling."""

    phases: tuple[str, ...] = ("reconstruction",)
    minimised = "reconstruction"

    def __init__(
        self,
        model: AutoencoderModel,
        train: AutoencoderTrain,
        layers: Mapping[str, Layers],
        device: torch.device,
        bf16: bool,
        own: Own,
        values: Values = IMAGES,
    ) -> None:
        super().__init__(Encoder, likelihood_of(model.reconstruction, values), model, train, layers, device, bf16, own)
        self.prior = self.parts.extra = {
            "prior_mean": torch.zeros(model.latent_dim, device=device),
            "prior_scale": torch.eye(model.latent_dim, device=device),
        }

    def _inputs(self, images: Tensor, moment: Moment, labels: Tensor | None) -> tuple[Tensor, ...]:
        return (self.likelihood.target(images),)  # [N, C, H, W]

    def _losses(self, moment: Moment, x: Tensor) -> Losses:
        encode, decode = (compute.begin() for compute in self.computes)
        codes = encode(x)  # [N, Z]
        logits = decode(codes).float()  # [N, C, H, W]
        return {"loss_nats": self._nats(x, logits, codes).mean(), "mse": self.likelihood.squared_error(logits.detach(), x).mean()}

    def _nats(self, x: Tensor, logits: Tensor, codes: Tensor) -> Tensor:
        """What is minimised, for each image: [N]."""
        return self.likelihood.nats(logits, x) if self.own_loss is None else per_image(self.own_loss, x, logits, codes.float(), None)

    @torch.no_grad()
    def prepare_sampling(self, images: Tensor) -> None:
        """Fit N(mean, covariance) to the codes of training images; sampling draws from it."""
        codes = self.encode(images)[0].cpu().double()  # [M, Z]
        centred = codes - codes.mean(0)
        covariance = centred.T @ centred / max(len(codes) - 1, 1)  # [Z, Z]
        if not bool(covariance.isfinite().all()):
            return  # the next update stops the run and says why
        # The symmetric square root also serves codes that fill only a part of their space, where Cholesky would fail.
        values, vectors = torch.linalg.eigh(covariance)
        self.prior["prior_mean"].copy_(codes.mean(0))
        self.prior["prior_scale"].copy_(vectors * values.clamp_min(0).sqrt() @ vectors.T)

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int, first: int, labels: Tensor | None = None) -> dict[str, Tensor]:
        x = self.likelihood.target(images)
        encoder, decoder = self.averages["encoder"].sampler(), self.averages["decoder"].sampler()
        codes = encoder(x)
        logits = decoder(codes)
        return {"loss_nats": self._nats(x, logits, codes), "mse": self.likelihood.squared_error(logits, x)}

    @torch.no_grad()
    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        return self.averages["encoder"].sampler()(self.likelihood.target(images)), None

    def code_from_normal(self, z: Tensor) -> Tensor:
        return self.prior["prior_mean"] + z @ self.prior["prior_scale"]
