"""What `art-gan` reaches on folders of some 900 real pictures at 64 x 64, within 8 minutes of two cores.

| measure, of 1,000 samples | target |
|---|---|
| recall on random convolutions, held-out pictures | ≥ 0.5 |
| mean pair distance, as a share of the real ones' | 0.85 to 1.15 |
| weave at periods of 2 and 4 pixels, as a multiple of the real ones' | ≤ 3 |
| mean and spread of each channel, worst deviation from the real ones' | ≤ 15 % |
| copies of training pictures | < 1 % |
| processor time | ≤ 960 s |

Weave: the mean power spectrum of the pictures (channels apart, Hann window) at a frequency, over the median of the 7 x 7
frequencies around it; the largest of the horizontal, the vertical and the diagonal one. Real pictures are those of the
training split.

Copy: a sample that is at most half as far from one training picture as from any other (the ratio test of Lowe 2004, section
7.1), where each may be mirrored and shifted by up to 8 pixels, as the discriminator saw it: the sample's middle is compared
with all such pieces by the means of 4 x 4 pixels. How often that calls a held-out picture a copy, and how often a training
picture that was mirrored and shifted, stands beside it. (Nearer to a training picture than all but 1 % of held-out ones, as
`evaluate` counts, is 1 % of the samples of a perfect model.)

Run: python benchmarks/bench_art.py FOLDER … [--seeds 0 1 2] [--preset art-gan] [--steps N] [--threads 2] [--runs DIR]
Runs in DIR that are finished are measured, not trained again.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
from pathlib import Path

import numpy as np
from common import report
from numpy.typing import NDArray

import latentlab as ll
from latentlab.base.files import read_json, replace_json
from latentlab.measure.metrics.pixels import mean_pair_distance

SAMPLES = 1000
TARGETS = {  # name: unit, target, at least, at most
    "recall": ("", "≥ 0.5", 0.5, None),
    "precision": ("", "", None, None),
    "KID": ("", "", None, None),
    "KID of real pictures": ("", "", None, None),
    "pair distance": ("of the real ones'", "0.85 to 1.15", 0.85, 1.15),
    "weave at 2 pixels": ("times the real ones'", "≤ 3", None, 3.0),
    "weave at 4 pixels": ("times the real ones'", "≤ 3", None, 3.0),
    "mean colour, worst channel": ("% off", "≤ 15", None, 15.0),
    "spread of colour, worst channel": ("% off", "≤ 15", None, 15.0),
    "copies": ("% of the samples", "< 1", None, 0.999),
    "copies among held-out pictures": ("%", "", None, None),
    "copies among moved training pictures": ("%", "", None, None),
    "nearer to a training picture than 99 % of held-out ones": ("% of the samples", "", None, None),
    "steps": ("", "", None, None),
    "processor time": ("s", "≤ 960", None, 960.0),
}


def weave(images: NDArray[np.uint8], period: int) -> float:
    """How far the spectrum of square images uint8 [N, H, H, C] stands out at a period in pixels; 1: not at all."""
    x = images - images.mean((1, 2), keepdims=True)
    side = x.shape[1]
    window = np.hanning(side + 1)[:-1]
    power = (np.abs(np.fft.fft2(x * window[:, None, None] * window[:, None], axes=(1, 2))) ** 2).mean((0, 3))  # [H, H]
    at = side // period

    def peak(row: int, column: int) -> float:
        around = np.arange(-3, 4)
        patch = power[np.ix_((row + around) % side, (column + around) % side)].ravel()
        return float(power[row, column] / np.median(np.delete(patch, patch.size // 2)))

    return max(peak(at, 0), peak(0, at), peak(at, at))


SHIFT, CELL = 8, 4


def means(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean of each 4 x 4 pixels of uint8 [N, H, H, C]: [N, H - 3, H - 3, C]."""
    rows = sum(images[:, at : images.shape[1] - CELL + 1 + at].astype(np.float32) for at in range(CELL))
    return sum(rows[:, :, at : rows.shape[2] - CELL + 1 + at] for at in range(CELL)) / CELL**2


