"""`latentlab train` and `latentlab resume`, and how a run that trains is shown in a terminal."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from latentlab.base.errors import LabError, Lost, refusal
from latentlab.base.texts import reason
from latentlab.cli import say
from latentlab.cli.parser import (
    Parser,
    add_config_options,
    add_fields,
    add_place,
    add_preset,
    add_trust,
    add_value,
    config_changes,
    preset_of,
)
from latentlab.cli.show import headline
from latentlab.cli.together import add_processes, together
from latentlab.config.parts import OWN, by_leaf, every_field
from latentlab.config.schema import Config
from latentlab.runs.code import FOLDER as OWN_FOLDER
from latentlab.runs.diagnosis import Finding, line
from latentlab.train.events import Diagnosed, Ended, Event, Logged, Paced, Started, Stepped, Warned

if TYPE_CHECKING:
    from latentlab.train.group import Group
    from latentlab.train.session import Session


def command_train(arguments: list[str]) -> int:
    """Train one preset."""
    parser = Parser(
        "train", "Train one run. Every field of the configuration is an option; `latentlab presets NAME` shows a preset's values."
    )
    own = ", ".join(dict.fromkeys(part for parts in OWN.values() for part in parts))
    add_preset(parser, "PRESET|FILE.py", f"; or a file that defines some of {own}")
    add_trust(parser)
    parser.add_argument("--out", metavar="DIR", help="run folder, new or empty; default runs/PRESET-DATA-NNN")
    add_processes(parser)
    add_config_options(parser)
    options = parser.parse(arguments)
    with together(options.processes, ["-m", "latentlab", "train", *arguments]) as group:
        return _train(parser, options, group) if group is None or group.rank == 0 else _follow(group)


def _follow(group: Group) -> int:
    from latentlab.train.group import follow

    return follow(group)


def _train(parser: Parser, options: Namespace, group: Group | None) -> int:
    config, given = defined_by(Path(options.preset)) if str(options.preset).endswith(".py") else (preset_of(parser, options, "mlp-vae"), {})
    changes = config_changes(options, config)
    if "train.init_from" in changes and not given:
        from latentlab.train.start import as_config

        config = as_config(options.preset, **changes)
    else:
        config = config.replace(**changes)
    if config.preset == "gan-from-vae" and not any(config.values({"origin"}).values()):
        raise LabError(reason("decoder"))
    if group is not None:
        group.fits(config)
    from latentlab.runs.folder import next_folder
    from latentlab.train.start import create, reopen

    if int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0)) and options.out is None:
        raise refusal("out", reason("must.restarts"), None)
    out = options.out or (next_folder(Path(options.preset).stem, config.data.spec) if given else None)
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) and (Path(options.out) / "config.json").is_file():
        return follow(reopen(options.out, trust=options.trust, group=group), group)
    return follow(create(config, out, given, options.trust, group=group), group)


def defined_by(path: Path) -> tuple[Config, dict[str, Any]]:
    """The configuration and the parts that a file defines: `preset`, `encoder`, `loss` …, `data`, and fields by their name.

    Raises LabError for a file that cannot be read, or defines no part.
    """
    from latentlab.runs.rebuilt import definitions
    from latentlab.train.start import as_config

    found = definitions(path)
    parts = list(dict.fromkeys(part for parts in OWN.values() for part in parts))
    given = {name: found[name] for name in parts if callable(found.get(name))}
    settings = {name: found[name] for name in by_leaf() if name in found}
    plain = {name: value for name, value in settings.items() if not callable(value) and not isinstance(value, ModuleType)}
    if not given:
        meant = [f"{name} = {other}" for other in found for name in parts if callable(found[other]) and other.lower() == name]
        remedy = f"Did you mean {meant[0]}?" if meant else "See docs/own.md."
        raise refusal(str(path), f"a file that defines {', '.join(parts[:-1])} or {parts[-1]}", sorted(found)[:8], remedy)
    is_gan = not {"generator", "discriminator", "step"}.isdisjoint(given)
    if "data" in found:
        plain["data"] = found["data"]
    named = found.get("preset", "sn-gan" if is_gan else "conv-vae")
    told = [name if name == "data" and not isinstance(value, str) else f"{name}={value}" for name, value in plain.items()]
    config = as_config(named, **plain)
    say(f"{path}: {', '.join([config.preset, *given, *told])}.")
    for name, value in found.items():
        near = get_close_matches(name, by_leaf(), 1, 0.85) if isinstance(value, bool | int | float | str) and name not in by_leaf() else []
        if near and name != "preset":
            say(f"{path}: {name} is no setting. Did you mean {near[0]}?")
    return config, given


def command_resume(arguments: list[str]) -> int:
    """Continue a run."""
    parser = Parser(
        "resume",
        "Continue a stopped or finished run, bit for bit. N is the new total. A setting that is changed is written down as a line of "
        "metrics.jsonl, as if it had been changed while the run trained.",
    )
    parser.add_argument("run", metavar="RUN", help="run folder")
    length = parser.add_mutually_exclusive_group()
    for unit in ("epochs", "steps"):
        field = every_field()[f"train.{unit}"]
        add_value(length, field.short, field.kind, f"new total in {unit}", metavar="N", **(field.bounds | {"maximum": field.maximum}))
    add_place(parser)
    add_trust(parser)
    add_processes(parser)
    add_value(parser, "--from-step", int, "go back to the checkpoint of this step: later ones are removed", metavar="N", minimum=0)
    changing = [field for field in every_field().values() if field.live or field.leaf == "patience_evaluations"]
    add_fields({"train": parser}, changing)
    known = {"data.spec", "train.epochs", "train.steps", *(field.name for field in changing)}
    others = [field for field in every_field().values() if field.name not in known]  # refused in a line that tells what may change
    add_fields(dict.fromkeys(("data", "model", "train"), parser), others, hidden=True)
    options = parser.parse(arguments)
    with together(options.processes, ["-m", "latentlab", "resume", *arguments]) as group:
        return _resume(options, group) if group is None or group.rank == 0 else _follow(group)


def _resume(options: Namespace, group: Group | None) -> int:
    from latentlab.runs.folder import open_folder, run_paths

    if (inner := run_paths(options.run)) != [Path(options.run)]:
        going_on = f"Name one, as {inner[0]}; `latentlab lab` and `latentlab sweep` go on with all of theirs."
        raise refusal("a run", "one run", options.run, f"It holds {len(inner)}. {going_on}")
    config = open_folder(options.run).config()
    if group is not None:
        group.fits(config)
    settings = config_changes(options, config)
    from latentlab.train.start import reopen

    length = options.epochs, options.steps
    return follow(reopen(options.run, *length, options.data, settings, options.from_step, trust=options.trust, group=group), group)


def follow(session: Session, group: Group | None = None, quiet_path: bool = False) -> int:
    """Show a run's events to the end; 130 or 143 when a signal stopped it, after a checkpoint. Raises Lost."""
    from latentlab.train import run_to_end

    folder = session.folder
    progress = Progress(folder.name, len(session.data.train))
    try:
        signal = run_to_end(session, progress.show, lambda: group is not None and group.lost)
    finally:
        progress.close()
    if signal is not None and not session.is_done():
        trust = " --trust" if any((folder.path / OWN_FOLDER).glob("**/*.py")) else ""
        say(f"saved. Go on with `latentlab resume {folder.path}{trust}`.")
    elif group is not None and group.lost and not session.is_done():
        raise Lost(reason("lost", path=folder.path, size=group.size, step=session.position.step))
    if not quiet_path:
        print(folder.path)
    return 128 + signal if signal is not None else 0


# Events of a training run as a progress bar, or in a pipe as a plain line now and then. All of it on stderr.

PLAIN_SECONDS = 5.0
WIDE = 100  # columns that the bar and the losses need
PACES = {"paused": "paused", "slow": "in slow motion", "fast": "at full speed"}


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
                self.say(f"{self.label}: {event.state} at step {event.step}. {event.why}".rstrip())
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
            # A narrow terminal keeps the losses and gives up the bar.
            self.bar.bar_format = None if os.get_terminal_size(sys.stderr.fileno()).columns >= WIDE else "{percentage:.0f}%{postfix}"
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
