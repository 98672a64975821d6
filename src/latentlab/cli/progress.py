"""Events of a training run as a progress bar, or in a pipe as a plain line now and then. All of it on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from latentlab.runs.diagnosis import Finding, line
from latentlab.train.events import Diagnosed, Ended, Event, Logged, Paced, Started, Stepped, Warned

PLAIN_SECONDS = 5.0
SHORT = {"loss_nats": "loss", "kl_nats": "KL", "mse": "mse", "discriminator_loss": "D", "generator_loss": "G"}
PACES = {"paused": "paused", "slow": "in slow motion", "fast": "at full speed"}


def headline(row: dict[str, Any]) -> str:
    """The losses of a row of metrics, short."""
    return "  ".join(f"{short} {row[name]:.4g}" for name, short in SHORT.items() if isinstance(row.get(name), float))


class Progress:
    """Shows one run's events."""

    def __init__(self, label: str, train_images: int) -> None:
        self.label, self.train_images = label, train_images
        self.terminal = sys.stderr.isatty()
        self.bar: tqdm[Any] | None = None
        self.texts = {"train": "", "val": ""}  # the newest losses
        self.step = self.first = self.total = self.images = 0
        self.told = self.started = time.monotonic()
        self.mode, self.left_pace, self.left_step = "fast", 0.0, 0  # when and where it was last at full speed
        self.known: set[tuple[str, int, bool]] = set()  # findings that were said

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Started():
                self.step, self.first, self.total = event.step, event.step, event.total
                self.started = time.monotonic()
                if self.terminal:
                    self.bar = tqdm(total=event.total, initial=event.step, desc=self.label, unit="step", dynamic_ncols=True, leave=True)
            case Stepped():
                self.step, self.images = event.step, event.images_seen
                if self.bar is not None:
                    self.bar.update(1)
            case Logged():
                self.texts[event.row["split"]] = headline(event.row)
                self._tell()
            case Paced():
                self.paced(event.mode)
            case Warned():
                self.say(event.message)
            case Diagnosed():
                self._alarm(event.findings)
            case Ended():
                self._tell(last=True)
                self.close()
                self.say(f"{self.label}: {event.state} at step {event.step}.")
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
        elif self.mode == "fast":
            self.left_pace, self.left_step = now, self.step
        self.mode = mode

    def _alarm(self, findings: tuple[Finding, ...]) -> None:
        """Each finding on a line of its own, once when it is seen and once when it is over."""
        said, self.known = self.known, {(finding.key, finding.since_step, finding.over) for finding in findings}
        for finding in findings:
            if (finding.key, finding.since_step, finding.over) not in said:
                self.say(f"diagnosis: {line(finding)}")

    def _rate(self) -> float:
        return (self.step - self.first) / max(time.monotonic() - self.started, 1e-9)

    def _tell(self, last: bool = False) -> None:
        rate, now = self._rate(), time.monotonic()
        images_rate = rate * self.images / self.step if self.step else 0.0
        losses = [self.texts["train"], f"val {self.texts['val']}" if self.texts["val"] else ""]
        if self.bar is not None:
            self.bar.set_postfix_str(f"{'  |  '.join(filter(None, losses))}  {images_rate:,.0f} img/s", refresh=last)
        elif last or now - self.told >= PLAIN_SECONDS:
            self.told = now
            left = (self.total - self.step) / rate if rate > 0 else 0.0
            said = "  |  ".join(filter(None, [*losses, f"{images_rate:,.0f} images/s"]))
            at = f"step {self.step}/{self.total}  epoch {self.images / self.train_images:.2f}"
            print(f"{self.label}: {at}  {said}  {left:.0f} s left", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the terminal in order, however training ended."""
        if self.bar is not None:
            self.bar.close()
