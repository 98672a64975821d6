"""A VAE whose decoder is a GAN's generator too (Larsen et al. 2016). Axes: N images, Z latent, K classes, F features."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from latentlab.base.seeding import torch_generator
from latentlab.config.layers import Layers
from latentlab.config.parts import VAEModel, VAETrain
from latentlab.models.learner import Losses, Moment, Parts, buffers_held, coded, frozen, spectra_held
from latentlab.models.nets import IMAGES, Discriminator, Posterior, Values, drawn
from latentlab.models.objectives import ADVERSARIAL, kl_to_standard_normal
from latentlab.models.optimiser import Adam
from latentlab.models.own import Own
from latentlab.models.vae import VAELearner


class VAEGANLearner(VAELearner):
    """Each network by a loss of its own, the newest of the others held (Larsen et al. 2016, algorithm 1, one after the other).

    The discriminator tells real images from reconstructions and from samples of the prior, each with half the weight. The encoder
    minimises β KL + −log N(f(x); f(x̃), I) without its constant, of the features f that the discriminator's last layer reads. The
    decoder minimises γ times the latter and what fools the discriminator. What is recorded of pixels is measured, not minimised.
    """

    phases: tuple[str, ...] = ("discriminator", "encoder", "decoder")

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
        super().__init__(model, train, layers, device, False, own, values)
        self.bf16, self.game, self.spectral = bf16, ADVERSARIAL["non-saturating"], model.discriminator_normalization == "spectral"
        self.discriminator = drawn(Discriminator, layers["discriminator"], model.initialization, None).to(device)
        self.networks["discriminator"] = self.averaged["discriminator"] = self.discriminator
        self.adams = {
            name: Adam([(f"{name}.{k}", p) for k, p in network.named_parameters()], train.learning_rate, train)
            for name, network in self.networks.items()
        }
        self.parts = Parts(self.networks, self.parts.averages, self.adams, {})

    def run_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        network, adam = self.networks[phase].train(), self.adams[phase]
        adam.schedule(moment.images_seen)
        losses, inputs = partial(self._lost, moment, phase), self._inputs(images, moment, labels)
        with ExitStack() as held:
            for other in self.networks.values():
                if other is not network:
                    held.enter_context(frozen(other.train()))
            if phase == "discriminator" and self.shards.count > 1:
                held.enter_context(spectra_held(network, after_one=True))
            told, norm = self.shards.descend(losses, inputs, adam, moment.step, phase, [network])
        if phase == self.phases[-1]:
            self._averaged(moment)
        return told | {{"encoder": "gradient_norm"}.get(phase, f"{phase}_gradient_norm"): norm}

    @torch.no_grad()
    def after_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        with ExitStack() as held:
            for network in self.networks.values():
                held.enter_context(buffers_held(network))
            return self.shards.means(partial(self._lost, moment, phase), self._inputs(images, moment, labels))

    def _inputs(self, images: Tensor, moment: Moment, labels: Tensor | None) -> tuple[Tensor, ...]:
        source = torch_generator(self.device, self.seed, "generator", moment.step)
        prior = torch.randn(len(images), self.latent_dim, generator=source, device=self.device)  # [N, Z]
        x, epsilon, *given = super()._inputs(images, moment, labels)
        return x, epsilon, prior, *given

    def _lost(self, moment: Moment, phase: str, x: Tensor, epsilon: Tensor, prior: Tensor, labels: Tensor | None = None) -> Losses:
        """What a phase minimises, first, and what is recorded beside it."""
        judge = self.discriminator
        spectra = parametrize.cached() if self.spectral else nullcontext()  # one power iteration for all that it sees
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16), spectra:
            q: Posterior = self.networks["encoder"](x, labels)
            z = q.mean + (0.5 * q.log_var).exp() * epsilon  # [N, Z]
            codes = [z] if phase == "encoder" else [z, prior]  # which has nothing to learn from samples
            classes = None if labels is None else labels.repeat(len(codes), 1)
            outputs = self.networks["decoder"](coded(torch.cat(codes), classes)).float()
            pixels = self._settled(outputs[: len(x)], x)
            again, *made = torch.split(self.likelihood.mean(outputs), len(x))
            real_features, real_logit = judge.seen(x, labels)
            features, again_logit = judge.seen(again, labels)
            fake_logit = judge(made[0], labels) if made else again_logit
        if phase == "discriminator":
            loss = torch.stack([self.game.discriminator(real_logit, fake, 1.0).mean() for fake in (again_logit, fake_logit)]).mean()
            return {"discriminator_loss": loss, "real_logit": real_logit.mean(), "fake_logit": fake_logit.mean()}
        feature_nats = 0.5 * (real_features - features).square().sum(1).mean()
        if phase == "decoder":
            fooling = self.game.generator(torch.cat([again_logit, fake_logit]), real_logit).mean()
            return {"decoder_loss": self.train.feature_weight * feature_nats + fooling, "generator_loss": fooling.detach()}
        kl = kl_to_standard_normal(q.mean, q.log_var)  # [N, Z]
        reconstruction, kl_nats = self.likelihood.nats(pixels, x).mean().detach(), kl.detach().sum(1).mean()
        return {
            "encoder_loss": feature_nats + self.beta_at(moment.step) * self._charged(kl, moment.step),
            "feature_nats": feature_nats.detach(),
            "loss_nats": reconstruction + kl_nats,
            "reconstruction_nats": reconstruction,
            "kl_nats": kl_nats,
        }
