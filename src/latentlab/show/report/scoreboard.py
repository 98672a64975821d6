"""The comparison table, and how the samples of each run fall on the classes."""

from __future__ import annotations

import math
from collections.abc import Iterable

from latentlab.base.texts import duration
from latentlab.measure.table import GROUPS, MEASURES, better
from latentlab.show.report.context import Context, Facts, Score
from latentlab.show.report.markup import escape, table, tag

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
    label = c.say(f"measure.{score}")
    notes = []
    values = [value for facts in c.facts.values() if (value := facts.score(score))]
    floors = [value.floor for value in values if value.floor is not None]
    if score not in UNTOLD and (way := better(score)):
        notes.append(c.say(f"measure.{way}"))
    if any(value.note for value in values):
        notes.append(c.say("measure.few" if score == "frechet" else "measure.grey"))
    if floors:
        notes.append(c.say(f"measure.{score}.floor", floor=c.figures(floors[0], 3)))
    if score == EDGES and c.real_edges:
        notes.append(c.say("measure.edge_step.real", real=c.figures(c.real_edges.value, 3)))
    if notes:
        label += tag("small", " · ".join(notes))
    return [label, *(_cell(c, name, score, name in best) for name in c.runs)]


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
    return [name for group in groups if score in group.get("best", []) for name in group.get("runs", [])]


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
        strip = tag("ol", *marks, class_=f"strip {c.kind(name)}" + (" many" if len(marks) > 12 else ""))
        panels.append(tag("div", tag("h4", c.label(name)), strip))
    shares = next(iter(by_run.values()))
    accuracy = next((facts.classifier_accuracy for facts in c.facts.values() if facts.classifier_accuracy is not None), None)
    caption = c.say("balance.caption", n=c.number(shares.drawn), top=c.percent(top)) + (" " + c.say("balance.over") if most > top else "")
    if accuracy is not None:
        caption += " " + c.say("balance.classifier", accuracy=c.percent(accuracy, 1))
    return tag("figure", tag("div", *panels, class_="strips"), tag("figcaption", caption), class_="wide balance")
