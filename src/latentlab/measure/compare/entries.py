"""What a comparison says of one run, read from its folder; and the names by which runs are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError
from latentlab.runs.folder import RunFolder, open_folder

STARTED: Mapping[str, Any] = {"step": 0, "images_seen": 0, "epoch": 0.0, "seconds": 0.0}


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
    twice = next((path for place, path in enumerate(whole) if path in whole[:place]), None)
    if twice is not None:
        raise LabError(f"runs to compare must be different ones. {twice} is named twice.")
    names = []
    for path in whole:
        others = [other for other in whole if other != path]
        length = 1
        while any(other.parts[-length:] == path.parts[-length:] for other in others):
            length += 1
        names.append(Path(*path.parts[-length:]).as_posix())
    return names


def read_entry(folder: RunFolder) -> dict[str, Any]:
    """A run's size, length, cost and scores. What the run cost is told at the step that was measured."""
    scores = folder.scores()
    found: dict[str, Any] = (
        {"path": str(folder.path), "source": "images", "kind": "images"} if is_foreign(folder) else _trained(folder, scores)
    )
    return found | {
        "samples_per_second": scores.get("samples_per_second"),
        "scores": scores.get("scores", {}),
        "class_shares": scores.get("class_shares"),
        "extractors": scores.get("extractors", {}),
    }


def is_foreign(folder: RunFolder) -> bool:
    """Whether the folder holds the scores of images that some other program made, and no run."""
    return folder.scores().get("source") == "images" and not (folder.path / "config.json").exists()


def _trained(folder: RunFolder, scores: Mapping[str, Any]) -> dict[str, Any]:
    config, status = folder.config(), folder.status()
    measured = scores.get("step")
    rows = [row for row in folder.metrics() if measured is None or row["step"] <= measured]
    last = rows[-1] if rows else STARTED
    return {
        "path": str(folder.path),
        "source": "run",
        "preset": config.preset,
        "family": config.family,
        "kind": config.kind,
        "seed": config.train.seed,
        "latent_dim": config.model.latent_dim,
        "parameters": folder.environment().get("parameters"),
        "steps": last["step"],
        "images_seen": last["images_seen"],
        "epochs": last["epoch"],
        "seconds": last["seconds"],
        "trained_on_to": status.get("step") if measured is not None and status.get("step", 0) > measured else None,
        "diagnosis": [found["key"] for found in status.get("diagnosis", []) if isinstance(found, dict) and "key" in found],
    }


# What runs must share for their numbers to be comparable.

SHORT = 12  # characters of a sha256 that are shown


def refuse_unlike(runs: Mapping[str, RunFolder]) -> None:
    """Raise LabError when runs were measured on other images, another split, another number of them or by another extractor.

    Every such difference is named in one line, with the runs on each side of it.
    """
    facts = {name: yardstick(folder) for name, folder in runs.items()}
    differences = []
    for what in next(iter(facts.values())):
        sides: dict[str, list[str]] = {}
        for name, fact in facts.items():
            if (said := fact[what]) is not None:
                sides.setdefault(said, []).append(name)
        if len(sides) > 1:
            differences.append(f"{what} ({'; '.join(f'{value} in {_few(names)}' for value, names in sides.items())})")
    if differences:
        raise LabError(
            f"runs to compare must share data, split, numbers of images and extractors. These differ in {' and in '.join(differences)}. "
            "Evaluate them alike with `latentlab evaluate`, or compare fewer."
        )


def yardstick(folder: RunFolder) -> dict[str, str | None]:
    """By what a run was measured, as it is shown; None where the run does not say, which differs from nothing."""
    scores = folder.scores()
    fingerprint = data_fingerprint(folder)
    extractors = scores.get("extractors", {})
    seen = [f"{identity} {str(facts.get('sha256'))[:SHORT]}" for identity, facts in sorted(extractors.items())]
    return {
        "data": None if fingerprint is None else fingerprint[:SHORT],
        "split": _said(scores.get("split")),
        "held-out images": _said(scores.get("n")),
        "samples": _said(scores.get("samples")),
        "extractor": (" + ".join(seen) or "none") if scores else None,
    }


def data_fingerprint(folder: RunFolder) -> str | None:
    """The sha256 of the images that the run was measured on: by its scores, else by what it was trained on."""
    return _said(folder.scores().get("data_fingerprint") or folder.environment().get("data_fingerprint"))


def _said(value: Any) -> str | None:
    return None if value is None else str(value)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
