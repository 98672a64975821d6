"""Runs side by side, read from their folders alone: no torch.

folders → `refuse_unlike` → entries (one a run) → groups (one a configuration, over its seeds)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.base.texts import Phrase
from latentlab.measure.compare.entries import data_fingerprint, is_foreign, opened, read_entry, refuse_unlike, yardstick
from latentlab.measure.compare.groups import grouped
from latentlab.measure.compare.tables import markdown, provenance, table
from latentlab.runs.folder import RunFolder

__all__ = ["comparison", "markdown", "opened", "provenance", "table"]


def comparison(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """What comparison.json holds: by what was measured, each run's size, cost and scores, and the groups over seeds.

    Raises LabError when the runs were not measured alike, see `refuse_unlike`: their numbers are then not comparable.
    """
    refuse_unlike(runs)
    entries = {name: read_entry(folder) for name, folder in runs.items()}
    scores = [folder.scores() for folder in runs.values()]
    first = next(iter(runs.values()))
    environments = [folder.environment() for folder in runs.values() if not is_foreign(folder)]
    return {
        "data": first.scores().get("data") or ("" if is_foreign(first) else first.config().data.spec),
        "data_fingerprint": data_fingerprint(first),
        "split": scores[0].get("split"),
        "n": scores[0].get("n"),
        "samples": next((found["samples"] for found in scores if found.get("samples") is not None), None),
        "images": environments[0].get("images") if environments else {str(scores[0].get("split")): scores[0].get("n")},
        "extractors": scores[0].get("extractors", {}),
        "runs": entries,
        "groups": grouped(runs, entries),
    }


# A comparison of any runs, also of some that were not measured, or not alike: what may stand side by side, and why the rest may not.


def comparison_of(folders: Mapping[str, RunFolder]) -> dict[str, Any]:
    """What comparison.json would hold, for any runs.

    Runs that were not evaluated have no scores in it; runs that were not measured alike have none either, since their numbers
    must not stand side by side. Both are said in "remarks", phrases as JSON. Raises LabError for a damaged run.
    """
    measured = {name: folder for name, folder in folders.items() if folder.scores().get("scores")}
    entries = {name: read_entry(folder) for name, folder in folders.items()}
    differences = unlike(folders)
    if differences:
        for entry in entries.values():
            entry |= {"scores": {}, "class_shares": None, "extractors": {}}
        specs = dict.fromkeys(folder.config().data.spec for folder in folders.values())
        compared: dict[str, Any] = {"data": ", ".join(specs), "extractors": {}, "groups": {}}
        remarks = [Phrase("unscored.unlike"), *differences]
    else:
        compared = comparison(measured or folders)
        unmeasured = [name for name in folders if name not in measured]
        remarks = [Phrase("unscored.runs", {"runs": ", ".join(unmeasured)})] if unmeasured else []
    return compared | {"runs": entries, "remarks": [remark.to_json() for remark in remarks]}


def unlike(folders: Mapping[str, RunFolder]) -> list[Phrase]:
    """In what runs were not measured alike, and which run on which side; none where their numbers may stand side by side."""
    facts = {name: yardstick(folder) for name, folder in folders.items()}
    found = []
    for what in next(iter(facts.values())):
        sides: dict[str, list[str]] = {}
        for name, fact in facts.items():
            if (value := fact[what]) is not None:
                sides.setdefault(value, []).append(name)
        if len(sides) > 1:
            told = "; ".join(f"{value} ({', '.join(names)})" for value, names in sides.items())
            found.append(Phrase(f"unscored.differs.{what.replace(' ', '-')}", {"sides": told}))
    return found
