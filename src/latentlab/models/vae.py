"""The variational autoencoder. Axes: N images, K draws of z for one, H height, W width, C channels, Z latent, P a decoder's outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from latentlab.base.seeding import numpy_generator, torch_generator
from latentlab.config import PIXELS, Likelihood
from latentlab.config.layers import Layers
from latentlab.config.parts import VAEModel, VAETrain
from latentlab.models.autoencoder import EncoderDecoder
from latentlab.models.learner import Losses, Moment, coded
from latentlab.models.likelihoods import likelihood_of
from latentlab.models.modules import Scales
from latentlab.models.nets import IMAGES, GaussianEncoder, Posterior, Values
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.models.own import Own, per_image


class VAELearner(EncoderDecoder):
    """Minimises −log p(x|z) + β KL(q(z|x) ‖ p(z)) with one reparameterised z per image (Kingma & Welling 2014, eq. 10).

    With more z per image it minimises the importance-weighted bound (Burda et al. 2016).
    """

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
        values: Values = IMAGES,
    ) -> None:
        likelihood: Likelihood = "bernoulli" if model.likelihood == "auto" else model.likelihood
        super().__init__(GaussianEncoder, likelihood_of(likelihood, values), model, train, layers, device, bf16, own)
        self.seed, self.latent_dim, self.train = train.seed, model.latent_dim, train
        self.beta, self.draws = train.beta, train.importance_samples
        self.binarized, self.dequantised = model.binarization == "dynamic", PIXELS[likelihood].density and values is IMAGES

    def beta_at(self, step: int) -> float:
        """β of the update that follows `step` others: linear from 0 over the warm-up, which counts absolute steps, in each cycle anew."""
        warmup, cycle = self.train.beta_warmup_steps, self.train.beta_cycle_steps
        return self.beta * min(1.0, (step % cycle if cycle else step) / warmup) if warmup else self.beta

    def _inputs(self, images: Tensor, moment: Moment, labels: Tensor | None) -> tuple[Tensor, ...]:
        shape = (self.draws, self.latent_dim) if self.draws > 1 else (self.latent_dim,)
        drawn = self.noise(len(images), moment).view(len(images), *shape)  # [N, Z] or [N, K, Z]
        return (self.seen(images, moment), drawn) if labels is None else (self.seen(images, moment), drawn, labels)

    def _losses(self, moment: Moment, x: Tensor, epsilon: Tensor, labels: Tensor | None = None) -> Losses:
        """The loss with β as at this moment, and its two parts."""
        encode, decode = (compute.begin() for compute in self.computes)
        q: Posterior = encode(x, labels)
        beta = self.beta_at(moment.step)
        if self.draws > 1:
            loss, reconstruction = self._bound(x, q, epsilon, labels, decode, beta)
            kl = kl_to_standard_normal(q.mean, q.log_var)  # [N, Z]
            return {"loss_nats": loss, "reconstruction_nats": reconstruction, "kl_nats": kl.sum(1).mean()}
        z = q.mean + (0.5 * q.log_var).exp() * epsilon  # [N, Z]
        outputs = self._settled(decode(coded(z, labels)).float(), x)  # [N, P, H, W]
        reconstruction = self.likelihood.nats(outputs, x).mean()
        kl = kl_to_standard_normal(q.mean, q.log_var)  # [N, Z], after the rest: gradients are added in the order of what they are of
        loss = reconstruction + beta * self._charged(kl, moment.step)
        if self.own_loss is not None:
            loss = per_image(self.own_loss, x, self.likelihood.logits(outputs), q.mean, q.log_var).mean()
        return {"loss_nats": loss, "reconstruction_nats": reconstruction, "kl_nats": kl.sum(1).mean()}

    def _charged(self, kl: Tensor, step: int) -> Tensor:
        """What β weighs of each unit's KL [N, Z]: a batch's mean of its sum; what is not free of it; or its distance from it."""
        if self.train.free_nats:
            return kl.mean(0).clamp_min(self.train.free_nats).sum()
        total = kl.sum(1).mean()
        if not self.train.capacity_nats:
            return total
        risen = min(1.0, step / self.train.capacity_steps) if self.train.capacity_steps else 1.0
        return (total - risen * self.train.capacity_nats).abs()

    def _settled(self, outputs: Tensor, x: Tensor) -> Tensor:
        """A decoder's outputs in training, with what the batch itself says is best of them; the decoder records that."""
        if self.likelihood.settled is None:
            return outputs
        settled = self.likelihood.settled(outputs, x)
        for scales in (m for m in self.networks["decoder"].modules() if isinstance(m, Scales)):
            scales.record(settled.detach()[0, x.shape[1] :, 0, 0])
        return settled

    def _bound(
        self, x: Tensor, q: Posterior, epsilon: Tensor, labels: Tensor | None, decode: Callable[[Tensor], Tensor], beta: float
    ) -> tuple[Tensor, Tensor]:
        """−log (1/K) Σ w with w = p(x|z) (p(z) / q(z|x))^β of K draws, ε [N, K, Z], and the mean of −log p(x|z) (Burda et al. 2016, eq. 8).

        "doubly": where q's parameters move z alone, each draw's gradient weighs its share of Σ w squared (Tucker et al. 2019, eq. 8).
        """
        doubly = self.train.importance_gradient == "doubly"
        mean, log_var = q.mean[:, None], q.log_var[:, None]  # [N, 1, Z]
        z = mean + (0.5 * log_var).exp() * epsilon  # [N, K, Z]
        every = x.repeat_interleave(self.draws, 0)
        codes = coded(z.flatten(0, 1), None if labels is None else labels.repeat_interleave(self.draws, 0))
        nats = self.likelihood.nats(self._settled(decode(codes).float(), every), every).view(epsilon.shape[:2])  # [N, K]
        if doubly:
            log_var = log_var.detach()
            epsilon = (z - mean.detach()) * (-0.5 * log_var).exp()
        log_weight = beta * 0.5 * (epsilon.square() + log_var - z.square()).sum(2) - nats  # [N, K]
        bound = -(torch.logsumexp(log_weight, 1) - math.log(self.draws)).mean()
        if doubly and z.requires_grad:
            share = log_weight.detach().softmax(1)  # of Σ w
            z.register_hook(lambda gradient: share[:, :, None] * gradient)  # type: ignore[no-untyped-call]
        return bound, nats.mean()

    def seen(self, images: Tensor, moment: Moment) -> Tensor:
        """What is learned from bytes uint8 [N, H, W, C] at this moment, [N, C, H, W]: they are binarised or dequantised anew each time."""
        x = self.likelihood.target(images)
        if self.binarized:
            return torch.bernoulli(x, generator=torch_generator(self.device, self.seed, "binarization", moment.step))
        if self.dequantised:
            source = torch_generator(self.device, self.seed, "dequantisation", moment.step)
            return _spread_out(x, torch.rand(x.shape, generator=source, device=self.device))
        return x

    def noise(self, count: int, moment: Moment) -> Tensor:
        """The ε of so many images at this moment, [count · K, Z]."""
        source = torch_generator(self.device, self.seed, "posterior", moment.step)
        return torch.empty(count * self.draws, self.latent_dim, device=self.device).normal_(generator=source)

    def set(self, name: str, value: float) -> None:
        if name == "beta":
            self.beta = value
        else:
            super().set(name, value)

    def prepare_sampling(self, images: Tensor) -> None:
        """Nothing: the prior is N(0, I)."""

    def target(self, images: Tensor, seed: int, first: int) -> Tensor:
        """Held-out images uint8 [N, H, W, C], numbered from `first`, as the likelihood sees them: [N, C, H, W].

        Where the model learns from binarised or dequantised pixels, each image is so by a draw that its number alone decides.
        """
        x = self.likelihood.target(images)  # [N, C, H, W]
        if not (self.binarized or self.dequantised):
            return x
        each = [numpy_generator(seed, "held-out-pixels", first + i).random(x[0].numel(), "float32") for i in range(len(x))]
        draws = torch.stack([torch.from_numpy(d) for d in each]).view_as(x).to(x.device)
        return (draws < x).to(x.dtype) if self.binarized else _spread_out(x, draws)

    @torch.no_grad()
    def held_out(self, images: Tensor, seed: int, first: int, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The negative ELBO (β = 1) with one sampled z per image, its two parts, and the error of the mean's reconstruction.

        The noise of an image depends on its number alone, so neither the batching nor the step changes it. A run of more draws
        minimises their bound: its loss is that, of as many.
        """
        x = self.target(images, seed, first)  # [N, C, H, W]
        q: Posterior = self.averages["encoder"].sampler()(x, labels)
        decoder = self.averages["decoder"].sampler()
        epsilon = self._held_out_noise(q.mean, seed, "held-out-posterior", first)
        outputs = decoder(coded(q.mean + (0.5 * q.log_var).exp() * epsilon, labels))
        reconstruction = self.likelihood.nats(outputs, x)
        kl = kl_to_standard_normal(q.mean, q.log_var).sum(1)
        own, loss = self.own_loss, reconstruction + kl
        if self.draws > 1:
            noise = (self._held_out_noise(q.mean, seed, f"held-out-posterior-{k}", first) for k in range(self.draws))
            weights = []
            for epsilon in noise:
                z = q.mean + (0.5 * q.log_var).exp() * epsilon
                ratio = 0.5 * (epsilon.square() + q.log_var - z.square()).sum(1)
                weights.append(ratio - self.likelihood.nats(decoder(coded(z, labels)), x))
            loss = math.log(self.draws) - torch.logsumexp(torch.stack(weights), 0)
        return {
            "loss_nats": loss if own is None else per_image(own, x, self.likelihood.logits(outputs), q.mean, q.log_var),
            "reconstruction_nats": reconstruction,
            "kl_nats": kl,
            "mse": self.likelihood.squared_error(decoder(coded(q.mean, labels)), x),
        }

    def _held_out_noise(self, like: Tensor, seed: int, stream: str, first: int) -> Tensor:
        """ε [N, Z] of images numbered from `first`."""
        draws = [numpy_generator(seed, stream, first + i).standard_normal(like.shape[1], "float32") for i in range(len(like))]
        return torch.stack([torch.from_numpy(d) for d in draws]).to(like.device)

    @torch.no_grad()
    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        x = self.likelihood.target(images)
        q: Posterior = self.averages["encoder"].sampler()(x, self._likeliest(x) if self.classes and labels is None else labels)
        return q.mean, (0.5 * q.log_var).exp()

    @torch.no_grad()
    def likeliest(self, images: Tensor) -> Tensor:
        """The classes under which each of images uint8 [N, H, W, C] is likeliest, [N, K], one-hot."""
        return self._likeliest(self.likelihood.target(images))

    def _likeliest(self, x: Tensor) -> Tensor:
        """Of all classes that whose bound of log p(x), at the posterior's mean, is highest."""
        encoder, decoder = (self.averages[name].sampler() for name in ("encoder", "decoder"))
        classes, nats = torch.eye(self.classes, device=x.device), list[Tensor]()
        for labels in classes[:, None].expand(-1, len(x), -1):
            q: Posterior = encoder(x, labels)
            nats.append(self.likelihood.nats(decoder(coded(q.mean, labels)), x) + kl_to_standard_normal(q.mean, q.log_var).sum(1))
        return classes[torch.stack(nats).argmin(0)]

    def code_from_normal(self, z: Tensor) -> Tensor:
        return z


def _spread_out(x: Tensor, draws: Tensor) -> Tensor:
    """Bytes b / 255 as real numbers (b + u) / 256 of [0, 1), with u uniform."""
    return (255.0 * x + draws) / 256.0
