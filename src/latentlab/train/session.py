"""One run while it trains: folder, data, learner and progress, and how they go into a checkpoint and come back."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentlab.base.errors import LabError
from latentlab.config.schema import Config
from latentlab.data import Data, batch_indices
from latentlab.models.learner import Learner, Moment
from latentlab.runs import checkpoints
from latentlab.runs.diagnosis import Diagnosis, Finding
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.train.monitor import Watch
from latentlab.train.position import Begun, Progress, Window
from latentlab.train.recorder import Recorder
from latentlab.train.requests import Pace, Requests, live_fields, live_settings

PRIOR_IMAGES = 2_000  # training images to which an autoencoder's prior is fitted


class Session:
    """One run, opened for training: its folder, data, learner and progress."""

    def __init__(self, folder: RunFolder, config: Config, data: Data, learner: Learner, device: torch.device) -> None:
        self.folder, self.config, self.data, self.learner, self.device = folder, config, data, learner, device
        self.progress = Progress()
        self.warnings: list[str] = []
        self.recorder = Recorder(folder, self.warnings.append)
        self.feed = feed(data, config.train.seed, device)
        self.evaluation_images = max(1, round(config.train.evaluate_epochs * len(data.train)))
        self.lock = ExitStack()  # holds the run's lock once it is opened
        self.requests, self.pace = Requests(folder), Pace()
        self.begun: Begun | None = None  # the step in the middle of which the run is
        self.images_read = 0  # by the last step
        self.waiting: list[dict[str, Any]] = []  # "set" requests taken in the middle of a step: for the next one
        self.half: dict[str, Any] | None = None  # what the last phase by hand did
        self.refused: tuple[str, str] = "", ""  # the last request, when it was refused: its id, and why
        self.evaluated_at = self.saved_at = -1  # steps
        self.watch: Watch | None = None  # made at the first evaluation that draws samples
        self.val_loss: float | None = None  # of the last evaluation
        self.diagnosis = Diagnosis(facts_of(config, folder.environment()))
        self.told: tuple[Finding, ...] = ()  # findings that the run's consumer knows of
        self.last_checkpoint = self.last_status = time.monotonic()

    def state(self, val_loss: float | None) -> dict[str, Any]:
        """What state.json of a checkpoint holds."""
        p = self.progress
        return {
            "step": p.step,
            "images_seen": p.images_seen,
            "seconds": p.seconds,
            "best_step": p.best_step,
            "best_loss": p.best_loss,
            "changes": p.changes,
            "window_steps": p.window.steps,
            "since": None if p.since is None else {"steps": p.since.steps, "sums": {k: float(v) for k, v in p.since.sums.items()}},
            "val_loss": val_loss if val_loss is not None and math.isfinite(val_loss) else None,
            "config_sha256": fingerprint(self.config),
            "image_shape": list(self.data.shape),
            "class_names": list(self.data.class_names) if self.data.class_names else None,
            "labelled": self.data.labelled,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """What tensors.safetensors of a checkpoint holds."""
        return self.learner.tensors() | {f"window.{name}": value for name, value in self.progress.window.sums.items()}

    def restore(self, path: Path) -> None:
        """Go back to a checkpoint. Raises LabError when it belongs to another configuration."""
        tensors, state = checkpoints.load(path)
        if state["config_sha256"] != fingerprint(self.config):
            raise LabError(f"{path} was written under another configuration than {self.folder.path / 'config.json'}. Restore that file.")
        window = {name[7:]: tensors.pop(name).to(self.device) for name in list(tensors) if name.startswith("window.")}
        self.learner.load_tensors(tensors)
        self.progress = Progress(
            **{k: state[k] for k in ("step", "images_seen", "seconds", "best_step", "best_loss", "changes")},
            window=Window(window, state["window_steps"]),
        )
        if since := state.get("since"):  # a float of JSON is the float32 that it was written from
            sums = {name: torch.tensor(value, device=self.device) for name, value in since["sums"].items()}
            self.progress.since = Window(sums, since["steps"])
        for row in self.folder.metrics():  # changed at this very step, but after it was saved
            if row["step"] == self.progress.step and row.get("request", {}).get("action") == "set":
                self.progress.changes |= row["request"]["set"]
        for name, value in self.progress.changes.items():
            self.learner.set(name.partition(".")[2], value)

    def row(self, split: str, values: dict[str, Any]) -> dict[str, Any]:
        """Write a line of metrics and return it."""
        p = self.progress
        line: dict[str, Any] = {"step": p.step, "epoch": p.images_seen / len(self.data.train), "images_seen": p.images_seen}
        line |= {"seconds": round(p.seconds, 4), "split": split} | values
        self.recorder.row(line)
        self.diagnosis.add(line)
        return line

    def failed(self, reason: str) -> None:
        """Write down that the next step was refused. The line has that step's number, so that a resumed run forgets it."""
        self.progress.step += 1
        self.row("train", {"failure": reason})
        self.progress.step -= 1

    def news(self) -> tuple[Finding, ...] | None:
        """The findings, if the list is another than what was told last; None if not. Numbers that moved are no news."""
        found = tuple(self.diagnosis.findings())
        if [(f.key, f.since_step, f.over) for f in found] == [(f.key, f.since_step, f.over) for f in self.told]:
            return None
        self.told, self.last_status = found, -math.inf
        return found

    def write_status(self, state: str, message: str = "", live: dict[str, Any] | None = None) -> None:
        """Replace status.json, with the findings."""
        found = [finding.to_json() for finding in self.diagnosis.findings()]
        self.folder.write_status(state, self.progress.step, message, found, live)

    def tell(self) -> None:
        """Write status.json at once: how the run goes, what the last phase by hand did, which requests were taken."""
        self.last_status = time.monotonic()
        refused, why = self.refused
        waiting = {name: value for request in self.waiting for name, value in request["set"].items()}
        live = {
            "mode": self.pace.mode,
            "phase": self.begun.done if self.begun and self.pace.mode != "fast" else None,
            "half": self.half,
            "settings": live_fields(self.config) | self.progress.changes | waiting,
            "taken": self.requests.newest,
            "refused": refused or None,
        }
        self.write_status("paused" if self.pace.mode == "paused" else "running", why, live)

    def tell_now_and_then(self) -> None:
        """`tell`, at most once a second; at once when there are new findings."""
        if time.monotonic() - self.last_status > 1.0:
            self.tell()

    def save(self) -> bool:
        """Write a checkpoint of this step; False when the disk is full."""
        p = self.progress
        self.prepare_sampling()
        loss = self.val_loss if self.evaluated_at == p.step else None
        best = p.best_step, p.best_loss
        if loss is not None and math.isfinite(loss) and (p.best_loss is None or loss < p.best_loss):
            p.best_step, p.best_loss = p.step, loss
        self.last_checkpoint = time.monotonic()
        if not self.recorder.checkpoint(p.step, self.tensors(), self.state(loss), p.best_step):
            p.best_step, p.best_loss = best  # what is not on disk is not the best of what is kept
            return False
        self.saved_at = p.step
        return True

    def prepare_sampling(self) -> None:
        """Fit an autoencoder's prior to the codes of its first training images: a function of the weights alone."""
        if self.config.family == "ae":
            rows = np.arange(min(PRIOR_IMAGES, len(self.data.train)))
            self.learner.prepare_sampling(torch.from_numpy(self.data.train.take(rows)).to(self.device))

    def begin(self) -> Begun:
        """The step in the middle of which the run is, or a new one."""
        if self.begun is None:
            p, learner = self.progress, self.learner
            images = self.feed(p.images_seen, learner.images_per_step)
            self.begun = Begun(images, Moment(p.step, p.images_seen), list(learner.phases))
        return self.begun

    def advance(self) -> None:
        """Count the step that was begun, all of whose phases are done, and add its losses to the window."""
        if self.begun is None:
            raise RuntimeError("there is no step to count")
        p, begun, self.begun = self.progress, self.begun, None
        self.images_read = len(begun.images)
        p.step += 1
        p.images_seen += self.images_read
        p.seconds += begun.seconds
        p.window.add(begun.losses)
        if p.since is not None:
            p.since.add(begun.losses)

    def log(self, by_hand: bool = False) -> dict[str, Any]:
        """A line of metrics with the means since the last one.

        A line written for a step `by_hand` leaves the window as it is: checkpoints are those of the run without it.
        """
        p = self.progress
        values = (p.window if p.since is None else p.since).means()
        if by_hand:
            p.since = Window()
        else:
            p.window, p.since = Window(), None
        return self.row("train", values)

    def is_done(self) -> bool:
        """Whether the run has its full length."""
        if self.config.train.steps is not None:
            return self.progress.step >= self.config.train.steps
        return self.progress.images_seen >= self.config.train.epochs * len(self.data.train)

    def total_steps(self) -> int:
        """The step at which the run will end, at the present number of images per step."""
        if self.config.train.steps is not None:
            return self.config.train.steps
        missing = self.config.train.epochs * len(self.data.train) - self.progress.images_seen
        return self.progress.step + max(0, math.ceil(missing / self.learner.images_per_step))

    def crossed(self, interval: float) -> bool:
        """Whether the last step passed a multiple of `interval` images."""
        seen = self.progress.images_seen
        return seen // interval > (seen - self.images_read) // interval

    def take_request(self) -> str | None:
        """The action of the next request, written down as a line of metrics; None where there is none.

        A "set" is refused here, or applied, in the middle of a step at its end.
        """
        request = self.requests.next()
        if request is None:
            return None
        if request["action"] != "set":
            self.row("train", {"request": request})
            return str(request["action"])
        try:
            live_settings(self.config, request.get("set"))
        except LabError as error:
            self.warnings.append(str(error))
            self.refused = request["id"], str(error)
        else:
            self.refused = "", ""
            self.waiting.append(request)
            if self.begun is None:
                self.apply_settings()
        return "set"

    def apply_settings(self) -> None:
        """Change what was asked for since the last step, from the next one on."""
        for request in self.waiting:
            for name, value in request["set"].items():
                self.learner.set(name.partition(".")[2], value)
            self.progress.changes |= request["set"]
            self.row("train", {"request": request})
            self.saved_at = -1  # a checkpoint of this step does not hold the change
        self.waiting.clear()


def fingerprint(config: Config) -> str:
    """The sha256 of what a checkpoint's tensors depend on: not the length, nor where the data lies."""
    values = config.to_dict()
    for part, name in (("train", "epochs"), ("train", "steps"), ("data", "root"), ("data", "offline")):
        del values[part][name]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def feed(data: Data, seed: int, device: torch.device) -> Callable[[int, int], torch.Tensor]:
    """A function from (position, count) to a batch uint8 [count, H, W, C] on the device.

    A set that fits is put on the GPU once; otherwise each batch is cut from the bytes in memory or in the memory map.
    """
    train = data.train
    if device.type == "cuda" and len(train) * int(np.prod(data.shape)) < torch.cuda.mem_get_info(device)[0] // 4:
        whole = torch.from_numpy(np.ascontiguousarray(train.images)).to(device)
        return lambda position, count: whole[torch.from_numpy(batch_indices(seed, position, count, len(train))).to(device)]
    return lambda position, count: torch.from_numpy(train.take(batch_indices(seed, position, count, len(train)))).to(device)
