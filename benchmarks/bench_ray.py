"""What Ray costs a sweep of 12 runs of about 20 seconds, against local workers, and what it is for: a worker killed with -9, twice.

Both sweeps are timed whole, from the command to its comparison, one after the other. The third is killed at twice while it trains;
target: 12 runs finished, and the comparison that local workers gave. Two runs go side by side, of one thread each.

Run: python benchmarks/bench_ray.py [--seconds N]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import report

import latentlab as ll
from latentlab.runs.folder import RunFolder

RUNS, CALIBRATION = 12, 400
CLOCKS = {"seconds", "samples_per_second", "checksum"}


def command(out: Path, steps: int, *more: str) -> list[str]:
    """A sweep of 12 runs."""
    asked = (
        f"sweep conv-vae --data digits --latent-dim 2,8,32 --seeds 4 --threads 1 --jobs 2 --count 100 --nll-samples 0 --steps {steps} --out"
    )
    return [sys.executable, "-m", "latentlab", *asked.split(), str(out), *more]


def timed(words: list[str]) -> float:
    """Seconds of a command."""
    started = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - started


def timeless(value: Any) -> Any:
    """JSON without what a clock says."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in CLOCKS}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def compared(out: Path) -> Any:
    """The comparison of a sweep."""
    return timeless(json.loads((out / "comparison.json").read_text(encoding="utf-8")))


def killed(words: list[str], out: Path) -> int:
    """Run a sweep and kill a worker of its twice; how many were killed."""
    sweep, victims = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), set[int]()
    while sweep.poll() is None:
        time.sleep(1)
        states = [RunFolder(path.parent).status() for path in out.glob("*/config.json")]
        training = {int(state["pid"]) for state in states if state.get("state") == "running" and state.get("step", 0) > 50} - victims
        if training and len(victims) < 2:
            victims.add(pid := min(training))
            os.kill(pid, signal.SIGKILL)
    assert sweep.returncode == 0
    return len(victims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run = ll.train("conv-vae", data="digits", latent_dim=8, steps=CALIBRATION, threads=1, out=out / "one")
        steps = round(CALIBRATION * options.seconds / max(row["seconds"] for row in run.metrics()))
        local = timed(command(out / "local", steps))
        ray = timed(command(out / "ray", steps, "--on", "ray"))
        assert compared(out / "ray") == compared(out / "local")
        report(f"a sweep of {RUNS} runs of about {options.seconds:g} s, 2 side by side", {"local": local, "on Ray": ray}, "s")
        report("the same, what Ray costs", 100 * (ray / local - 1), "%", "≤ 15", at_most=15)
        times = killed(command(out / "killed", steps, "--on", "ray"), out / "killed")
        whole = len(list((out / "killed").glob("*/scores.json"))) if compared(out / "killed") == compared(out / "local") else 0
        report(
            f"the same on Ray, a worker killed with -9 {times} times: runs with the same comparison", whole, "", f"{RUNS}", at_least=RUNS
        )


if __name__ == "__main__":
    main()
