"""One run while it trains: what is kept in a checkpoint, what talks to the outside, and what the loop asks of both."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.errors import Damaged, LabError, is_out_of_memory
from latentlab.base.texts import reason
from latentlab.config.schema import Config
from latentlab.data import Data, step_indices
from latentlab.models import build
from latentlab.models.engine import Batch, Engine, TorchEngine
from latentlab.models.learner import Moment, prior_codes
from latentlab.models.optimiser import rate_scale
from latentlab.models.own import DRAWING, Own
from latentlab.runs import checkpoints
from latentlab.runs.folder import ASKED, RunFolder
from latentlab.runs.forms import read_latents
from latentlab.show.explorer.own import network_layers, square
from latentlab.train.monitor import Monitor
from latentlab.train.position import Position, Step
from latentlab.train.recorder import Recorder
from latentlab.train.requests import Pace, Requests, live_fields

PRIOR_IMAGES = 2_000  # training images to which an autoencoder's prior is fitted
LEND_SECONDS, ASKED_SECONDS = 4.0, 10.0  # between two copies of the networks for pages, and since one asked


class Session:
    """One run, opened for training. Engine and position are what its checkpoints hold."""

    def __init__(self, folder: RunFolder, config: Config, data: Data, engine: Engine, device: torch.device, own: Own | None = None) -> None:
        self.folder, self.config, self.data, self.engine, self.device, self.own = folder, config, data, engine, device, own
        self.lock = ExitStack()  # holds the run's lock once it is opened
        self.position = Position()
        # What talks to the outside.
        self.warnings: list[str] = []  # for the run's consumer
        self.recorder = Recorder(folder, self.warnings.append)
        self.monitor = Monitor(config, data, engine, device, folder.environment())
        self.requests, self.pace = Requests(folder), Pace()
        # When what was last done: in steps, and in seconds of the clock.
        self.evaluated_at = self.saved_at = -1
        self.val_loss: float | None = None  # of the last evaluation
        self.last_checkpoint = self.last_status = time.monotonic()
        self.last_lent, self.lent_at = -math.inf, -1

    def moved(self, folder: RunFolder) -> None:
        """The run lies there now."""
        self.folder = self.recorder.folder = folder
        self.requests = Requests(folder)

    # How far the run is.

    def is_done(self) -> bool:
        """Whether the run has its full length, or has stopped early."""
        return self.position.step >= self.total_steps() or bool(self.why_early())

    @property
    def patience(self) -> int:
        """Evaluations that may pass without a lower val loss; 0: any number."""
        return int(getattr(self.config.train, "patience_evaluations", 0))

    def why_early(self) -> str:
        """Why the run stops before its full length; empty where it does not."""
        p = self.position
        if not 0 < self.patience <= p.stale or p.step >= self.total_steps():
            return ""
        return reason("early", at=p.lowest_step, count=p.stale, kept=checkpoints.folder_name(p.best_step or 0))

    def rates(self) -> dict[str, float]:
        """The learning rates of the last step, where a schedule moves them, by the names of their fields."""
        train, p = self.config.train, self.position
        if not (train.rate_warmup_images or train.rate_decay_images or train.rate_halflife_images):
            return {}
        scale, settings = rate_scale(train, p.images_seen - p.images_read), live_fields(self.config) | p.changes
        return {name.removeprefix("train."): scale * value for name, value in settings.items() if name.endswith("learning_rate")}

    def total_steps(self) -> int:
        """The step at which the run will end, at the present number of images per step."""
        if self.config.train.steps is not None:
            return self.config.train.steps
        missing = self.config.train.epochs * len(self.data.train) - self.position.images_seen
        return self.position.step + max(0, math.ceil(missing / self.engine.images_per_step))

    def fitting_batch(self) -> int | None:
        """The largest half, quarter … of the batch with which a step fits into memory, found by trying; None where none does.

        The engine is given up for it.
        """
        train, shape, bf16 = self.config.train, self.data.shape, self.folder.environment().get("precision") == "bf16"
        size = train.batch_size
        while size := size // 2 // train.shards * train.shards:
            try:
                vars(self).pop("engine", None)  # also one that was not finished
                config = self.config.replace(**{"train.batch_size": size})
                self.engine = TorchEngine(build(config, shape, self.device, bf16, self.own), self.device)
                self.engine.update([self.batch(0)], [Moment(0, 0)])
                return size
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                traceback.clear_frames(error.__traceback__)
        return None

    def begin(self) -> Step:
        """The step in the middle of which the run is, or a new one."""
        if self.position.begun is None:
            self.position.begun = self._step(0)
        return self.position.begun

    def ahead(self) -> list[Step]:
        """The step in the middle of which the run is, or those up to the next one after which something is due.

        Of the latter no more than the engine takes at once.
        """
        if self.position.begun is not None:
            return [self.position.begun]
        return [self._step(number) for number in range(max(1, min(self.engine.at_once, self._until_due())))]

    def _until_due(self) -> int:
        p, train, read = self.position, self.config.train, self.engine.images_per_step
        interval, images = evaluation_images(self), len(self.data.train)
        steps = [self.total_steps() - p.step, train.log_steps - p.step % train.log_steps]
        steps += [math.ceil((every - p.images_seen % every) / read) for every in (interval, images)]
        if p.images_seen < interval:  # pictures of steps 1, 2, 4, 8 …
            steps.append((1 << p.step.bit_length()) - p.step)
        return min(steps)

    def _step(self, number: int) -> Step:
        p, read = self.position, number * self.engine.images_per_step
        return Step(self.batch(p.images_seen + read), Moment(p.step + number, p.images_seen + read), list(self.engine.phases))

    def batch(self, position: int) -> Batch:
        """What the step reads that begins after so many images."""
        train = self.data.train
        rows = step_indices(self.config.train, position, self.engine.images_per_step, len(train))
        return Batch(train.take(rows), None if train.labels is None else train.labels[rows])

    # What a checkpoint holds.

    def state(self, val_loss: float | None) -> dict[str, Any]:
        """What state.json of a checkpoint holds."""
        return self.position.state() | {
            "val_loss": val_loss,
            "config_sha256": self.config.fingerprint(),
            "image_shape": list(self.data.shape),
            "class_names": list(self.data.class_names) if self.data.class_names else None,
            "labelled": self.data.labelled,
        }

    def save(self) -> bool:
        """Write a checkpoint of this step; False when the disk is full."""
        p = self.position
        self.prepare_sampling()
        loss = self.val_loss if self.evaluated_at == p.step else None
        loss = loss if loss is not None and math.isfinite(loss) else None
        best = p.best_step, p.best_loss
        if loss is not None and (p.best_loss is None or loss < p.best_loss):
            p.best_step, p.best_loss = p.step, loss
        self.last_checkpoint = time.monotonic()
        if not self.recorder.checkpoint(p.step, self.engine.tensors() | p.tensors(), self.state(loss), p.best_step):
            p.best_step, p.best_loss = best  # what is not on disk is not the best of what is kept
            return False
        self.saved_at = p.step
        return True

    def lend(self) -> None:
        """Put the networks as they are now, without what only training needs, where pages find them, while one asks for them."""
        step, now, asked = self.position.step, time.monotonic(), self.folder.live / ASKED
        if now - self.last_lent < LEND_SECONDS or self.lent_at == step or self.position.begun is not None or not asked.exists():
            return
        if time.time() - asked.stat().st_mtime < ASKED_SECONDS:
            weights = self.engine.twin().tensors()  # not the engine's, for which every process of a run would be asked
            tensors = {name: values.cpu().numpy() for name, values in weights.items() if not name.startswith("adam.")}
            with suppress(OSError):  # of a folder that somebody else's page made: no reason to end
                self.recorder.lend(step, tensors, self.state(None))
            self.last_lent, self.lent_at = now, step

    def restore(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Go back to a checkpoint, and to what the run's metrics say of that step. LabError for another configuration's, Damaged."""
        tensors, state = checkpoints.load(path)
        with checkpoints.opening(path):
            if state["config_sha256"] != self.config.fingerprint():
                raise checkpoints.foreign(path)
            if state.get(checkpoints.EXPORTED):
                raise LabError(reason("exported", path=self.folder.path, preset=self.config.preset))
            self.position = Position.restored(state, tensors)
            self.engine.load_tensors(tensors)
            self._set(self.position.changes)
        for row in rows:  # changed at this very step, but after it was saved
            if row["step"] == self.position.step and row.get("request", {}).get("action") == "set":
                self._set(row["request"]["set"])

    def best(self) -> int | None:
        """Where the run stopped early, take its best checkpoint's networks to draw and encode with; that step, else None.

        The run cannot be trained further after it, nor saved.
        """
        if not self.why_early():
            return None
        step = self.position.best_step or 0
        try:
            tensors, _ = checkpoints.load(self.folder.checkpoints / checkpoints.folder_name(step))
            self.engine.load_tensors(checkpoints.without_window(tensors))
        except Damaged as error:
            self.warnings.append(f"{error} The run is sampled from its newest one.")
            return None
        return step

    def prepare_sampling(self) -> None:
        """Fit an autoencoder's prior to the codes of its first training images: a function of the weights alone."""
        if self.config.family == "ae":
            self.engine.prepare_sampling(self.data.train.take(slice(PRIOR_IMAGES)))

    # What is written down and told while it trains.

    def row(self, split: str, values: dict[str, Any], step: int | None = None) -> dict[str, Any]:
        """Write a line of metrics, of this step or of another one, and return it."""
        p = self.position
        at, epoch = p.step if step is None else step, p.images_seen / len(self.data.train)
        line = {"step": at, "epoch": epoch, "images_seen": p.images_seen, "seconds": round(p.seconds, 4), "split": split} | values
        self.recorder.row(line)
        self.monitor.diagnosis.add(line)
        return line

    def write_status(self, state: str, message: str = "", live: dict[str, Any] | None = None) -> None:
        """Replace status.json, with the findings."""
        findings = [finding.to_json() for finding in self.monitor.diagnosis.findings()]
        self.folder.write_status(state, self.position.step, message, findings, live)

    def tell(self) -> None:
        """Write status.json at once: how the run goes, what the last phase by hand did, which requests were taken."""
        self.last_status = time.monotonic()
        mode, begun, (refused, why) = self.pace.mode, self.position.begun, self.requests.refused
        settings = live_fields(self.config) | self.position.changes
        for request in self.requests.waiting:
            settings |= request["set"]
        live = {
            "mode": mode,
            "phase": begun.done if begun and mode != "fast" else None,
            "half": self.pace.last_phase,
            "settings": settings,
            "taken": self.requests.newest,
            "refused": refused or None,
        }
        self.write_status("paused" if mode == "paused" else "running", why, live)

    def plane(self) -> dict[str, NDArray[Any]] | None:
        """The codes of which images are drawn for pages, of a network of somebody's own that they cannot run; None for others."""
        if (name := next((name for name, _ in self.config.own if name in DRAWING), None)) is None:
            return None
        try:
            network_layers(self.folder.path, name)
        except LabError:
            size = self.config.model.latent_dim
            mean, *moved = prior_codes(self.engine.twin(), np.eye(size + 1, size, -1, np.float32), self.device)
            return square(read_latents(self.folder.path), mean, np.stack(moved) - mean, self.config.train.seed)
        return None

    # What is asked of it.

    def take(self, request: dict[str, Any]) -> None:
        """Write a request down as a line of metrics. One to "set" something is refused, or applied once no step is begun."""
        if request["action"] != "set":
            self.row("train", {"request": request})
            return
        if why := self.requests.accept(request, self.config):
            self.warnings.append(why)
        if self.position.begun is None:
            self.apply_settings()

    def apply_settings(self) -> None:
        """Change what was asked for since the last step, from the next one on."""
        for request in self.requests.waiting:
            self._set(request["set"])
            self.row("train", {"request": request})
            self.saved_at = -1  # a checkpoint of this step does not hold the change
        self.requests.waiting.clear()

    def _set(self, settings: dict[str, float]) -> None:
        for name, value in settings.items():
            self.engine.set(name.partition(".")[2], value)
        self.position.changes |= settings


def evaluation_images(session: Session) -> int:
    """Training images between two evaluations."""
    return max(1, round(session.config.train.evaluate_epochs * len(session.data.train)))
