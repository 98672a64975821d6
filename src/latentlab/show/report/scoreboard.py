"""The tables of the page: the scoreboard, how samples fall on the classes, hyperparameters, the machine and the commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, printable
from latentlab.base.images import data_uri
from latentlab.base.texts import Phrase, clauses, duration, text
from latentlab.config.field import ROLES, written
from latentlab.config.fitting import fitted_preset, unplaced
from latentlab.config.schema import Config
from latentlab.measure.table import GROUPS, MEASURES, better, sampled_words, seen_by
from latentlab.show.answers.record import MACHINE, RUNS
from latentlab.show.report.context import Context, Facts, Score
from latentlab.show.report.markup import escape, table, tag

ALIKE = ("precision", "density")  # one plausible image over and over is enough for them
UNTOLD = ("density",)  # higher is better only up to its floor: where samples lack variety it lies above
EDGES = "edge_step"  # the report's own measure, of its samples
TALLEST = 3.0  # bars up to so many times the largest real share; what goes beyond is cut off and its number written in


def measured_here(c: Context, groups: Iterable[str] = GROUPS) -> list[str]:
    """The scores of some groups that some run of the page has: in the table's order, but those to be near their floor come last."""
    rows = []
    for group in groups:
        measures = sorted((measure for measure in MEASURES if measure.group == group), key=lambda m: m.better == "near the floor")
        rows += [measure.name for measure in measures] + [EDGES] * (group == "samples")
    return [score for score in rows if any(facts.score(score) for facts in c.facts.values())]


def scoreboard(c: Context) -> str:
    """One row a measure, one column a run."""
    rows = {group: [_row(c, score) for score in measured_here(c, [group])] for group in GROUPS} | {"cost": _cost_rows(c)}
    groups = [(c.say(f"measure.group.{group}"), rows[group]) for group in rows if rows[group]]
    head = [tag("span", c.say("page.measure"), class_="hidden"), *(c.label(name) for name in c.runs)]
    split = c.comparison.get("split") or "test"
    count = (c.comparison.get("images") or {}).get(split, 0)
    caption = c.say("scoreboard.caption", split=c.plain(f"split.{split}"), n=c.number(count))
    return tag("div", table(head, groups, caption), class_="scores wide")


def _row(c: Context, score: str) -> list[str]:
    best = _best(c, score)
    notes = []
    values = [value for facts in c.facts.values() if (value := facts.score(score))]
    label = escape(seen_by(Phrase(f"measure.{score}"), values[0].extractor).say(c.lang))
    floors = [value for value in values if value.floor is not None]
    if score not in UNTOLD and (way := better(score)):
        notes.append(c.say(f"measure.{way}"))
    if any(value.note for value in values):
        notes.append(c.say("measure.few" if score == "frechet" else "measure.grey"))
    if floors:
        notes.append(c.say(f"measure.{score}.floor", floor=_floor(c, floors[0])))
    notes += [said for value in values if (said := sampled_words(value.importance, c.lang))]
    if score == EDGES and c.real_edges:
        notes.append(c.say("measure.edge_step.real", real=c.figures(c.real_edges.value, 3)))
    if notes:
        label += tag("small", " · ".join(notes))
    return [label, *(_cell(c, name, score, name in best) for name in c.runs)]


def _floor(c: Context, score: Score) -> str:
    """The floor of a score, with its interval where that was measured too."""
    shown = c.figures(score.floor or 0.0, 3)
    if score.floor_ci95 is None:
        return shown
    low, high = (c.figures(end, 3) for end in score.floor_ci95)
    return f"{shown} ({c.plain('chart.interval', low=low, high=high)})"


