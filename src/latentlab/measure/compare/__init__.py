"""Runs side by side, read from their folders alone: no torch.

folders → `refuse_unlike` → entries (one a run) → groups (one a configuration, over its seeds)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, printable
from latentlab.base.texts import Phrase
from latentlab.config.sources import named
from latentlab.measure.compare.groups import grouped, is_foreign
from latentlab.measure.compare.tables import SHORT, markdown, provenance, table
from latentlab.measure.table import measurements
from latentlab.runs.folder import RunFolder, open_folder

__all__ = ["comparison", "comparison_of", "markdown", "opened", "provenance", "table"]

STARTED: Mapping[str, Any] = {"step": 0, "images_seen": 0, "epoch": 0.0, "seconds": 0.0}


def comparison(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """What comparison.json holds: by what was measured, each run's size, cost and scores, and the groups over seeds.

    Raises LabError when the runs were not measured alike, see `refuse_unlike`: their numbers are then not comparable.
    """
    runs = alike(runs)
    refuse_unlike(runs)
    entries = {name: read_entry(folder) for name, folder in runs.items()}
    scores = [folder.scores() for folder in runs.values()]
    first = next(iter(runs.values()))
    environments = [folder.environment() for folder in runs.values() if not is_foreign(folder)]
    return {
        "data": named(first.scores().get("data") or ("" if is_foreign(first) else first.config().data.spec)),
        "data_fingerprint": data_fingerprint(first),
        "split": scores[0].get("split"),
        "n": scores[0].get("n"),
        "samples": next((one["samples"] for one in scores if one.get("samples") is not None), None),
        "images": environments[0].get("images") if environments else {str(scores[0].get("split")): scores[0].get("n")},
        "extractors": scores[0].get("extractors", {}),
        "runs": entries,
        "groups": grouped(runs, entries),
    }


def comparison_of(folders: Mapping[str, RunFolder]) -> dict[str, Any]:
    """What comparison.json would hold, for any runs.

    Runs that were not evaluated have no scores in it; runs that were not measured alike have none either, since their numbers
    must not stand side by side. Both are said in "remarks", phrases as JSON. Raises LabError for a damaged run.
    """
    folders = alike(folders)
    measured = {name: folder for name, folder in folders.items() if folder.scores().get("scores")}
    entries = {name: read_entry(folder) for name, folder in folders.items()}
    differences = unlike(folders)
    if differences:
        for entry in entries.values():
            entry |= {"scores": {}, "class_shares": None, "extractors": {}}
        specs = dict.fromkeys(named(folder.config().data.spec) for folder in folders.values())
        compared: dict[str, Any] = {"data": ", ".join(specs), "extractors": {}, "groups": {}}
        remarks = [Phrase("unscored.unlike"), *differences]
    else:
        compared = comparison(measured or folders)
        unmeasured = [name for name in folders if name not in measured]
        remarks = [Phrase("unscored.runs", {"runs": ", ".join(unmeasured)})] if unmeasured else []
    return compared | {"runs": entries, "remarks": [remark.to_json() for remark in remarks]}


class Once(RunFolder):
    """A run whose lines of metrics are read once, for one look at it."""

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return super().metrics()

    def metrics(self) -> list[dict[str, Any]]:
        return self._rows


@dataclass(frozen=True)
class Measured(Once):
    """A run as one of its measurements shows it."""

    run: RunFolder
    measurement: Mapping[str, Any]

    def scores(self) -> dict[str, Any]:
        return dict(self.measurement)

    def metrics(self) -> list[dict[str, Any]]:
        return self.run.metrics()


def alike(folders: Mapping[str, RunFolder]) -> dict[str, RunFolder]:
    """The runs, read once, each by the fullest of those measurements of its newest step that all have alike, or as it is."""
    folders = {name: folder if isinstance(folder, Once) else Once(folder.path) for name, folder in folders.items()}
    views = {}
    for name, folder in folders.items():
        measured = measurements(folder.scores())
        views[name] = [Measured(folder.path, folder, one) for one in measured if one.get("step") == measured[0].get("step")]
    for first in min((each for each in views.values() if each), key=len, default=[]):
        chosen = {name: next((view for view in each if not _sides({"": first, name: view})), None) for name, each in views.items() if each}
        if all(chosen.values()):
            return {name: chosen.get(name) or folder for name, folder in folders.items()}
    return folders


def unlike(folders: Mapping[str, RunFolder]) -> list[Phrase]:
    """In what runs were not measured alike, and which run on which side; none where their numbers may stand side by side."""
    sides = {what: "; ".join(f"{value} ({', '.join(names)})" for value, names in by.items()) for what, by in _sides(folders).items()}
    return [Phrase(f"unscored.differs.{what.replace(' ', '-')}", {"sides": said}) for what, said in sides.items()]


def refuse_unlike(runs: Mapping[str, RunFolder]) -> None:
    """Raise LabError when runs were measured on other images, another split, another number of them or by another extractor.

    Every such difference is named in one line, with the runs on each side of it.
    """
    sides = {what: "; ".join(f"{value} in {_few(names)}" for value, names in by.items()) for what, by in _sides(runs).items()}
    if sides:
        differences = " and in ".join(f"{what} ({said})" for what, said in sides.items())
        raise LabError(
            f"runs to compare must share data, split, numbers of images and extractors. These differ in {differences}. "
            "Evaluate them alike with `latentlab evaluate`, or compare fewer."
        )


def _sides(folders: Mapping[str, RunFolder]) -> dict[str, dict[str, list[str]]]:
    """What runs do not share of their yardsticks → what some have → which ones."""
    yardsticks = {name: yardstick(folder) for name, folder in folders.items()}
    sides: dict[str, dict[str, list[str]]] = {}
    for name, facts in yardsticks.items():
        for what, value in facts.items():
            if value is not None:
                sides.setdefault(what, {}).setdefault(value, []).append(name)
    return {what: sides[what] for what in next(iter(yardsticks.values())) if len(sides.get(what, {})) > 1}


def yardstick(folder: RunFolder) -> dict[str, str | None]:
    """By what a run was measured, as it is shown; None where the run does not say, which differs from nothing."""
    scores = folder.scores()
    fingerprint = data_fingerprint(folder)
    extractors = scores.get("extractors", {})
    by = [f"{identity} {str(facts.get('sha256'))[:SHORT]}" for identity, facts in extractors.items()]  # the first saw what bears no name
    return {
        "data": None if fingerprint is None else fingerprint[:SHORT],
        "split": _said(scores.get("split")),
        "held-out images": _said(scores.get("n")),
        "samples": _said(scores.get("samples")),
        "extractor": (" + ".join(by) or "none") if scores else None,
    }


def data_fingerprint(folder: RunFolder) -> str | None:
    """The sha256 of the images that the run was measured on: by its scores, else by what it was trained on."""
    return _said(folder.scores().get("data_fingerprint") or folder.environment().get("data_fingerprint"))


def _said(value: Any) -> str | None:
    return None if value is None else str(value)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# What a comparison says of one run.


def opened(paths: Sequence[str | Path]) -> dict[str, RunFolder]:
    """The folders to compare, each by a name of its own: a run that was evaluated, or a scores.json alone (foreign images).

    Raises LabError for none at all, one that is no run, one without scores, one that is named twice.
    """
    if not paths:
        raise LabError("there must be at least one run to compare. Got none. Try `latentlab compare RUN RUN --out DIR`.")
    folders = []
    for path in map(Path, paths):
        foreign = (path / "scores.json").is_file() and not (path / "config.json").exists()
        folder = RunFolder(path) if foreign else open_folder(path)
        if not folder.scores().get("scores"):
            raise LabError(f"{path} must be evaluated to be compared. It has no scores. `latentlab evaluate {path}` first.")
        folders.append(folder)
    return dict(zip(distinct_names([folder.path for folder in folders]), folders, strict=True))


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The name of each folder, with as much of the path above as tells it from the others. Raises LabError for the same folder twice."""
    whole = [path.resolve() for path in paths]
    twice = next((path for i, path in enumerate(whole) if path in whole[:i]), None)
    if twice is not None:
        raise LabError(f"runs to compare must be different ones. {twice} is named twice.")
    names = []
    for path in whole:
        others = [other for other in whole if other != path]
        length = 1
        while any(other.parts[-length:] == path.parts[-length:] for other in others):
            length += 1
        names.append(printable(Path(*path.parts[-length:]).as_posix()))
    return names


