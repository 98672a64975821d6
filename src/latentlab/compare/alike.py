"""What runs must share for their numbers to be comparable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.errors import LabError
from latentlab.runs import RunFolder

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
