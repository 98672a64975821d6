"""The generative adversarial network. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from latentlab.base.seeding import torch_generator
from latentlab.config import GAMES
from latentlab.config.layers import Layers
from latentlab.config.networks import classes_of
from latentlab.config.parts import GANModel, GANTrain
from latentlab.models.augmentation import Augmentation
from latentlab.models.learner import Losses, Moment, Parts, buffers_held, coded, frozen, spectra_held
from latentlab.models.nets import IMAGES, Decoder, Discriminator, Values, drawn
from latentlab.models.objectives import ADVERSARIAL, gradient_penalty, r1_penalty
from latentlab.models.optimiser import Adam, Average
from latentlab.models.own import Optimizer, Own, given_losses
from latentlab.models.shards import Computed, Shards

Labelled = tuple[Tensor, Tensor | None]  # a batch's images uint8 [N, H, W, C], and their classes [N, K] one-hot where those count


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
        values: Values = IMAGES,
    ) -> None:
        self.values = values
        self.batch, self.bf16, self.device, self.seed = train.batch_size, bf16, device, train.seed
        self.shards = Shards(train.shards)
        self.latent_dim, self.game, self.real_target = model.latent_dim, ADVERSARIAL[train.loss], train.label_smoothing
        self.classes = classes_of(model)
        self.generator_updates, self.discriminator_updates = train.generator_updates, train.discriminator_updates
        self.frozen_images = train.generator_frozen_images
        self.r1_weight, self.r2_weight, self.slope_weight = train.r1_weight, train.r2_weight, train.gradient_penalty
        self.augment = Augmentation(train)
        self.r1_steps, self.augmented, self.paired = train.r1_steps, self.augment.shifts, GAMES[train.loss].paired
        self.relative = GAMES[train.loss].relative
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
            name: Adam([(f"{name}.{k}", p) for k, p in network.named_parameters()], rates[name], train)
            for name, network in self.networks.items()
        }
        self.generator_adam, self.discriminator_adam = adams["generator"], adams["discriminator"]
        extra = {"augmentation_probability": self.augment.probability} if self.augment.adapts else {}
        self.parts = Parts(self.networks, {"generator": self.average} if self.average.active else {}, adams, extra)

    @property
    def images_per_step(self) -> int:
        return self.batch * self.discriminator_updates

    def update(self, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        losses: Losses = {}
        for phase in self.phases:
            losses |= self.run_phase(phase, images, moment, labels)
        return losses

    def run_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        for network in self.networks.values():
            if not network.training:
                network.train()
        for adam in (self.generator_adam, self.discriminator_adam):
            adam.schedule(moment.images_seen)
        if phase == "discriminator":
            for number, batch in enumerate(self._batches(images, labels)):
                losses = self._update_discriminator(batch, moment, number)
            return losses
        if phase == "step":
            losses = self._take_own_step(images, moment)
        else:
            hold = moment.images_seen < self.frozen_images
            for number in range(1 if hold else self.generator_updates):
                losses = self._update_generator(self._batches(images, labels)[-1], moment, number, hold)
        self.average.update(moment.step + 1, self.images_per_step, moment.images_seen + self.images_per_step)
        return losses

    def _batches(self, images: Tensor, labels: Tensor | None) -> list[Labelled]:
        """The images of each discriminator update, and their classes."""
        batches = torch.split(images, self.batch)
        return list(zip(batches, [None] * len(batches) if labels is None else torch.split(labels, self.batch), strict=True))

    def noise(self, stream: str, moment: Moment, number: int) -> Tensor:
        source = torch_generator(self.device, self.seed, stream, moment.step, number)
        return torch.randn(self.batch, self.latent_dim, generator=source, device=self.device)  # [N, Z]

    def augmentation(self, stream: str, moment: Moment, number: int) -> torch.Generator:
        """What the changes of a batch's images are drawn from."""
        return torch_generator("cpu", self.seed, f"augmentation-{stream}", moment.step, number)

    def _moves(self, stream: str, moment: Moment, number: int, images: Tensor) -> tuple[Tensor, ...]:
        """How each image of a batch is changed before it is judged, [N] each; nothing where they are judged as they are."""
        _, height, width, _ = images.shape
        return self.augment.drawn(self.batch, height, width, self.augmentation(stream, moment, number)) if self.augmented else ()

    def _real(self, batch: Labelled, moment: Moment, number: int) -> tuple[Tensor, ...]:
        """What the discriminator's loss is computed of: what it sees of a real batch [N, C, H, W], and what its fakes are made from."""
        x = self.augment.shown(self.values.seen(batch[0]), *self._moves("real", moment, number, batch[0]))
        return x, *self._fakes("discriminator", "fake", moment, number, batch)

    def _fakes(self, noise: str, stream: str, moment: Moment, number: int, batch: Labelled) -> tuple[Tensor, ...]:
        """What as many fakes as a batch has images are made from: codes [N, Z + K], of its classes, and how each is changed."""
        return coded(self.noise(noise, moment, number), batch[1]), *self._moves(stream, moment, number, batch[0])

    def _fooling(self, batch: Labelled, moment: Moment, number: int) -> tuple[Tensor, ...]:
        """What the generator's loss is computed of: what fakes are made from, and in a paired game real images as they are seen."""
        fakes = self._fakes("generator", "generator", moment, number, batch)
        if not self.paired:
            return fakes
        return *fakes, self.augment.shown(self.values.seen(batch[0]), *self._moves("generator-real", moment, number, batch[0]))

    def _classes(self, z: Tensor) -> Tensor | None:
        """The classes [N, K] in codes [N, Z + K]."""
        return z[:, self.latent_dim :] if self.classes else None

    def _made(self, z: Tensor, *moved: Tensor) -> Tensor:
        """Fakes as the discriminator sees them, for its own update: [N, C, H, W]."""
        generator = self.networks["generator"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16), torch.no_grad(), buffers_held(generator):
            return self.augment.shown(self.values.mean(generator(z).float()), *moved)

    def _judge(self, x: Tensor, fake: Tensor, labels: Tensor | None) -> Losses:
        """The discriminator's loss on what it sees of real images and on as many fakes of their classes, and its mean logits on both."""
        discriminator = self.networks["discriminator"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            # Real and fake pass apart, so that batch norm never mixes them; the cache keeps it at one power iteration.
            with parametrize.cached() if self.spectral else nullcontext():
                real_logit, fake_logit = discriminator(x, labels), discriminator(fake, labels)  # [N], [N]
        loss = self.game.discriminator(real_logit, fake_logit, self.real_target).mean()
        told = {"discriminator_loss": loss, "real_logit": real_logit.mean(), "fake_logit": fake_logit.mean()}
        if self.augment.adapts:
            told["real_sign"] = (real_logit - fake_logit if self.relative else real_logit).sign().mean()
        return told

    def _verdict(self, x: Tensor, z: Tensor, *moved: Tensor) -> Losses:
        """As `_judge`, of what fakes are made from."""
        return self._judge(x, self._made(z, *moved), self._classes(z))

    def _fool(self, z: Tensor, *given: Tensor) -> Losses:
        """The generator's loss: how little the discriminator takes its images for real; beside real ones, given last, in a paired game."""
        discriminator, moved = self.networks["discriminator"], given[:-1] if self.paired else given
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            fake = self.augment.shown(self.values.mean(self.networks["generator"](z).float()), *moved)  # [N, C, H, W]
            with parametrize.cached() if self.spectral else nullcontext():
                logit = discriminator(fake, self._classes(z))  # [N]
                real_logit = discriminator(given[-1], self._classes(z)) if self.paired else logit
        return {"generator_loss": self.game.generator(logit, real_logit).mean()}

    def _penalty(self, x: Tensor, fake: Tensor, labels: Tensor | None, share: Tensor | None) -> Tensor:
        """R1, R2 and the slope's of the steps up to the next ones, in fp32: a gradient of a gradient is too fine for bf16."""
        network = self.networks["discriminator"]
        judge = partial(network, labels=labels)
        with buffers_held(network):
            weighed = ((self.r1_weight, x), (self.r2_weight, fake))
            parts = [0.5 * weight * r1_penalty(judge, images).mean() for weight, images in weighed if weight]
            if share is not None:
                parts.append(self.slope_weight * gradient_penalty(judge, x, fake, share).mean())
        return self.r1_steps * torch.stack(parts).sum()

    def _judgement(self, batch: Labelled, moment: Moment, number: int) -> tuple[Computed, tuple[Tensor, ...]]:
        """The losses of an update of the discriminator, its penalties where they are due, and what they are computed of."""
        weighs = self.r1_weight or self.r2_weight or self.slope_weight
        is_penalised = weighs and number == 0 and moment.step % self.r1_steps == 0
        inputs = self._real(batch, moment, number)
        if self.slope_weight:
            source = torch_generator(self.device, self.seed, "penalty", moment.step, number)
            inputs = *inputs, torch.rand(self.batch, generator=source, device=self.device)

        def losses(x: Tensor, z: Tensor, *given: Tensor) -> Losses:
            moved, share = (given[:-1], given[-1]) if self.slope_weight else (given, None)
            fake, labels = self._made(z, *moved), self._classes(z)
            told = self._judge(x, fake, labels)
            return (
                told | {"discriminator_loss": told["discriminator_loss"] + self._penalty(x, fake, labels, share)} if is_penalised else told
            )

        return losses, inputs

    def _update_discriminator(self, batch: Labelled, moment: Moment, number: int) -> Losses:
        network, (losses, inputs) = self.networks["discriminator"], self._judgement(batch, moment, number)
        with spectra_held(network, after_one=True) if self.shards.count > 1 else nullcontext():
            told, norm = self.shards.descend(losses, inputs, self.discriminator_adam, moment.step, "discriminator", [network])
        if self.augment.adapts:
            told["augmentation_probability"] = self.augment.adapt(told["real_sign"], self.batch)
        return told | {"discriminator_gradient_norm": norm}

    def _update_generator(self, batch: Labelled, moment: Moment, number: int, hold: bool) -> Losses:
        """One update, or with `hold` only its loss and gradient: the generator keeps weights, moments and statistics."""
        network, inputs = self.networks["generator"], self._fooling(batch, moment, number)
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
    def after_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        batches = self._batches(images, labels)
        with buffers_held(self.networks["discriminator"]), buffers_held(self.networks["generator"]):
            if phase == "step":
                told = self._verdict(*self._real(batches[0], moment, 0))
                return {name: told[name] for name in ("real_logit", "fake_logit")}
            if phase == "discriminator":
                with torch.enable_grad():  # a penalty is of a gradient
                    told = self.shards.means(*self._judgement(batches[-1], moment, len(batches) - 1))
                return {name: loss.detach() for name, loss in told.items()}
            last = 0 if moment.images_seen < self.frozen_images else self.generator_updates - 1
            return self.shards.means(self._fool, self._fooling(batches[-1], moment, last))

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

    def held_out(self, images: Tensor, seed: int, first: int, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The discriminator's logits on held-out images: far below those on training images, it has memorised them."""
        with torch.no_grad():
            return {"real_logit": cast(Discriminator, self.networks["discriminator"].eval()).alone(self.values.seen(images), labels)}

    def field(self, points: Tensor, real: Tensor, labels: Sequence[Tensor | None] = (None, None)) -> tuple[Tensor, Tensor]:
        """The logits on some images or points [N, H, W, C], and where the generator's loss would move each: [N], −∂L/∂x [N, C, H, W].

        In a paired game L is that against the mean logit of real ones. One that is judged with others stands beside copies of itself.
        `labels` are the classes of both, [N, K], one-hot.
        """
        discriminator = cast(Discriminator, self.networks["discriminator"].eval())
        x = self.values.seen(points).detach().requires_grad_()
        logits = discriminator.alone(x, labels[0])
        with torch.no_grad():
            real_logit = discriminator.alone(self.values.seen(real), labels[1]).mean()
        loss = self.game.generator(logits, real_logit).sum()
        (gradient,) = torch.autograd.grad(loss, x)
        return logits.detach(), -gradient

    def code_from_normal(self, z: Tensor) -> Tensor:
        return z

    @torch.no_grad()
    def decode(self, z: Tensor, averaged: bool = True) -> Tensor:
        network = self.average.sampler() if averaged else self.networks["generator"].eval()
        return self.values.held(self.values.mean(network(z)))
