"""The variational autoencoder. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latentlab.base.seeding import numpy_generator, torch_generator
from latentlab.config.layers import Layers
from latentlab.config.schema import VAEModel, VAETrain
from latentlab.models.learner import Losses, Moment, Parts, buffers_held, descend
from latentlab.models.nets import Decoder, GaussianEncoder, Posterior, initialized, to_bytes, to_unit
from latentlab.models.objectives import bernoulli_nats, kl_to_standard_normal, squared_error
from latentlab.models.optimiser import STRIDE, Adam, Average, Compute


class VAELearner:
    """Minimises −log p(x|z) + β KL(q(z|x) ‖ p(z)) with one reparameterised z per image (Kingma & Welling 2014, eq. 10)."""

    phases: tuple[str, ...] = ("elbo",)

    def __init__(self, model: VAEModel, train: VAETrain, layers: Mapping[str, Layers], device: torch.device, bf16: bool) -> None:
        self.batch, self.device, self.seed = train.batch_size, device, train.seed
        self.beta, self.warmup_steps, self.binarized = train.beta, train.beta_warmup_steps, model.binarization == "dynamic"
        encoder = initialized(GaussianEncoder(layers["encoder"]), model.initialization).to(device)
        decoder = initialized(Decoder(layers["decoder"]), model.initialization).to(device)
        self.networks: dict[str, nn.Module] = {"encoder": encoder, "decoder": decoder}
        self.computes = Compute(encoder, bf16), Compute(decoder, bf16)
        self.averages = {name: Average(network, train.ema_halflife_images, every=STRIDE) for name, network in self.networks.items()}
        self.averaged = {name: average.network for name, average in self.averages.items()}
        named = [(f"{n}.{k}", p) for n, network in self.networks.items() for k, p in network.named_parameters()]
        self.adam = Adam(named, train.learning_rate, (train.adam_beta1, train.adam_beta2))
        active = {name: average for name, average in self.averages.items() if average.active}
        self.parts = Parts(self.networks, active, {"adam": self.adam}, {})

    @property
    def images_per_step(self) -> int:
        return self.batch

    def beta_at(self, step: int) -> float:
        """β of the update that follows `step` others: linear from 0 over the warm-up, which counts absolute steps."""
        return self.beta * min(1.0, step / self.warmup_steps) if self.warmup_steps else self.beta

    def update(self, images: Tensor, moment: Moment) -> Losses:
        return self.run_phase("elbo", images, moment)

    def run_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        loss, reconstruction, kl = self._objective(images, moment)
        norm = descend(loss, self.adam, moment.step, "VAE", self.computes)
        for average in self.averages.values():
            average.update(moment.step + 1, self.batch, moment.images_seen + self.batch)
        return _parts(loss, reconstruction, kl) | {"gradient_norm": norm}

    def _objective(self, images: Tensor, moment: Moment) -> tuple[Tensor, Tensor, Tensor]:
        """The loss with β as at this moment, and its two parts, in nats per image."""
        encode, decode = (compute.begin() for compute in self.computes)
        x = to_unit(images)  # [N, C, H, W]
        if self.binarized:
            x = torch.bernoulli(x, generator=torch_generator(self.device, self.seed, "binarization", moment.step))
        noise = torch_generator(self.device, self.seed, "posterior", moment.step)
        q: Posterior = encode(x)
        epsilon = torch.empty_like(q.mean).normal_(generator=noise)
        z = q.mean + (0.5 * q.log_var).exp() * epsilon  # [N, Z]
        logits = decode(z).float()  # [N, C, H, W]
        reconstruction = bernoulli_nats(logits, x).mean()
        kl = kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()
        return reconstruction + self.beta_at(moment.step) * kl, reconstruction, kl

    @torch.no_grad()
    def after_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        with buffers_held(self.networks["encoder"]), buffers_held(self.networks["decoder"]):
            return _parts(*self._objective(images, moment))

    def set(self, name: str, value: float) -> None:
        if name == "beta":
            self.beta = value
        else:
            self.adam.learning_rate = {"learning_rate": value}[name]

    def tensors(self) -> dict[str, Tensor]:
        return self.parts.tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.parts.load(tensors)

    def prepare_sampling(self, images: Tensor) -> None:
        """Nothing: the prior is N(0, I)."""

    def posterior(self, images: Tensor) -> Posterior:
        """q(z|x) by the averaged encoder, images uint8 [N, H, W, C]."""
        q: Posterior = self.averages["encoder"].sampler()(to_unit(images))
        return q

    def target(self, images: Tensor, seed: int, first: int) -> Tensor:
        """Held-out images uint8 [N, H, W, C], numbered from `first`, as the likelihood sees them: [N, C, H, W].

        Where the model learns from binarised pixels, each image is binarised by a draw that its number alone decides.
        """
        x = to_unit(images)  # [N, C, H, W]
        if not self.binarized:
            return x
        draws = [numpy_generator(seed, "held-out-pixels", first + i).random(x[0].numel(), "float32") for i in range(len(x))]
        return (torch.stack([torch.from_numpy(d) for d in draws]).view_as(x).to(x.device) < x).to(x.dtype)

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int, first: int) -> dict[str, Tensor]:
        """The negative ELBO (β = 1) with one sampled z per image, its two parts, and the error of the mean's reconstruction.

        The noise of an image depends on its number alone, so neither the batching nor the step changes it.
        """
        target = x = self.target(images, seed, first)  # [N, C, H, W]
        q: Posterior = self.averages["encoder"].sampler()(target)
        count, size = q.mean.shape
        draws = [numpy_generator(seed, "held-out-posterior", first + i).standard_normal(size, "float32") for i in range(count)]
        epsilon = torch.stack([torch.from_numpy(d) for d in draws]).to(x.device)  # [N, Z]
        decoder = self.averages["decoder"].sampler()
        reconstruction = bernoulli_nats(decoder(q.mean + (0.5 * q.log_var).exp() * epsilon), target)
        kl = kl_to_standard_normal(q.mean, q.log_var).sum(1)
        return {
            "loss_nats": reconstruction + kl,
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "mse": squared_error(decoder(q.mean), target),
        }

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        q = self.posterior(images)
        return q.mean, (0.5 * q.log_var).exp()

    def code_from_normal(self, z: Tensor) -> Tensor:
        return z

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        return to_bytes(torch.sigmoid(self.averages["decoder"].sampler()(z)))


def _parts(loss: Tensor, reconstruction: Tensor, kl: Tensor) -> Losses:
    return {"loss_nats": loss.detach(), "reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()}