def read_entry(folder: RunFolder) -> dict[str, Any]:
    """A run's size, length, cost and scores. What the run cost is told at the step that was measured."""
    scores = folder.scores()
    foreign = {"source": "images", "kind": "images"}
    return (foreign if is_foreign(folder) else _trained(folder, scores)) | {
        "samples_per_second": scores.get("samples_per_second"),
        "scores": scores.get("scores", {}),
        "class_shares": scores.get("class_shares"),
        "extractors": scores.get("extractors", {}),
    }


def _trained(folder: RunFolder, scores: Mapping[str, Any]) -> dict[str, Any]:
    config, status = folder.config(), folder.status()
    findings = [finding for finding in status.get("diagnosis", []) if isinstance(finding, dict) and "key" in finding]
    measured = scores.get("step")
    rows = [row for row in folder.metrics() if measured is None or row["step"] <= measured]
    last = rows[-1] if rows else STARTED
    return {
        "source": "run",
        "preset": config.preset,
        "family": config.family,
        "kind": config.kind,
        "seed": config.train.seed,
        "latent_dim": config.model.latent_dim,
        "statistics_of": config.statistics_of,
        "parameters": folder.environment().get("parameters"),
        "steps": last["step"],
        "images_seen": last["images_seen"],
        "epochs": last["epoch"],
        "seconds": last["seconds"],
        "trained_on_to": status.get("step") if measured is not None and (folder.sampled_step() or 0) > measured else None,
        "diagnosis": [finding["key"] for finding in findings],
        "alarms": [finding["key"] for finding in findings if finding.get("until_step") is None],
    }
