"""A run's network as a description and weights that `static/explorer.js` runs in a browser, and that script. No torch here.

The format, version 1. `weights` is one run of bytes, little-endian. `description` is JSON:

    format      1; a reader refuses any other
    network     "decoder" | "generator" | "encoder" | "discriminator"
    precision   "int8" | "fp16" | "fp32", as asked for
    parameters  how many numbers the network has learned
    bytes       the length of the weights
    input       [Z], or [C, H, W] for an image in [0, 1]
    output      [C, H, W] logits, image = sigmoid(logits); or [F]: an encoder's code (a VAE's Z means, then its Z
                log-variances), a discriminator's logit
    layers      in order, each {"layer": …} with
      dense                   inputs, outputs, weight [outputs, inputs], bias [outputs]
      convolution             inputs, outputs, kernel, stride, padding, weight [outputs, inputs, kernel, kernel], bias
      transposed_convolution  the same, and output_padding [rows, columns]; the weight's output channel comes first here too
      scale                   weight [C], bias [C]: each channel times its weight plus its bias
      activation              name: "relu" | "leaky_relu" (slope 0.2) | "elu" | "tanh"
      reshape                 shape [C, H, W]
      flatten
      mean                    of: "continuous-bernoulli" | "logistic-mixture" (of K logistics: mixed), from what that likelihood
                              is given at each pixel to the logits of its mean [C, H, W]
      skip, add               a residual block: what it is given is kept, and added to what the layers between make of it
    classes     of a class-conditional network that draws or encodes: their names; the first dense layer's "classes" [K, outputs] is
                what each adds to its bias
    log_scale   of a decoder whose likelihood has a scale: its logarithm [C], no part of the image
    prior       of an autoencoder's decoder alone: mean [Z], scale [Z, Z]; code = mean + z · scale for z ~ N(0, I)

Batch norm is folded into the layer before it. A tensor is {"type", "shape", "at"}: `at` is its first byte in the weights.

    fp32, fp16  IEEE 754
    int8        value = integer · scale of its output channel (the first axis); "scales" is an fp32 tensor [outputs]
    int16       the same; first the low byte of every integer, then the high bytes (apart, they deflate better)

"int8" stores a byte for each weight, except in small layers of a decoder (an eighth of the weights at most), which may
take two where one is not enough; every layer may where images would still be off by more than 4. In the layer that has most
of the weights of an encoder or a discriminator, if it has 1,024 inputs, a byte has 31 values: it deflates better. What is not
a weight is fp32.
"""

from __future__ import annotations

import base64
import re
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, refusal
from latentlab.base.images import is_point
from latentlab.config.layers import Convolution, Dense, TransposedConvolution, parameter_count, shape_after
from latentlab.config.networks import classes_of, pictures
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.show import bundle, palette
from latentlab.show.explorer.network import Affine, Part, affine_parts, folded, is_followed, named, of_first_class, signed_range
from latentlab.show.explorer.own import network_layers
from latentlab.show.explorer.rounding import COARSE, MANY, NARROW, Rounded, for_images, nearest

