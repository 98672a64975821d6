"""Stopping a run, however far it has come: one that trains is asked to, one that still loads is ended."""

from __future__ import annotations

from latentlab.studio import tasks
from latentlab.studio.overview import overview
from latentlab.studio.place import Place


def stop(place: Place, name: str) -> None:
    """Stop a run. One that is at rest already stays so. Raises LabError when there is none."""
    found, task = overview(place, name), tasks.latest(place, ("train", "resume"), name)
    if found.state == "starting" and task is not None and task.state == "running":
        tasks.stop(task)
    elif found.live:
        found.folder.request("stop")
