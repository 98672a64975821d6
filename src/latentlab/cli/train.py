"""`latentlab train` and `latentlab resume`."""

from __future__ import annotations

import sys

from latentlab.base.errors import LabError
from latentlab.cli.parser import Parser, add_config_options, config_changes, number, whole
from latentlab.cli.progress import Progress
from latentlab.config.presets import PRESETS, preset


def command_train(arguments: list[str]) -> int:
    """Train one preset."""
    parser = Parser(
        "train", "Train one run. Every field of the configuration is an option; `latentlab presets NAME` shows a preset's values."
    )
    parser.add_argument("preset", nargs="?", metavar="PRESET", help="one of " + ", ".join(PRESETS))
    parser.add_argument("--out", help="run folder, new or empty; default runs/PRESET-DATA-NNN")
    add_config_options(parser)
    found = parser.parse(arguments)
    if found.preset is None:
        raise LabError(f"latentlab train needs a preset, one of {', '.join(PRESETS)}. Got none. Try `latentlab train mlp-vae`.")
    config = preset(found.preset)
    config = config.replace(**config_changes(found, config))
    if config.preset == "gan-from-vae" and getattr(config.train, "generator_from", None) is None:
        from latentlab.config.presets import NEEDS_DECODER

        raise LabError(NEEDS_DECODER)
    from latentlab.train.start import create

    return follow(create(config, found.out))


def command_resume(arguments: list[str]) -> int:
    """Continue a run."""
    parser = Parser("resume", "Continue a stopped or finished run, bit for bit. N is the new total.")
    parser.add_argument("run", metavar="RUN", help="run folder")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", metavar="N", help="new total length in epochs")
    length.add_argument("--steps", metavar="N", help="new total length in steps")
    found = parser.parse(arguments)
    epochs = number(found.epochs, "--epochs", above=0) if found.epochs is not None else None
    steps = whole(found.steps, "--steps", 1) if found.steps is not None else None
    from latentlab.runs.folder import open_folder

    open_folder(found.run)
    from latentlab.train.start import reopen

    return follow(reopen(found.run, epochs, steps))


def follow(session: object, quiet_path: bool = False) -> int:
    """Show a run's events to the end; 130 or 143 when a signal stopped it, after a checkpoint."""
    from latentlab.train import run_to_end
    from latentlab.train.session import Session

    if not isinstance(session, Session):
        raise TypeError(type(session))
    folder = session.folder
    progress = Progress(folder.name, len(session.data.train))
    try:
        signal = run_to_end(session, progress.show)
    finally:
        progress.close()
    if signal is not None:
        print(f"latentlab: saved. Go on with `latentlab resume {folder.path}`.", file=sys.stderr)
    if not quiet_path:
        print(folder.path)
    return 128 + signal if signal is not None else 0
