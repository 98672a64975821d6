"""From a configuration to a trained run. The Run facade: what training gives, and what is opened again later."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from latentlab.base.errors import refusal
from latentlab.base.signals import StopFlag
from latentlab.config.schema import Config
from latentlab.runs.folder import open_folder
from latentlab.runs.trained import Trained
from latentlab.show.figures import draw_figures
from latentlab.train.events import Event, Warned

if TYPE_CHECKING:
    from latentlab.train.session import Session


class Run(Trained):
    """A trained run, and what can be done with it beside looking at it."""

    def evaluate(self, split: Literal["train", "val", "test"] = "test", **options: Any) -> dict[str, Any]:
        """Measure the run and write scores.json; returns what was measured.

        `options` are those of `latentlab.measure.scores.evaluate_run`: samples, nll_samples, nll_images, extractors, data.
        """
        from latentlab.measure.scores import evaluate_run

        known = list(inspect.signature(evaluate_run).parameters)[2:]
        if unknown := [name for name in options if name not in known]:
            raise refusal("an option of evaluate", f"one of {', '.join(known)}", unknown[0])
        return evaluate_run(self, split, **options)


def open_run(path: str | Path) -> Run:
    """A run that exists. Raises LabError when the folder holds none."""
    return Run(open_folder(Path(path).expanduser()))


def train(what: str | Config, out: str | Path | None = None, **changes: Any) -> Run:
    """Train a preset or a configuration to its end and return the run.

    `changes` are fields by name: `train("mlp-vae", data="mnist", latent_dim=2, epochs=5)`. Ctrl-C saves and returns.
    Raises LabError for wrong input and NonFinite when a loss is not finite.
    """
    from latentlab.train.start import as_config, create

    session = create(as_config(what, **changes), out)
    run_to_end(session, _warn)
    return Run(session.folder)


def resume(path: str | Path, epochs: float | None = None, steps: int | None = None, data: str | None = None) -> Run:
    """Continue a stopped or finished run, bit for bit; `epochs` or `steps` is its new total, `data` where its images lie now."""
    from latentlab.train.start import reopen

    session = reopen(path, epochs, steps, data)
    run_to_end(session, _warn)
    return Run(session.folder)


def run_to_end(session: Session, show: Callable[[Event], None]) -> int | None:
    """Train to the end, showing each event, and draw the figures of a finished run; the signal that stopped it, or None."""
    from latentlab.train.loop import events

    flag = StopFlag()
    with flag.installed():
        for event in events(session, flag, draw_figures):
            show(event)
    return flag.signal


def _warn(event: Event) -> None:
    if isinstance(event, Warned):
        print(f"latentlab: {event.message}", file=sys.stderr)


class _Room(ModuleType):
    """This room is also the public function of its name: `latentlab.train("mlp-vae")`, imported or not."""

    def __call__(self, what: str | Config, out: str | Path | None = None, **changes: Any) -> Run:
        return train(what, out, **changes)


sys.modules[__name__].__class__ = _Room
