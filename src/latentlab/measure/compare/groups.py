"""Runs that differ in nothing but their seed, as one: mean and standard deviation over the seeds.

S: seeds of a group.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from latentlab.base.errors import LabError
from latentlab.config.field import ROLES, Role
from latentlab.config.sources import named
from latentlab.measure.metrics import Z
from latentlab.measure.table import COSTS, base, better, present
from latentlab.runs.folder import RunFolder, open_folder

WHERE: frozenset[Role] = frozenset({"machine", "files"})  # fields that say where a run was trained, not what it is


def is_foreign(folder: RunFolder) -> bool:
    """Whether the folder holds the scores of images that some other program made, and no run."""
    return folder.scores().get("source") == "images" and not (folder.path / "config.json").exists()


def settings(folder: RunFolder) -> dict[str, Any]:
    """What runs of one group share, by dotted name: all but the seed, how far they came, and what was changed on the way.

    The run that one started from counts by what it is, not by where it lies, so that every seed may have its own.
    """
    if is_foreign(folder):
        return {"path": str(folder.path.resolve())}
    config = folder.config()
    shared: dict[str, Any] = {"preset": config.preset} | {f"own.{name}": told for name, told in config.own}
    shared |= config.values(ROLES - WHERE - {"seed"}) | {"data.spec": named(config.data.spec)}
    shared |= {name: _source(origin) for name, origin in config.values({"origin"}).items() if origin is not None}
    shared["step"] = folder.scores().get("step")
    rows = [row for row in folder.metrics() if isinstance(row.get("request"), dict)]
    shared["changes"] = [(row["step"], row["request"]["set"]) for row in rows if row["request"].get("action") == "set"]
    return shared


def _source(path: str) -> Any:
    try:
        return settings(open_folder(path))
    except LabError:
        return "gone"


def grouped(runs: Mapping[str, RunFolder], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The groups by name, in the order of their first runs. Two runs of one seed are never in one group: they are no two draws."""
    members: dict[str, list[str]] = {}
    settings_of: dict[str, dict[str, Any]] = {}
    for name, folder in runs.items():
        shared, turn = settings(folder), 0
        while (key := json.dumps([shared, turn], sort_keys=True)) in members and _has_seed(members[key], entries, name):
            turn += 1
        members.setdefault(key, []).append(name)
        settings_of[key] = shared
    differing = _differing(list(settings_of.values()))
    named = _names(members, {key: {field: values.get(field) for field in differing} for key, values in settings_of.items()}, entries)
    groups = {named[key]: group([entries[name] for name in names]) | {"runs": names} for key, names in members.items()}
    for key in members:
        groups[named[key]]["settings"] = {
            field: settings_of[key].get(field) for field in differing if field not in ("step", "changes", "path")
        }
    mark_best(groups)
    return groups


def _has_seed(names: list[str], entries: Mapping[str, Mapping[str, Any]], name: str) -> bool:
    return any(entries[other].get("seed") == entries[name].get("seed") for other in names)


