"""How the runs were made: every hyperparameter, the machine, and the commands that make them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError
from latentlab.config.field import ROLES, written
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.show.answers.record import MACHINE, RUNS
from latentlab.show.report.context import Context
from latentlab.show.report.markup import data_uri, escape, table, tag


def hyperparameters(c: Context) -> str:
    """Every field of every run's configuration; "–" where the family has no such field."""
    configs = [folder.config() for folder in c.runs.values()]
    values = [config.values() for config in configs]
    fields = {name: field for config in configs for name, field in config.fields().items()}
    groups = []
    for part in ("data", "model", "train"):
        rows = [[_label(c, name), *(_shown(c, each, name) for each in values)] for name, field in fields.items() if field.part == part]
        groups.append((c.say(f"settings.part.{part}"), rows))
    head = [tag("span", c.say("settings.field"), class_="hidden"), *(c.label(name) for name in c.runs)]
    presets = [c.say("settings.preset"), *(tag("code", escape(config.preset)) for config in configs)]
    return tag("div", table(head, [("", [presets]), *groups], c.say("settings.caption")), class_="scores wide settings")


def _label(c: Context, name: str) -> str:
    return tag("code", escape(name)) + tag("small", c.say(f"field.{name}"))


def _shown(c: Context, values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return tag("span", "–", class_="none")
    value = values[name]
    if value is None:
        return tag("span", c.say("settings.unset"), class_="none")
    if isinstance(value, bool):
        return c.say("settings.yes" if value else "settings.no")
    if isinstance(value, tuple):
        return escape(", ".join(map(str, value)) or "–")
    if isinstance(value, int | float):
        return escape(c.number(value))
    return escape(_near(c, value) if name == "train.generator_from" else value)


def _near(c: Context, path: str) -> str:
    """A run folder as commands name it: by its place below the working folder; else, as no reader has that path, runs/NAME."""
    there = Path(path)
    try:
        return there.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return f"runs/{there.name}"


def machine(c: Context) -> str:
    """What the runs were trained with, from environment.json; what differs between runs is told for each."""
    environments = {name: folder.environment() for name, folder in c.runs.items()}
    facts: dict[str, dict[str, Any]] = {"seed": {name: folder.config().train.seed for name, folder in c.runs.items()}}
    for key in (*MACHINE, "data_fingerprint"):
        facts[key] = {name: environment.get(key) for name, environment in environments.items()}
    rows = []
    for key, values in facts.items():
        distinct = list(dict.fromkeys(str(value) for value in values.values() if value is not None))
        if distinct:
            shown = distinct[0] if len(distinct) == 1 else "; ".join(f"{c.name(name)}: {value}" for name, value in values.items())
            rows.append(tag("dt", c.say(f"machine.{key}")) + tag("dd", escape(shown)))
    return tag("dl", *rows, class_="facts")


def commands(c: Context) -> str:
    """The command that makes the lab's four runs and their page, where these are they, and one for each run."""
    lines = []
    parents = {folder.path.resolve().parent for folder in c.runs.values()}
    if set(c.runs) == set(RUNS) and len(parents) == 1:
        spec = next(iter(c.runs.values())).config().data.spec
        folder = _near(c, str(parents.pop()))
        lines += [c.paragraph("commands.lab"), _command(["latentlab", "lab", "--data", spec, "--out", folder, "--lang", c.lang])]
    lines.append(c.paragraph("commands.each"))
    trained = {name: train_command(c, folder.config(), name) for name, folder in c.runs.items()}
    lines += [_command(command) for command in trained.values() if command is not None]
    return "".join(lines)


def downloads(c: Context) -> str:
    """Each run's configuration as a file to save: `latentlab.Config.from_json` reads it, and the options of `train` set its fields."""
    links = []
    for name, folder in c.runs.items():
        config = folder.config().replace(**{"data.root": None})  # where data lie on one machine
        address, file = data_uri(config.to_json().encode(), "application/json"), f"{name.replace('/', '-')}-config.json"
        links.append(tag("li", tag("a", c.say("settings.download", run=c.name(name)), href=address, download=file)))
    return c.paragraph("settings.downloads") + tag("ul", *links, class_="downloads")


def _command(words: list[str]) -> str:
    """A command that breaks between options only."""
    parts = [[words[0]]]
    for word in words[1:]:
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    return tag("pre", tag("code", " ".join(tag("span", escape(shlex.join(part)), class_="w") for part in parts)))


def train_command(c: Context, config: Config, name: str) -> list[str] | None:
    """`latentlab train` with every field that differs from the preset, but where files lie; None for one that has no preset."""
    try:
        base = preset(config.preset)
    except LabError:
        return None
    if base.family != config.family:
        return None
    words = ["latentlab", "train", config.preset]
    for key, (value, _) in config.differs(base, ROLES - {"files"}).items():
        if value is not None:
            words += [f"--{key}", _near(c, value) if key == "train.generator_from" else written(value)]
    return [*words, "--out", _near(c, str(c.runs[name].path))]
