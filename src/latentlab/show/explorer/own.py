"""A network of somebody's own as a page can show it: as layers that the page runs, else as images of one plane of codes. No torch."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import Damaged, LabError
from latentlab.base.images import Images
from latentlab.base.seeding import latents
from latentlab.config.layers import LEAKY_SLOPE, Activation, BatchNorm, Convolution, Dense, Flatten, Layer, Reshape, TransposedConvolution
from latentlab.runs.code import FOLDER, PLANE, RECORD, Form, kept
from latentlab.runs.forms import damaged
from latentlab.runs.rebuilt import LAYERS
from latentlab.show.explorer.codes import class_plane, widest_plane
from latentlab.show.explorer.network import BATCH_NORM_EPSILON

SIDE = 17  # images in a row of the plane that is drawn beforehand
REACH = 2.5  # of it to either side, in standard deviations of the codes
CHAINS = ("Sequential", "Chain", "Encoder", "GaussianEncoder", "Decoder")
NOTHING = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "AlphaDropout")  # in evaluation mode

Floats = NDArray[Any]
Named = list[tuple[str, Layer]]  # with what the names of its tensors begin with


def network_layers(folder: Path, name: str) -> Named:
    """A kept network as layers that a page runs. Raises LabError for one that has others, naming the first, and Damaged."""
    forms = kept(folder)
    try:
        form = forms[name]
        return layers_of(form, form)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"{folder / FOLDER / RECORD} is damaged ({type(error).__name__}: {error}). Restore it from a copy.") from None


def layers_of(form: Form, whole: Form, prefix: str = "layers.") -> Named:
    """The layers of a part of a form. Raises LabError for one that a page has not."""
    if "same" in form:  # it stands in two places: what learns nothing may
        for key in form["same"].split("."):
            whole = whole["modules"][key]
        if whole["parameters"] or whole["buffers"] or whole["modules"]:
            raise LabError("a page cannot run a layer that is used twice.")
        form = whole
    kind, attributes = form.get("class", {}), {key: _plain(value) for key, value in form.get("attributes", {}).items()}
    module, name = str(kind.get("module")), str(kind.get("name"))
    if module not in LAYERS and not module.startswith("torch.nn.modules."):
        raise LabError(f"a page cannot run {name}.")
    if name in CHAINS:
        return [layer for key, child in form["modules"].items() for layer in layers_of(child, whole, f"{prefix}{key}.")]
    if name in NOTHING:
        return []
    made = _layer(name, attributes, form)
    if made is None or any("same" in (tensor or {}) for tensor in form["parameters"].values()):
        raise LabError(f"a page cannot run {name} as it is set here.")
    return [(prefix, made)]


def _layer(name: str, a: dict[str, Any], form: Form) -> Layer | None:
    """The description of a layer; None for one that the page has not, or has otherwise."""
    by = [one["class"]["name"] for each in form.get("parametrized", {}).values() for one in each["by"]]
    square = all(len(set(a[key])) == 1 for key in ("kernel_size", "stride", "padding") if isinstance(a.get(key), tuple))
    plain = square and (a.get("groups", 1), a.get("padding_mode", "zeros"), set(a.get("dilation", (1,)))) == (1, "zeros", {1})
    spectral = by == ["_SpectralNorm"]
    sizes = {} if "kernel_size" not in a or isinstance(a["padding"], str) else {
        "kernel": a["kernel_size"][0], "stride": a["stride"][0], "padding": a["padding"][0],
    }  # fmt: skip
    match name:
        case "Linear" if not by or spectral:
            return Dense(a["in_features"], a["out_features"], spectral=spectral)
        case "Conv2d" if plain and sizes and (not by or spectral):
            return Convolution(a["in_channels"], a["out_channels"], **sizes, spectral=spectral)
        case "ConvTranspose2d" if plain and sizes and by in ([], ["Blurred"]):
            boxes = sum(one["attributes"]["boxes"] for each in form.get("parametrized", {}).values() for one in each["by"])
            return TransposedConvolution(a["in_channels"], a["out_channels"], **sizes, output_padding=a["output_padding"], smooth=boxes)
        case "BatchNorm1d" | "BatchNorm2d" if a["affine"] and a["track_running_stats"] and a["eps"] == BATCH_NORM_EPSILON:
            return BatchNorm(a["num_features"], spatial=name == "BatchNorm2d")
        case "ReLU" | "Tanh":
            return Activation(name.lower())
        case "LeakyReLU" if a["negative_slope"] == LEAKY_SLOPE:
            return Activation("leaky_relu")
        case "ELU" if a["alpha"] == 1:
            return Activation("elu")
        case "Flatten" if (a["start_dim"], a["end_dim"]) == (1, -1):
            return Flatten()
        case "Unflatten" if a["dim"] == 1 and len(a["unflattened_size"]) == 3:
            return Reshape(tuple(a["unflattened_size"]))
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("tuple", "list", "size"):
        return tuple(map(_plain, next(iter(value.values()))))
    return value


def square(codes: Mapping[str, NDArray[Any]] | None, mean: Floats, scale: Floats, seed: int) -> dict[str, NDArray[Any]]:
    """The square of codes that is drawn beforehand: its middle [Z], and its two half-sides [2, Z], REACH standard deviations of the prior.

    It lies where held-out codes or their classes spread most, as the map begins; without codes at the distance of typical z.
    The prior is mean [Z] + z · scale [Z, Z].
    """
    middle, size = mean, len(mean)
    if codes is not None:
        by_class = class_plane(codes["mean"], codes["label"]) if "label" in codes else None
        axes = widest_plane(codes["mean"]) if by_class is None else by_class
    else:
        draws = latents(3, size, seed).astype(np.float64)
        axes = np.linalg.qr(draws[:2].T)[0].T if size > 1 else np.eye(2, 1)
        middle = draws[2] - (draws[2] @ axes.T) @ axes
    spread = np.linalg.norm(scale @ axes.T, axis=0)[:, None]
    return {"origin": middle, "axes": REACH * spread * axes, "prior_mean": mean, "prior_scale": scale}


def read_plane(folder: Path) -> dict[str, Any] | None:
    """The images that a run has drawn beforehand on a plane of its codes, as a page takes them; None where it has none.

    Raises Damaged for a file that is not of that form.
    """
    path = folder / PLANE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        images: Images = arrays["images"]
        size = len(arrays["origin"])
        whole = images.dtype == np.uint8 and images.ndim == 4 and len(images) == SIDE**2 and arrays["axes"].shape == (2, size)
        whole = whole and arrays["prior_mean"].shape == (size,) and arrays["prior_scale"].shape == (size, size)
    except Exception as error:  # what no whole .npz is, or one of something else, can raise anything
        raise damaged(path, type(error).__name__) from None
    if not whole:
        raise damaged(path, "its arrays are of other shapes")
    written = {
        name: base64.b64encode(arrays[name].astype("<f4").tobytes()).decode() for name in ("origin", "axes", "prior_mean", "prior_scale")
    }
    return written | {"images": images, "side": SIDE, "shape": [images.shape[3], *images.shape[1:3]]}