def _cell(c: Context, name: str, score: str, best: bool) -> str:
    """The value, in bold where no other run's interval meets its own, and its 95 % interval."""
    measured = c.facts[name].score(score)
    if measured is None:
        return tag("span", "–", title=c.plain("measure.undefined"), class_="none")
    value = _written(c, measured)
    shown = tag("b", escape(value), tag("span", " " + c.say("measure.best"), class_="hidden")) if best else escape(value)
    if measured.interval is None:
        return shown
    decimals = len(value.replace(",", ".").partition(".")[2])
    low, high = (c.number(end, decimals) for end in measured.interval)
    return shown + tag("small", escape(c.plain("measure.interval", low=low, high=high)))


def _written(c: Context, score: Score) -> str:
    """The value to the second figure of half its interval; to four figures without one."""
    if score.interval is None or not score.interval[1] > score.interval[0]:
        return c.figures(score.value, 4)
    return c.number(score.value, max(0, 1 - math.floor(math.log10((score.interval[1] - score.interval[0]) / 2))))


def _best(c: Context, score: str) -> list[str]:
    """The runs that the comparison calls best: those of a group whose interval meets no other's."""
    groups = c.comparison.get("groups", {}).values()
    best = [name for group in groups if score in group.get("best", []) for name in group.get("runs", [])]
    return [name for name in best if c.facts[name].covers or score not in ALIKE]


def _cost_rows(c: Context) -> list[list[str]]:
    costs = ("seconds", "steps", "epochs", "parameters", "latent")
    return [[c.say(f"measure.{cost}"), *(_cost(c, facts, cost) for facts in c.facts.values())] for cost in costs]


def _cost(c: Context, facts: Facts, what: str) -> str:
    match what:
        case "seconds":
            return escape(duration(facts.seconds, c.lang))
        case "steps":
            return escape(c.number(facts.steps))
        case "epochs":
            return escape(c.number(facts.epochs, 1))
        case "latent":
            units = str(facts.latent_dim)
            return units + (tag("small", c.say("measure.active", active=facts.active)) if facts.active is not None else "")
    parts = ", ".join(f"{c.plain(f'network.{name}')} {c.number(count)}" for name, count in facts.parameters.items())
    return escape(c.number(sum(facts.parameters.values()))) + tag("small", escape(parts))


def balance(c: Context) -> str:
    """The classes of each run's samples as bars beside those of held-out images."""
    by_run = {name: facts.shares for name, facts in c.facts.items() if facts.shares is not None}
    if not by_run:
        return ""
    most = max(float(max(shares.samples.max(), shares.real.max())) for shares in by_run.values())
    top = min(most, TALLEST * max(float(shares.real.max()) for shares in by_run.values()))
    panels = []
    for name, shares in by_run.items():
        marks = []
        for label, sample, real in zip(shares.names, shares.samples, shares.real, strict=True):
            said = c.plain("balance.bar", name=label, sample=c.percent(float(sample), 1), real=c.percent(float(real), 1))
            over = sample > top
            height = f"height: {100 * min(sample / top, 1):.1f}%"
            bar = tag("i", class_="bar over" if over else "bar", style=height, data_over="↑" + c.percent(float(sample)) if over else None)
            line = tag("i", class_="real", style=f"bottom: {100 * real / top:.1f}%")
            column = tag("span", bar, line, class_="column", aria_hidden="true")
            name_below = tag("span", escape(label), class_="class", aria_hidden="true")
            marks.append(tag("li", column, name_below, tag("span", escape(said), class_="hidden"), title=said))
        strip = tag("ol", *marks, class_=f"strip {c.colored(name)}" + (" many" if len(marks) > 12 else ""))
        panels.append(tag("div", tag("h4", c.label(name)), strip))
    shares = next(iter(by_run.values()))
    accuracy = next((facts.classifier_accuracy for facts in c.facts.values() if facts.classifier_accuracy is not None), None)
    caption = c.say("balance.caption", n=c.number(shares.drawn), top=c.percent(top)) + (" " + c.say("balance.over") if most > top else "")
    if accuracy is not None:
        caption += " " + c.say("balance.classifier", accuracy=c.percent(accuracy, 1))
    return tag("figure", tag("div", *panels, class_="strips"), tag("figcaption", caption), class_="wide balance")


