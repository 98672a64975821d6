"""What the loop asks of a learner, and the one way in which every learner moves by its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from latentlab.base.errors import LabError, NonFinite
from latentlab.base.images import Images
from latentlab.base.seeding import latents
from latentlab.base.texts import reason
from latentlab.models.modules import Scales
from latentlab.models.optimiser import Adam, Average, apart, put_back
from latentlab.models.sampling import drawn_classes, of_classes

if TYPE_CHECKING:
    from latentlab.models.shards import Shards
    from latentlab.models.vae import VAELearner

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Moment:
    """Where in a run an update happens: everything random and every schedule is a function of it."""

    step: int  # updates done before this one
    images_seen: int  # training images read before this one


class Learner(Protocol):
    """Networks and optimisers with one explicit `update`. Images come as uint8 [M, H, W, C] on the learner's device."""

    phases: tuple[str, ...]
    networks: dict[str, nn.Module]
    averaged: dict[str, nn.Module]
    shards: Shards
    classes: int  # K, where they are given beside z; 0 where not

    @property
    def images_per_step(self) -> int:
        """How many real images one update reads."""

    def update(self, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        """One step: every phase in order. Returns scalars (tensors, so that nothing waits for the device).

        `labels` [M, K], one-hot, are the images' classes, which a class-conditional learner needs.
        """

    def run_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        """One phase of a step, by name, on the images that the whole step was given."""

    def after_phase(self, phase: str, images: Tensor, moment: Moment, labels: Tensor | None = None) -> Losses:
        """The losses of the batch and the noise of the phase's last update, with the weights as that update left them.

        Nothing is changed or recorded: it shows what the phase has just done.
        """

    def set(self, name: str, value: float) -> None:
        """Change a live field of the training configuration, such as learning_rate."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next update depends on: weights, buffers, averages, optimiser moments."""

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """The reverse of `tensors`, strict in names and shapes."""

    def prepare_sampling(self, images: Tensor) -> None:
        """Fit what sampling needs beside the weights (an AE's prior) on training images uint8 [M, H, W, C]."""

    def held_out(self, images: Tensor, seed: int, first: int, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Per-image values [N] on held-out images uint8 [N, H, W, C], the first of which has the number `first`."""

    def code_from_normal(self, z: Tensor) -> Tensor:
        """A standard normal z [N, Z] as a draw from the model's prior over codes, [N, Z]."""

    def decode(self, z: Tensor) -> Tensor:
        """Codes [N, Z + K] to images uint8 [N, H, W, C], by the averaged network in evaluation mode."""


class Reconstructor(Protocol):
    """A learner with an encoder."""

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Images uint8 [N, H, W, C] to mean [N, Z] and standard deviation [N, Z] (None for an AE).

        A class-conditional one encodes them as of the classes `labels` [N, K], or as of those under which they are likeliest.
        """


def coded(z: Tensor, labels: Tensor | None) -> Tensor:
    """What a decoder draws: z [N, Z], and behind it the classes [N, K] where they are given."""
    return z if labels is None else torch.cat([z, labels], 1)


def moved(adam: Adam, step: int, what: str, loss: Tensor | None = None, hold: bool = False) -> Tensor:
    """One update by the gradients that there are; their norm. Raises NonFinite before it moves anything, LabError for a weight without one.

    With `hold` nothing moves: the norm is that of the step that was not taken. Where gradients are clipped it is that before.
    """
    gradients = [p.grad.reshape(-1) for _, p in adam.named if p.grad is not None]
    if len(gradients) < len(adam.named):
        name = next(name for name, p in adam.named if p.grad is None)
        remedy = "Use it in forward, leave it out, or freeze it with requires_grad_(False)."
        raise LabError(f"{name} must have a gradient to learn from. It never gets one: the {what}'s loss does not depend on it. {remedy}")
    norm = torch.stack([torch.dot(g, g) for g in gradients]).sum().sqrt()  # half the time of the library's norm
    if not math.isfinite((norm if loss is None else norm + loss).item()):
        raise not_finite(float(norm if loss is None else loss), float(norm), adam, step, what)
    if not hold:
        adam.clip(norm)
        adam.step()
    return norm


def not_finite(loss: float, norm: float, adam: Adam, step: int, what: str) -> NonFinite:
    """What is raised at the update after `step` others, with its likely cause."""
    rate = adam.learning_rate
    bad = [name for name, p in adam.named if not bool(torch.isfinite(p).all())]
    if bad:
        cause = reason("cause.weights", name=bad[0])
    elif rate > 0.02:
        cause = reason("cause.rate", rate=f"{rate:g}")
    elif math.isfinite(loss):
        cause = reason("cause.gradient", loss=f"{loss:.4g}")
    else:
        cause = reason("cause.grew", rate=f"{rate:g}")
    subject, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
    return NonFinite(reason("not_finite", step=step + 1, what=what, subject=reason(f"subject.{subject}"), value=value, cause=cause))


@contextmanager
def buffers_held(network: nn.Module) -> Iterator[None]:
    """The network computes as in training but records nothing: batch norm keeps its statistics, spectral norm its vectors.

    So fakes made for the discriminator do not move the generator, and the generator's update does not move the
    discriminator.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.track_running_stats]
    statistics = [(norm.running_mean, norm.running_var) for norm in norms]
    scales = [m for m in network.modules() if isinstance(m, Scales) and m.training]
    for norm in norms:
        norm.running_mean, norm.running_var, norm.track_running_stats = None, None, False
    for scale in scales:
        scale.eval()
    try:
        with spectra_held(network):
            yield
    finally:
        for norm, (mean, variance) in zip(norms, statistics, strict=True):
            norm.running_mean, norm.running_var, norm.track_running_stats = mean, variance, True
        for scale in scales:
            scale.train()


@contextmanager
def spectra_held(network: nn.Module, after_one: bool = False) -> Iterator[None]:
    """Spectral norm keeps its vectors, or moves them once for all that is computed within: `after_one` power iteration."""
    spectra = [m for m in network.modules() if isinstance(m, ParametrizationList) and m.training]
    for spectrum in spectra:
        if after_one:
            with torch.no_grad():
                spectrum()
        spectrum.eval()
    try:
        yield
    finally:
        for spectrum in spectra:
            spectrum.train()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """`buffers_held`, and no gradient reaches the weights: the discriminator in the generator's update."""
    network.requires_grad_(False)
    try:
        with buffers_held(network):
            yield
    finally:
        network.requires_grad_(True)


class Parts:
    """Named networks, averages and optimisers as one flat dictionary of tensors, for checkpoints."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        averages: Mapping[str, Average],
        adams: Mapping[str, Adam],
        extra: Mapping[str, Tensor],
    ) -> None:
        self.networks, self.averages, self.adams, self.extra = networks, averages, adams, extra

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name: NETWORK.…, average.NETWORK.…, adam.OPTIMISER.PARAMETER.FIELD and extra ones."""
        tensors = {f"{name}.{key}": value for name, network in self.networks.items() for key, value in apart(network).items()}
        for name, average in self.averages.items():
            tensors |= {f"average.{name}.{key}": value for key, value in apart(average.network).items()}
        for name, adam in self.adams.items():
            tensors |= {f"adam.{name}.{key}": value for key, value in adam.tensors().items()}
        return tensors | {f"extra.{name}": value for name, value in self.extra.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put every tensor back in its place; the names must be exactly those that `tensors` gives or will give."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name in [*self.networks, *(f"average.{n}" for n in self.averages), *(f"adam.{n}" for n in self.adams), "extra"]:
            groups[name] = {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}
        if sum(map(len, groups.values())) != len(tensors):
            raise ValueError(f"foreign tensors: {sorted(set(tensors) - {f'{g}.{k}' for g, keys in groups.items() for k in keys})[:3]}")
        for name, network in self.networks.items():
            put_back(network, groups[name])
        for name, average in self.averages.items():
            put_back(average.network, groups[f"average.{name}"])
        for name, adam in self.adams.items():
            for key, value in adam.tensors().items():
                value.copy_(groups[f"adam.{name}"][key])
        for name, value in self.extra.items():
            value.copy_(groups["extra"][name])


def whole(learner: Learner, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All that a learner keeps, of the weights alone that it samples from: its averages are these, its optimiser has yet to begin.

    Raises KeyError for a weight that is missing.
    """
    kept = learner.tensors().items()
    return {name: value if name.startswith("adam.") else weights[name.removeprefix("average.")] for name, value in kept}


# Images from a learner and codes from images, in chunks of one fixed size.
#
# Matrix products round differently for different batch sizes; a fixed chunk, filled up with zeros, makes an image the same
# whether it is asked for alone or among 10,000.

CHUNK = 64

Floats = NDArray[np.float32]


def _chunks(rows: NDArray[np.generic]) -> Iterator[tuple[int, torch.Tensor]]:
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        filled = np.zeros((CHUNK, *rows.shape[1:]), rows.dtype)
        filled[: len(part)] = part
        yield len(part), torch.from_numpy(filled)


def decode(learner: Learner, z: Floats, device: torch.device) -> Images:
    """Codes float32 [N, Z] to images uint8 [N, H, W, C]."""
    parts = [learner.decode(chunk.to(device))[:count].cpu().numpy() for count, chunk in _chunks(z)]
    return np.concatenate(parts)


def draw(learner: Learner, count: int, latent_dim: int, seed: int, device: torch.device, shares: Sequence[float] | None = None) -> Images:
    """`count` images from the prior, uint8 [count, H, W, C]; image i depends on (seed, i) alone, and so does its class, of these shares."""
    codes = prior_codes(learner, latents(count, latent_dim, seed), device)
    return decode(learner, of_classes(codes, drawn_classes(count, seed, shares), learner.classes), device)


def prior_codes(learner: Learner, z: Floats, device: torch.device) -> Floats:
    """Standard normal rows [N, Z] as codes of the model's prior, [N, Z]."""
    parts = [learner.code_from_normal(chunk.to(device))[:count].cpu().numpy() for count, chunk in _chunks(z)]
    return np.concatenate(parts)


def encode(learner: Learner, images: Images, device: torch.device, labels: NDArray[np.int64] | None = None) -> tuple[Floats, Floats | None]:
    """Images uint8 [N, H, W, C], of a class-conditional learner of classes [N], to what `Reconstructor.encode` makes of them."""
    reconstructor = cast(Reconstructor, learner)
    means, deviations = [], []
    for start, (count, chunk) in zip(range(0, len(images), CHUNK), _chunks(images), strict=True):
        told = np.zeros(CHUNK, np.int64)  # of what fills a chunk up: any
        told[:count] = 0 if labels is None else labels[start : start + count]
        given = torch.eye(learner.classes)[told].to(device) if learner.classes and labels is not None else None
        mean, deviation = reconstructor.encode(chunk.to(device), given)
        means.append(mean[:count].cpu().numpy())
        if deviation is not None:
            deviations.append(deviation[:count].cpu().numpy())
    return np.concatenate(means), np.concatenate(deviations) if deviations else None


def likeliest(learner: Learner, images: Images, device: torch.device) -> NDArray[np.int64]:
    """The classes [N] under which a class-conditional VAE finds each of images uint8 [N, H, W, C] likeliest."""
    reader = cast("VAELearner", learner)
    parts = [reader.likeliest(chunk.to(device))[:count].argmax(1).cpu().numpy() for count, chunk in _chunks(images)]
    return np.concatenate(parts)
