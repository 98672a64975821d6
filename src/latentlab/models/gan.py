"""The generative adversarial network. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from latentlab.base.seeding import torch_generator
from latentlab.config import GAMES
from latentlab.config.layers import Layers
from latentlab.config.parts import GANModel, GANTrain
from latentlab.models.learner import Losses, Moment, Parts, buffers_held, frozen, spectra_held
from latentlab.models.nets import PIXELS, Decoder, Discriminator, Moves, Values, drawn, moves, shifted_and_mirrored
from latentlab.models.objectives import ADVERSARIAL, gradient_penalty, r1_penalty
from latentlab.models.optimiser import Adam, Average
from latentlab.models.own import Optimizer, Own, given_losses
from latentlab.models.shards import Shards


class GANLearner:
    """m discriminator updates, each on a real batch of its own, then n generator updates (Goodfellow et al. 2014, alg. 1)."""

    phases: tuple[str, ...] = ("discriminator", "generator")

    def __init__(
        self,
        model: GANModel,
        train: GANTrain,
        layers: Mapping[str, Layers],
        device: torch.device,
        bf16: bool,
        own: Own,
        values: Values = PIXELS,
    ) -> None:
        self.values = values
        self.batch, self.bf16, self.device, self.seed = train.batch_size, bf16, device, train.seed
        self.shards = Shards(train.shards)
        self.latent_dim, self.game, self.real_target = model.latent_dim, ADVERSARIAL[train.loss], train.label_smoothing
        self.generator_updates, self.discriminator_updates = train.generator_updates, train.discriminator_updates
        self.frozen_images, self.rate_halflife_images = train.generator_frozen_images, train.rate_halflife_images
        self.r1_weight, self.r2_weight, self.slope_weight = train.r1_weight, train.r2_weight, train.gradient_penalty
        self.r1_steps, self.augmented, self.paired = train.r1_steps, train.augmentation != "none", GAMES[train.loss].paired
        self.spectral = model.discriminator_normalization == "spectral"
        self.own_step = own.step
        if own.step is not None:
            self.phases = ("step",)
        generator = drawn(Decoder, layers["generator"], model.initialization, own.networks.get("generator")).to(device)
        judge = partial(Discriminator, packing=model.packing)
        discriminator = drawn(judge, layers["discriminator"], model.initialization, own.networks.get("discriminator")).to(device)
        self.networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.average = Average(generator, train.ema_halflife_images)
        self.averaged = {"generator": self.average.network, "discriminator": discriminator}
        rates = {"generator": train.generator_learning_rate, "discriminator": train.discriminator_learning_rate}
        adams = {
            name: Adam([(f"{name}.{k}", p) for k, p in network.named_parameters()], rates[name], (train.adam_beta1, train.adam_beta2))
            for name, network in self.networks.items()
        }
        self.generator_adam, self.discriminator_adam = adams["generator"], adams["discriminator"]
        self.parts = Parts(self.networks, {"generator": self.average} if self.average.active else {}, adams, {})

    @property
    def images_per_step(self) -> int:
        return self.batch * self.discriminator_updates

    def update(self, images: Tensor, moment: Moment) -> Losses:
        losses: Losses = {}
        for phase in self.phases:
            losses |= self.run_phase(phase, images, moment)
        return losses

    def run_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        for network in self.networks.values():
            if not network.training:
                network.train()
        self.schedule(moment)
        if phase == "discriminator":
            for number, batch in enumerate(torch.split(images, self.batch)):
                losses = self._update_discriminator(batch, moment, number)
            return losses
        if phase == "step":
            losses = self._take_own_step(images, moment)
        else:
            hold = moment.images_seen < self.frozen_images
            for number in range(1 if hold else self.generator_updates):
                losses = self._update_generator(images, moment, number, hold)
        self.average.update(moment.step + 1, self.images_per_step, moment.images_seen + self.images_per_step)
        return losses

    def schedule(self, moment: Moment) -> None:
        """Set what falls with the images seen."""
        for adam in (self.generator_adam, self.discriminator_adam):
            adam.scale = 0.5 ** (moment.images_seen / self.rate_halflife_images) if self.rate_halflife_images else 1.0

    def noise(self, stream: str, moment: Moment, number: int) -> Tensor:
        source = torch_generator(self.device, self.seed, stream, moment.step, number)
        return torch.randn(self.batch, self.latent_dim, generator=source, device=self.device)  # [N, Z]

    def augmentation(self, stream: str, moment: Moment, number: int) -> torch.Generator:
        """What the shifts and mirrors of a batch are drawn from."""
        return torch_generator("cpu", self.seed, f"augmentation-{stream}", moment.step, number)

    def _moves(self, stream: str, moment: Moment, number: int, images: Tensor) -> tuple[Tensor, ...]:
        """How far each image of a batch is moved before it is judged, [N] each; nothing where they are judged as they are."""
        _, height, width, _ = images.shape
        return moves(self.batch, height, width, self.augmentation(stream, moment, number)) if self.augmented else ()

    def _real(self, images: Tensor, moment: Moment, number: int) -> tuple[Tensor, ...]:
        """What the discriminator's loss is computed of: what it sees of a real batch [N, C, H, W], and what its fakes are made from."""
        x = _shown(self.values.seen(images), *self._moves("real", moment, number, images))
        return x, *self._fakes("discriminator", "fake", moment, number, images)

    def _fakes(self, noise: str, stream: str, moment: Moment, number: int, images: Tensor) -> tuple[Tensor, ...]:
        """What as many fakes as a batch has images are made from: z [N, Z], and how each is moved."""
        return self.noise(noise, moment, number), *self._moves(stream, moment, number, images)

    def _fooling(self, images: Tensor, moment: Moment, number: int) -> tuple[Tensor, ...]:
        """What the generator's loss is computed of: what fakes are made from, and in a paired game real images as they are seen."""
        fakes = self._fakes("generator", "generator", moment, number, images)
        if not self.paired:
            return fakes
        return *fakes, _shown(self.values.seen(images[-self.batch :]), *self._moves("generator-real", moment, number, images))

    def _made(self, z: Tensor, *moved: Tensor) -> Tensor:
        """Fakes as the discriminator sees them, for its own update: [N, C, H, W]."""
        generator = self.networks["generator"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16), torch.no_grad(), buffers_held(generator):
            return _shown(self.values.mean(generator(z).float()), *moved)

    def _judge(self, x: Tensor, fake: Tensor) -> Losses:
        """The discriminator's loss on what it sees of real images and on as many fakes, and its mean logits on both."""
        discriminator = self.networks["discriminator"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            # Real and fake pass apart, so that batch norm never mixes them; the cache keeps it at one power iteration.
            with parametrize.cached() if self.spectral else nullcontext():
                real_logit, fake_logit = discriminator(x), discriminator(fake)  # [N], [N]
        loss = self.game.discriminator(real_logit, fake_logit, self.real_target).mean()
        return {"discriminator_loss": loss, "real_logit": real_logit.mean(), "fake_logit": fake_logit.mean()}

    def _verdict(self, x: Tensor, z: Tensor, *moved: Tensor) -> Losses:
        """As `_judge`, of what fakes are made from."""
        return self._judge(x, self._made(z, *moved))

    def _fool(self, z: Tensor, *given: Tensor) -> Losses:
        """The generator's loss: how little the discriminator takes its images for real; beside real ones, given last, in a paired game."""
        discriminator, moved = self.networks["discriminator"], given[:-1] if self.paired else given
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            fake = _shown(self.values.mean(self.networks["generator"](z).float()), *moved)  # [N, C, H, W]
            with parametrize.cached() if self.spectral else nullcontext():
                logit = discriminator(fake)  # [N]
                real_logit = discriminator(given[-1]) if self.paired else logit
        return {"generator_loss": self.game.generator(logit, real_logit).mean()}

    def _penalty(self, x: Tensor, fake: Tensor, share: Tensor | None) -> Tensor:
        """R1, R2 and the slope's of the steps up to the next ones, in fp32: a gradient of a gradient is too fine for bf16."""
        network = self.networks["discriminator"]
        with buffers_held(network):
            weighed = ((self.r1_weight, x), (self.r2_weight, fake))
            parts = [0.5 * weight * r1_penalty(network, images).mean() for weight, images in weighed if weight]
            if share is not None:
                parts.append(self.slope_weight * gradient_penalty(network, x, fake, share).mean())
        return self.r1_steps * torch.stack(parts).sum()

    def _update_discriminator(self, images: Tensor, moment: Moment, number: int) -> Losses:
        network = self.networks["discriminator"]
        weighs = self.r1_weight or self.r2_weight or self.slope_weight
        is_penalised = weighs and number == 0 and moment.step % self.r1_steps == 0
        inputs = self._real(images, moment, number)
        if self.slope_weight:
            source = torch_generator(self.device, self.seed, "penalty", moment.step, number)
            inputs = *inputs, torch.rand(self.batch, generator=source, device=self.device)

        def losses(x: Tensor, z: Tensor, *given: Tensor) -> Losses:
            moved, share = (given[:-1], given[-1]) if self.slope_weight else (given, None)
            fake = self._made(z, *moved)
            told = self._judge(x, fake)
            return told | {"discriminator_loss": told["discriminator_loss"] + self._penalty(x, fake, share)} if is_penalised else told

        with spectra_held(network, after_one=True) if self.shards.count > 1 else nullcontext():
            told, norm = self.shards.descend(losses, inputs, self.discriminator_adam, moment.step, "discriminator", [network])
        return told | {"discriminator_gradient_norm": norm}

    def _update_generator(self, images: Tensor, moment: Moment, number: int, hold: bool) -> Losses:
        """One update, or with `hold` only its loss and gradient: the generator keeps weights, moments and statistics."""
        network, inputs = self.networks["generator"], self._fooling(images, moment, number)
        with frozen(self.networks["discriminator"]), buffers_held(network) if hold else nullcontext():
            told, norm = self.shards.descend(
                self._fool, inputs, self.generator_adam, moment.step, "generator", [] if hold else [network], hold=hold
            )
        return told | {"gradient_norm": norm}

    def _take_own_step(self, images: Tensor, moment: Moment) -> Losses:
        """A step of somebody's own, on all the images; and the logits as they are after it."""
        assert self.own_step is not None  # noqa: S101 - that there is one makes the phase
        calls = itertools.count()

        def noise(count: int = len(images)) -> Tensor:
            source = torch_generator(self.device, self.seed, "step", moment.step, next(calls))
            return torch.randn(count, self.latent_dim, generator=source, device=self.device)  # [count, Z]

        optimizers = [
            Optimizer(adam, moment.step, name)
            for name, adam in (("generator", self.generator_adam), ("discriminator", self.discriminator_adam))
        ]
        networks = self.networks["generator"], self.networks["discriminator"]
        losses = given_losses(self.own_step(*networks, self.values.seen(images), noise, *optimizers), optimizers)
        for network in networks:
            network.requires_grad_(True)
        return self.after_phase("step", images, moment) | losses

    @torch.no_grad()
    def after_phase(self, phase: str, images: Tensor, moment: Moment) -> Losses:
        with buffers_held(self.networks["discriminator"]), buffers_held(self.networks["generator"]):
            if phase == "step":
                told = self._verdict(*self._real(images[: self.batch], moment, 0))
                return {name: told[name] for name in ("real_logit", "fake_logit")}
            if phase == "discriminator":
                batches = torch.split(images, self.batch)
                return self.shards.means(self._verdict, self._real(batches[-1], moment, len(batches) - 1))
            last = 0 if moment.images_seen < self.frozen_images else self.generator_updates - 1
            return self.shards.means(self._fool, self._fooling(images, moment, last))

    def set(self, name: str, value: float) -> None:
        if name in ("generator_updates", "discriminator_updates"):
            setattr(self, name, int(value))
        else:
            rates = {"generator_learning_rate": self.generator_adam, "discriminator_learning_rate": self.discriminator_adam}
            rates[name].learning_rate = value

    def tensors(self) -> dict[str, Tensor]:
        return self.parts.tensors()

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self.parts.load(tensors)

    def prepare_sampling(self, images: Tensor) -> None:
        """Nothing: the prior is N(0, I)."""

    def held_out(self, images: Tensor, seed: int, first: int) -> dict[str, Tensor]:
        """The discriminator's logits on held-out images: far below those on training images, it has memorised them."""
        with torch.no_grad():
            return {"real_logit": cast(Discriminator, self.networks["discriminator"].eval()).alone(self.values.seen(images))}

    def field(self, points: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """The logits on some images or points [N, H, W, C], and where the generator's loss would move each: [N], −∂L/∂x [N, C, H, W].

        In a paired game L is that against the mean logit of real ones. One that is judged with others stands beside copies of itself.
        """
        discriminator = cast(Discriminator, self.networks["discriminator"].eval())
        x = self.values.seen(points).detach().requires_grad_()
        logits = discriminator.alone(x)
        with torch.no_grad():
            real_logit = discriminator.alone(self.values.seen(real)).mean()
        loss = self.game.generator(logits, real_logit).sum()
        (gradient,) = torch.autograd.grad(loss, x)
        return logits.detach(), -gradient

    def code_from_normal(self, z: Tensor) -> Tensor:
        return z

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        return self.values.held(self.values.mean(self.average.sampler()(z)))


def _shown(x: Tensor, *moved: Tensor) -> Tensor:
    """What the discriminator sees of images [N, C, H, W]: the images, or each shifted and perhaps mirrored."""
    return shifted_and_mirrored(x, Moves(*moved)) if moved else x
