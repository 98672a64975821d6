"""What one AE, VAE or GAN is good for: samples, ways between images, the way back from an image to a code. Axes: N images, Z latent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images
from latentlab.base.seeding import latents
from latentlab.lab.questions.views import FITTED, View, first, view
from latentlab.measure.metrics.classes import knn_accuracy
from latentlab.measure.metrics.images import mean_squared_error
from latentlab.models.nets import to_unit
from latentlab.models.sampling import arc, line
from latentlab.show.figures.records import edge_steps
from latentlab.train import Run

SAMPLES, WAYS = 500, 500
SEARCHED = 64  # held-out images for which a GAN's z is searched; it takes as long as a short training
SEARCH_STEPS, SEARCH_RATE = 150, 0.1

Floats = NDArray[np.float32]


def measure_family(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about one run: "samples", "midpoints", "floor", "mse", "edges" and, with an encoder, "knn_accuracy".

    An AE is measured a second time as "standard": with z ~ N(0, I), as if its codes were what a VAE's are.
    """
    looking, seed = view(settings), run.config.train.seed + 1
    samples = run.sample(SAMPLES, seed=seed)
    given = looking.held_out[:SEARCHED] if run.config.family == "gan" else looking.held_out
    found: dict[str, Any] = {
        "samples": looking.quality(samples),
        "midpoints": looking.quality(run.decode(midpoints(run, looking))),
        "floor": looking.floor(),
        "mse": float(mean_squared_error(given, copies(run, given)).mean()),
        "edges": float(edge_steps(samples).mean()),
        "real_edges": float(edge_steps(looking.held_out).mean()),
        "seconds": float(run.metrics()[-1]["seconds"]),
    }
    if run.config.family == "ae":
        found["standard"] = looking.quality(run.decode(latents(SAMPLES, run.config.model.latent_dim, seed)))
    if run.config.family != "gan" and looking.labels is not None:
        found["knn_accuracy"] = organisation(run, looking)
    return found


def midpoints(run: Run, looking: View) -> Floats:
    """Half-way codes: between pairs of held-out images, or on the arc between pairs of z for a GAN. [N, Z]."""
    size, seed = run.config.model.latent_dim, run.config.train.seed + 2
    if run.config.family == "gan":
        a, b = np.split(latents(2 * WAYS, size, seed), 2)
        return np.stack([arc(p, q, 3)[1] for p, q in zip(a, b, strict=True)])
    codes = run.encode(looking.held_out).mean
    pairs = np.random.default_rng(seed).integers(0, len(codes), (WAYS, 2))
    return np.stack([line(codes[i], codes[j], 3)[1] for i, j in pairs])


def copies(run: Run, images: Images) -> Images:
    """Images as the model gives them back: through its encoder, or by a search for z where there is none."""
    return search(run, images) if run.config.family == "gan" else run.reconstruct(images)


def search(run: Run, images: Images) -> Images:
    """The nearest images that a generator was found to make: z by Adam on the squared error, from z = 0 (Creswell & Bharath 2019)."""
    generator = run.networks()["generator"].requires_grad_(False)
    x = to_unit(torch.from_numpy(np.ascontiguousarray(images)))  # [N, C, H, W]
    z = torch.zeros(len(x), run.config.model.latent_dim, requires_grad=True)
    adam = torch.optim.Adam([z], SEARCH_RATE)
    for _ in range(SEARCH_STEPS):
        adam.zero_grad()
        (torch.sigmoid(generator(z)) - x).square().sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return run.decode(z.detach().numpy())


def organisation(run: Run, looking: View) -> float:
    """k-NN accuracy of held-out images' codes among training images' codes."""
    fit = first(looking.data.train, FITTED)
    if fit.labels is None or looking.labels is None:
        return float("nan")
    return knn_accuracy(run.encode(fit.images).mean, fit.labels, run.encode(looking.held_out).mean, looking.labels).value
