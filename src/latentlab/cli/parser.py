"""argparse with one-line refusals, and options drawn from the configuration's own declarations."""

from __future__ import annotations

import argparse
import difflib
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Literal, NoReturn, get_args, get_origin

from latentlab.base.errors import LabError, refusal
from latentlab.config.presets import read_value
from latentlab.config.schema import AutoencoderModel, AutoencoderTrain, DataConfig, GANModel, GANTrain, VAEModel, VAETrain, describe, hints

# The contract's short names; every field also has its dotted name.
SHORT = {
    "--data": "data.spec",
    "--data-root": "data.root",
    "--latent-dim": "model.latent_dim",
    "--hidden": "model.hidden",
    "--epochs": "train.epochs",
    "--steps": "train.steps",
    "--batch-size": "train.batch_size",
    "--beta": "train.beta",
    "--learning-rate": "train.learning_rate",
    "--generator-learning-rate": "train.generator_learning_rate",
    "--discriminator-learning-rate": "train.discriminator_learning_rate",
    "--seed": "train.seed",
    "--threads": "train.threads",
    "--device": "train.device",
    "--precision": "train.precision",
    "--engine": "train.engine",
    "--generator-from": "train.generator_from",
}
_KINDS = (DataConfig, AutoencoderModel, VAEModel, GANModel, AutoencoderTrain, VAETrain, GANTrain)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are LabErrors, with the nearest known option where one was mistyped."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"latentlab {command}", description=description, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The arguments, or a LabError that names the one that is wrong."""
        found, unknown = self.parse_known_args(list(arguments))
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(unknown[0].partition("=")[0], options, 1)
            hint = f"Did you mean {near[0]}?" if near else f"`{self.prog} --help` lists what it takes."
            raise LabError(f"{self.prog} has no {'option' if unknown[0].startswith('-') else 'place for'} {unknown[0]!r}. {hint}")
        return found

    def error(self, message: str) -> NoReturn:
        """argparse's own complaints in our form."""
        message = re.sub(r"^argument ", "", message)
        raise LabError(f"{self.prog}: {message}. `{self.prog} --help` shows how.")


def whole(text: str, name: str, minimum: int = 0, maximum: int | None = None) -> int:
    """An integer from the command line, within bounds."""
    bounds = {"minimum": minimum, "maximum": maximum}
    try:
        value = int(text)
    except ValueError:
        value = minimum - 1
    if value < minimum or (maximum is not None and value > maximum):
        raise refusal(name, describe(int, bounds), text)
    return value


def number(text: str, name: str, above: float | None = None) -> float:
    """A finite number from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf") or (above is not None and value <= above):
        raise refusal(name, describe(float, {"above": above}), text)
    return value


def integers(text: str, name: str, count: int | None = None) -> list[int]:
    """A list such as "3,14"; exactly `count` of them if given."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,18}", part) for part in parts) or (count is not None and len(parts) != count):
        raise refusal(name, f"{count or 'some'} integers with commas between, such as {','.join(map(str, range(count or 3)))}", text)
    return [int(part) for part in parts]


def add_config_options(parser: Parser) -> None:
    """Every field of every family as an option; whether the chosen preset has it is checked by `config_changes`."""
    short = {target: option for option, target in SHORT.items()}
    seen: set[str] = set()
    groups = {part: parser.add_argument_group(part) for part in ("data", "model", "train")}
    for kind in _KINDS:
        part = "data" if kind is DataConfig else "model" if kind.__name__.endswith("Model") else "train"
        types_ = hints(kind)
        for item in fields(kind):
            name = f"{part}.{item.name}"
            if name in seen:
                continue
            seen.add(name)
            dashed = f"--{part}.{item.name.replace('_', '-')}"
            options = [short[name]] if name in short else []
            options += [dashed] + ([f"--{name}"] if "_" in item.name else [])
            text = f"{item.metadata['help']} ({describe(types_[item.name], item.metadata)})".replace("%", "%%")
            groups[part].add_argument(*options, dest=name, default=argparse.SUPPRESS, metavar=_metavar(types_[item.name]), help=text)
    groups["data"].add_argument(
        "--offline", dest="data.offline", action="store_const", const="true", default=argparse.SUPPRESS, help="as --data.offline true"
    )


def _metavar(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    if get_origin(kind) is tuple:
        return "N[,N…]"
    if get_origin(kind) in (types.UnionType, typing.Union):
        return _metavar(next(a for a in get_args(kind) if a is not type(None)))
    return {int: "N", float: "X", bool: "true|false"}.get(kind, "TEXT")


def config_changes(found: argparse.Namespace, config: Any) -> dict[str, Any]:
    """The options that were given, as values for `Config.replace`. Raises LabError for what the preset does not have."""
    changes = {name: read_value(text, kind, option, info) for name, text, kind, option, info in _given(found, config)}
    return _one_length(changes)


def config_alternatives(found: argparse.Namespace, config: Any) -> dict[str, list[Any]]:
    """The options that were given, each as the list of its alternatives: "2,8,32", or "400/256,128" where a value is itself a list.

    A field of the data has one value, which may hold commas. Raises LabError as `config_changes` does, and for a value given twice.
    """
    alternatives: dict[str, list[Any]] = {}
    for name, text, kind, option, info in _given(found, config):
        mark = "/" if get_origin(kind) is tuple else ","
        texts = [text] if name.startswith("data.") else [part.strip() for part in text.split(mark)]
        values = [read_value(part, kind, option, info) for part in texts]
        twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
        if len(set(values)) < len(values):
            raise LabError(f"{option} must name each alternative once. Got {text!r}, with {twice} twice. Leave one out.")
        alternatives[name] = values
    return _one_length(alternatives)


def _given(found: argparse.Namespace, config: Any) -> Iterator[tuple[str, str, Any, str, typing.Mapping[str, Any]]]:
    """(name, text, type, option, bounds) of each field that was given. Raises LabError for one that the preset does not have."""
    parts = dict(config.parts())
    for name, text in vars(found).items():
        part, dot, leaf = name.partition(".")
        if not dot:
            continue
        option = option_of(name)
        kinds = hints(type(parts[part]))
        if leaf not in kinds:
            near = difflib.get_close_matches(leaf, [k for k in kinds if leaf in k or k in leaf] or list(kinds), 3, 0.3)
            known = ", ".join(f"--{part}.{n.replace('_', '-')}" for n in near)
            raise LabError(
                f"{option} {text} is not an option of {config.preset}. It has {known}; `latentlab presets {config.preset}` shows all."
            )
        yield name, text, kinds[leaf], option, next(f for f in fields(parts[part]) if f.name == leaf).metadata


def option_of(name: str) -> str:
    """The option of a field: its short one where there is one, else its dotted name."""
    return next((option for option, target in SHORT.items() if target == name), f"--{name.replace('_', '-')}")


def _one_length(changes: dict[str, Any]) -> dict[str, Any]:
    if "train.epochs" in changes and "train.steps" in changes:
        raise LabError("--epochs and --steps were both given; the length must be one of them. Leave one out.")
    return changes
