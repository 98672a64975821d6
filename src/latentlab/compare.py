"""Runs side by side, read from their folders alone: no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.errors import LabError
from latentlab.runs import RunFolder


def comparison(runs: Mapping[str, RunFolder]) -> dict[str, Any]:
    """What comparison.json holds: for each run its size, length, seconds and scores.

    Raises LabError when the runs saw different images, or were measured on different splits: their numbers are then not
    comparable, and it is said which differ.
    """
    environments = {name: folder.environment() for name, folder in runs.items()}
    scores = {name: folder.scores() for name, folder in runs.items()}
    for what, values in (
        ("data", {n: e.get("data_fingerprint") for n, e in environments.items()}),
        ("split", {n: s.get("split") for n, s in scores.items()}),
    ):
        if len(set(values.values())) > 1:
            first, *others = values
            odd = next(n for n in others if values[n] != values[first])
            raise LabError(
                f"runs to compare must share their {what}. {first} has {values[first]}, {odd} has {values[odd]}. Evaluate them alike."
            )
    first = next(iter(runs))
    return {
        "data": runs[first].config().data.spec,
        "split": scores[first].get("split"),
        "images": environments[first].get("images"),
        "runs": {name: _entry(folder, environments[name], scores[name]) for name, folder in runs.items()},
    }


def _entry(folder: RunFolder, environment: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, Any]:
    config = folder.config()
    rows = folder.metrics()
    last: Mapping[str, Any] = rows[-1] if rows else {"step": 0, "images_seen": 0, "epoch": 0.0, "seconds": 0.0}
    return {
        "preset": config.preset,
        "family": config.family,
        "latent_dim": config.model.latent_dim,
        "parameters": environment.get("parameters"),
        "steps": last["step"],
        "images_seen": last["images_seen"],
        "epochs": last["epoch"],
        "seconds": last["seconds"],
        "scores": scores.get("scores", {}),
        "class_shares": scores.get("class_shares"),
        "extractors": scores.get("extractors", {}),
    }


COLUMNS = (
    ("run", "run"),
    ("reconstruction_mse", "held-out MSE"),
    ("negative_elbo_nats", "−ELBO (nats)"),
    ("reconstruction_nats", "reconstruction"),
    ("kl_nats", "KL"),
    ("class_entropy_nats", "class entropy"),
    ("classes", "smallest … largest class"),
    ("seconds", "seconds"),
    ("parameters", "parameters"),
)


def table(compared: Mapping[str, Any]) -> str:
    """The comparison as plain text, one line a run; "–" where a number is not defined for the family."""
    rows = [[title for _, title in COLUMNS]]
    notes = set()
    for name, entry in compared["runs"].items():
        cells = []
        for key, _ in COLUMNS:
            cells.append(_cell(key, name, entry))
            notes |= {score["note"] for score in entry["scores"].values() if "note" in score}
        rows.append(cells)
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))) for row in rows
    ]
    lines.insert(1, "  ".join("─" * w for w in widths))
    lines += [f"({note})" for note in sorted(notes)]
    return "\n".join(lines)


def _cell(key: str, name: str, entry: Mapping[str, Any]) -> str:
    match key:
        case "run":
            return name
        case "seconds":
            return f"{entry['seconds']:.0f}"
        case "parameters":
            return f"{sum((entry['parameters'] or {}).values()):,}"
        case "classes":
            held = entry["class_shares"]
            return f"{100 * min(held['samples']):.1f} % … {100 * max(held['samples']):.1f} %" if held else "–"
    score = entry["scores"].get(key)
    if score is None or score["value"] is None:
        return "–"
    error = f" ± {score['stderr']:.2g}" if "stderr" in score else ""
    return f"{score['value']:.4g}{error}"
