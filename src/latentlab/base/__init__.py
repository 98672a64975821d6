"""What anything may ask for without loading anything: the version, and the number of cores."""

from __future__ import annotations

import os

__version__ = "0.1.0"


def core_count() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
