"""What a run costs beside its arithmetic: starts, memory, bookkeeping; how soon a goal is reached from a cold start; how costs grow.

| kind | measured | target |
|---|---|---|
| `starts` | `latentlab presets`, `runs`, `show`: seconds, median of 7 | ≤ 0.3 |
| | `latentlab train` to its first step: seconds, median of 5 | ≤ 2.5 |
| `memory` | most memory of `latentlab train` on MNIST, beyond what importing torch takes | ≤ 250 MB |
| `keeping` | share of a run's time that is not its updates: feeding, metrics, samples, checkpoints, evaluation | ≤ 5 % |
| `gan` | `sn-gan`, 90 s after its process began: Frechet distance of 10,000 samples, MNIST's classifier | ≤ 10 |
| `vae` | VAE 2 × 200, latent 50, binarised MNIST: NLL (k = 1,000, 500 test images) | ≤ 92 |
| | the same: seconds of the whole command | ≤ 60 |
| `growth` | time as the set, the batch and z grow: the dearest of these steps up, against linear | ≤ 1 |
| `lab` | `latentlab lab`, its classifier trained too: seconds | ≤ 120 |
| | `latentlab lab --data mnist`: seconds | ≤ 480 |

Run: LATENTLAB_DATA=… python benchmarks/bench_cold.py [KIND …], with nothing else running
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import report

import latentlab as ll
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create

LATENTLAB = [sys.executable, "-m", "latentlab"]
MB = 1e6
GAN_SECONDS = 90.0
EPOCHS = 40
# A rate that falls to nothing at the last step reaches a low loss soonest.
VAE = (
    f"--epochs={EPOCHS}", f"--train.rate-decay-images={EPOCHS * 55_000}", "--train.importance-samples=1", "--batch-size=100",
    "--learning-rate=2e-3", "--train.evaluate-epochs=20",
)  # fmt: skip


def timed(*arguments: str, until: Callable[[], bool] | None = None, **environment: str) -> float:
    """Seconds of a command; or until something is so, and then it is ended."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **environment})
    if until is None:
        assert process.wait() == 0, arguments
        return time.perf_counter() - began
    while not until():
        assert process.poll() is None, arguments
        time.sleep(0.002)
    took = time.perf_counter() - began
    process.kill()
    process.wait()
    return took


def starts(scratch: Path) -> None:
    subprocess.run([*LATENTLAB, "train", "mlp-vae", "--out", str(scratch / "runs/one"), "--epochs", "2"], check=True, capture_output=True)
    for arguments in (("presets",), ("runs", str(scratch / "runs")), ("show", str(scratch / "runs/one"))):
        took = statistics.median(timed(*LATENTLAB, *arguments) for _ in range(7))
        report(f"latentlab {arguments[0]}: seconds", took, "s", "≤ 0.3", at_most=0.3)
    for preset in ("mlp-vae", "conv-vae", "sn-gan"):
        times = []
        for number in range(5):
            path = scratch / f"{preset}-{number}"
            arguments = [*LATENTLAB, "train", preset, "--data", "mnist", "--train.log-steps", "1", "--out", str(path)]
            times.append(timed(*arguments, until=lambda path=path: _lines(path / "metrics.jsonl") > 0))
        report(f"latentlab train {preset}, MNIST, to its first step: seconds", statistics.median(times), "s", "≤ 2.5", at_most=2.5)


def _lines(path: Path) -> int:
    """Lines of metrics of training steps."""
    try:
        return path.read_text(encoding="utf-8").count('"train"')
    except OSError:
        return 0


def memory(scratch: Path) -> None:
    torch = peak(sys.executable, "-c", "import torch")
    for preset in ("mlp-vae", "conv-vae", "sn-gan"):
        used = peak(*LATENTLAB, "train", preset, "--data", "mnist", "--steps", "600", "--out", str(scratch / preset))
        report(
            f"latentlab train {preset}, MNIST: memory beyond torch's {torch / MB:.0f} MB", (used - torch) / MB, "MB", "≤ 250", at_most=250.0
        )


