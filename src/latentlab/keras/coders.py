"""Autoencoders and VAEs under Keras. Axes: N images, H height, W width, C channels, Z latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from keras import ops

from latentlab.config.parts import AutoencoderModel, AutoencoderTrain, VAEModel, VAETrain
from latentlab.keras.engine import Inputs, KerasEngine, Network, State
from latentlab.keras.objectives import NATS, flat, kl_to_standard_normal
from latentlab.models.autoencoder import EncoderDecoder
from latentlab.models.engine import Batch, Losses, TorchEngine
from latentlab.models.learner import Moment
from latentlab.models.vae import VAELearner

MOST_AT_ONCE = 64


class CoderEngine(KerasEngine):
    """An encoder and a decoder. Dense ones take many steps in one program, convolutional ones each by itself.

    A compiled loop over convolutions is many times slower on a CPU than the same steps one by one.
    """

    def __init__(
        self,
        twin: EncoderDecoder,
        torch_engine: TorchEngine,
        networks: Sequence[Network],
        model: AutoencoderModel | VAEModel,
        train: AutoencoderTrain | VAETrain,
    ) -> None:
        dense = not model.channels
        super().__init__(twin, torch_engine, networks, twin.adams, fused=dense)
        self.nats = NATS[model.likelihood if isinstance(model, VAEModel) else model.reconstruction]
        self.at_once = min(MOST_AT_ONCE, train.log_steps) if dense else 1
        parts = ("reconstruction_nats", "kl_nats") if isinstance(twin, VAELearner) else ("mse",)
        self.recorded = ("loss_nats", *parts, "gradient_norm")

    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        return self.update([batch], [moment])[0]

    def update(self, batches: Sequence[Batch], moments: Sequence[Moment]) -> Sequence[Losses]:
        inputs = [self._inputs(batch, moment, 1 + ahead) for ahead, (batch, moment) in enumerate(zip(batches, moments, strict=True))]
        if self.at_once > 1:
            missing = [inputs[-1]] * (self.at_once - len(inputs))  # one program for every number of steps
            stacked = {name: np.stack([each[name] for each in (*inputs, *missing)]) for name in inputs[0]}
            rows = self._run("steps", lambda: self._steps, (stacked, np.asarray(len(inputs), np.int32)))[: len(inputs)]
        else:
            rows = np.stack([self._run("step", lambda: self._step, each) for each in inputs])
        self.updates["adam"] += len(inputs)
        return [self._judged(self.recorded, row, moment, "adam", self.learner.minimised) for row, moment in zip(rows, moments, strict=True)]

    def _inputs(self, batch: Batch, moment: Moment, ahead: int) -> Inputs:
        twin, images = self.learner, batch.images
        seen, count = moment.images_seen + len(images), len(images)
        weights = {network.average.weight(moment.step + 1, count, seen) for network in self.networks.values()}
        inputs: Inputs = {"average": np.asarray(max(weights), np.float32), **self._rates("adam", moment, ahead)}
        if isinstance(twin, VAELearner):
            inputs |= {"noise": twin.noise(count, moment).numpy(), "beta": np.asarray(twin.beta_at(moment.step), np.float32)}
            if twin.binarized:
                bits = twin.seen(torch.from_numpy(images), moment).permute(0, 2, 3, 1)
                images = (255 * bits).to(torch.uint8).numpy()
        return inputs | {"images": images}

    def _step(self, state: State, inputs: Any) -> tuple[State, Any]:
        encoder, decoder = self.networks.values()

        def loss(weights: Mapping[str, list[Any]]) -> tuple[Any, Any]:
            with self.scope(state, weights) as scope:
                pixels = ops.cast(flat(inputs["images"]), "float32") / 255.0  # [N, H·W·C]
                x = ops.reshape(pixels, inputs["images"].shape)
                if "noise" in inputs:
                    mean, log_var = encoder.model(x, training=True)  # [N, Z]
                    logits = decoder.model(mean + ops.exp(0.5 * log_var) * inputs["noise"], training=True)  # [N, H, W, C]
                    nats = ops.mean(self.nats(logits, pixels))
                    kl = ops.mean(ops.sum(kl_to_standard_normal(mean, log_var), 1))
                    total, recorded = nats + inputs["beta"] * kl, [nats, kl]
                else:
                    logits = decoder.model(encoder.model(x, training=True), training=True)
                    total, recorded = ops.mean(self.nats(logits, pixels)), [ops.mean(ops.square(ops.sigmoid(flat(logits)) - pixels))]
                buffers = {each.name: [scope.get_current_value(buffer) for buffer in each.buffers] for each in (encoder, decoder)}
            return total, (recorded, buffers)

        after, row = self.descended(state, ("encoder", "decoder"), loss, inputs)
        if any(key.startswith("average.") for key in state):
            after = self.averaged(after, inputs["average"])
        return after, row

    def _steps(self, state: State, inputs: Any) -> tuple[State, Any]:
        stacked, count = inputs

        def body(number: Any, carried: tuple[State, Any]) -> tuple[State, Any]:
            after, row = self._step(carried[0], {name: values[number] for name, values in stacked.items()})
            return after, ops.slice_update(carried[1], (number, 0), row[None])

        rows = ops.zeros((self.at_once, len(self.recorded)))
        after, rows = ops.fori_loop(0, count, body, (state, rows))
        return after, rows
