"""`latentlab export` and `latentlab import`: networks and records out, known networks in."""

from __future__ import annotations

from typing import Literal

from latentlab.base.errors import LabError
from latentlab.cli.parser import Parser, add_config_options, add_lang, add_trust, add_value, config_changes
from latentlab.config.presets import PRESETS, preset
from latentlab.train.exchange import FORMATS, export


def command_export(arguments: list[str]) -> int:
    """Write a run for other programs."""
    needs = " ".join(f'{name} needs `pip install "latentlab[{form.extra}]"`.' for name, form in FORMATS.items() if form.needs)
    parser = Parser("export", f"Write a run for other programs. {needs}")
    parser.add_argument("run", metavar="RUN")
    told = "; ".join(f"{name}: {form.told}" for name, form in FORMATS.items())
    formats = tuple(FORMATS)
    add_value(parser, "--format", Literal[formats], told)
    parser.need(parser.add_argument("--out", metavar="FILE", help="the file, or for safetensors and tensorboard the new folder"))
    add_lang(parser, "language of the model card and of what stands in the Python file")
    add_trust(parser)
    options = parser.parse(arguments)
    if options.format is None:
        raise LabError(f"--format must be one of {', '.join(FORMATS)}. Got none. Name one.")
    from latentlab.train import open_run

    run = open_run(options.run, trust=options.trust)
    if options.out is None:
        example = f"exported{FORMATS[options.format].ending}"
        raise LabError(f"--out must be where the export goes. Got none. Name one, such as --out {example}.")
    for path in export(run, options.format, options.out, options.lang):
        print(path)
    return 0


def command_import(arguments: list[str]) -> int:
    """Make a run of somebody else's weights."""
    parser = Parser(
        "import",
        "Bring in trained networks of known layers, a torch state dict, a Keras model or an exported folder, as a run that is measured "
        "and explored like "
        "any other. Options of `train` bring the preset to the file's form; --data says what it was trained on.",
    )
    parser.add_argument("file", metavar="FILE", help=".safetensors, .pt or .pth with a state dict, Keras's .keras or .h5, or a run folder")
    parser.need(parser.add_argument("--like", metavar="PRESET", help=f"one of {', '.join(PRESETS)}, whose layers it has"))
    parser.add_argument("--mean", metavar="LAYER", help="the layer that gives a posterior's mean, where the names of two do not tell")
    parser.add_argument("--out", metavar="DIR", help="run folder, new or empty; default runs/PRESET-DATA-NNN")
    add_config_options(parser)
    options = parser.parse(arguments)
    if options.like is None:
        raise LabError(f"--like must be one of {', '.join(PRESETS)}. Got none. Try `latentlab import {options.file} --like mlp-vae`.")
    config = preset(options.like)
    if not hasattr(options, "data.spec"):
        raise LabError("--data must be what the networks were trained on. Got none. Say it, such as --data mnist.")
    config = config.replace(**config_changes(options, config))
    from latentlab.train.exchange.foreign import bring

    print(bring(options.file, config, options.out, options.mean).folder.path)
    return 0