def peak(*arguments: str) -> int:
    """The most bytes that a command had in memory, its data files as far as it read them."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return int(used.ru_maxrss) * 1024


def keeping(scratch: Path) -> None:
    for preset, epochs in (("mlp-vae", 5.0), ("conv-vae", 2.0), ("sn-gan", 2.0)):
        session = create(ll.preset(preset, data="mnist", epochs=epochs), scratch / preset)
        engine, spent = session.engine, 0.0
        update = engine.update

        def watched(*arguments: Any, update: Any = update) -> Any:
            nonlocal spent
            began = time.perf_counter()
            try:
                return update(*arguments)
            finally:
                spent += time.perf_counter() - began

        engine.update = watched  # type: ignore[method-assign]
        began = time.perf_counter()
        for _ in events(session):
            pass
        whole = time.perf_counter() - began
        report(
            f"{preset}, {epochs:g} epochs of MNIST: share of its time beside its updates",
            100 * (1 - spent / whole),
            "%",
            "≤ 5",
            at_most=5.0,
        )


def cold(folder: str) -> None:
    """In a process of its own: train a GAN until so many seconds after it began."""
    session = create(ll.preset("sn-gan", data="mnist", epochs=1e4, evaluate_epochs=1e4), folder)
    for event in events(session):
        if isinstance(event, Stepped) and age() >= GAN_SECONDS:
            break


def age() -> float:
    """Seconds since this process was begun, its interpreter's start and all imports with it."""
    with open("/proc/self/stat", encoding="ascii") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def gan(scratch: Path) -> None:
    subprocess.run([sys.executable, __file__, "--cold", str(scratch / "run")], check=True, stdout=subprocess.DEVNULL)
    run = ll.open_run(scratch / "run")
    found = run.evaluate(samples=10_000)["scores"]["frechet"]
    what = f"sn-gan, {GAN_SECONDS:g} s from a cold start, {run.step:,} steps: Frechet distance of 10,000 samples"
    report(what, found["value"], "", "≤ 10", at_most=10.0)
    report("its floor", found["floor"], "")


def vae(scratch: Path) -> None:
    took = timed(*LATENTLAB, "train", "iwae-1layer", "--data", "mnist", "--out", str(scratch / "run"), *VAE)
    found = ll.open_run(scratch / "run").evaluate(samples=100, nll_samples=1_000, nll_images=500)["scores"]["nll_nats"]["value"]
    report("VAE 2 x 200, binarised MNIST, from a cold start: NLL", found, "nats", "≤ 92", at_most=92.0)
    report("the same: seconds of the command, to its last checkpoint and its end", took, "s", "≤ 60", at_most=60.0)


def growth(scratch: Path) -> None:
    def seconds(**changes: Any) -> float:
        """Of training alone, as the run counts it."""
        path = scratch / f"run-{next(counter)}"
        session = create(ll.preset("mlp-vae", data="mnist", threads=1, evaluate_epochs=1e4, **changes), path)
        for _ in events(session):
            pass
        return float(session.position.seconds)

    counter = itertools.count()
    axes: dict[str, dict[int, float]] = {
        "training images, one pass": {n: seconds(**{"data.train_images": n, "epochs": 1.0}) for n in (859, 3437, 13750, 55000)},
        "batch, 100 steps": {n: seconds(batch_size=n, steps=100) for n in (32, 64, 128, 256, 512, 1024)},
        "z, 300 steps": {n: seconds(latent_dim=n, steps=300) for n in (2, 8, 32, 128, 256)},
    }
    for axis, times in axes.items():
        report(f"mlp-vae, one thread: seconds by {axis}", {str(n): took for n, took in times.items()}, "s")
        worst = max((after / before) / (n / m) for (m, before), (n, after) in itertools.pairwise(times.items()))
        report(f"mlp-vae, cost by {axis}: the dearest growth, against linear", worst, "times", "≤ 1", at_most=1.0)


def lab(scratch: Path) -> None:
    for data, most in (("digits", 120.0), ("mnist", 480.0)):
        fresh = {"LATENTLAB_CACHE": str(scratch / f"cache-{data}")}
        took = timed(*LATENTLAB, "lab", "--data", data, "--out", str(scratch / data), **fresh)
        report(f"latentlab lab --data {data}: seconds", took, "s", f"≤ {most:g}", at_most=most)


KINDS = {"starts": starts, "memory": memory, "keeping": keeping, "gan": gan, "vae": vae, "growth": growth, "lab": lab}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--cold")
    options = parser.parse_args()
    if options.cold:
        cold(options.cold)
        return
    for kind in options.kinds or KINDS:
        with tempfile.TemporaryDirectory() as scratch:
            KINDS[kind](Path(scratch))


if __name__ == "__main__":
    main()
