"""Events of a training run as a progress bar, or in a pipe as a plain line now and then. All of it on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from latentlab.runs.diagnosis import Finding, line
from latentlab.train.events import Diagnosed, Ended, Event, Logged, Paced, Saved, Started, Stepped, Warned

PLAIN_SECONDS = 5.0
PACES = {"paused": "paused", "slow": "in slow motion", "fast": "at full speed"}


def headline(row: dict[str, Any]) -> str:
    """The losses of a row of metrics, short."""
    names = ("loss_nats", "kl_nats", "mse", "discriminator_loss", "generator_loss")
    short = {"loss_nats": "loss", "kl_nats": "KL", "discriminator_loss": "D", "generator_loss": "G"}
    return "  ".join(f"{short.get(n, n)} {row[n]:.4g}" for n in names if isinstance(row.get(n), float))


class Progress:
    """Shows one run's events."""

    def __init__(self, label: str, train_images: int) -> None:
        self.label, self.train_images = label, train_images
        self.terminal = sys.stderr.isatty()
        self.bar: tqdm[Any] | None = None
        self.train_text = self.val_text = ""
        self.step = self.first = self.total = 0
        self.images = 0
        self.told = self.started = time.monotonic()
        self.mode, self.left_pace, self.left_step = "fast", 0.0, 0  # when and where it was last at full speed
        self.known: set[tuple[str, int, bool]] = set()  # findings that were said

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Started():
                self.step = self.first = event.step
                self.total = event.total
                self.started = time.monotonic()
                if self.terminal:
                    self.bar = tqdm(total=event.total, initial=event.step, desc=self.label, unit="step", dynamic_ncols=True, leave=True)
            case Stepped():
                self.step = event.step
                self.images = event.images_seen
                if self.bar is not None:
                    self.bar.update(1)
            case Logged():
                if event.row["split"] == "val":
                    self.val_text = headline(event.row)
                else:
                    self.train_text = headline(event.row)
                self._tell()
            case Paced():
                self.paced(event.mode)
            case Warned():
                self.say(event.message)
            case Diagnosed():
                self._alarm(event.findings)
            case Ended():
                self._tell(last=True)
                if self.bar is not None:
                    self.bar.close()
                self.say(f"{self.label}: {event.state} at step {event.step}.")
            case Saved():
                pass
            case _:
                pass

    def say(self, message: str) -> None:
        """A line of its own, above the bar."""
        if self.bar is not None:
            self.bar.write(f"latentlab: {message}", file=sys.stderr)
        else:
            print(f"latentlab: {message}", file=sys.stderr, flush=True)

    def paced(self, mode: str) -> None:
        """Say that the run was paused, slowed or let go on; the time it stood still or crept counts for no rate."""
        self.say(f"{self.label}: {PACES[mode]} at step {self.step}.")
        now = time.monotonic()
        if mode == "fast":
            self.started += now - self.left_pace
            self.first += self.step - self.left_step
        else:
            self.left_pace, self.left_step = (now, self.step) if self.mode == "fast" else (self.left_pace, self.left_step)
        self.mode = mode

    def _alarm(self, findings: tuple[Finding, ...]) -> None:
        """Each finding on a line of its own, once when it is seen and once when it is over."""
        for finding in findings:
            if (finding.key, finding.since_step, finding.over) not in self.known:
                self.say(f"diagnosis: {line(finding)}")
        self.known = {(finding.key, finding.since_step, finding.over) for finding in findings}

    def _rate(self) -> float:
        done = self.step - self.first
        return done / max(time.monotonic() - self.started, 1e-9)

    def _tell(self, last: bool = False) -> None:
        per_step = self.images / self.step if self.step else 0.0
        parts = [self.train_text] + ([f"val {self.val_text}"] if self.val_text else [])
        if self.bar is not None:
            self.bar.set_postfix_str(f"{'  |  '.join(filter(None, parts))}  {self._rate() * per_step:,.0f} img/s", refresh=last)
            return
        if not last and time.monotonic() - self.told < PLAIN_SECONDS:
            return
        self.told = time.monotonic()
        rate = self._rate()
        left = (self.total - self.step) / rate if rate > 0 else 0.0
        parts.append(f"{rate * per_step:,.0f} images/s")
        epoch = self.images / self.train_images
        print(
            f"{self.label}: step {self.step}/{self.total}  epoch {epoch:.2f}  {'  |  '.join(filter(None, parts))}  {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Leave the terminal in order, however training ended."""
        if self.bar is not None:
            self.bar.close()
