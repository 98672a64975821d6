"""What happens while a run trains. The command line prints these, notebooks plot them, tests collect them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.runs.diagnosis import Finding
from latentlab.runs.folder import RunFolder


@dataclass(frozen=True)
class Started:
    """Training goes on from `step` to about `total` steps."""

    folder: RunFolder
    step: int
    total: int


@dataclass(frozen=True)
class Stepped:
    """One step was done; nothing was read back from the device."""

    step: int
    images_seen: int


@dataclass(frozen=True)
class Phased:
    """One phase of step `step` was done by hand or in slow motion: its losses, and under "after" those that it left behind."""

    step: int
    phase: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Paced:
    """The run goes on "fast", "slow" or, "paused", not until it is asked to."""

    mode: str
    step: int


@dataclass(frozen=True)
class Logged:
    """A line of metrics.jsonl, of split "train" or "val"."""

    row: dict[str, Any]


@dataclass(frozen=True)
class Pictured:
    """Samples, and with an encoder reconstructions, of a step."""

    step: int
    samples: Path
    reconstructions: Path | None


@dataclass(frozen=True)
class Saved:
    """A checkpoint is whole on disk."""

    step: int


@dataclass(frozen=True)
class Warned:
    """Something that the user should know and that training survives."""

    message: str


@dataclass(frozen=True)
class Diagnosed:
    """The list of findings changed: an alarm more, or one that is over. Empty: none is left."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Ended:
    """The run is "finished" or "stopped"; why, where it finished before its full length."""

    state: str
    step: int
    why: str = ""


Event = Started | Stepped | Phased | Paced | Logged | Pictured | Saved | Warned | Diagnosed | Ended
