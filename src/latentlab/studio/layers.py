"""The networks of a configuration before they are trained: as a picture, and as a table of every layer, its shape, its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import number
from latentlab.config.layers import (
    Activation,
    BatchDeviation,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    Layers,
    Mean,
    Reshape,
    ResidualBlock,
    Shape,
    Spread,
    TransposedConvolution,
    parameter_count,
    shape_after,
)
from latentlab.config.networks import fit_model, pictures
from latentlab.config.schema import Config
from latentlab.studio.state import lang, plain, say, shown, told

DRAWING = ("decoder", "generator")  # the networks that begin with a code


@dataclass(frozen=True)
class Row:
    """Layers that are read as one: a product with what follows it element by element."""

    words: str
    shape: Shape
    parameters: int


def rows(layers: Layers, start: Shape) -> list[Row]:
    """One row for each layer that computes; normalisation and activation stand with the layer before them.

    `start` is the shape of what goes in, (C, H, W) or (F,).
    """
    lines: list[Row] = []
    shape = start
    for layer in layers:
        shape = shape_after(layer, shape)
        match layer:
            case Dense():
                words = say("studio.layer.dense")
            case Convolution():
                words = say("studio.layer.convolution", kernel=layer.kernel, stride=layer.stride)
            case TransposedConvolution():
                words = say("studio.layer.transposed", kernel=layer.kernel, stride=layer.stride)
            case BatchNorm():
                words = say("studio.layer.batch_norm")
            case BatchDeviation():
                words = say("studio.layer.deviation")
            case ResidualBlock():
                words = say("studio.layer.residual")
            case Activation():
                words = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU"}.get(layer.name, layer.name)
            case Flatten():
                continue
            case Spread() | Mean():  # of the likelihood: what is drawn is an image all the same
                last = lines.pop()
                shape = shape if isinstance(layer, Mean) else last.shape
                lines.append(Row(last.words, shape, last.parameters + parameter_count((layer,))))
                continue
            case Reshape():
                last = lines.pop()
                lines.append(Row(last.words, shape, last.parameters))
                continue
        count = parameter_count((layer,))
        if isinstance(layer, BatchNorm | BatchDeviation | Activation) and lines:
            last = lines.pop()
            lines.append(Row(f"{last.words} + {words}", shape, last.parameters + count))
        else:
            spectral = getattr(layer, "spectral", False)
            lines.append(Row(words + (f" ({say('studio.layer.spectral')})" if spectral else ""), shape, count))
    return lines


def starts(config: Config, shape: tuple[int, int, int]) -> Iterator[tuple[str, Layers, Shape]]:
    """Each network for images of `shape` (H, W, C) with its layers and the shape that goes in. LabError for a form that does not fit."""
    height, width, channels = shape
    model = fit_model(config.model, shape)
    for name, layers in pictures(model, shape).items():
        yield name, layers, (model.latent_dim,) if name in DRAWING else (channels, height, width)


def draw(config: Config, shape: tuple[int, int, int]) -> None:
    """The networks as a picture on the page, and folded under it what the preset says of itself and every layer."""
    try:
        st.html(picture(config, shape))
    except LabError as error:
        st.error(plain(told(error)), icon=":material/error:")
        return
    chosen = shown("preset")  # a teacher may hide which it is
    name = say("studio.train.about", preset=config.preset) if chosen else say("studio.train.group.networks")
    with st.expander(name, icon=":material/info:"):
        if chosen:
            st.markdown(plain(say(f"studio.preset.{config.preset}.about")))
        st.html(drawing(config, shape))


def picture(config: Config, shape: tuple[int, int, int]) -> str:
    """The networks as HTML, a block for each layer: as high as the logarithm of its maps' side or its numbers, as wide as its channels."""
    parts, kind = [], config.kind
    for name, layers, start in starts(config, shape):
        blocks = rows(layers, start)
        if name == "encoder":  # whose last layer gives what z is drawn from, and the decoder begins with z
            blocks = [Row(say("studio.layer.image"), start, 0), *blocks[:-1]]
        elif name in DRAWING:
            blocks = [Row(say("studio.layer.code"), start, 0), *blocks]
        drawn = "".join(_block(block, name in DRAWING and number == 0) for number, block in enumerate(blocks))
        total = say("studio.layer.total", count=number_of(parameter_count(layers)))
        said = f"<strong>{escape(say(f'network.{name}'))}</strong> {escape(total)}"
        parts.append(f'<figure data-network="{name}"><div class="latentlab-blocks">{drawn}</div><figcaption>{said}</figcaption></figure>')
    return f'<div class="latentlab-net latentlab-{kind}">{"".join(parts)}</div>'


def _block(row: Row, code: bool) -> str:
    if len(row.shape) == 3:
        channels, height, width = row.shape
        high, wide = 12 + 15 * math.log2(max(height, width)), 6 + 4 * math.log2(channels + 1)
        size = f"{height}²" if height == width else f"{height}×{width}"
        words = size + (f" · {channels}" if channels > 1 else "")
    else:
        high, wide, words = 12 + 9 * math.log2(row.shape[0] + 1), 10.0, f"z {row.shape[0]}" if code else str(row.shape[0])
    kind = ' class="latentlab-code"' if code else ""
    said = [row.words, _size(row.shape)] + ([say("studio.layer.total", count=number_of(row.parameters))] if row.parameters else [])
    title = escape(" · ".join(said))
    block = f'<i{kind} data-shape="{",".join(map(str, row.shape))}" style="height:{high:.0f}px;width:{wide:.0f}px"></i>'
    return f'<span title="{title}">{block}<small>{words}</small></span>'


def drawing(config: Config, shape: tuple[int, int, int]) -> str:
    """The networks as HTML tables for images of `shape` (H, W, C). Raises LabError for a form that such images do not allow."""
    parts = []
    for name, layers, start in starts(config, shape):
        body = _line(say("studio.layer.code" if name in DRAWING else "studio.layer.image"), start, None)
        body += "".join(_line(row.words, row.shape, row.parameters) for row in rows(layers, start))
        total = say("studio.layer.total", count=number_of(parameter_count(layers)))
        head = f"<caption><strong>{escape(say(f'network.{name}'))}</strong> {escape(total)}</caption>"
        columns = "".join(f'<th scope="col">{escape(say(f"studio.layer.column.{column}"))}</th>' for column in ("layer", "shape", "count"))
        parts.append(f"<table>{head}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>")
    return f'<div class="latentlab-networks">{"".join(parts)}</div>'


def _line(words: str, shape: Shape, count: int | None) -> str:
    parameters = "" if count is None else number_of(count)
    return f"<tr><td>{escape(words)}</td><td>{_size(shape)}</td><td>{parameters}</td></tr>"


def _size(shape: Shape) -> str:
    return " × ".join(map(str, (*shape[1:], shape[0]) if len(shape) == 3 else shape))


def number_of(count: int) -> str:
    """A count as the page's language writes it."""
    return number(count, lang())
