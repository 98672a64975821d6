"""A run's averaged networks in layers that every framework has: spectral norm divided out, blurred kernels as they come out."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, cast

import torch

from latentlab.base.errors import LabError
from latentlab.config.layers import Convolution, Dense, Layer, Layers, TransposedConvolution
from latentlab.config.networks import classes_of, pictures
from latentlab.models.autoencoder import AutoencoderLearner
from latentlab.models.nets import Chain

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


def plain_networks(run: Trained) -> dict[str, Chain]:
    """The networks of a run by name, in evaluation mode, equal to `run.networks()`; one of somebody's own as it is."""
    layers = pictures(run.config.model, run.image_shape)
    found = {name: cast(Chain, network) for name, network in run.networks().items()}
    return {name: network if network.is_own else _plain(network, layers[name]) for name, network in found.items()}


def tensors_of(run: Trained, networks: dict[str, Chain]) -> dict[str, torch.Tensor]:
    """The numbers of plain networks, "decoder.0.weight" …, float32, laid out as torch does; and `prior_of`."""
    found = {f"{name}.{key}": value for name, network in networks.items() for key, value in network.layers.state_dict().items()}
    tensors = {key: value.float().contiguous() for key, value in found.items() if value.is_floating_point()}
    return tensors | prior_of(run)


def refuse_own(run: Trained, format: str) -> None:
    """Raise LabError for a run with networks of somebody's own, in a format for known layers."""
    if classes_of(run.config.model):
        raise LabError(
            f"--format {format} writes networks of z alone. {run.path} gives them a class too. Use --format onnx or safetensors."
        )
    if own := dict(run.config.own):
        has = f"{run.path} has its own {', '.join(own)}, whose code lies in own/"
        raise LabError(f"--format {format} writes networks of known layers. {has}. Use --format safetensors, or onnx.")


def prior_of(run: Trained) -> dict[str, torch.Tensor]:
    """The Gaussian fitted to an autoencoder's codes, code = prior_mean [Z] + normal [Z] @ prior_scale [Z, Z]; nothing of others."""
    return run.learner.prior if isinstance(run.learner, AutoencoderLearner) else {}


@torch.no_grad()
def _plain(network: Chain, layers: Layers) -> Chain:
    made = type(network)(tuple(map(without_parametrization, layers))).eval()
    for mine, theirs in zip(made.layers, network.layers, strict=True):
        for name, value in mine.state_dict(keep_vars=True).items():
            value.copy_(attrgetter(name)(theirs))  # of a parametrized weight what it computes with
    return made


def without_parametrization(layer: Layer) -> Layer:
    """A layer that computes with its weight as it is."""
    match layer:
        case Dense() | Convolution():
            return replace(layer, spectral=False)
        case TransposedConvolution():
            return replace(layer, smooth=0)
        case _:
            return layer
