"""What a training step takes beside other busy processes, against alone; and what the means against it costs alone.

Each preset trains in two processes of its own, one whose threads wait as `base/waiting.py` has it ("ours") and one whose threads wait
as they come ("plain"). They are timed in turns, alone, beside one process that computes without end, and beside four; each turn lets
the preset train for WARM_SECONDS before it is timed, and every process but the timed one stands still.

Run: LATENTLAB_DATA=… python benchmarks/bench_busy.py [--turns N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from bench_speed import BATCH
from common import Served, report

import latentlab as ll
from latentlab.base import core_count
from latentlab.base.machine import keep_freed_memory, pick_bf16, threads
from latentlab.data import batch_indices
from latentlab.models import build
from latentlab.models.learner import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

PRESETS = ("mlp-vae", "conv-vae", "sn-gan", "gan-from-vae")
OTHERS = (0, 1, 4)
WARM_SECONDS, TIMED_SECONDS = 1.5, 2.5
MOST = {1: 1.6, 4: 4.0}  # times the time alone
COST = 1.03


def serve(name: str) -> None:
    """A preset's steps: seconds of one, for every line on stdin."""
    preset, kind = name.split("/")
    cpu = torch.device("cpu")
    data = ll.load_data("mnist")
    keep_freed_memory()
    learner = build(ll.preset(preset), data.shape, cpu, pick_bf16("auto", cpu))
    step = 0

    def train(seconds: float) -> float:
        nonlocal step
        before, started = step, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds:
            images = data.train.take(batch_indices(0, step * BATCH, BATCH, len(data.train)))
            learner.update(torch.from_numpy(images), Moment(step, step * BATCH))
            step += 1
        return took / (step - before)

    with ExitStack() as stack:
        torch.set_num_threads(core_count())
        if kind == "ours":
            stack.enter_context(threads(core_count()))
        print("ready", flush=True)
        for _ in sys.stdin:
            train(WARM_SECONDS)
            print(train(TIMED_SECONDS), flush=True)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute without end."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    for preset in PRESETS:
        runs = {kind: Served(__file__, f"{preset}/{kind}") for kind in ("ours", "plain")}
        seconds: dict[tuple[str, int], list[float]] = {(kind, count): [] for kind in runs for count in OTHERS}
        for _ in range(options.turns):
            for count in OTHERS:
                with busy(count):
                    for kind, run in runs.items():
                        seconds[kind, count].append(run.epoch())
        for run in runs.values():
            run.ask.close()
            run.process.wait()
        medians = {key: statistics.median(values) for key, values in seconds.items()}
        report(f"{preset}: a step alone", {kind: 1e3 * medians[kind, 0] for kind in runs}, "ms")
        for count, most in MOST.items():
            what = f"{preset}: a step beside {count} busy process{'es' * (count > 1)}, against alone"
            report(what, medians["ours", count] / medians["ours", 0], "times", f"≤ {most:g}", at_most=most)
            report(f"{what}, as threads wait by themselves", medians["plain", count] / medians["plain", 0], "times")
        what = f"{preset}: what waiting so costs alone"
        report(what, medians["ours", 0] / medians["plain", 0], "times", f"≤ {COST:g}", at_most=COST)


if __name__ == "__main__":
    main()
