"""Requests to a running run, from its control.json, and what they change: its pace and its settings."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.config.schema import Config
from latentlab.runs.folder import RunFolder

SLOW_SECONDS = 1.25  # of slow motion, between two phases


class Requests:
    """Reads control.json when it has changed, and gives each request once, in their order."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.path = folder.path / "control.json"
        self.taken: set[str] = set()
        self.newest: str | None = None  # the id of the one taken last
        self.refused: tuple[str, str] = "", ""  # the last one, when it was refused: its id, and why
        self.waiting: list[dict[str, Any]] = []  # those to "set" something, until the step that they were taken in is over
        self.read_at: tuple[int, ...] = ()

    def next(self) -> dict[str, Any] | None:
        """The oldest request not yet taken, or None. One stat call while nothing was asked."""
        try:
            about = self.path.stat()
        except OSError:
            return None
        # Two writes may fall into one tick of the file system's clock: inode and size tell them apart.
        changed = about.st_mtime_ns, about.st_ino, about.st_size
        if changed == self.read_at:
            return None
        for request in self.folder.requests():
            if isinstance(request.get("id"), str) and request["id"] not in self.taken:
                self.newest = request["id"]
                self.taken.add(self.newest)
                return request
        self.read_at = changed
        return None

    def accept(self, request: dict[str, Any], config: Config) -> str:
        """Keep a request to "set" something for the next step, or refuse it and say why."""
        try:
            live_settings(config, request.get("set"))
        except LabError as error:
            self.refused = request["id"], str(error)
        else:
            self.refused = "", ""
            self.waiting.append(request)
        return self.refused[1]


class Pace:
    """How a run goes: "fast", "paused", or "slow", which is phase by phase with a wait after each."""

    def __init__(self) -> None:
        self.mode = "fast"
        self.rested_at = 0.0  # when the wait of slow motion is over
        self.last_phase: dict[str, Any] | None = None  # what the last phase taken alone did, until the run is fast again

    def take(self, action: str) -> bool:
        """Go on as a request says; whether that is another pace than before."""
        before, self.mode = self.mode, {"pause": "paused", "resume": "fast", "slow": "slow"}.get(action, self.mode)
        if self.mode == before:
            return False
        self.rested_at = 0.0  # slow motion begins at once
        if self.mode == "fast":
            self.last_phase = None
        return True

    def rest(self) -> None:
        """A phase was done: the next one of slow motion is due after the wait."""
        self.rested_at = time.monotonic() + SLOW_SECONDS

    def is_due(self) -> bool:
        """Whether slow motion goes on now."""
        return self.mode == "slow" and time.monotonic() >= self.rested_at


def live_fields(config: Config) -> dict[str, float]:
    """The settings that may be changed while training, by dotted name, with the values of the configuration."""
    return {f"train.{f.name}": getattr(config.train, f.name) for f in dataclasses.fields(config.train) if f.metadata.get("live")}


def live_settings(config: Config, settings: Any) -> dict[str, float]:
    """The settings of a "set" request, by dotted name. Raises LabError for a field that cannot change while training."""
    if not isinstance(settings, dict) or not settings:
        raise refusal("a set request", 'an object such as {"train.learning_rate": 1e-4}', settings)
    live = live_fields(config)
    for name in settings:
        if name not in live:
            anew = f"`latentlab train {config.preset} --init-from RUN` begins a new run from the weights of one."
            raise refusal("a field to set while training", "one of " + ", ".join(sorted(live)), name, anew)
    try:
        config.replace(**settings)
    except TypeError:
        raise LabError(f"a set request must hold numbers. Got {settings!r}.") from None
    return dict(settings)
