"""argparse with one-line refusals: typed options, groups of options that commands share, and options drawn from the configuration."""

from __future__ import annotations

import argparse
import difflib
import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn

from latentlab.base.errors import LabError
from latentlab.base.texts import languages
from latentlab.config.field import Field
from latentlab.config.parts import every_field
from latentlab.config.presets import PRESETS, preset
from latentlab.config.schema import Config, one_length
from latentlab.config.sources import parse


class Parser(argparse.ArgumentParser):
    """A parser whose errors are LabErrors, with the nearest known option where one was mistyped."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"latentlab {command}", description=description, allow_abbrev=False)
        self._negative_number_matcher = re.compile(r"-\d")  # a value such as -1,2 is no option
        self.needed: list[argparse.Action] = []  # refused by the command itself, after what is worse

    def need(self, action: argparse.Action) -> None:
        """Show an option as one that must be given."""
        self.needed.append(action)

    def format_help(self) -> str:
        """The help, which argparse asks for last of all."""
        for action in self.needed:
            action.required = True
        return super().format_help()

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The arguments, typed ones read, or a LabError that names the one that is wrong."""
        options, unknown = self.parse_known_args(list(arguments))
        if unknown:
            known = [option for action in self._actions for option in action.option_strings if action.help != argparse.SUPPRESS]
            near = nearest(unknown[0].partition("=")[0], known)
            hint = f"Did you mean {near}?" if near else f"`{self.prog} --help` lists what it takes."
            raise LabError(f"{self.prog} has no {'option' if unknown[0].startswith('-') else 'place for'} {unknown[0]!r}. {hint}")
        for name, value in vars(options).items():
            if isinstance(value, functools.partial):
                setattr(options, name, value())
        for action in self._actions:
            if re.match("DIR|FILE|RUN|STEM", str(action.metavar)) and (value := getattr(options, action.dest, None)):
                home = os.path.expanduser  # which a shell leaves alone in --out=~/run
                setattr(options, action.dest, [home(each) for each in value] if isinstance(value, list) else home(value))
        return options

    def error(self, message: str) -> NoReturn:
        """argparse's own complaints in our form."""
        message = re.sub(r"^argument ", "", message)
        raise LabError(f"{self.prog}: {message}. `{self.prog} --help` shows how.")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The option that was meant: spelled nearly so, or of these initials, as --lr for --learning-rate."""
    leaves = {option: option.lstrip("-").rpartition(".")[2] for option in known if option not in ("-h", "--help")}
    meant = [option for option, leaf in leaves.items() if "".join(part[:1] for part in re.split("[-_]", leaf)) == word.lstrip("-")]
    return next(iter(meant or difflib.get_close_matches(word, list(leaves), 1)), None)


def named_spec(text: str) -> str:
    """A SPEC that names a source there is, in the source's own spelling. Raises LabError."""
    source = parse(text).source
    return text.strip() if source.placed else source.name


def add_value(
    parser: argparse._ActionsContainer,
    name: str,
    kind: Any,
    help: str | None,
    usual: Any = None,
    metavar: str = "",
    bare: Any = None,
    **about: Any,
) -> None:
    """An option with a type and bounds (`about`, see `Field`), refused as a field of the configuration is; `usual` without it.

    With `bare` it may stand without a value, and has that then.

    It is read when argparse has taken the whole line, so that what is no option at all is told first.
    """
    field = Field(name, kind, **about)
    alone = {} if bare is None else {"nargs": "?", "const": bare}
    shown = metavar or field.metavar
    parser.add_argument(name, type=lambda text: functools.partial(field.read, text), default=usual, metavar=shown, help=help, **alone)


# Options that several commands share.


def add_lang(parser: Parser, help: str) -> None:
    """`--lang`, English without."""
    known = languages()
    add_value(parser, "--lang", Literal[known], f"{help} ({known[0]})", known[0])


def add_data(parser: Parser, help: str, usual: str | None = None) -> None:
    """`--data`, a SPEC."""
    parser.add_argument("--data", type=lambda text: functools.partial(named_spec, text), default=usual, metavar="SPEC", help=help)


def add_data_root(parser: Parser) -> None:
    """`--data-root` and `--offline`: where named sets lie, and whether they may be fetched."""
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie; default LATENTLAB_DATA, else the cache folder")
    parser.add_argument("--offline", action="store_true", help="never download")


def add_jobs(parser: Parser, usual: str) -> None:
    """`--jobs`, None without."""
    add_value(parser, "--jobs", int, f"runs side by side; default: {usual}", minimum=1, maximum=1024)


def add_on(parser: Parser) -> None:
    """`--on` and `--ray-address`: where the runs train, see `lab.pool.opened`."""
    add_value(parser, "--on", Literal["here", "ray"], "where runs train: here, in processes of this machine, or ray, on a cluster", "here")
    parser.add_argument("--ray-address", metavar="ADDRESS", help="with --on ray: auto, or HOST:PORT; without, Ray starts on this machine")


