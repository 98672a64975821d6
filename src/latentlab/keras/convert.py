"""Weights from torch's names and layouts to Keras's variables and back, exactly: the permutations move numbers, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.config.layers import BatchNorm, Convolution, Dense, TransposedConvolution
from latentlab.keras.layers import Drawn, Spectral

Array = NDArray[Any]


class Place(NamedTuple):
    """One tensor of a torch network, and the Keras variables that hold it: more than one where a head was cut."""

    name: str  # in the network's state_dict
    variables: list[Any]
    to_torch: Callable[[Array], Array] = lambda values: values
    to_keras: Callable[[Array], Array] = lambda values: values

    def given(self, values: Array) -> Iterator[tuple[Any, Array]]:
        """Each variable with its part of the torch tensor: a copy, since JAX may keep the memory that it is given."""
        for variable, part in zip(self.variables, np.split(values, len(self.variables)), strict=True):
            yield variable, np.array(self.to_keras(part), np.float32, order="C")

    def joined(self, parts: Sequence[Array]) -> Array:
        """The torch tensor of what the variables hold."""
        return np.ascontiguousarray(np.concatenate([np.atleast_1d(self.to_torch(np.asarray(part))) for part in parts]))


def places(drawn: Sequence[Drawn]) -> list[Place]:
    """The tensors of a network that torch calls `layers.0.weight` … (but for batch norm's counts, which nothing depends on)."""
    return [place._replace(name=f"layers.{number}.{place.name}") for number, each in enumerate(drawn) for place in _places(each)]


def _places(each: Drawn) -> Iterator[Place]:
    layers = each.weighted
    spectral = bool(layers) and isinstance(layers[0], Spectral)
    kernels = [layer.layer.kernel if spectral else getattr(layer, "kernel", None) for layer in layers]
    weight = "parametrizations.weight.original" if spectral else "weight"
    match each.description:
        case Dense():
            yield Place(weight, kernels, np.transpose, np.transpose)
        case Convolution():
            yield Place(weight, kernels, lambda k: k.transpose(3, 2, 0, 1), lambda k: k.transpose(2, 3, 1, 0))
        case TransposedConvolution():
            name = "parametrizations.weight.original" if each.description.smooth else weight
            yield Place(name, kernels, lambda k: k.transpose(3, 2, 0, 1), lambda k: k.transpose(2, 3, 1, 0))
        case BatchNorm():
            (layer,) = layers
            yield Place("weight", [layer.gamma])
            yield Place("bias", [layer.beta])
            yield Place("running_mean", [layer.moving_mean])
            yield Place("running_var", [layer.moving_variance])
            return
        case _:
            return
    yield Place("bias", [layer.layer.bias if spectral else layer.bias for layer in layers])
    if spectral:
        (layer,) = layers
        yield Place("parametrizations.weight.0._u", [layer.u])
        yield Place("parametrizations.weight.0._v", [layer.v], *_of_rows(layer.layer.kernel.shape))


def _of_rows(shape: tuple[int, ...]) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The vector over a kernel's inputs: torch counts channel first, Keras channel last."""
    if len(shape) == 2:
        return (lambda v: v), (lambda v: v)
    height, width, inputs, _ = shape
    return (
        lambda v: v.reshape(height, width, inputs).transpose(2, 0, 1).ravel(),
        lambda v: v.reshape(inputs, height, width).transpose(1, 2, 0).ravel(),
    )


def take(network: Sequence[Place], tensors: Mapping[str, Array], form: str) -> dict[int, Array]:
    """Keras values by the variable's id; `form` makes of a place's name that of the tensor, e.g. "average.decoder.{}"."""
    named = [(place, form.format(place.name)) for place in network]
    return {id(variable): part for place, name in named if name in tensors for variable, part in place.given(tensors[name])}


def give(network: Sequence[Place], values: Mapping[int, Array], form: str) -> dict[str, Array]:
    """The reverse of `take`: torch tensors by name, of those variables that have a value."""
    whole = [place for place in network if id(place.variables[0]) in values]
    return {form.format(place.name): place.joined([values[id(variable)] for variable in place.variables]) for place in whole}
