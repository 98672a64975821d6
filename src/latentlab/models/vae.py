"""The variational autoencoder. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latentlab.base.seeding import numpy_generator, torch_generator
from latentlab.config.layers import Layers
from latentlab.config.parts import VAEModel, VAETrain
from latentlab.models.autoencoder import EncoderDecoder
from latentlab.models.learner import Losses, Moment
from latentlab.models.nets import PIXELS, GaussianEncoder, Posterior, Values
from latentlab.models.objectives import kl_to_standard_normal, likelihood_of
from latentlab.models.own import Own, per_image


class VAELearner(EncoderDecoder):
    """Minimises −log p(x|z) + β KL(q(z|x) ‖ p(z)) with one reparameterised z per image (Kingma & Welling 2014, eq. 10)."""

    phases: tuple[str, ...] = ("elbo",)
    minimised = "VAE"

    def __init__(
        self,
        model: VAEModel,
        train: VAETrain,
        layers: Mapping[str, Layers],
        device: torch.device,
        bf16: bool,
        own: Own,
        values: Values = PIXELS,
    ) -> None:
        super().__init__(GaussianEncoder, likelihood_of(model.likelihood, values), model, train, layers, device, bf16, own)
        self.seed, self.latent_dim = train.seed, model.latent_dim
        self.beta, self.warmup_steps = train.beta, train.beta_warmup_steps
        self.binarized = model.binarization == "dynamic"

    def beta_at(self, step: int) -> float:
        """β of the update that follows `step` others: linear from 0 over the warm-up, which counts absolute steps."""
        return self.beta * min(1.0, step / self.warmup_steps) if self.warmup_steps else self.beta

    def _inputs(self, images: Tensor, moment: Moment) -> tuple[Tensor, ...]:
        return self.seen(images, moment), self.noise(len(images), moment)  # [N, C, H, W], [N, Z]

    def _losses(self, moment: Moment, x: Tensor, epsilon: Tensor) -> Losses:
        """The loss with β as at this moment, and its two parts."""
        encode, decode = (compute.begin() for compute in self.computes)
        q: Posterior = encode(x)
        z = q.mean + (0.5 * q.log_var).exp() * epsilon  # [N, Z]
        logits = decode(z).float()  # [N, C, H, W]
        reconstruction = self.likelihood.nats(logits, x).mean()
        kl = kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()
        loss = reconstruction + self.beta_at(moment.step) * kl
        if self.own_loss is not None:
            loss = per_image(self.own_loss, x, logits, q.mean, q.log_var).mean()
        return {"loss_nats": loss, "reconstruction_nats": reconstruction, "kl_nats": kl}

    def seen(self, images: Tensor, moment: Moment) -> Tensor:
        """What is learned from bytes uint8 [N, H, W, C] at this moment, [N, C, H, W]: they are binarised anew each time, or never."""
        x = self.likelihood.target(images)
        return torch.bernoulli(x, generator=torch_generator(self.device, self.seed, "binarization", moment.step)) if self.binarized else x

    def noise(self, count: int, moment: Moment) -> Tensor:
        """The ε of so many images at this moment, [count, Z]."""
        source = torch_generator(self.device, self.seed, "posterior", moment.step)
        return torch.empty(count, self.latent_dim, device=self.device).normal_(generator=source)

    def set(self, name: str, value: float) -> None:
        if name == "beta":
            self.beta = value
        else:
            super().set(name, value)

    def prepare_sampling(self, images: Tensor) -> None:
        """Nothing: the prior is N(0, I)."""

    def target(self, images: Tensor, seed: int, first: int) -> Tensor:
        """Held-out images uint8 [N, H, W, C], numbered from `first`, as the likelihood sees them: [N, C, H, W].

        Where the model learns from binarised pixels, each image is binarised by a draw that its number alone decides.
        """
        x = self.likelihood.target(images)  # [N, C, H, W]
        if not self.binarized:
            return x
        draws = [numpy_generator(seed, "held-out-pixels", first + i).random(x[0].numel(), "float32") for i in range(len(x))]
        return (torch.stack([torch.from_numpy(d) for d in draws]).view_as(x).to(x.device) < x).to(x.dtype)

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int, first: int) -> dict[str, Tensor]:
        """The negative ELBO (β = 1) with one sampled z per image, its two parts, and the error of the mean's reconstruction.

        The noise of an image depends on its number alone, so neither the batching nor the step changes it.
        """
        x = self.target(images, seed, first)  # [N, C, H, W]
        q: Posterior = self.averages["encoder"].sampler()(x)
        count, size = q.mean.shape
        draws = [numpy_generator(seed, "held-out-posterior", first + i).standard_normal(size, "float32") for i in range(count)]
        epsilon = torch.stack([torch.from_numpy(d) for d in draws]).to(x.device)  # [N, Z]
        decoder = self.averages["decoder"].sampler()
        logits = decoder(q.mean + (0.5 * q.log_var).exp() * epsilon)
        reconstruction = self.likelihood.nats(logits, x)
        kl = kl_to_standard_normal(q.mean, q.log_var).sum(1)
        own = self.own_loss
        return {
            "loss_nats": reconstruction + kl if own is None else per_image(own, x, logits, q.mean, q.log_var),
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "mse": self.likelihood.squared_error(decoder(q.mean), x),
        }

    @torch.no_grad()
    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        q: Posterior = self.averages["encoder"].sampler()(self.likelihood.target(images))
        return q.mean, (0.5 * q.log_var).exp()

    def code_from_normal(self, z: Tensor) -> Tensor:
        return z