# How the runs were made: every hyperparameter, the machine, and the commands that make them again.


def hyperparameters(c: Context) -> str:
    """Every field of every run's configuration; "–" where the family has no such field."""
    configs = [folder.config().portable() for folder in c.runs.values()]
    values = [config.values() for config in configs]
    fields = {name: field for config in configs for name, field in config.fields().items()}
    groups = []
    for part in ("data", "model", "train"):
        rows = [[_label(c, name), *(_shown(c, each, name) for each in values)] for name, field in fields.items() if field.part == part]
        groups.append((c.say(f"settings.part.{part}"), rows))
    own = {name: dict(config.own) for name, config in zip(c.runs, configs, strict=True)}
    for part in dict.fromkeys(part for parts in own.values() for part in parts):
        groups[1][1].append([_label(c, f"own.{part}"), *(_shown(c, each, part) for each in own.values())])
    head = [tag("span", c.say("settings.field"), class_="hidden"), *(c.label(name) for name in c.runs)]
    presets = [c.say("settings.preset"), *(tag("code", escape(config.preset)) for config in configs)]
    sizes = {name: images for name, config in zip(c.runs, configs, strict=True) if (images := config.statistics_of)}
    notes = [text("chart.named", c.lang, name=c.name(name), value=c.say("refusal.note.shards", images=n)) for name, n in sizes.items()]
    caption = " ".join([c.say("settings.caption"), *map(escape, notes)])
    return tag("div", table(head, [("", [presets]), *groups], caption), class_="scores wide settings")


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
    return escape(value)


def _near(c: Context, path: str) -> str:
    """A run folder as commands name it: by its place below the working folder; else, as no reader has that path, runs/NAME."""
    there = Path(path)
    try:
        return there.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return f"runs/{printable(there.name)}"


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
            each = (text("chart.named", c.lang, name=c.name(name), value=value) for name, value in values.items())
            shown = distinct[0] if len(distinct) == 1 else clauses(each, c.lang)
            rows.append(tag("dt", c.say(f"machine.{key}")) + tag("dd", escape(shown)))
    return tag("dl", *rows, class_="facts")


def commands(c: Context) -> str:
    """The command that makes the lab's four runs and their page, where these are they, and one for each run."""
    lines = []
    parents = {folder.path.resolve().parent for folder in c.runs.values()}
    if set(c.runs) == set(RUNS) and len(parents) == 1:
        spec = next(iter(c.runs.values())).config().portable().data.spec
        folder = _near(c, str(parents.pop()))
        lines += [c.paragraph("commands.lab"), _command(["latentlab", "lab", "--data", spec, "--out", folder, "--lang", c.lang])]
    lines.append(c.paragraph("commands.each"))
    trained = {name: train_command(c, folder.config(), name) for name, folder in c.runs.items()}
    lines += [_command(command) for command in trained.values() if command is not None]
    lines += [c.paragraph("commands.own", run=c.name(name)) for name, folder in c.runs.items() if folder.config().own]
    return "".join(lines)


def downloads(c: Context) -> str:
    """Each run's configuration as a file to save: `latentlab.Config.from_json` reads it, and the options of `train` set its fields."""
    links = []
    for name, folder in c.runs.items():
        config = folder.config().portable().to_json()
        address, file = data_uri(config.encode(), "application/json"), f"{name.replace('/', '-')}-config.json"
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
    """`latentlab train` with every field that differs from the preset, but where files lie; None for one that no command makes."""
    try:
        base = unplaced(fitted_preset(config.preset, c.runs[name].environment().get("image_shape")), config)
    except LabError:
        return None
    if base.family != config.family or config.own:
        return None
    words = ["latentlab", "train", config.preset]
    origins = config.values({"origin"})
    for key, (value, _) in config.portable().differs(base, ROLES - {"files"}).items():
        if value is not None:
            words += [f"--{key}", _near(c, origins[key]) if origins.get(key) else written(value)]
    return [*words, "--out", _near(c, str(c.runs[name].path))]
