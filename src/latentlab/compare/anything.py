"""A comparison of any runs, also of some that were not measured, or not alike: what may stand side by side, and why the rest may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.compare import comparison
from latentlab.compare.alike import yardstick
from latentlab.compare.entries import read_entry
from latentlab.panels import Phrase
from latentlab.runs import RunFolder


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