def _differing(values: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields in which some of the groups differ."""
    fields = list(dict.fromkeys(field for held in values for field in held))
    return [field for field in fields if len({json.dumps(held.get(field), sort_keys=True) for held in values}) > 1]


def _names(
    members: Mapping[str, list[str]], differing: Mapping[str, Mapping[str, Any]], entries: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """A name for each group: its run's, or what its runs' names begin with, or its preset; made distinct by what differs."""
    names = {key: _stem(runs) or str(entries[runs[0]].get("preset")) for key, runs in members.items()}
    shared = {name for name in names.values() if list(names.values()).count(name) > 1}
    for key, name in names.items():
        if name in shared and len(members[key]) > 1:
            fields = [f"{field.rpartition('.')[2]} {value}" for field, value in differing[key].items() if value not in (None, [])]
            names[key] = ", ".join([name, *fields])
    for i, (key, name) in enumerate(list(names.items())):
        if name in list(names.values())[:i]:
            names[key] = f"{name} ({i + 1})"
    return names


def _stem(runs: Sequence[str]) -> str:
    """What the names of runs begin with, up to a whole word and without the seed; empty where that is next to nothing."""
    if len(runs) == 1:
        return runs[0]
    first = runs[0]
    while not all(run.startswith(first) for run in runs):
        first = first[:-1]
    if any(run[len(first) : len(first) + 1].isalpha() for run in runs):
        first = re.sub(r"[^\W\d_]+$", "", first)
    stem = re.sub(r"[-_. /]*(seeds?)?[-_. ]*\d*$", "", first)
    return stem if len(stem) > 1 else ""


def group(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The numbers of one group: shared facts, and each score and cost over its seeds."""
    first = entries[0]
    numbers = [{name: _plain(name, entry.get(name)) for name in COSTS} for entry in entries]
    costs = {name: over_seeds([{"value": n[name]} for n in numbers]) for name in COSTS if all(n[name] is not None for n in numbers)}
    return {
        "seeds": sorted(entry["seed"] for entry in entries if entry.get("seed") is not None),
        "preset": first.get("preset"),
        "family": first.get("family"),
        "kind": first.get("kind"),
        "scores": {
            name: over_seeds([e["scores"][name] for e in entries if name in e["scores"]], better(name)) for name in present(entries)
        },
        "costs": costs,
        "diagnosis": sorted({key for entry in entries for key in entry.get("diagnosis", [])}),
        "alarms": sorted({key for entry in entries for key in entry.get("alarms", [])}),
    }


def _plain(name: str, value: Any) -> float | None:
    if name == "parameters" and isinstance(value, dict):
        return float(sum(value.values()))
    return float(value) if isinstance(value, int | float) else None


def over_seeds(scores: Sequence[Mapping[str, Any]], better: str | None = None) -> dict[str, Any]:
    """One score over S seeds: mean, standard deviation (S − 1) and Student's 95 % interval of the mean.

    A single seed keeps the interval of its own measurement. A value of None is infinite, and so then is the mean.
    """
    values = [score["value"] for score in scores]
    summary: dict[str, Any] = {"value": None, "values": values, "seeds": len(values)}
    if all(value is not None for value in values):
        summary["value"] = statistics.fmean(values)
        if len(values) > 1:
            summary["sd"] = statistics.stdev(values)
            summary["ci95"] = student_interval(summary["value"], summary["sd"], len(values))
        elif (own := interval(scores[0])) is not None:
            summary["ci95"] = list(own)
    floors = [score["floor"] for score in scores if score.get("floor") is not None]
    summary |= {"floor": statistics.fmean(floors)} if floors else {}
    summary |= {key: scores[0][key] for key in ("unit", "extractor", "note", "n", "k") if key in scores[0]}
    sizes, tails = ([score[key] for score in scores if key in score] for key in ("effective_samples", "pareto_k"))
    if len(sizes) == len(tails) == len(values) and not any(None in size.values() for size in sizes):
        told = {"mean": statistics.fmean(size["mean"] for size in sizes), "least": min(size["least"] for size in sizes)}
        above = statistics.fmean(tail["above"] for tail in tails)
        summary |= {"effective_samples": told, "pareto_k": {"threshold": tails[0]["threshold"], "above": above}}
    return summary | ({"better": better} if better else {})


def student_interval(mean: float, sd: float, seeds: int) -> list[float]:
    """mean ± t₀.₉₇₅(S − 1) · sd / √S (Student 1908)."""
    from scipy.special import stdtrit

    reach = float(stdtrit(seeds - 1, 0.975)) * sd / math.sqrt(seeds)
    return [mean - reach, mean + reach]


def interval(score: Mapping[str, Any]) -> tuple[float, float] | None:
    """The 95 % interval of one measurement, from "ci95" or else 1.96 standard errors; None where it has neither."""
    if score.get("value") is None:
        return None
    if score.get("ci95") is not None:
        low, high = score["ci95"]
        return None if low is None or high is None else (float(low), float(high))
    if score.get("stderr") is not None:
        return float(score["value"] - Z * score["stderr"]), float(score["value"] + Z * score["stderr"])
    return None


def mark_best(groups: Mapping[str, dict[str, Any]]) -> None:
    """Give each group "best": the measures in which its interval lies wholly on the better side of every other's."""
    for one in groups.values():
        one["best"] = []
    for measure in present(groups.values()):
        if (winner := best(measure, groups)) is not None:
            groups[winner]["best"].append(measure)


def best(measure: str, groups: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The group that is best in a measure; None where no order is meant, none competes, an interval is missing or two overlap."""
    sign = {"lower": 1.0, "higher": -1.0, None: 0.0}[better(measure)]
    scores = {name: one["scores"][measure] for name, one in groups.items() if measure in one["scores"]}
    if not sign or len(scores) < 2 or not one_protocol(measure, list(scores.values())):
        return None
    sides = {name: its for name, score in scores.items() if (its := side(score, sign)) is not None}
    if len(sides) < len(scores):
        return None
    winner = min(sides, key=lambda name: sides[name][1])
    return winner if all(sides[winner][1] < low for name, (low, _) in sides.items() if name != winner) else None


def one_protocol(measure: str, scores: Sequence[Mapping[str, Any]]) -> bool:
    """Whether scores of one name mean one thing: alike in extractor, in being a likelihood or not, in importance samples and images.

    A Frechet distance of too few images says so in its note, and nobody wins by it.
    """
    if base(measure)[0] == "frechet" and any("note" in score for score in scores):
        return False
    return len({tuple(score.get(part) for part in ("extractor", "note", "k", "n")) for score in scores}) == 1


def side(score: Mapping[str, Any], sign: float) -> tuple[float, float] | None:
    """The interval turned so that lower is better; an infinite value is worse than any."""
    if score["value"] is None:
        return math.inf, math.inf
    if "ci95" not in score:
        return None
    low, high = sorted(sign * end for end in score["ci95"])
    return low, high
