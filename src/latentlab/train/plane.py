"""The plane as the networks of a run of points see it and fill it: what `runs/frames.py` keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images, as_points
from latentlab.base.seeding import latents
from latentlab.data import ImageSet
from latentlab.models.gan import GANLearner
from latentlab.models.learner import Floats, Learner
from latentlab.runs.frames import FIELD, FRAME, HEAD, MESH, ROUND, SHOWN
from latentlab.show.figures.plane import Box, box_of, mesh

BOXED = 2_000  # held-out points that a picture is drawn round
FARTHEST = 60_000.0  # that a half-precision number holds


def head_of(val: ImageSet) -> NDArray[Any]:
    """The HEAD of a run with these held-out points."""
    head = np.zeros((), HEAD)
    head["box"], real = box_of(val.take(slice(BOXED))), val.take(slice(2 * SHOWN)).reshape(-1, 2)
    head["real"] = np.resize(real, (2 * SHOWN, 2))  # of fewer some twice
    return head


def frame_of(learner: Learner, head: NDArray[Any], latent_dim: int, seed: int, device: torch.device) -> NDArray[Any]:
    """A FRAME of the networks as they are now, without its step. It changes nothing that training reads."""
    frame, real = np.zeros((), FRAME), as_points(head["real"])[:SHOWN]
    with as_trained(learner):
        made = _decoded(learner, learner.code_from_normal(torch.from_numpy(_normal(latent_dim, seed)).to(device)))
        frame["mesh"] = np.nan
        frame["made"] = made[:SHOWN]
        if latent_dim == 2:
            frame["mesh"] = made[SHOWN:].reshape(MESH, MESH, 2)
        if isinstance(learner, GANLearner):
            _judged(frame, learner, Box(*head["box"].tolist()), as_points(made[:SHOWN]), real, device)
        else:
            _encoded(frame, learner, real, device)
    return frame


@contextmanager
def as_trained(learner: Any) -> Iterator[None]:
    """Draw and encode with the trained networks themselves: half a step moves an average too little to be seen."""
    averages = learner.parts.averages.values()
    kept = [average.network for average in averages]
    for average in averages:
        average.network = average.source
    try:
        yield
    finally:
        for average, network in zip(averages, kept, strict=True):
            average.network = network


def _judged(frame: NDArray[Any], learner: GANLearner, box: Box, made: Images, real: Images, device: torch.device) -> None:
    """What the discriminator says of the plane, and where it sends each generated point."""
    asked, known = (torch.from_numpy(x).to(device) for x in (np.concatenate([as_points(mesh(box, FIELD)), made, real]), real))
    logits, moves = learner.field(asked, known)
    field, fakes, reals = np.split(np.nan_to_num(logits.cpu().numpy()), [FIELD**2, FIELD**2 + SHOWN])
    low, high = float(field.min()), float(field.max())
    middle = (float(fakes.mean()) + float(reals.mean())) / 2 if learner.relative else 0.0  # where only differences mean anything
    frame["logits"] = low, high, middle
    frame["field"] = np.rint((field - low) * (255 / max(high - low, 1e-30))).reshape(FIELD, FIELD)
    _arrows(frame, moves.cpu().numpy().reshape(-1, 2)[FIELD**2 : FIELD**2 + SHOWN])


def _encoded(frame: NDArray[Any], learner: Any, real: Images, device: torch.device) -> None:
    """Where real points are reconstructed, and of a VAE how far one standard deviation of q(z|x) leads from there."""
    mean, std = learner.encode(torch.from_numpy(real).to(device))
    steps = [] if std is None or mean.shape[1] != 2 else [mean[:ROUND] + std[:ROUND] * unit for unit in torch.eye(2, device=device)]
    copies, *moved = np.split(_decoded(learner, torch.cat([mean, *steps])), [SHOWN, SHOWN + ROUND][: len(steps)])
    _arrows(frame, copies - real.reshape(-1, 2))
    frame["ellipses"] = np.stack([copies[:ROUND], *moved], axis=1) if moved else np.nan


def _arrows(frame: NDArray[Any], moves: Floats) -> None:
    longest = float(np.linalg.norm(moves, axis=1).max())
    frame["longest"], frame["arrows"] = longest, moves / longest if 0 < longest < np.inf else 0


@cache
def _normal(latent_dim: int, seed: int) -> Floats:
    """SHOWN draws of N(0, I), and of the plane rows from the lowest, between which lie equal shares of it: [SHOWN + MESH², 2]."""
    ends = np.array([NormalDist().inv_cdf((k + 0.5) / MESH) for k in range(MESH)], np.float32)
    rows = [np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2)] if latent_dim == 2 else []
    return np.concatenate([latents(SHOWN, latent_dim, seed), *rows])


def _decoded(learner: Learner, codes: torch.Tensor) -> Floats:
    """Codes [N, Z] as points that half-precision numbers hold, [N, 2]. All at once: here no two sizes need agree bit for bit."""
    points: Floats = np.clip(learner.decode(codes).cpu().numpy().reshape(-1, 2), -FARTHEST, FARTHEST)
    return points