Precision = Literal["int8", "fp16", "fp32"]
FORMAT = 1
DRAWING = ("decoder", "generator")  # networks that make images of codes
CODES = 3072  # draws that rounding looks at
ENTRY = "explorer.js"  # what it exports is public
_EXPORTED = re.compile(r'^export \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
# RFC 1924's characters that HTML or JSON would have to escape, and what stands in their place.
_ESCAPED, _PLAIN = b"<>&", b",.:"

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Packed:
    """What a page needs to run a network."""

    description: dict[str, Any]  # JSON-able; the format is this module's docstring
    weights: bytes


def pack_network(folder: RunFolder, name: str | None = None, precision: Precision = "int8") -> Packed:
    """The network `name` of a run ("encoder", "discriminator"; None: its decoder or generator) as `run.networks()` has it.

    From the checkpoint that it is sampled from, averaged where the run averages. Raises LabError for a name or a precision that
    there is not, and for a checkpoint that is not of the run's configuration.
    """
    check_precision(precision)
    config = folder.config()
    checkpoint = checkpoints.sampled(folder, lambda text: print(f"latentlab: {text}", file=sys.stderr))
    with checkpoints.opening(checkpoint):
        height, width, channels = checkpoints.read_state(checkpoint)["image_shape"]
    if is_point((height, width, channels)):
        raise refusal("a network to show", "one of images", f"{folder.path}, of points", "Its pictures are in samples/.")
    described = pictures(config.model, (height, width, channels))
    name = name or next(known for known in described if known in DRAWING)
    if name not in described:
        raise refusal("a network", "one of " + ", ".join(described), name, f"{folder.path} has no other.")
    tensors, own = read_tensors(checkpoint, name), name in dict(config.own)
    layers = network_layers(folder.path, name) if own else named(described[name])
    for prefix, layer in layers if own else ():
        if isinstance(layer, Dense | Convolution | TransposedConvolution):
            tensors.setdefault(f"{prefix}bias", np.zeros(layer.outputs, np.float32))
    try:
        parts = folded(layers, tensors.__getitem__)
    except (KeyError, ValueError):
        raise LabError(
            f"{checkpoint} was written under another configuration than {folder.path / 'config.json'}. Restore that file."
        ) from None
    if name == "discriminator" and not own:
        parts.insert(0, signed_range(channels))
    prior = {key: tensors[f"prior_{key}"] for key in ("mean", "scale")} if config.family == "ae" and name in DRAWING else {}
    given: dict[str, Any] = {}
    if (classes := classes_of(config.model)) and name != "discriminator":
        parts = of_first_class(parts, classes)
        given = {"classes": checkpoints.read_state(checkpoint)["class_names"]}
    for scale in (key for key in tensors if key.endswith(".log_scale")):
        given["log_scale"] = tensors[scale].tolist()
    shape: tuple[int, ...] = (config.model.latent_dim,) if name in DRAWING else (channels, height, width)
    head: dict[str, Any] = {"network": name, "parameters": parameter_count([layer for _, layer in layers]), "input": list(shape)}
    for _, layer in layers:
        shape = shape_after(layer, shape)
    return pack(head | given | {"output": list(shape)}, parts, prior, precision)


def check_precision(precision: str) -> None:
    """Raises LabError for a precision that there is not."""
    if precision not in get_args(Precision):
        raise refusal("precision", "one of " + ", ".join(get_args(Precision)), precision)


def pack(head: dict[str, Any], parts: Sequence[Part], prior: Tensors, precision: Precision) -> Packed:
    """Parts of a network, written; `head` are the facts of the description that the parts do not tell."""
    if not all(np.isfinite(part.weight).all() and np.isfinite(part.bias).all() for _, part in affine_parts(parts)):
        raise LabError("every weight must be a finite number. The run's are not: `latentlab show` says what went wrong in training.")
    writer = Writer(precision)
    rounded: dict[int, Rounded] = {}
    if precision == "int8" and head["network"] in DRAWING and all(map(is_followed, parts)):
        rounded = for_images(parts, typical_codes(head["input"][0], prior))
    elif precision == "int8":
        most = sum(part.weight.size for _, part in affine_parts(parts)) / 2
        coarse = {index for index, part in affine_parts(parts) if part.weight.size > most and part.weight.shape[1] >= MANY}
        weighed = [(index, part) for index, part in affine_parts(parts) if part.kind != "scale"]
        rounded = {index: nearest(part, COARSE if index in coarse else NARROW) for index, part in weighed}
    layers = [writer.layer(part, rounded.get(index)) for index, part in enumerate(parts)]
    description: dict[str, Any] = {"format": FORMAT, **head, "precision": precision, "layers": layers}
    if prior:
        description["prior"] = {key: writer.put(values, "fp32") for key, values in prior.items()}
    weights = writer.finish()
    return Packed(description | {"bytes": len(weights)}, weights)


def typical_codes(size: int, prior: Tensors) -> NDArray[np.float32]:
    """Codes [CODES, Z] of which images are drawn: every other one from the prior, the rest nearer its mean or further out.

    A page also walks along straight lines and planes through the mean, where draws of many units hardly come.
    """
    random = np.random.default_rng(0)
    z = random.standard_normal((CODES, size))
    z[::2] *= random.uniform(0, 1.25, (CODES // 2, 1))
    codes = prior["mean"] + z @ prior["scale"] if prior else z
    return codes.astype(np.float32)


def read_tensors(checkpoint: Path, name: str) -> Tensors:
    """A network's tensors by their name within it, averaged where the run averages, and an autoencoder's prior."""
    from safetensors import safe_open

    tensors: Tensors = {}
    with safe_open(str(checkpoint / checkpoints.TENSORS), framework="numpy") as file:
        keys = list(file.keys())
        averaged = f"average.{name}."
        prefix = averaged if any(key.startswith(averaged) for key in keys) else f"{name}."
        for key in keys:
            for start in (prefix, "extra."):
                if key.startswith(start):
                    tensors[key.removeprefix(start)] = file.get_tensor(key)
    return tensors


@dataclass
class Writer:
    """Tensors one behind the other, wide numbers first, so that each begins at a multiple of its size."""

    precision: Precision
    kept: dict[int, list[tuple[dict[str, Any], bytes]]] = field(default_factory=lambda: {4: [], 2: [], 1: []})

    def layer(self, part: Part, rounded: Rounded | None) -> dict[str, Any]:
        """A layer's description, its tensors kept."""
        if not isinstance(part, Affine):
            return part
        classes = {} if part.classes is None else {"classes": self.put(part.classes, "fp32")}
        if rounded is not None:
            return part.entry | {"weight": self.integers(rounded), "bias": self.put(rounded.bias, "fp32")} | classes
        weight = self.put(part.weight, "fp32" if part.kind == "scale" else self.precision)
        return part.entry | {"weight": weight, "bias": self.put(part.bias, "fp32")} | classes

    def put(self, values: NDArray[Any], kind: str) -> dict[str, Any]:
        """The entry of a tensor of floats. Raises LabError when a value is too large for its type."""
        with np.errstate(over="ignore"):
            stored = values.astype({"fp16": "<f2", "fp32": "<f4"}[kind])
        if not np.isfinite(stored).all():
            raise refusal("precision", f"one that holds every weight: {kind} does not", self.precision, "Try int8.")
        return self.keep(kind, values.shape, stored.itemsize, stored.tobytes())

    def integers(self, rounded: Rounded) -> dict[str, Any]:
        """The entry of a tensor of integers with its scales."""
        wide = np.abs(rounded.integers).max() > NARROW
        planes = [rounded.integers & 255, rounded.integers >> 8] if wide else [rounded.integers]
        data = b"".join(plane.astype(np.uint8).tobytes() for plane in planes)  # astype keeps the lowest eight bits
        entry = self.keep("int16" if wide else "int8", rounded.integers.shape, 1, data)
        entry["scales"] = self.put(rounded.steps, "fp32")
        return entry

    def keep(self, kind: str, shape: tuple[int, ...], width: int, data: bytes) -> dict[str, Any]:
        """The entry of a tensor, but for `at`, which `finish` knows."""
        entry: dict[str, Any] = {"type": kind, "shape": list(shape)}
        self.kept[width].append((entry, data))
        return entry

    def finish(self) -> bytes:
        """Every tensor in its place."""
        position, whole = 0, []
        for tensors in self.kept.values():
            for entry, data in tensors:
                entry["at"] = position
                position += len(data)
                whole.append(data)
        return b"".join(whole)


def embed(packed: Packed) -> dict[str, Any]:
    """For a page: {"description", "weights": raw deflate as base 85}, JSON-able, which `open` of explorer.js reads."""
    tried = [deflated(packed.weights, strategy) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY)]
    return {"description": packed.description, "weights": base85_encoded(min(tried, key=len))}


def deflated(data: bytes, strategy: int) -> bytes:
    """RFC 1951, without a header. Integers of noise hardly repeat: there the shorter codes of frequent ones are all the gain."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return deflate.compress(data) + deflate.flush()


def base85_encoded(data: bytes) -> str:
    """Bytes as text that can stand in a page: five characters for four bytes, where base64 takes six.

    A last group of n < 4 bytes becomes n + 1 characters.
    """
    return base64.b85encode(data).translate(bytes.maketrans(_ESCAPED, _PLAIN)).decode("ascii")


@cache
def module() -> str:
    """All of `static/*.js` that `explorer.js` needs, as one ES module without imports: it exports what that file exports."""
    return bundle.module(folder(), public(), "latentlabExplorer")


def public() -> dict[str, str]:
    """The names that the entry exports, and the file of each."""
    return {name: file for names, file in _EXPORTED.findall(bundle.text("explorer", ENTRY)) for name in names.split(", ")}


@cache
def style() -> str:
    """The explorer's own style sheet."""
    own = ".explorer-{hue} {{ --x-own: var(--explorer-{name}, {color}); }}\n"
    return bundle.text("explorer", "explorer.css") + palette.both(own, palette.FAMILIES)


def themes() -> str:
    """The colours of `.explorer-light` and `.explorer-dark`, for a host that knows whether its page is dark."""
    families = (f".explorer-{'dark' if dark else 'light'} {{ {palette.variables('explorer-', dark)}}}\n" for dark in (False, True))
    return bundle.text("explorer", "themes.css") + "".join(families)


def folder() -> Traversable:
    """Where the scripts lie."""
    return bundle.static("explorer")
