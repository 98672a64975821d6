"""The two networks of a configuration as a reader sees them before they are trained: every layer, its shape, its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from latentlab.base.texts import number
from latentlab.config.layers import (
    Activation,
    BatchNorm,
    Convolution,
    Dense,
    Flatten,
    Layers,
    Reshape,
    Shape,
    TransposedConvolution,
    fit_model,
    networks,
    parameter_count,
    shape_after,
)
from latentlab.config.schema import Config
from latentlab.studio.words import lang, say


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
    found: list[Row] = []
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
            case Activation():
                words = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU"}.get(layer.name, layer.name)
            case Flatten():
                continue
            case Reshape():
                last = found.pop()
                found.append(Row(last.words, shape, last.parameters))
                continue
        count = parameter_count((layer,))
        if isinstance(layer, BatchNorm | Activation) and found:
            last = found.pop()
            found.append(Row(f"{last.words} + {words}", shape, last.parameters + count))
        else:
            spectral = getattr(layer, "spectral", False)
            found.append(Row(words + (f" ({say('studio.layer.spectral')})" if spectral else ""), shape, count))
    return found


def drawing(config: Config, shape: tuple[int, int, int]) -> str:
    """The networks as HTML tables for images of `shape` (H, W, C). Raises LabError for a form that such images do not allow."""
    height, width, channels = shape
    model = fit_model(config.model, shape)
    parts = []
    for name, layers in networks(model, shape).items():
        drawn = name in ("decoder", "generator")
        start: Shape = (model.latent_dim,) if drawn else (channels, height, width)
        body = _line(say("studio.layer.code" if drawn else "studio.layer.image"), start, None)
        body += "".join(_line(row.words, row.shape, row.parameters) for row in rows(layers, start))
        total = say("studio.layer.total", count=number(parameter_count(layers), lang()))
        head = f"<caption><strong>{escape(say(f'network.{name}'))}</strong> {escape(total)}</caption>"
        columns = "".join(f'<th scope="col">{escape(say(f"studio.layer.column.{column}"))}</th>' for column in ("layer", "shape", "count"))
        parts.append(f"<table>{head}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>")
    return f'<div class="latentlab-networks">{"".join(parts)}</div>'


def _line(words: str, shape: Shape, count: int | None) -> str:
    size = " × ".join(map(str, (*shape[1:], shape[0]) if len(shape) == 3 else shape))
    parameters = "" if count is None else number(count, lang())
    return f"<tr><td>{escape(words)}</td><td>{size}</td><td>{parameters}</td></tr>"
