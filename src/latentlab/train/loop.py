"""The loop: a generator of events, and the only home of cadence. It keeps time; the engine does the mathematics.

A run is created whole (configuration, environment, the checkpoint of step 0) and then always starts from its newest
checkpoint, the first time as after a kill -9: there is one path, not one for new runs and one for resumed ones.
"""

from __future__ import annotations

import math
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator

from latentlab.base.errors import LabError, NonFinite, OutOfMemory, OutOfSpace, is_out_of_memory
from latentlab.base.images import is_point
from latentlab.base.machine import keep_freed_memory, threads
from latentlab.base.signals import Interrupted
from latentlab.base.texts import reason
from latentlab.models.engine import Losses
from latentlab.models.own import blamed
from latentlab.runs import checkpoints, frames
from latentlab.runs.folder import RunFolder
from latentlab.train.events import Diagnosed, Ended, Event, Logged, Paced, Phased, Pictured, Saved, Started, Stepped, Warned
from latentlab.train.monitor import JUDGED
from latentlab.train.position import finish as finished
from latentlab.train.session import Session, evaluation_images

POLL_SECONDS = 0.05
STATUS_SECONDS = 1.0  # between two of status.json at full speed, when nothing is found


def events(
    session: Session, should_stop: Callable[[], bool] = lambda: False, draw: Callable[[RunFolder], object] = lambda folder: None
) -> Iterator[Event]:
    """Train to the end, or until `should_stop` or a request says so, with the run's own number of threads.

    `draw` makes of a run that has its length what belongs to a finished one; only then is it told as finished.

    However it ends, status.json tells it truly and the run's lock, held since it was opened, is released. A consumer that
    stops listening (break) leaves a run that is stopped and saved.
    """
    keep_freed_memory()
    with session.lock, threads(int(session.config.train.threads)):
        try:
            for turn in turns(session, should_stop, draw):
                due = list(turn)  # all of it is done before any is told, so that a consumer may stop listening at any event
                warned, session.warnings[:] = [Warned(text) for text in session.warnings], []
                yield from due
                yield from warned
        except NonFinite as error:
            # The line has the number of the step that was refused, so that a resumed run forgets it.
            session.row("train", {"failure": str(error)}, step=session.position.step + 1)
            last = checkpoints.newest(session.folder.checkpoints, session.warnings.append)
            session.write_status("failed", str(error))
            yield from diagnose(session)
            path = session.folder.path
            raise NonFinite(reason("kept", why=error, path=path, last=last.name)) from None
        except GeneratorExit:
            if session.position.begun:
                list(step(session))
            if session.saved_at != session.position.step:
                session.save()
            session.write_status("stopped")
            raise
        except OutOfSpace:
            raise
        except (Interrupted, KeyboardInterrupt):  # within a step, which no checkpoint holds
            last = checkpoints.newest(session.folder.checkpoints, session.warnings.append)
            session.write_status("stopped", reason("interrupted", last=last.name))
            raise
        except BaseException as error:
            if not is_out_of_memory(error):
                theirs = blamed(error) if session.own is not None and isinstance(error, Exception) else None
                session.write_status("failed", theirs or f"{type(error).__name__}: {error}")
                if theirs:
                    raise LabError(theirs) from error
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what was computed so far
            size = session.fitting_batch()
            said = reason(f"memory.{'fits' if size else 'none'}", batch=session.config.train.batch_size, size=size)
            session.write_status("failed", said)
            raise OutOfMemory(f"{session.folder.path}: {said}") from None
        finally:
            shutil.rmtree(session.folder.live, ignore_errors=True)  # of no use to a page beside the last checkpoint


def turns(session: Session, should_stop: Callable[[], bool], draw: Callable[[RunFolder], object]) -> Iterator[Iterable[Event]]:
    """What is done one after the other, each with the events that it brings about."""
    yield start(session)
    pace, state = session.pace, "finished"
    while not session.is_done():
        asked, paced = obey(session)
        yield paced
        session.lend()
        if asked == "stop" or should_stop():
            state = "stopped"
            break
        if asked in ("phase", "step") or pace.is_due():
            yield stepwise(session, whole_step=asked == "step")
        elif pace.mode == "fast":
            yield step(session)
        else:
            time.sleep(POLL_SECONDS)
    if session.position.begun:
        yield step(session)
    yield finish(session, state, draw)
    yield [Ended(state, session.position.step, session.why_early() if state == "finished" else "")]


def start(session: Session) -> Iterator[Event]:
    """What is due before the first step of this process; at step 0 also pictures and an evaluation."""
    session.monitor.diagnosis.extend(session.folder.metrics())  # of before it was stopped, so that a resumed run sees the same
    session.apply_settings()  # what it was reopened with
    session.tell()
    yield Started(session.folder, session.position.step, session.total_steps())
    if session.position.step == 0:
        yield picture(session)
        frame(session)
        yield evaluate(session)
        session.position.lowest_loss, session.position.stale = None, 0  # also where it was begun before
        session.position.judge(session.val_loss)
    yield from diagnose(session)


def obey(session: Session) -> tuple[str | None, list[Event]]:
    """Take requests until one asks for something to be done now: "stop", or while the run is paused or slow "step" or "phase"."""
    pace, paced = session.pace, list[Event]()
    while request := session.requests.next():
        action = str(request["action"])
        session.take(request)
        if pace.take(action):
            paced.append(Paced(pace.mode, session.position.step))
        if action in ("step", "phase") and pace.mode != "fast":
            return action, paced  # its status is told when it has been done
        session.tell()
        if action == "stop":
            return action, paced
    return None, paced


