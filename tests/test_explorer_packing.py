"""Folding and rounding of weights for the browser: closed forms, automatic gradients, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from asread import base85_decoded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from latentlab.base.errors import LabError
from latentlab.config.layers import (
    Activation,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    Layers,
    Reshape,
    ResidualBlock,
    TransposedConvolution,
)
from latentlab.models.modules import Residual
from latentlab.models.nets import Decoder
from latentlab.show.explorer import base85_encoded, pack
from latentlab.show.explorer.network import Affine, Part, folded, forward, named, sensitivities
from latentlab.show.explorer.rounding import compensated, nearest


def in_doubles(parts: list[Part], x: torch.Tensor) -> torch.Tensor:
    """The parts as their documentation says, by torch in double precision."""
    skipped = x
    for part in parts:
        if not isinstance(part, Affine):
            match part["layer"]:
                case "reshape":
                    x = x.reshape(len(x), *part["shape"])
                case "flatten":
                    x = x.flatten(1)
                case "activation":
                    x = functional.elu(x) if part["name"] == "elu" else functional.leaky_relu(x, 0.2)
                case "skip":
                    skipped = x
                case "add":
                    x = x + skipped
            continue
        weight, bias, e = torch.from_numpy(part.weight), torch.from_numpy(part.bias), part.entry
        match part.kind:
            case "dense":
                x = functional.linear(x, weight, bias)
            case "convolution":
                x = functional.conv2d(x, weight, bias, e["stride"], e["padding"])
            case "transposed_convolution":
                x = functional.conv_transpose2d(x, weight.swapaxes(0, 1), bias, e["stride"], e["padding"], e["output_padding"])
            case "scale":
                x = x * weight.reshape(-1, *[1] * (x.ndim - 2)) + bias.reshape(-1, *[1] * (x.ndim - 2))
    return x


ELU = Activation("elu")
BLOCK = ["skip", *2 * ["transposed_convolution", "activation"], "transposed_convolution", "add"]
NORMALIZED: dict[str, tuple[Layers, tuple[int, ...], list[str]]] = {
    "dense": ((Dense(3, 4), BatchNorm(4, False), ELU, Dense(4, 2)), (3,), ["dense", "activation", "dense"]),
    "through a reshape": (
        (Dense(3, 24), Reshape((4, 2, 3)), BatchNorm(4, True), ELU, TransposedConvolution(4, 2, output_padding=(1, 0)), BatchNorm(2, True)),
        (3,),
        ["dense", "reshape", "activation", "transposed_convolution"],
    ),
    "smooth": (
        (
            Reshape((2, 3, 2)),
            TransposedConvolution(2, 3, output_padding=(0, 1), smooth=1),
            BatchNorm(3, True),
            ELU,
            TransposedConvolution(3, 2, 6, padding=2, smooth=2),
        ),
        (12,),
        ["reshape", "transposed_convolution", "activation", "transposed_convolution"],
    ),
    "convolution": (
        (Convolution(2, 5), BatchNorm(5, True), ELU, Flatten(), Dense(20, 3), BatchNorm(3, False)),
        (2, 5, 4),
        ["convolution", "activation", "flatten", "dense"],
    ),
    "around a residual block": (
        (Convolution(2, 3), ResidualBlock(3, 1), BatchNorm(3, True), ResidualBlock(3, 1), Flatten(), Dense(12, 2)),
        (2, 5, 4),
        ["convolution", *BLOCK, "scale", *BLOCK, "flatten", "dense"],
    ),
    "alone": ((BatchNorm(2, True), Convolution(2, 3), ELU, BatchNorm(3, True)), (2, 4, 4), ["scale", "convolution", "activation", "scale"]),
}


@pytest.mark.parametrize("case", NORMALIZED)
def test_folded_batch_norm_equals_the_unfolded_in_double_precision(case: str) -> None:
    layers, shape, kinds = NORMALIZED[case]
    torch.manual_seed(1)
    network = Decoder(layers).double()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                for values in (module.weight, module.bias, module.running_mean):
                    values.normal_()
                module.running_var.uniform_(0.1, 3)
            elif isinstance(module, Residual):
                module[-1].weight.normal_()
    parts = folded(named(layers), {name: value.numpy() for name, value in network.state_dict().items()}.__getitem__)
    assert [part.kind if isinstance(part, Affine) else part["layer"] for part in parts] == kinds
    x = torch.randn(6, *shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(in_doubles(parts, x), network.eval()(x), rtol=1e-12, atol=1e-12)


def affine(seed: int, outputs: int, inputs: int, spread: float = 1.0) -> Affine:
    random = np.random.default_rng(seed)
    sizes = np.exp(spread * random.standard_normal((outputs, 1)))
    entry = {"layer": "dense", "inputs": inputs, "outputs": outputs}
    return Affine(entry, sizes * random.standard_normal((outputs, inputs)), random.standard_normal(outputs))


def test_weights_that_no_page_can_show_are_refused() -> None:
    part = affine(0, 4, 3)
    head = {"network": "decoder", "input": [3], "output": [1, 2, 2]}
    reshape = {"layer": "reshape", "shape": [1, 2, 2]}
    part.weight[0, 0] = 1e6
    assert pack(head, [part, reshape], {}, "int8").description["layers"][0]["weight"]["type"] == "int8"
    with pytest.raises(LabError, match=r"precision must be one that holds every weight: fp16 does not\. Got 'fp16'\. Try int8\."):
        pack(head, [part, reshape], {}, "fp16")
    part.weight[0, 0] = np.nan
    for precision in ("int8", "fp16", "fp32"):
        with pytest.raises(LabError, match="every weight must be a finite number"):
            pack(head, [part, reshape], {}, precision)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), outputs=st.integers(1, 9), inputs=st.integers(1, 40), zeros=st.booleans())
def test_rounding_to_the_nearest_errs_by_half_a_step_of_its_channel(seed: int, outputs: int, inputs: int, zeros: bool) -> None:
    part = affine(seed, outputs, inputs, spread=3)
    if zeros:
        part.weight[0] = 0
    rounded = nearest(part)
    assert np.abs(rounded.integers).max() <= 127
    assert (np.abs(rounded.values - part.weight) <= 0.5001 * rounded.steps[:, None]).all()
    largest = np.abs(part.weight).max(1)
    np.testing.assert_allclose(rounded.steps[largest > 0], largest[largest > 0] / 127, rtol=1e-6)
    assert np.isfinite(rounded.values).all()


def test_compensated_rounding_errs_less_where_inputs_can_make_up_for_each_other() -> None:
    random = np.random.default_rng(3)
    part = affine(3, 20, 48, spread=0)
    x = (np.tanh(random.standard_normal((900, 6)) @ random.standard_normal((6, 48))) + 0.3).astype(np.float32)
    steps = np.full(20, 0.2, np.float32)
    plain = np.rint(part.weight / 0.2) * 0.2
    rounded = compensated(part, steps, x[:600])
    held_out = x[600:].astype(np.float64)
    errors = [
        np.sqrt(((held_out @ (w - part.weight).T + b - part.bias) ** 2).mean())
        for w, b in ((plain, part.bias), (rounded.values, rounded.bias))
    ]
    assert errors[1] < 0.5 * errors[0]
    assert np.abs((held_out @ (rounded.values - part.weight).T + rounded.bias - part.bias).mean()) < 0.1 * errors[1]


def test_sensitivities_are_the_mean_squares_of_automatic_gradients() -> None:
    layers: Layers = (
        Dense(3, 18),
        Reshape((2, 3, 3)),
        ELU,
        ResidualBlock(2, 1),
        TransposedConvolution(2, 3, output_padding=(1, 0)),
        ELU,
        TransposedConvolution(3, 1),
    )
    torch.manual_seed(0)
    network = Decoder(layers)
    nn.init.normal_(network.layers[3][-1].weight)
    parts = folded(named(layers), {name: value.numpy() for name, value in network.state_dict().items()}.__getitem__)
    codes = torch.randn(5, 3)
    with torch.no_grad():
        np.testing.assert_allclose(forward(parts, codes.numpy())[-1], network(codes).numpy(), atol=1e-5)
    signs = torch.randint(0, 2, (5, *network(codes).shape[1:])) * 2.0 - 1
    found = sensitivities(parts, codes.numpy(), signs.numpy())
    squares: dict[str, torch.Tensor] = {}
    for code, sign in zip(codes, signs, strict=True):
        network.zero_grad()
        (torch.sigmoid(network(code[None])) * sign).sum().backward()
        for name, parameter in network.named_parameters():
            squares[name] = squares.get(name, 0) + parameter.grad**2 / len(codes)
    names = {0: "0", 4: "3.0", 6: "3.2", 8: "3.4", 10: "4", 12: "6"}
    assert sorted(found) == list(names)
    for index, values in found.items():
        theirs = squares[f"layers.{names[index]}.weight"]
        theirs = theirs if index == 0 else theirs.flip(2, 3) if "." in names[index] else theirs.swapaxes(0, 1)
        np.testing.assert_allclose(values, theirs.numpy(), rtol=1e-3, atol=1e-9)


@given(st.binary(max_size=64))
def test_bytes_stand_in_a_page_as_text_that_needs_no_escape(data: bytes) -> None:
    words = base85_encoded(data)
    assert base85_decoded(words) == data
    assert len(words) == len(data) + -(-len(data) // 4)
    assert not set(words) & set("<>&\"'\\")
    assert json.loads(json.dumps({"weights": words}))["weights"] == words
