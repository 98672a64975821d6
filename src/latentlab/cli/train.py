"""`latentlab train` and `latentlab resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.base.errors import LabError
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_config_options, add_preset, add_value, config_changes, preset_of
from latentlab.cli.progress import Progress
from latentlab.config.presets import NEEDS_DECODER

if TYPE_CHECKING:
    from latentlab.train.session import Session


def command_train(arguments: list[str]) -> int:
    """Train one preset."""
    parser = Parser(
        "train", "Train one run. Every field of the configuration is an option; `latentlab presets NAME` shows a preset's values."
    )
    add_preset(parser)
    parser.add_argument("--out", help="run folder, new or empty; default runs/PRESET-DATA-NNN")
    add_config_options(parser)
    options = parser.parse(arguments)
    config = preset_of(parser, options, "mlp-vae")
    config = config.replace(**config_changes(options, config))
    if config.preset == "gan-from-vae" and getattr(config.train, "generator_from", None) is None:
        raise LabError(NEEDS_DECODER)
    from latentlab.train.start import create

    return follow(create(config, options.out))


def command_resume(arguments: list[str]) -> int:
    """Continue a run."""
    parser = Parser("resume", "Continue a stopped or finished run, bit for bit. N is the new total.")
    parser.add_argument("run", metavar="RUN", help="run folder")
    length = parser.add_mutually_exclusive_group()
    add_value(length, "--epochs", float, "new total length in epochs", metavar="N", above=0)
    add_value(length, "--steps", int, "new total length in steps", minimum=1)
    options = parser.parse(arguments)
    from latentlab.runs.folder import open_folder

    open_folder(options.run)
    from latentlab.train.start import reopen

    return follow(reopen(options.run, options.epochs, options.steps))


def follow(session: Session, quiet_path: bool = False) -> int:
    """Show a run's events to the end; 130 or 143 when a signal stopped it, after a checkpoint."""
    from latentlab.train import run_to_end

    folder = session.folder
    progress = Progress(folder.name, len(session.data.train))
    try:
        signal = run_to_end(session, progress.show)
    finally:
        progress.close()
    if signal is not None:
        say(f"saved. Go on with `latentlab resume {folder.path}`.")
    if not quiet_path:
        print(folder.path)
    return 128 + signal if signal is not None else 0