def step(session: Session) -> Iterator[Event]:
    """Steps up to the next one after which something is due, or what is left of a step that was begun; and what is due."""
    steps = session.ahead()
    finished(steps, session.engine)
    for each in steps:
        session.position.count(each)
        yield from after_step(session)
    if time.monotonic() - session.last_status > STATUS_SECONDS:
        session.tell()


def stepwise(session: Session, whole_step: bool) -> Iterator[Event]:
    """The next phase alone, or with `whole_step` those left of the step, each with the losses before and after it."""
    begun, engine = session.begin(), session.engine
    while begun.phases:
        seen = session.monitor.half()
        losses = numbers(begun.next_phase(engine))
        phase = str(begun.done)
        losses_after = numbers(engine.after_phase(phase, begun.batch, begun.moment))
        phased = Phased(begun.moment.step + 1, phase, losses | {"after": losses_after})
        session.pace.last_phase = {"phase": phase, "step": phased.step} | phased.values
        if seen is not None and (now := session.monitor.half()) is not None:
            session.recorder.half(phased.step, phase, seen, now)
        yield phased
        if begun.phases:
            frame(session, half=len(engine.phases) - len(begun.phases))
        if not whole_step:
            break
    if not begun.phases:
        session.position.count(begun)
        yield from after_step(session, stepwise=True)
    session.pace.rest()
    session.tell()


def numbers(losses: Losses) -> dict[str, float | None]:
    """Losses as JSON can hold them."""
    values = {name: float(value) for name, value in losses.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def after_step(session: Session, stepwise: bool = False) -> Iterator[Event]:
    """What is due after a step: a line of metrics, pictures, an evaluation, a checkpoint. Stepwise, the first two always."""
    p, train = session.position, session.config.train
    yield Stepped(p.step, p.images_seen)
    regular = p.step % train.log_steps == 0
    if regular or stepwise:
        yield Logged(session.row("train", p.means(extra=not regular) | session.rates()))
    interval = evaluation_images(session)
    due = p.crossed(interval)
    early = p.images_seen < interval and p.step & (p.step - 1) == 0  # 1, 2, 4, 8 … in the first epoch
    if due or early or stepwise:
        yield picture(session)
    if stepwise or p.step % frames.spacing(p.step) == 0:
        frame(session)
    if due:
        yield evaluate(session)
    is_lowest = due and p.judge(session.val_loss)
    if due or regular or stepwise:
        yield from diagnose(session)
    session.apply_settings()
    rested = p.crossed(len(session.data.train)) and time.monotonic() - session.last_checkpoint >= train.checkpoint_seconds
    if (rested or (is_lowest and session.patience)) and session.save():
        yield Saved(p.step)


def finish(session: Session, state: str, draw: Callable[[RunFolder], object]) -> Iterator[Event]:
    """The end of a run: a last evaluation and the latents (when finished), a checkpoint, the state."""
    p, folder = session.position, session.folder
    if state == "finished" and session.evaluated_at != p.step:
        yield picture(session)
        yield evaluate(session)
        yield from diagnose(session)
    if session.saved_at != p.step:
        if not session.save():
            last = checkpoints.newest(folder.checkpoints, session.warnings.append).name
            session.write_status("stopped", reason("disk.full", last=last))
            raise OutOfSpace(f"{folder.path}: {reason('disk.end', step=p.step, last=last)}")
        yield Saved(p.step)
    sampled = session.best() if state == "finished" else None
    if state == "finished" and session.config.family != "gan":
        session.recorder.latents(session.data, session.monitor.encode)
    if state == "finished" and (plane := session.plane()) is not None:
        session.recorder.plane(session.monitor.decode, plane)
    session.recorder.close()
    if state == "finished":
        session.recorder.attempt("the figures", lambda: draw(folder))
    session.write_status(state, session.why_early() if state == "finished" else "", None if sampled is None else {"sampled": sampled})


def picture(session: Session) -> Event:
    """Samples of the same z and reconstructions of the same held-out images as at every other step."""
    at, recorder, monitor = session.position.step, session.recorder, session.monitor
    session.prepare_sampling()
    if is_point(session.data.shape):
        first, *others = recorder.scatter(at, *monitor.scatter())
        return Pictured(at, first, others[0] if others else None)
    made = monitor.samples(session.config.train.sample_count)
    samples = recorder.samples(at, made)
    if session.config.family == "gan":
        recorder.moment(at, monitor.judged(made) | ({} if at else {"images": monitor.data.val.take(slice(JUDGED))}))
        return Pictured(at, samples, None)
    codes = monitor.codes()
    recorder.moment(at, codes)
    return Pictured(at, samples, recorder.reconstructions(at, *monitor.reconstructions(codes)))


def frame(session: Session, half: int = 0) -> None:
    """Of points, how the networks see and fill the plane after a step, or after so many phases of the next one."""
    if is_point(session.data.shape):
        session.prepare_sampling()
        seen = session.monitor.frame()
        seen["step"], seen["half"] = session.position.step + bool(half), half
        session.recorder.frame(session.monitor.head, seen)


def evaluate(session: Session) -> Event:
    """A line of metrics on the val split: means over its images. Its loss picks the best checkpoint."""
    values = session.monitor.evaluate()
    session.evaluated_at, session.val_loss = session.position.step, values.get("loss_nats")
    return Logged(session.row("val", values))


def diagnose(session: Session) -> Iterator[Event]:
    """What the rows so far say is wrong, when that changed."""
    if (findings := session.monitor.news()) is not None:
        session.last_status = -math.inf  # told at once
        yield Diagnosed(findings)
