"""What became of a decoder's weights when a GAN went on training them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from latentlab.base.seeding import latents
from latentlab.lab.questions.views import view
from latentlab.models import build
from latentlab.models.nets import Decoder
from latentlab.runs import checkpoints
from latentlab.show.figures.records import edge_steps
from latentlab.train import Run, open_run

SAMPLES = 500


def measure_generator(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A GAN's generator against how it started and against the VAE's decoder at `settings["vae"]`, on the same z.

    `moved`: |θ − θ₀| / |θ₀| of each layer's weights; `same_class`: the share of z that show the class which the VAE's
    decoder shows; `edges`: mean steepness of edges in samples; `vae_edges`: that of the decoder.
    """
    looking = view(settings)
    vae = open_run(settings["vae"])
    z = latents(SAMPLES, run.config.model.latent_dim, run.config.train.seed + 1)
    own, other = run.decode(z), vae.decode(z)
    seen, expected = looking.extractor(own), looking.extractor(other)
    found: dict[str, Any] = {
        "moved": moved(start(run)["generator"], run.networks()["generator"]),
        "edges": float(edge_steps(own).mean()),
        "vae_edges": float(edge_steps(other).mean()),
        "real_edges": float(edge_steps(looking.held_out).mean()),
    }
    if seen.labels is not None and expected.labels is not None:
        found["same_class"] = float(np.mean(seen.labels == expected.labels))
    return found


def start(run: Run) -> dict[str, nn.Module]:
    """The networks of a run as they were at step 0."""
    path: Path = run.folder.checkpoints / "step-00000000"
    tensors, state = checkpoints.load(path)
    learner = build(run.config, tuple(state["image_shape"]), torch.device("cpu"), bf16=False)
    learner.load_tensors({name: values for name, values in tensors.items() if not name.startswith("window.")})
    return {name: network.eval() for name, network in learner.averaged.items()}


@torch.no_grad()
def moved(before: nn.Module, after: nn.Module) -> list[float]:
    """|θ − θ₀| / |θ₀| of the weights of each dense or convolutional layer, from z to the image."""
    if not isinstance(before, Decoder) or not isinstance(after, Decoder):
        raise TypeError(type(before), type(after))
    pairs = zip(before.layers, after.layers, strict=True)
    weights = [(a.weight, b.weight) for a, b in pairs if isinstance(a, nn.Linear | nn.ConvTranspose2d) and isinstance(b, type(a))]
    return [float((b - a).norm() / a.norm()) for a, b in weights]
