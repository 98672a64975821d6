"""How the runs were made: every hyperparameter, the machine, and the commands that make them again."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.show.answers.record import MACHINE, RUNS
from latentlab.show.report.context import Context
from latentlab.show.report.markup import data_uri, escape, table, tag

HEAVY = ("data.root", "data.offline")  # where files lie on one machine: shown, but no part of a command


def hyperparameters(c: Context) -> str:
    """Every field of every run's configuration; "–" where the family has no such field."""
    configs = {name: folder.config() for name, folder in c.runs.items()}
    groups = []
    for part in ("data", "model", "train"):
        names = list(dict.fromkeys(f.name for config in configs.values() for f in dataclasses.fields(getattr(config, part))))
        rows = [[_field_label(c, part, name), *(_shown(c, config, part, name) for config in configs.values())] for name in names]
        groups.append((c.say(f"settings.part.{part}"), rows))
    head = [tag("span", c.say("settings.field"), class_="hidden"), *(c.label(name) for name in c.runs)]
    presets = [c.say("settings.preset"), *(tag("code", escape(config.preset)) for config in configs.values())]
    return tag("div", table(head, [("", [presets]), *groups], c.say("settings.caption")), class_="scores wide settings")


def _field_label(c: Context, part: str, name: str) -> str:
    return tag("code", escape(f"{part}.{name}")) + tag("small", c.say(f"field.{part}.{name}"))


def _shown(c: Context, config: Config, part: str, name: str) -> str:
    holder = getattr(config, part)
    if not hasattr(holder, name):
        return tag("span", "–", class_="none")
    value = getattr(holder, name)
    if value is None:
        return tag("span", c.say("settings.unset"), class_="none")
    if isinstance(value, bool):
        return c.say("settings.yes" if value else "settings.no")
    if isinstance(value, tuple):
        return escape(", ".join(map(str, value)) or "–")
    if isinstance(value, int | float):
        return escape(c.number(value))
    return escape(_near(c, value) if name == "generator_from" else value)


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
    """`latentlab train` with every field that differs from the preset; None for a configuration that has no preset."""
    try:
        base = preset(config.preset)
    except LabError:
        return None
    if base.family != config.family:
        return None
    words = ["latentlab", "train", config.preset]
    for part, holder in config.parts():
        for item in dataclasses.fields(holder):
            value, usual = getattr(holder, item.name), getattr(getattr(base, part), item.name)
            key = f"{part}.{item.name}"
            if value == usual or value is None or key in HEAVY:
                continue
            words += [f"--{key}", _argument(c, key, value)]
    return [*words, "--out", _near(c, str(c.runs[name].path))]


def _argument(c: Context, key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return _near(c, value) if key == "train.generator_from" else str(value)
