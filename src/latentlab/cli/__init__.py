"""The command line. Each command is imported when it is called, so that `latentlab --help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from latentlab.base import __version__
from latentlab.base.errors import LabError, Refused, is_out_of_memory, printable, refusal
from latentlab.base.processes import place
from latentlab.base.signals import Interrupted, StopFlag

COMMANDS = {
    "lab": ("many", "train AE, VAE, GAN and VAE → GAN, compare them and write lab.html: the main job"),
    "train": ("train", "train one preset; the run folder's path is the last line"),
    "resume": ("train", "continue a stopped or finished run, bit for bit"),
    "compare": ("many", "runs side by side: table, figure, what differs beyond chance"),
    "sweep": ("many", "train, evaluate and compare a grid of runs with several seeds"),
    "sample": ("draw", "draw new images from a run, as a .png grid or as .npz"),
    "reconstruct": ("draw", "held-out images above their reconstructions"),
    "interpolate": ("draw", "images on the way between two codes"),
    "traverse": ("draw", "move each latent unit alone"),
    "encode": ("draw", "write the codes of a split as .npz"),
    "evaluate": ("evaluate", "measure a run, or anybody's images, on held-out images"),
    "experiment": ("many", "built experiments of many runs, such as vae-to-gan"),
    "question": ("report", "a question of the labs, answered by its experiment; without a name: the list"),
    "report": ("report", "runs as one HTML file that opens without a network"),
    "export": ("export", "a run for other programs: ONNX, plain PyTorch, a folder to publish, TensorBoard"),
    "import": ("export", "somebody else's trained networks as a run"),
    "exercise": ("exercise", "write parts of a VAE and a GAN yourself: a list, starter files, hints"),
    "check": ("exercise", "check what was written for an exercise, property by property"),
    "grade": ("grade", "handed-in reports as one table, points and feedback"),
    "studio": ("studio", "the page in the browser: train, watch, explore, generate, compare, learn"),
    "runs": ("show", "list the runs in a folder"),
    "show": ("show", "one run: state, numbers, configuration"),
    "verify": ("show", "check every file of a run"),
    "stop": ("show", "stop a run that trains, wherever it does; it is saved first"),
    "presets": ("show", "list the presets, or print one in full"),
    "data": ("show", "data fetch SPEC: download a data set; data make-art: draw abstract pictures"),
    "doctor": ("doctor", "what is installed, which device, what is wrong and how to mend it"),
}


def usage() -> str:
    """The text of `latentlab --help`."""
    lines = ["usage: latentlab COMMAND …", "", "A laboratory for autoencoders, VAEs and GANs on images.", ""]
    lines += [f"  {name:<12} {summary}" for name, (_, summary) in COMMANDS.items()]
    lines += ["", "  --version    print the version", "  --help       print this text", ""]
    lines += ["Start with `latentlab lab`. `latentlab COMMAND --help` explains a command."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (our fault), 2 (the input's), 130 or 143 (a signal)."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed (`2>&-`): the next file that is opened would take its place
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that lacks a letter shows "?" and goes on
    with StopFlag(raises=True).installed(for_good=arguments is None):  # the program's own: Python's clean-up is all that is left
        return _ended(list(sys.argv[1:] if arguments is None else arguments))


def _ended(arguments: list[str]) -> int:
    """The exit status, once what went wrong was said in a line."""
    try:
        return _dispatch(arguments)
    except LabError as error:
        if place()[0] == 0:  # of several processes of a run the first one says it
            say(as_typed(error, arguments) if isinstance(error, Refused) else str(error))
        return error.exit_status
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        say(f"latentlab {arguments[0]} must fit into memory, but there is too little of it. Ask for fewer images, or end other programs.")
        return 2
    except Interrupted as error:
        if place()[0] == 0:
            say(str(error))
        return 128 + error.number
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a closed pipe (`| head`) is no error
        return 0
    except OSError as error:
        say(f"{error.filename or 'a file'}: {error.strerror or error}. Check the path, its permissions and the free space.")
        return 2


def as_typed(error: Refused, arguments: list[str]) -> str:
    """A refusal that calls the value by the option that was typed, if it came from one."""
    from latentlab.config.parts import every_field

    field = every_field().get(error.name)
    names = [field.short if field else "", error.name, error.name.rpartition(".")[2]]
    options = {f"--{name.lstrip('-').replace('_', '-')}" for name in names if name}
    typed = (argument.partition("=")[0] for argument in arguments)
    return f"{next((option for option in typed if option.replace('_', '-') in options), error.name)} {error.rest}"


def say(words: str) -> None:
    """A line on stderr, which is for whoever watches; results alone go to stdout."""
    print(f"latentlab: {printable(words)}", file=sys.stderr, flush=True)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        print(f"latentlab {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise refusal("a command", "one of " + ", ".join(COMMANDS), name, "`latentlab --help` explains them.")
    module = importlib.import_module(f"latentlab.cli.{COMMANDS[name][0]}")
    status: int = getattr(module, f"command_{name}")(rest)
    return status
