"""How many of the 1,000 modes of stacked MNIST a GAN finds within 15 minutes of two cores.

Target: at least 990 of them among 26,000 samples, as MNIST's classifier names the digit of each channel, after at most 1,800
seconds of processor time. Beside it stand the KL of the samples' triples from even shares, as papers give it, and what as many
real images reach. PacGAN's Table 2 (Lin et al. 2018): DCGAN 79, PacDCGAN2 1,000; R3GAN's Table 1 (Huang et al. 2024): relativistic
loss with R1 and R2 1,000, the usual loss with both 693, at a GPU's budget.

Run: LATENTLAB_DATA=… python benchmarks/bench_stacked.py [--kinds NAME …] [--seeds 0] [--seconds 1800] [--threads 2]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import report

import latentlab as ll
from latentlab.data import Data
from latentlab.measure.extractors import Extractor
from latentlab.measure.extractors.networks import classifier_for
from latentlab.measure.metrics.classes import entropy_nats, shares
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create

SAMPLES = 26_000
KINDS: dict[str, tuple[str, dict[str, Any]]] = {  # name: preset, changed fields
    "relativistic": (
        "sn-gan",
        {"loss": "relativistic", "model.discriminator_normalization": "none", "r1_weight": 1.0, "r2_weight": 1.0, "r1_steps": 1},
    ),
    "packing 2": ("sn-gan", {"model.packing": 2}),
    "sn-gan": ("sn-gan", {}),
}


def processor_seconds() -> float:
    """Of this process so far, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def trained(kind: str, seed: int, folder: Path, options: argparse.Namespace) -> ll.Run:
    """A run that was stopped after so much processor time."""
    name, changes = KINDS[kind]
    unwatched = {"epochs": 1e4, "evaluate_epochs": 1e4, "measure_samples": 0, "seed": seed, "threads": options.threads}
    session = create(ll.preset(name, data="stacked-mnist", **unwatched | changes), folder)
    began = processor_seconds()
    for event in events(session):
        if isinstance(event, Stepped) and processor_seconds() - began >= options.seconds:
            break
    return ll.open_run(folder)


def told(what: str, labels: np.ndarray, all_modes: int, target: int | None) -> None:
    """Report the modes that labels [N] name, and how unevenly."""
    short = f"≥ {target}" if target else ""
    report(f"{what}: modes", len(np.unique(labels)), f"of {all_modes:,}, {len(labels):,} samples", short, at_least=target)
    report(f"{what}: KL from even shares", float(np.log(all_modes) - entropy_nats(shares(labels, all_modes))), "nats")


def measure(data: Data, classifier: Extractor, options: argparse.Namespace) -> None:
    """Train and report each kind with each seed."""
    modes = len(data.class_names or ())
    told("stacked-mnist, real images", data.test.labels[:SAMPLES], modes, None)
    for kind in options.kinds:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                run = trained(kind, seed, Path(folder, "run"), options)
                labels = np.concatenate([classifier(run.sample(SAMPLES // 10, seed=1 + part)).labels for part in range(10)])
            what = f"stacked-mnist, {kind}, seed {seed}, {options.seconds:.0f} s of processor time, {run.step:,} steps"
            told(what, labels, modes, 990)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS)[:1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--seconds", type=float, default=1_800.0, help="of processor time")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    data = ll.load_data("stacked-mnist")
    measure(data, classifier_for(data), options)


if __name__ == "__main__":
    main()
