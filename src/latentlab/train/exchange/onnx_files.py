"""ONNX: one file for each network, any batch size, compared with torch by onnxruntime before it is kept.

FILE.onnx           z [N, Z] → image [N, C, H, W] in [0, 1]: the mean of p(x|z), a GAN's generator
FILE-encoder.onnx   image [N, C, H, W] in [0, 1] → mean [N, Z] and log_var [N, Z] of a VAE, code [N, Z] of an autoencoder
FILE-prior.onnx     of an autoencoder: a standard normal [N, Z] → z, a draw of the Gaussian fitted to its codes
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from latentlab.base import __version__
from latentlab.base.errors import LabError
from latentlab.base.files import replace_bytes
from latentlab.config.networks import classes_of
from latentlab.config.sources import named
from latentlab.train.exchange.plain import plain_networks, prior_of

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

BATCHES = (1, 2, 7)
TOLERANCE = 1e-4


class Part(NamedTuple):
    """One file."""

    suffix: str  # of its name
    network: nn.Module
    given: dict[str, tuple[int, ...]]  # its inputs' names, and the shape of one of each
    gives: tuple[str, ...]


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write the files, all of them or none. Raises LabError for a network that cannot be traced, or differs from torch's."""
    about = {"preset": run.config.preset, "data": named(run.config.data.spec), "step": str(run.step), "latentlab": __version__}
    content = {out.with_stem(out.stem + part.suffix): _model(part, about) for part in parts_of(run)}
    for path, model in content.items():
        replace_bytes(path, model)
    return list(content)


def parts_of(run: Trained) -> list[Part]:
    """What is written of a run; its discriminator is not. Of a class-conditional one z has the class behind it, one-hot: [N, Z + K].

    Its encoder takes that class beside the image, [N, K].
    """
    networks, size = plain_networks(run), run.config.model.latent_dim + classes_of(run.config.model)
    height, width, channels = run.image_shape
    drawing = nn.Sequential(networks.get("decoder") or networks["generator"], nn.Sigmoid())
    parts = [Part("", drawing, {"z": (size,)}, ("image",))]
    if encoder := networks.get("encoder"):
        gives = ("mean", "log_var") if run.config.family == "vae" else ("code",)
        given: dict[str, tuple[int, ...]] = {"image": (channels, height, width)}
        if classes := classes_of(run.config.model):
            given["label"] = (classes,)
        parts.append(Part("-encoder", encoder, given, gives))
    if prior := prior_of(run):
        draw = nn.Linear(size, size)
        draw.load_state_dict({"weight": prior["prior_scale"].T, "bias": prior["prior_mean"]})
        parts.append(Part("-prior", draw, {"normal": (size,)}, ("z",)))
    return parts


def _model(part: Part, about: dict[str, str]) -> bytes:
    """One network as the bytes of an ONNX model that says what it is. Raises LabError."""
    import onnx

    what, before = f"the network from {next(iter(part.given))} to {part.gives[0]}", logging.root.manager.disable
    names: dict[str, Any] = {"input_names": list(part.given), "output_names": part.gives, "verbose": False}
    logging.disable(logging.WARNING)  # of packages that are not needed
    try:
        count, examples = torch.export.Dim("N"), tuple(torch.zeros(2, *shape) for shape in part.given.values())
        sizes = tuple({0: count} for _ in examples)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(part.network.eval(), examples, dynamo=True, dynamic_shapes=sizes, **names)
        model = program.model_proto  # made anew at each look
        graph = model.graph
        for entry in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
            del entry.metadata_props[:]  # where in whose files each operation was written
        onnx.helper.set_model_props(model, about)
        content: bytes = model.SerializeToString()
        apart = difference(content, part)
    except Exception as error:  # what somebody's own network does can be anything
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        why = f"{type(cause).__name__}: {cause}".strip().splitlines()[0][:200]
        raise LabError(f"{what} cannot be written as ONNX ({why}). Use --format safetensors.") from error
    finally:
        logging.disable(before)
    if not apart <= TOLERANCE:
        raise LabError(
            f"{what} must give in ONNX what it gives in torch, within {TOLERANCE:g}. It is off by {apart:.3g}: nothing was kept."
        )
    return content


def difference(content: bytes, part: Part) -> float:
    """The largest difference of an output that onnxruntime and torch compute of the same inputs, over several batch sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    apart = []
    for count in BATCHES:
        source = np.random.default_rng(count)
        given = {name: source.random((count, *shape), np.float32) for name, shape in part.given.items()}
        with torch.no_grad():
            out = part.network(*map(torch.from_numpy, given.values()))
        wanted = out if isinstance(out, tuple) else (out,)
        apart += [np.abs(got - one.numpy()).max() for got, one in zip(session.run(None, given), wanted, strict=True)]
    return float(np.max(apart))  # NaN where one is
