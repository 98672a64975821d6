"""GANs under Keras. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from latentlab.config.parts import GANModel, GANTrain
from latentlab.keras.backend import gradient
from latentlab.keras.engine import Inputs, KerasEngine, Network, Program, State
from latentlab.keras.layers import Spectral, held
from latentlab.keras.objectives import ADVERSARIAL
from latentlab.models.augmentation import SHIFT_SHARE, moves
from latentlab.models.engine import Batch, Losses, TorchEngine
from latentlab.models.gan import GANLearner
from latentlab.models.learner import Moment

JUDGED = ("discriminator_loss", "real_logit", "fake_logit", "discriminator_gradient_norm")
FOOLED = ("generator_loss", "gradient_norm")


class GANEngine(KerasEngine):
    """Generator and discriminator, a program for each update."""

    def __init__(self, twin: GANLearner, torch_engine: TorchEngine, networks: Sequence[Network], model: GANModel, train: GANTrain) -> None:
        adams = {"generator": twin.generator_adam, "discriminator": twin.discriminator_adam}
        super().__init__(twin, torch_engine, networks, adams, fused=not (model.channels or model.discriminator_channels))
        self.game = ADVERSARIAL[train.loss]
        self.generator, self.discriminator = self.networks["generator"], self.networks["discriminator"]

    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        twin = self.learner
        if phase == "discriminator":
            for number in range(twin.discriminator_updates):
                images = batch.images[number * twin.batch : (number + 1) * twin.batch]
                losses = self._update_discriminator(images, moment, number)
            return losses
        hold = moment.images_seen < twin.frozen_images
        for number in range(1 if hold else twin.generator_updates):
            losses = self._update_generator(moment, number, hold)
        read = self.images_per_step
        if weight := twin.average.weight(moment.step + 1, read, moment.images_seen + read):
            self._run("average", lambda: lambda state, weight: (self.averaged(state, weight), weight), np.asarray(weight, np.float32))
        return losses

    def _update_discriminator(self, images: Any, moment: Moment, number: int) -> Losses:
        twin = self.learner
        penalised = bool(twin.r1_weight) and number == 0 and moment.step % twin.r1_steps == 0
        inputs = self._rates("discriminator", moment) | {"images": images, "z": twin.noise("discriminator", moment, number).numpy()}
        inputs |= self._moves("real", moment, number) | self._moves("fake", moment, number)
        row = self._run(("judge", penalised), lambda: self._judge(penalised), inputs)
        self.updates["discriminator"] += 1
        return self._judged(JUDGED, row, moment, "discriminator", "discriminator")

    def _update_generator(self, moment: Moment, number: int, hold: bool) -> Losses:
        inputs = self._rates("generator", moment) | {"z": self.learner.noise("generator", moment, number).numpy()}
        inputs |= self._moves("generator", moment, number)
        row = self._run(("fool", hold), lambda: self._fool(hold), inputs)
        self.updates["generator"] += not hold
        return self._judged(FOOLED, row, moment, "generator", "generator")

    def _moves(self, stream: str, moment: Moment, number: int) -> Inputs:
        """Which row and which column of an image each one of what is shown comes from: int32 [N, H], [N, W]; none without shifts."""
        twin = self.learner
        if not twin.augmented:
            return {}
        _, height, width, _ = self.generator.model.output_shape
        tops, lefts, mirrored = (
            each.numpy()[:, None] for each in moves(twin.batch, height, width, twin.augmentation(stream, moment, number))
        )
        rows = np.clip(tops - height // SHIFT_SHARE + np.arange(height), 0, height - 1)
        columns = np.clip(lefts - width // SHIFT_SHARE + np.arange(width), 0, width - 1)
        columns = np.where(mirrored, columns[:, ::-1], columns)
        return {f"{stream}.rows": rows.astype(np.int32), f"{stream}.columns": columns.astype(np.int32)}

    def _shown(self, x: Any, inputs: Any, stream: str) -> Any:
        if not self.learner.augmented:
            return x
        x = ops.take_along_axis(x, inputs[f"{stream}.rows"][:, :, None, None], 1)
        return ops.take_along_axis(x, inputs[f"{stream}.columns"][:, None, :, None], 2)

    def _judge(self, penalised: bool) -> Program:
        generator, discriminator, twin = self.generator, self.discriminator, self.learner

        def program(state: State, inputs: Any) -> tuple[State, Any]:
            def loss(weights: Mapping[str, list[Any]]) -> tuple[Any, Any]:
                with self.scope(state, weights) as scope:
                    real = self._shown(ops.cast(inputs["images"], "float32") / 255.0, inputs, "real")
                    with held(generator.model.layers):
                        made = ops.sigmoid(generator.model(inputs["z"], training=True))
                    fake = ops.stop_gradient(self._shown(made, inputs, "fake"))
                    # Real and fake pass apart, so that batch norm never mixes them; one power iteration serves both.
                    real_logit = discriminator.model(real, training=True)  # [N]
                    with held(discriminator.model.layers, (Spectral,)):
                        fake_logit = discriminator.model(fake, training=True)  # [N]
                    on_real, on_fake = self.game.discriminator(real_logit, fake_logit, twin.real_target)
                    total = ops.mean(on_real) + ops.mean(on_fake)
                    if penalised:
                        with held(discriminator.model.layers):
                            _, _, slope = gradient(lambda x: (ops.sum(discriminator.model(x, training=True)), 0), real)
                        squares = ops.sum(ops.square(slope), (1, 2, 3))
                        total = total + 0.5 * twin.r1_weight * twin.r1_steps * ops.mean(squares)
                    buffers = {"discriminator": [scope.get_current_value(buffer) for buffer in discriminator.buffers]}
                return total, ([ops.mean(real_logit), ops.mean(fake_logit)], buffers)

            return self.descended(state, ("discriminator",), loss, inputs)

        return program

    def _fool(self, hold: bool) -> Program:
        generator, discriminator = self.generator, self.discriminator

        def program(state: State, inputs: Any) -> tuple[State, Any]:
            def loss(weights: Mapping[str, list[Any]]) -> tuple[Any, Any]:
                with self.scope(state, weights) as scope, held(discriminator.model.layers):
                    made = ops.sigmoid(generator.model(inputs["z"], training=True))
                    logit = discriminator.model(self._shown(made, inputs, "generator"), training=True)
                    buffers = {"generator": [scope.get_current_value(buffer) for buffer in generator.buffers]}
                return ops.mean(self.game.generator(logit)), ([], buffers)

            after, row = self.descended(state, ("generator",), loss, inputs)
            return state if hold else after, row

        return program
