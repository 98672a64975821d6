"""`latentlab evaluate`: a run, or images that another program made, by the one yardstick."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from latentlab.base.errors import LabError, refusal
from latentlab.cli.parser import Parser, whole
from latentlab.cli.show import score_lines

MOST = 50_000


def command_evaluate(arguments: list[str]) -> int:
    """Measure, write scores.json, print it."""
    parser = Parser("evaluate", "Measure a run, or images made by any other program, on held-out images; write scores.json.")
    parser.add_argument("run", nargs="?", metavar="RUN", help="run folder")
    parser.add_argument("--split", default="test", metavar="train|val|test", help="held-out images to measure on (test)")
    parser.add_argument("--count", metavar="N", help="samples to draw; default as many as there are training images, at most 10000")
    parser.add_argument("--nll-samples", metavar="K", help="importance samples of each image for a VAE's NLL (500; 0: none)")
    parser.add_argument("--nll-images", metavar="N", help="images of the split that the NLL is measured on (1000)")
    parser.add_argument("--images", metavar="DIR", help="measure the images in this folder (or .npz) instead of a run; needs --data")
    parser.add_argument("--data", metavar="SPEC", help="with --images: the data set that they imitate")
    parser.add_argument("--data-root", metavar="DIR", help="with --images: where named sets lie")
    parser.add_argument("--image-size", metavar="N", help="with --images: the size that a folder of --data is brought to")
    parser.add_argument("--offline", action="store_true", help="with --images: never download")
    parser.add_argument("--out", metavar="FILE", help="with --images: where the scores go (DIR/scores.json)")
    parser.add_argument("--extractors", metavar="NAME[,NAME…]", help="classifier, random-convolutions or inception-v3; first: headline")
    parser.add_argument("--inception-weights", metavar="FILE", help="Inception weights in torch-fidelity's form (never downloaded)")
    parser.add_argument("--inception-sha256", metavar="HEX", help="the sha256 that this file must have")
    parser.add_argument("--threads", metavar="N", help="CPU threads; default the fastest number, measured once per machine")
    found = parser.parse(arguments)
    if (found.run is None) == (found.images is None):
        got = "neither" if found.run is None else "both"
        raise LabError(f"latentlab evaluate must be given a RUN, or --images DIR with --data SPEC. Got {got}. Name one of them.")
    bars = Bars()
    try:
        return _images(found, bars) if found.run is None else _run(found, bars)
    finally:
        bars.close()


def _run(found: argparse.Namespace, bars: Bars) -> int:
    for name in ("data", "data_root", "image_size", "out"):
        if getattr(found, name) is not None:
            raise LabError(f"--{name.replace('_', '-')} goes with --images; a run knows its own data. Leave it out.")
    counts = {
        "samples": None if found.count is None else whole(found.count, "--count", 20, MOST),
        "nll_samples": None if found.nll_samples is None else whole(found.nll_samples, "--nll-samples", 0, 10**6),
        "nll_images": None if found.nll_images is None else whole(found.nll_images, "--nll-images", 1),
    }
    from latentlab.runs.folder import open_folder

    folder = open_folder(found.run)
    if folder.config().family != "vae" and (counts["nll_samples"] or found.nll_images):  # 0, none, is what every family has
        raise LabError(f"--nll-samples and --nll-images go with a VAE; {found.run} has no likelihood. Leave them out.")
    from latentlab.measure.scores import check_split, evaluate_run
    from latentlab.train import Run

    check_split(found.split)
    run = Run(folder)
    data = run.data()
    with _threads(found.threads):
        given = {name: value for name, value in counts.items() if value is not None}
        result = evaluate_run(run, found.split, data, extractors=_extractors(found, data), watch=bars, **given)
    bars.close()
    print("\n".join([*score_lines(result), str(folder.path / "scores.json")]))
    return 0


def _images(found: argparse.Namespace, bars: Bars) -> int:
    for name in ("count", "nll_samples", "nll_images"):
        if getattr(found, name) is not None:
            raise LabError(f"--{name.replace('_', '-')} goes with a RUN; images are measured all, and have no likelihood. Leave it out.")
    if found.data is None:
        raise LabError("--images needs --data SPEC, the data set that the images imitate. Got none. Try --data mnist.")
    from latentlab.data import load_data
    from latentlab.measure.quality import read_images
    from latentlab.measure.scores import check_split, evaluate_images

    check_split(found.split)
    changes = {} if found.image_size is None else {"image_size": whole(found.image_size, "--image-size", 8, 128)}
    data = load_data(found.data, root=found.data_root, offline=found.offline, **changes)
    images = read_images(found.images, data.shape)
    source = Path(found.images)
    beside = source / "scores.json" if source.is_dir() else source.with_suffix(".scores.json")
    out = Path(found.out) if found.out else beside
    if (out.parent / "config.json").exists() and out.name == "scores.json":
        raise refusal("--out", "another file than a run's own scores.json", str(out), "Give --out FILE.json.")
    with _threads(found.threads):
        result = evaluate_images(images, data, found.split, out, extractors=_extractors(found, data), watch=bars)
    bars.close()
    print("\n".join([*score_lines(result), str(out)]))
    return 0


def _extractors(found: argparse.Namespace, data: Any) -> Any:
    from latentlab.measure.extractors import extractors_for

    names = None if found.extractors is None else [name.strip() for name in found.extractors.split(",") if name.strip()]

    def training() -> None:
        print(f"latentlab: training the classifier of {data.spec}, once; it is then kept in the cache.", file=sys.stderr, flush=True)

    return extractors_for(data, names, found.inception_weights, found.inception_sha256, training)


def _threads(text: str | None) -> Any:
    from latentlab.base.machine import fastest_threads, threads

    return threads(fastest_threads() if text is None else whole(text, "--threads", 1, 1024))


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
            print(f"latentlab: {what} ({total:,}) …", file=sys.stderr, flush=True)
        return lambda units: None

    def close(self) -> None:
        """End the stage that is shown."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
