"""The loop: a generator of events, and the only home of cadence. It keeps time; the learner does the mathematics.

A run is created whole (configuration, environment, the checkpoint of step 0) and then always starts from its newest
checkpoint, the first time as after a kill -9: there is one path, not one for new runs and one for resumed ones.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from latentlab.base.errors import NonFinite, OutOfSpace
from latentlab.base.machine import keep_freed_memory, threads
from latentlab.config.schema import GANTrain, VAETrain
from latentlab.measure.metrics.classes import active_units
from latentlab.models.learner import Losses, decode, draw, encode
from latentlab.runs import checkpoints
from latentlab.train.events import Diagnosed, Ended, Event, Halved, Logged, Paced, Pictured, Saved, Started, Stepped, Warned
from latentlab.train.monitor import CODED, LEAST_REAL, LEAST_SHOWN, Watch, known_watcher
from latentlab.train.position import Begun
from latentlab.train.session import Session

SHOWN = 32  # held-out images whose reconstructions are kept
HELD_OUT_BATCH = 500
POLL_SECONDS = 0.05


def run_loop(session: Session, should_stop: Callable[[], bool]) -> Iterator[Event]:
    """Train to the end, or until `should_stop` or a request says so. The caller holds the run's lock.

    Events are yielded when everything due at their step is done, so that a consumer may stop listening at any of them.
    """
    p, folder, pace = session.progress, session.folder, session.pace
    session.diagnosis.extend(folder.metrics())  # of before it was stopped, so that a resumed run sees the same
    session.tell()
    before = [*picture(session), *evaluate(session)] if p.step == 0 else []
    yield from [Started(folder, p.step, session.total_steps()), *before, *diagnose(session), *drain(session)]
    state = "finished"
    while not session.is_done():
        asked, told = obey(session)
        yield from [*told, *drain(session)]
        if asked == "stop" or should_stop():
            state = "stopped"
            break
        if asked in ("phase", "step") or pace.is_due():
            yield from by_hand(session, whole=asked == "step")
        elif pace.mode == "fast":
            done = step(session)
            session.tell_now_and_then()
            yield from done
        else:
            time.sleep(POLL_SECONDS)
    if session.begun:
        yield from step(session)
    yield from finish(session, state)


def obey(session: Session) -> tuple[str | None, list[Event]]:
    """Take requests until one asks for something to be done now: "stop", or while the run is paused or slow "step" or "phase"."""
    told: list[Event] = []
    while action := session.take_request():
        if session.pace.take(action):
            session.half = None if session.pace.mode == "fast" else session.half
            told.append(Paced(session.pace.mode, session.progress.step))
        if action in ("step", "phase") and session.pace.mode != "fast":
            return action, told  # its status is told when it has been done
        session.tell()
        if action == "stop":
            return action, told
    return None, told


def step(session: Session) -> list[Event]:
    """One update, or what is left of a step that was begun, then what is due after it."""
    begun = session.begin()
    if begun.done is None:
        started = time.perf_counter()
        begun.losses = session.learner.update(begun.images, begun.moment)
        begun.seconds = time.perf_counter() - started
        session.advance()
    while session.begun:
        phase(session, begun)
    return after_step(session)


def phase(session: Session, begun: Begun) -> Losses:
    """The next phase of a step that was begun. After the last one the step is counted, as if it had been one update."""
    begun.done = begun.phases.pop(0)
    started = time.perf_counter()
    losses = session.learner.run_phase(begun.done, begun.images, begun.moment)
    begun.seconds += time.perf_counter() - started
    begun.losses |= losses
    if not begun.phases:
        session.advance()
    return losses


def by_hand(session: Session, whole: bool) -> list[Event]:
    """The next phase alone, or with `whole` those left of the step, each with the losses before and after it."""
    begun, found = session.begin(), list[Event]()
    while begun.phases:
        losses = phase(session, begun)
        after = session.learner.after_phase(str(begun.done), begun.images, begun.moment)
        told = Halved(begun.moment.step + 1, str(begun.done), numbers(losses) | {"after": numbers(after)})
        session.half = {"phase": told.phase, "step": told.step} | told.values
        found.append(told)
        if not whole:
            break
    if session.begun is None:
        found += after_step(session, by_hand=True)
    session.pace.rest()
    session.tell()
    return found


def numbers(losses: Losses) -> dict[str, float | None]:
    """Losses as JSON can hold them."""
    values = {name: float(value) for name, value in losses.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def after_step(session: Session, by_hand: bool = False) -> list[Event]:
    """What is due after a step: a line of metrics, pictures, an evaluation, a checkpoint. By hand, the first two always."""
    p, train = session.progress, session.config.train
    found: list[Event] = [Stepped(p.step, p.images_seen)]
    regular = p.step % train.log_steps == 0
    if regular or by_hand:
        found.append(Logged(session.log(by_hand=not regular)))
    due = session.crossed(session.evaluation_images)
    early = p.images_seen < session.evaluation_images and p.step & (p.step - 1) == 0  # 1, 2, 4, 8 … in the first epoch
    if due or early or by_hand:
        found += picture(session)
    if due:
        found += evaluate(session)
    if due or regular or by_hand:
        found += diagnose(session)
    session.apply_settings()
    epoch_ended = session.crossed(len(session.data.train))
    if epoch_ended and time.monotonic() - session.last_checkpoint >= train.checkpoint_seconds and session.save():
        found.append(Saved(p.step))
    return [*found, *drain(session)]


def finish(session: Session, state: str) -> list[Event]:
    """The end of a run: a last evaluation and the latents (when finished), a checkpoint, the state."""
    p, folder = session.progress, session.folder
    found: list[Event] = []
    if state == "finished" and session.evaluated_at != p.step:
        found += [*picture(session), *evaluate(session), *diagnose(session)]
    if session.saved_at != p.step:
        if not session.save():
            whole = checkpoints.newest(folder.checkpoints, session.warnings.append).name
            session.write_status("stopped", f"the disk is full; the last checkpoint is {whole}")
            raise OutOfSpace(
                f"{folder.path}: the disk is full and step {p.step} could not be kept; {whole} is whole. Free space and resume."
            )
        found.append(Saved(p.step))
    if state == "finished" and session.config.family != "gan":
        session.recorder.latents(session.data, lambda images: encode(session.learner, images, session.device))
    session.recorder.close()
    session.write_status(state)
    return [*found, *drain(session), Ended(state, p.step)]


def picture(session: Session) -> list[Event]:
    """Samples of the same z and reconstructions of the same held-out images as at every other step."""
    at, config, learner = session.progress.step, session.config, session.learner
    session.prepare_sampling()
    drawn = draw(learner, config.train.sample_count, config.model.latent_dim, config.train.seed, session.device)
    samples = session.recorder.samples(at, drawn)
    reconstructions = None
    if config.family != "gan":
        shown = session.data.val.take(np.arange(min(SHOWN, len(session.data.val))))
        codes, _ = encode(learner, shown, session.device)
        reconstructions = session.recorder.reconstructions(at, shown, decode(learner, codes, session.device))
    return [Pictured(at, samples, reconstructions)]


def evaluate(session: Session) -> list[Event]:
    """A line of metrics on the val split: means over its images. Its loss picks the best checkpoint."""
    val = session.data.val
    sums: dict[str, float] = {}
    for start in range(0, len(val), HELD_OUT_BATCH):
        rows = np.arange(start, min(start + HELD_OUT_BATCH, len(val)))
        images = torch.from_numpy(val.take(rows)).to(session.device)
        for name, values in session.learner.held_out(images, session.config.train.seed, start).items():
            sums[name] = sums.get(name, 0.0) + float(values.cpu().double().sum())
    means = {name: total / len(val) for name, total in sums.items()} | watch(session)
    session.evaluated_at, session.val_loss = session.progress.step, means.get("loss_nats")
    return [Logged(session.row("val", means))]


def watch(session: Session) -> dict[str, Any]:
    """What else an evaluation looks at: a VAE's active units, the diversity of a GAN's samples."""
    config, learner = session.config, session.learner
    match config.train:
        case VAETrain():
            mean, _ = encode(learner, session.data.val.take(np.arange(min(CODED, len(session.data.val)))), session.device)
            return {"active_units": active_units(mean)}
        case GANTrain() if config.train.measure_samples >= LEAST_SHOWN:
            if session.watch is None:
                looking = known_watcher(session.data, session.folder.environment().get("watched_by"))
                if looking is None or len(session.data.val) < LEAST_REAL:
                    return {}
                session.watch = Watch(session.data, config.train.measure_samples, looking)
            drawn = draw(learner, config.train.measure_samples, config.model.latent_dim, config.train.seed, session.device)
            return session.watch.samples(drawn)
    return {}


def diagnose(session: Session) -> list[Event]:
    """What the rows so far say is wrong, when that changed."""
    found = session.news()
    return [] if found is None else [Diagnosed(found)]


def drain(session: Session) -> list[Event]:
    """The warnings that have gathered, as events."""
    gathered, session.warnings[:] = [Warned(text) for text in session.warnings], []
    return list(gathered)


def train_events(session: Session, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """`run_loop` with the run's own number of threads and its state told truly, however it ends.

    A consumer that stops listening (break) leaves a run that is stopped and saved. The caller holds the run's lock.
    """
    folder, p = session.folder, session.progress
    keep_freed_memory()
    with threads(int(session.config.train.threads)):
        try:
            yield from run_loop(session, should_stop)
        except NonFinite as error:
            session.failed(str(error))
            last = checkpoints.newest(folder.checkpoints, session.warnings.append)
            session.write_status("failed", str(error))
            yield from diagnose(session)
            raise NonFinite(f"{error} {folder.path} keeps {last.name} as its last good checkpoint.") from None
        except GeneratorExit:
            if session.begun:
                step(session)
            if session.saved_at != p.step:
                session.save()
            session.write_status("stopped")
            raise
        except OutOfSpace:
            raise
        except BaseException as error:
            session.write_status("failed", f"{type(error).__name__}: {error}")
            raise
