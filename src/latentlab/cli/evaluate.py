"""`latentlab evaluate`: a run, or images that another program made, by the one yardstick."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable
from latentlab.base.images import is_point
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_place, add_protocol, add_split, add_trust, add_value
from latentlab.cli.show import score_lines


def command_evaluate(arguments: list[str]) -> int:
    """Measure, write scores.json, print it."""
    parser = Parser("evaluate", "Measure a run, or images made by any other program, on held-out images; write scores.json.")
    parser.add_argument("run", nargs="?", metavar="RUN", help="run folder")
    add_split(parser, "held-out images to measure on (test)")
    add_protocol(
        parser,
        count="samples to draw; default as many as there are training images, at most 10000",
        nll_samples="importance samples of each image for a VAE's NLL (500; 0: none)",
    )
    add_value(parser, "--nll-images", int, "images of the split that the NLL is measured on (1000)", minimum=1)
    parser.add_argument("--images", metavar="DIR", help="measure the images in this folder (or .npz) instead of a run; needs --data")
    add_trust(parser)
    add_place(parser, "; with --images: the data set that they imitate")
    parser.add_argument("--data-root", metavar="DIR", help="with --images: where named sets lie")
    add_value(parser, "--image-size", int, "with --images: the size that a folder of --data is brought to", minimum=8, maximum=256)
    parser.add_argument("--offline", action="store_true", help="with --images: never download")
    parser.add_argument("--out", metavar="FILE", help="with --images: where the scores go (DIR/scores.json)")
    parser.add_argument("--extractors", metavar="NAME[,NAME…]", help="classifier, random-convolutions or inception-v3; first: headline")
    parser.add_argument("--inception-weights", metavar="FILE", help="Inception weights in torch-fidelity's form (never downloaded)")
    parser.add_argument("--inception-sha256", metavar="HEX", help="the sha256 that this file must have")
    add_value(parser, "--threads", int, "CPU threads; default the fastest number, measured once per machine", minimum=1, maximum=1024)
    options = parser.parse(arguments)
    if (options.run is None) == (options.images is None):
        got = "neither" if options.run is None else "both"
        raise LabError(f"latentlab evaluate must be given a RUN, or --images DIR with --data SPEC. Got {got}. Name one of them.")
    bars = Bars()
    try:
        return _images(options, bars) if options.run is None else _run(options, bars)
    finally:
        bars.close()


def _run(options: argparse.Namespace, bars: Bars) -> int:
    for name in ("data_root", "image_size", "out"):
        if getattr(options, name) is not None:
            raise LabError(f"--{name.replace('_', '-')} goes with --images; a run knows its own data. Leave it out.")
    from latentlab.runs.folder import open_folder

    folder = open_folder(options.run)
    if folder.config().family != "vae" and (options.nll_samples or options.nll_images):  # 0, none, is what every family has
        raise LabError(f"--nll-samples and --nll-images go with a VAE; {options.run} has no likelihood. Leave them out.")
    from latentlab.measure.scores import evaluate_run
    from latentlab.train import Run

    run = Run(folder, trust=options.trust)
    run.networks()  # what cannot be opened is said before images are read
    data = run.data(options.data)
    with _threads(options.threads):
        counts = {"samples": options.count, "nll_samples": options.nll_samples, "nll_images": options.nll_images}
        given = {name: value for name, value in counts.items() if value is not None}
        result = evaluate_run(run, options.split, data, extractors=_extractors(options, data), watch=bars, **given)
    bars.close()
    if result["scores"] != folder.scores().get("scores"):
        say('a fuller measurement stands in scores.json; this one is kept there below "others".')
    print("\n".join([*score_lines(result), str(folder.path / "scores.json")]))
    return 0


def _images(options: argparse.Namespace, bars: Bars) -> int:
    for name in ("count", "nll_samples", "nll_images"):
        if getattr(options, name) is not None:
            raise LabError(f"--{name.replace('_', '-')} goes with a RUN; images are measured all, and have no likelihood. Leave it out.")
    if options.data is None:
        raise LabError("--images needs --data SPEC, the data set that the images imitate. Got none. Try --data mnist.")
    from latentlab.data import load_data
    from latentlab.measure.quality import read_images
    from latentlab.measure.scores import evaluate_images

    changes = {} if options.image_size is None else {"image_size": options.image_size}
    data = load_data(options.data, root=options.data_root, offline=options.offline, **changes)
    images = read_images(options.images, data.shape)
    source = Path(options.images)
    beside = source / "scores.json" if source.is_dir() else source.with_suffix(".scores.json")
    out = Path(options.out) if options.out else beside
    if (out.parent / "config.json").exists() and out.name == "scores.json":
        raise refusal("--out", "another file than a run's own scores.json", str(out), "Give --out FILE.json.")
    check_writable(out)
    with _threads(options.threads):
        result = evaluate_images(images, data, options.split, out, extractors=_extractors(options, data), watch=bars)
    bars.close()
    print("\n".join([*score_lines(result), str(out)]))
    return 0


def _extractors(options: argparse.Namespace, data: Any) -> Any:
    from latentlab.measure.extractors import extractors_for

    names = None if options.extractors is None else [name.strip() for name in options.extractors.split(",") if name.strip()]

    if is_point(data.shape):
        return names

    def training() -> None:
        say(f"training the classifier of {data.spec}, once; it is then kept in the cache.")

    return extractors_for(data, names, options.inception_weights, options.inception_sha256, training)


def _threads(count: int | None) -> Any:
    from latentlab.base.machine import fastest_threads, threads

    return threads(fastest_threads() if count is None else count)


class Bars:
    """Stages of an evaluation as progress bars on a terminal; in a pipe one line for each long one."""

    LONG = 200  # units below which a stage in a pipe is not worth a line

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.bar: tqdm[Any] | None = None

    def __call__(self, what: str, total: int) -> Any:
        """Begin a stage of `total` units; returns what takes the units as they are done."""
        self.close()
        if self.terminal:
            self.bar = tqdm(total=total, desc=what, dynamic_ncols=True, leave=False)
            return self.bar.update
        if total >= self.LONG:
            say(f"{what} ({total:,}) …")
        return lambda units: None

    def close(self) -> None:
        """End the stage that is shown."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
