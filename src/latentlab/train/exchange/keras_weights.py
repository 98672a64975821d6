"""The weights of a Keras file in torch's layouts, read as data: nothing of the file is run, and no class made but `latentlab.keras`'s.

A `.keras` file is an archive: its config.json names the layers in their order, its model.weights.h5 holds their arrays under names
made of their classes. An `.h5` file of older Keras tells names and order itself. Vectors of maps count channel last in Keras, channel
first in torch: a dense layer after Flatten or before Reshape is permuted, unless a Permute of the file's own does it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError

ENCODER = "-encoder"  # what `export --format keras` puts after the file's name
LEAVES = {1: ("kernel",), 2: ("kernel", "bias"), 4: ("gamma", "beta", "moving_mean", "moving_variance")}  # by how many arrays there are
NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
Array = NDArray[Any]
Shape = tuple[int, ...]


class Layer(NamedTuple):
    """A layer of a file."""

    kind: str  # its class
    name: str  # with the models that it is in: "encoder.dense"
    arrays: Mapping[str, Array]  # by Keras's names
    given: Shape = ()  # what it is given, without the batch
    target: Shape = ()  # of a Reshape


def read_keras(path: Path) -> dict[str, Array]:
    """Every weight by its layer's name, "encoder.mean.weight" …, also those of the encoder that was exported beside it.

    Raises LabError for a layer that is of no known kind, and whatever its readers raise for a file that is damaged.
    """
    import h5py

    if path.suffix != ".keras":
        with h5py.File(path) as store:
            return dict(_in_torch(list(_legacy(store.get("model_weights", store))), path))
    beside, found = path.with_stem(path.stem + ENCODER), dict[str, Array]()
    for file in (beside, path) if beside.is_file() else (path,):
        with ZipFile(file) as archive:
            model = json.loads(archive.read("config.json"))
            with h5py.File(BytesIO(archive.read("model.weights.h5"))) as store:
                layers = list(_walked(model, store, ""))
                kept = _arrays(store, h5py.Dataset)
        if kept != sum(len(layer.arrays) for layer in layers):
            remedy = "Save encoder and decoder as functional or sequential models of Keras's layers."
            raise LabError(f"every layer to import must be of a known kind. {file} has others. {remedy}")
        found |= dict(_in_torch(layers, file))
    return found


def _arrays(store: Any, kind: type) -> int:
    """How many arrays of weights a store has: seeds are integers, metrics have no axis."""
    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, kind) and item.ndim and item.dtype.kind == "f" and "optimizer" not in name:  # type: ignore[attr-defined]
            found.append(name)

    store.visititems(look)
    return len(found)


def _walked(model: Mapping[str, Any], group: Any, within: str) -> Iterator[Layer]:
    """The layers of a model's description, each with its arrays from the group of the store that is the model's."""
    config = _functional(model) if str(model.get("registered_name")).startswith("latentlab>") else model["config"]
    name = ".".join(filter(None, (within, str(config.get("name", "")))))
    taken: dict[str, int] = {}
    for layer in config.get("layers", ()):
        kind = str(layer["class_name"])
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])", "_", kind).lower()  # as Keras names what it saves
        number = taken[snake] = taken.get(snake, -1) + 1
        place = group.get(f"layers/{snake}_{number}" if number else f"layers/{snake}")
        if "layers" in layer["config"]:
            yield from _walked(layer, {} if place is None else place, name)
            continue
        stored = {} if place is None or "vars" not in place else place["vars"]
        arrays = [np.asarray(stored[str(at)]) for at in range(len(stored))]
        shape = (layer.get("build_config") or {}).get("input_shape") or (None,)
        target = tuple(layer["config"].get("target_shape", ()))
        leaves = dict(zip(LEAVES.get(len(arrays), ()), arrays, strict=False))
        yield Layer(kind, f"{name}.{layer['config']['name']}", leaves, tuple(shape[1:]), target)
    for part, inner in config.items():  # a model of models, such as latentlab.keras.VAE
        if isinstance(inner, dict) and isinstance(inner.get("config"), dict) and part in group:
            yield from _walked(inner, group[part], name)


def _functional(model: Mapping[str, Any]) -> dict[str, Any]:
    """The layers of an encoder or a decoder of `latentlab.keras`, whose file holds what it was made with."""
    import latentlab.keras

    kind: Any = getattr(latentlab.keras, str(model["class_name"]))
    config: dict[str, Any] = model["config"]
    if not issubclass(kind, latentlab.keras.Network):
        return config
    layers = kind.from_config(config).layers
    told = [{"class_name": type(each).__name__, "config": each.get_config(), "build_config": each.get_build_config()} for each in layers]
    return {"name": config["name"], "layers": told}


def _legacy(group: Any) -> Iterator[Layer]:
    for name in group.attrs["layer_names"]:
        layers: dict[str, dict[str, Array]] = {}
        for weight in group[_text(name)].attrs["weight_names"]:
            place, leaf = re.sub(r":\d+$", "", _text(weight)).rpartition("/")[::2]
            layers.setdefault(place, {})[leaf] = np.asarray(group[_text(name)][_text(weight)])
        for place, arrays in layers.items():
            if any(array.ndim > 2 for array in arrays.values()):
                raise LabError(
                    f"convolutions to import must be in a .keras file, which tells what lies between them. {place} is in an .h5 file."
                )
            yield Layer("Dense", place.replace("/", "."), arrays)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _in_torch(layers: Sequence[Layer], file: Path) -> Iterator[tuple[str, Array]]:
    for number, layer in enumerate(layers):
        if unknown := [leaf for leaf in layer.arrays if leaf not in NAMES]:
            raise LabError(f"every weight to import must be a kernel, a bias or a batch norm's. {layer.name} of {file} has {unknown[0]}.")
        for leaf, array in layer.arrays.items():
            if array.ndim == 4:
                array = array.transpose(3, 2, 0, 1)
            elif array.ndim == 2:
                array = _channel_first(array.T, layers[:number], layers[number + 1 :])
            elif leaf == "bias" and layer.kind == "Dense":
                array = _channel_first(array[:, None], (), layers[number + 1 :])[:, 0]
            yield f"{layer.name}.{NAMES[leaf]}", np.array(array, np.float32, order="C")


def _channel_first(weight: Array, before: Sequence[Layer], after: Sequence[Layer]) -> Array:
    """A dense weight [outputs, inputs] whose inputs are maps that were flattened, or whose outputs become maps."""
    last = next((layer for layer in reversed(before) if layer.kind in ("Flatten", "Dense")), None)
    if last is not None and last.kind == "Flatten" and len(last.given) == 3 and not any(layer.kind == "Permute" for layer in before):
        height, width, channels = last.given
        weight = weight.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(weight.shape)
    for at, layer in enumerate(after):
        if layer.kind == "Dense":
            break
        if layer.kind == "Reshape" and len(layer.target) == 3 and math.prod(layer.target) == len(weight):
            if not any(other.kind == "Permute" for other in after[at : at + 2]):
                height, width, channels = layer.target
                weight = weight.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
            break
    return weight