def add_split(parser: Parser, help: str | None = None) -> None:
    """`--split`, the test split without."""
    add_value(parser, "--split", Literal["train", "val", "test"], help, "test")


def add_place(parser: Parser, also: str = "") -> None:
    """`--data`, of a run whose images are elsewhere now."""
    add_data(parser, "where the run's own images lie now, if they were moved" + also)


def add_trust(parser: Parser, where: str = "RUN/own") -> None:
    """`--trust`, of runs that have code of somebody's own."""
    parser.add_argument("--trust", action="store_true", help=f"run the code in {where}, of networks that are somebody's own: read it first")


def add_protocol(parser: Parser, count: str, nll_samples: str) -> None:
    """How an evaluation measures: `--count` samples and `--nll-samples`, with a help for each; None without."""
    add_value(parser, "--count", int, count, minimum=20, maximum=50_000)
    add_value(parser, "--nll-samples", int, nll_samples, metavar="K", minimum=0, maximum=10**6)


def add_preset(parser: Parser, metavar: str = "PRESET", also: str = "") -> None:
    """The preset that a command begins with, see `preset_of`; `also` what else it may be."""
    parser.add_argument("preset", nargs="?", metavar=metavar, help=f"one of {', '.join(PRESETS)}{also}")


def preset_of(parser: Parser, options: argparse.Namespace, example: str) -> Config:
    """The preset that was named. Raises LabError for none at all, with an example to try, and for one that there is not."""
    if options.preset is None:
        raise LabError(f"{parser.prog} needs a preset, one of {', '.join(PRESETS)}. Got none. Try `{parser.prog} {example}`.")
    return preset(options.preset)


# The configuration as options.


def add_config_options(parser: Parser) -> None:
    """Every field of every family as an option; whether the chosen preset has it is checked by `config_changes`."""
    groups = {part: parser.add_argument_group(part) for part in ("data", "model", "train")}
    add_fields(groups, every_field().values())
    groups["data"].add_argument(
        "--offline", dest="data.offline", action="store_const", const="true", default=argparse.SUPPRESS, help="as --data.offline true"
    )


def add_fields(groups: Mapping[str, argparse._ActionsContainer], fields: Iterable[Field], hidden: bool = False) -> None:
    """Fields as options, each in the group of its part; `hidden` ones stand in no help."""
    for field in fields:
        name = field.name
        names = dict.fromkeys(option for option in (field.short, f"--{name.replace('_', '-')}", f"--{name}") if option)
        text = f"{field.help} ({field.must_be(nothing='nothing')})".replace("%", "%%")
        text = argparse.SUPPRESS if hidden or len(field.choices) == 1 else text  # a choice of one is shown when there is another
        groups[field.part].add_argument(*names, dest=name, default=argparse.SUPPRESS, metavar=field.metavar, help=text)


def config_changes(options: argparse.Namespace, config: Config) -> dict[str, Any]:
    """The fields that were given, as values for `Config.replace`. Raises LabError for what the preset does not have."""
    changes = {field.name: field.read(text, field.option) for field, text in _given(options, config)}
    one_length(changes)
    return changes


def config_alternatives(options: argparse.Namespace, config: Config, ranges: bool = False) -> dict[str, Sequence[Any]]:
    """The fields that were given, each as the list of its alternatives: "2,8,32", or "400/256,128" where a value is itself a list.

    With `ranges` also "1e-4..1e-2", see `config.search`. A field of the data has one value, which may hold commas. Raises LabError
    as `config_changes` does, and for a value given twice.
    """
    from latentlab.config.search import Range

    alternatives: dict[str, Sequence[Any]] = {}
    for field, text in _given(options, config):
        if ranges and field.part != "data" and (between := Range.read(field, text)) is not None:
            alternatives[field.name] = between
            continue
        mark = "/" if field.kind is tuple else ","
        texts = [text] if field.part == "data" else [part.strip() for part in text.split(mark)]
        values = [field.read(part, field.option) for part in texts]
        twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
        if len(set(values)) < len(values):
            raise LabError(f"{field.option} must name each alternative once. Got {text!r}, with {twice} twice. Leave one out.")
        alternatives[field.name] = values
    one_length(alternatives)
    return alternatives


def _given(options: argparse.Namespace, config: Config) -> Iterator[tuple[Field, str]]:
    """Each field that was given, with its text. Raises LabError for one that the preset does not have."""
    fields = config.fields()
    for name, text in vars(options).items():
        if "." not in name:
            continue
        if name not in fields:
            asked = every_field()[name]
            owners = ", ".join(other for other in PRESETS if name in preset(other).fields())
            near = " and ".join(field.option for field in fields.values() if field.leaf.endswith(f"_{asked.leaf}"))
            hint = f"It has {near}" if near else f"`latentlab presets {config.preset}` shows what it has"
            raise LabError(f"{asked.option} {text} is not an option of {config.preset}, but of {owners}. {hint}.")
        yield fields[name], named_spec(text) if name == "data.spec" else text
