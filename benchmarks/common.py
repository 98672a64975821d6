"""What the benchmarks share: a line for each number, printed and kept in benchmarks/results.jsonl with the machine."""

from __future__ import annotations

import datetime
import json
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
