"""What the benchmarks share: a line for each number, printed and kept in benchmarks/results.jsonl with the machine."""

from __future__ import annotations

import datetime
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from latentlab.base import core_count
from latentlab.base.machine import has_fast_bf16, processor

RESULTS = Path(__file__).parent / "results.jsonl"


def report(what: str, value: Any, unit: str, target: str = "", at_least: float | None = None, at_most: float | None = None) -> bool:
    """Print and keep one measured number; returns whether it reaches its target."""
    numbers = value if isinstance(value, dict) else {"": value}
    reached = all((at_least is None or v >= at_least) and (at_most is None or v <= at_most) for v in numbers.values())
    text = "  ".join(f"{k} {v:.4g}".strip() for k, v in numbers.items())
    verdict = f"  (target {target}: {'reached' if reached else 'NOT reached'})" if target else ""
    print(f"{what}: {text} {unit}{verdict}", flush=True)
    entry = {
        "what": what,
        "value": value,
        "unit": unit,
        "target": target,
        "reached": reached if target else None,
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": core_count(),
        "bf16_in_hardware": has_fast_bf16(torch.device("cpu")),
        "torch": torch.__version__,
    }
    with open(RESULTS, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    return reached


class Served:
    """A process of its own, as a script's user would run it, that times an epoch for every line on its stdin: `FILE --serve NAME`."""

    def __init__(self, file: str, name: str, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-W", "ignore", file, "--serve", name]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, **pipes)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.ask, self.answer = self.process.stdin, self.process.stdout
        self.answer.readline()

    def epoch(self) -> float:
        """Seconds of an epoch in that process."""
        print(file=self.ask, flush=True)
        return float(self.answer.readline())


def in_turns(runs: Mapping[str, Served], epochs: int) -> dict[str, float]:
    """The median seconds of each process's epochs but the first, which warms up: in turns, so that what slows one slows all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(epochs + 1):
        for name, run in runs.items():
            seconds[name].append(run.epoch())
    for run in runs.values():
        run.ask.close()
        run.process.wait()
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}