def pieces(cells: NDArray[np.float32], down: int, right: int) -> NDArray[np.float32]:
    """The middles of pictures, shifted by so many pixels, as rows of cells: [N, D]."""
    inner = cells.shape[1] + CELL - 1 - 2 * SHIFT
    rows, columns = (slice(SHIFT + by, SHIFT + by + inner, CELL) for by in (down, right))
    return np.ascontiguousarray(cells[:, rows, columns]).reshape(len(cells), -1)


def copies(images: NDArray[np.uint8], train: NDArray[np.uint8]) -> float:
    """The share of images [N, H, H, C], in percent, that are mirrored or shifted copies of training pictures [M, H, H, C]."""
    looked = pieces(means(images), 0, 0)
    squared = np.full((len(images), len(train)), np.inf, np.float32)
    for pictures in (train, train[:, :, ::-1]):
        cells = means(pictures)
        for shift in itertools.product(range(-SHIFT, SHIFT + 1, CELL // 2), repeat=2):
            seen = pieces(cells, *shift)
            np.minimum(squared, (looked**2).sum(1)[:, None] + (seen**2).sum(1) - 2 * looked @ seen.T, out=squared)
    first, second = np.partition(squared, 1)[:, :2].T
    return float(100 * (first <= 0.25 * second).mean())


def moved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each picture mirrored or not and shifted by up to 8 pixels, at random; what comes in at an edge is what went out opposite."""
    random = np.random.default_rng(0)
    shifts, mirrors = random.integers(-SHIFT, SHIFT, (len(images), 2), endpoint=True), random.random(len(images)) < 0.5
    return np.stack([np.roll(i[:, ::-1] if m else i, s, (0, 1)) for i, s, m in zip(images, shifts, mirrors, strict=True)])


def measured(run: ll.Run) -> dict[str, float]:
    """Everything of the table but how long it took."""
    data = run.data()
    real, fakes = data.train.images[:], run.sample(SAMPLES, seed=1)
    scores = run.evaluate(samples=SAMPLES, data=data)["scores"]

    def off(summary: str) -> float:
        ours, theirs = (getattr(np, summary)(images, axis=(0, 1, 2), dtype=np.float64) for images in (fakes, real))
        return float(100 * np.abs(ours / theirs - 1).max())

    return {
        "recall": scores["recall"]["value"],
        "precision": scores["precision"]["value"],
        "KID": scores["kid"]["value"],
        "KID of real pictures": scores["kid"]["floor"],
        "pair distance": mean_pair_distance(fakes) / mean_pair_distance(real),
        **{f"weave at {period} pixels": weave(fakes, period) / weave(real, period) for period in (2, 4)},
        "mean colour, worst channel": off("mean"),
        "spread of colour, worst channel": off("std"),
        "copies": copies(fakes, real),
        "copies among held-out pictures": copies(data.test.images[:], real),
        "copies among moved training pictures": copies(moved(real), real),
        "nearer to a training picture than 99 % of held-out ones": 100 * scores["nearest_train_distance"]["copies"]["share"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="none: nothing is measured")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--preset", default="art-gan")
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            found = {}
            for seed in options.seeds:
                path = (options.runs or Path(scratch)) / f"{options.preset}-{folder.name}-{seed}"
                found[f"seed {seed}"] = one(path, folder, seed, options)
            for name, (unit, target, at_least, at_most) in TARGETS.items():
                what = f"{options.preset} on {folder.name}: {name}"
                report(what, {seed: values[name] for seed, values in found.items()}, unit, target, at_least, at_most)


def one(path: Path, folder: Path, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Train a run, unless it is there, and measure it."""
    kept = path.with_suffix(".json")
    if not kept.exists():
        changes = {"data": f"folder:{folder.resolve()}", "seed": seed, "steps": options.steps, "threads": options.threads}
        began = _processor_seconds()
        run = ll.train(options.preset, out=path, **changes)
        took = _processor_seconds() - began
        replace_json(kept, {"steps": run.step, "processor time": took} | measured(run))
    return read_json(kept)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
