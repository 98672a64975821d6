"""What shards cost on one process, and what a second process gains: `conv-vae`, batch 128, in one run.

Each script is a process (or two) of its own; their epochs of some steps are timed in turns, so that a machine that slows down slows
all, and the ratios are of the medians. Targets: two processes of one thread with 4 shards at least 0.85 times as fast as one process
of two threads with the batch whole, and 1.7 times as fast as one of one thread with the same shards; on one process at most 10 % for
4 shards and 50 % for 8.

Run: python benchmarks/bench_shards.py [--epochs N]
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from common import Served, in_turns, report

import latentlab as ll
from latentlab.base.machine import keep_freed_memory
from latentlab.cli.together import together
from latentlab.data import batch_indices
from latentlab.models import build
from latentlab.models.engine import Batch, TorchEngine
from latentlab.models.learner import Moment

BATCH, STEPS = 128, 25
SCRIPTS = {  # name: processes, threads of each, shards
    "whole, 2 threads": (1, 2, 1),
    "whole, 1 thread": (1, 1, 1),
    "4 shards, 1 thread": (1, 1, 4),
    "8 shards, 1 thread": (1, 1, 8),
    "4 shards, 2 processes": (2, 1, 4),
}


def serve(name: str) -> int:
    """A process of its own for each, as the loop drives them: an epoch for every line on stdin."""
    processes, threads, shards = SCRIPTS[name]
    config = ll.preset("conv-vae", **{"train.shards": shards, "train.threads": threads, "train.precision": "fp32"})
    with together(processes, ["-W", "ignore", __file__, "--serve", name]) as group:
        if group is not None and group.rank:
            from latentlab.train.group import follow

            return follow(group)
        torch.set_num_threads(threads)
        keep_freed_memory()
        data = ll.load_data("digits")
        learner, cpu = build(config, data.shape, torch.device("cpu"), False), torch.device("cpu")
        engine = TorchEngine(learner, cpu) if group is None else group.lead(learner, cpu, config, data, False)
        print("ready", flush=True)
        step = 0
        for _ in sys.stdin:
            started = time.perf_counter()
            for _ in range(STEPS):
                rows = batch_indices(0, step * BATCH, BATCH, len(data.train))
                engine.update([Batch(data.train.take(rows), None)], [Moment(step, step * BATCH)])
                step += 1
            print(time.perf_counter() - started, flush=True)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        sys.exit(serve(options.serve))
    environment = {"OMP_NUM_THREADS": "2"}
    medians = in_turns({name: Served(__file__, name, environment) for name in SCRIPTS}, options.epochs)
    two, one = medians["4 shards, 2 processes"], medians["whole, 1 thread"]
    for against, least in (("whole, 2 threads", 0.85), ("4 shards, 1 thread", 1.7)):
        what = f"conv-vae, 4 shards on 2 processes against one ({against})"
        report(what, medians[against] / two, "times as fast", f"≥ {least}", at_least=least)
    for shards, most in ((4, 10), (8, 50)):
        cost = 100 * (medians[f"{shards} shards, 1 thread"] / one - 1)
        report(f"conv-vae, {shards} shards on one process: what they cost", cost, "%", f"≤ {most}", at_most=most)
    report("conv-vae: a step", {name: 1e3 * seconds / STEPS for name, seconds in medians.items()}, "ms")


if __name__ == "__main__":
    main()
