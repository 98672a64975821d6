"""The autoencoder. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latentlab.config.layers import Layers
from latentlab.config.schema import AutoencoderModel, AutoencoderTrain
from latentlab.models.learner import Losses, Moment, Parts, buffers_held, descend
from latentlab.models.nets import Decoder, Encoder, initialized, to_bytes, to_unit
from latentlab.models.objectives import bernoulli_nats, gaussian_nats, squared_error
from latentlab.models.optimiser import STRIDE, Adam, Average, Compute


class AutoencoderLearner:
    """Minimises the reconstruction term alone; the code has no prior, so one is fitted to it for sampling."""

    phases: tuple[str, ...] = ("reconstruction",)

    def __init__(
        self, model: AutoencoderModel, train: AutoencoderTrain, layers: Mapping[str, Layers], device: torch.device, bf16: bool
    ) -> None:
        self.batch, self.device = train.batch_size, device
        self.objective = gaussian_nats if model.reconstruction == "mse" else bernoulli_nats
        encoder = initialized(Encoder(layers["encoder"]), model.initialization).to(device)
        decoder = initialized(Decoder(layers["decoder"]), model.initialization).to(device)
        self.networks: dict[str, nn.Module] = {"encoder": encoder, "decoder": decoder}
        self.computes = Compute(encoder, bf16), Compute(decoder, bf16)
        self.averages = {name: Average(network, train.ema_halflife_images, every=STRIDE) for name, network in self.networks.items()}
        self.averaged = {name: average.network for name, average in self.averages.items()}
        named = [(f"{n}.{k}", p) for n, network in self.networks.items() for k, p in network.named_parameters()]
        self.adam = Adam(named, train.learning_rate, (train.adam_beta1, train.adam_beta2))
        self.prior = {
            "prior_mean": torch.zeros(model.latent_dim, device=device),
            "prior_scale": torch.eye(model.latent_dim, device=device),
        }
        active = {name: average for name, average in self.averages.items() if average.active}
        self.parts = Parts(self.networks, active, {"adam": self.adam}, self.prior)

    @property
    def images_per_step(self) -> int:
        return self.batch

    def update(self, images: Tensor, moment: Moment) -> Losses:
        return self.run_phase("reconstruction", images, moment)

    def run_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        loss, logits, x = self._objective(images)
        norm = descend(loss, self.adam, moment.step, "reconstruction", self.computes)
        for average in self.averages.values():
            average.update(moment.step + 1, self.batch, moment.images_seen + self.batch)
        mean_squared_error = squared_error(logits.detach(), x).mean()
        return {"loss_nats": loss.detach(), "mse": mean_squared_error, "gradient_norm": norm}

    def _objective(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, the logits and the images in [0, 1], both [N, C, H, W]."""
        encode, decode = (compute.begin() for compute in self.computes)
        x = to_unit(images)  # [N, C, H, W]
        logits = decode(encode(x)).float()  # [N, C, H, W]
        return self.objective(logits, x).mean(), logits, x

    @torch.no_grad()
    def after_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        with buffers_held(self.networks["encoder"]), buffers_held(self.networks["decoder"]):
            loss, logits, x = self._objective(images)
        return {"loss_nats": loss, "mse": squared_error(logits, x).mean()}

    def set(self, name: str, value: float) -> None:
        self.adam.learning_rate = {"learning_rate": value}[name]

    def tensors(self) -> dict[str, Tensor]:
        return self.parts.tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.parts.load(tensors)

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
    def held_out(self, images: Tensor, seed: int, first: int) -> dict[str, Tensor]:
        x = to_unit(images)
        encoder, decoder = self.averages["encoder"].sampler(), self.averages["decoder"].sampler()
        logits = decoder(encoder(x))
        return {"loss_nats": self.objective(logits, x), "mse": squared_error(logits, x)}

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.averages["encoder"].sampler()(to_unit(images)), None

    def code_from_normal(self, z: Tensor) -> Tensor:
        return self.prior["prior_mean"] + z @ self.prior["prior_scale"]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        return to_bytes(torch.sigmoid(self.averages["decoder"].sampler()(z)))
