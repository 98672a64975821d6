"""Runs side by side, read from their folders alone: no torch.

folders → `refuse_unlike` → entries (one a run) → groups (one a configuration, over its seeds) → comparison.json, .md, .png
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentlab.compare.alike import data_fingerprint, refuse_unlike
from latentlab.compare.entries import is_foreign, opened, read_entry
from latentlab.compare.groups import grouped
from latentlab.compare.tables import markdown, provenance, table
from latentlab.errors import refusal
from latentlab.figures.comparison import draw_comparison
from latentlab.files import replace_json, replace_text
from latentlab.runs import RunFolder

__all__ = ["comparison", "markdown", "opened", "provenance", "table", "write_comparison"]


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


def write_comparison(
    out: str | Path,
    runs: Mapping[str, RunFolder],
    lang: str = "en",
    labels: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Compare and write comparison.json, comparison.md and comparison.png into a folder; returns the comparison.

    `labels` are display names of groups, `notes` lines below the table, `compared` a comparison made before. Raises LabError
    when the folder cannot be one.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise refusal("--out", "a folder", str(out))
    found = dict(comparison(runs) if compared is None else compared)
    if notes:
        found["notes"] = list(notes)
    replace_json(folder / "comparison.json", found)
    replace_text(folder / "comparison.md", markdown(found, lang, labels))
    draw_comparison(found, folder / "comparison.png", lang, labels, provenance(found, lang))
    return found
