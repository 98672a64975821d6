"""Requests to a running run, from its control.json."""

from __future__ import annotations

import dataclasses
from typing import Any

from latentlab.config import Config
from latentlab.errors import LabError, refusal
from latentlab.runs import RunFolder


class Requests:
    """Reads control.json when it has changed, and gives each request once."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.path = folder.path / "control.json"
        self.taken: set[str] = set()
        self.read_at = 0

    def next(self) -> dict[str, Any] | None:
        """The oldest request not yet taken, or None. One stat call while nothing was asked."""
        try:
            changed = self.path.stat().st_mtime_ns
        except OSError:
            return None
        if changed == self.read_at:
            return None
        for request in self.folder.requests():
            if isinstance(request.get("id"), str) and request["id"] not in self.taken:
                self.taken.add(request["id"])
                return request
        self.read_at = changed
        return None


def live_settings(config: Config, settings: Any) -> dict[str, float]:
    """The settings of a "set" request, by dotted name. Raises LabError for a field that cannot change while training."""
    if not isinstance(settings, dict):
        raise refusal("a set request", 'an object such as {"train.learning_rate": 1e-4}', settings)
    live = {f"train.{f.name}" for f in dataclasses.fields(config.train) if f.metadata.get("live")}
    for name in settings:
        if name not in live:
            raise refusal("a field to set while training", "one of " + ", ".join(sorted(live)), name)
    try:
        config.replace(**settings)
    except TypeError:
        raise LabError(f"a set request must hold numbers. Got {settings!r}.") from None
    return dict(settings)
