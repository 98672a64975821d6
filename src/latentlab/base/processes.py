"""The processes of one run, as torchrun tells each of them its place. No torch here."""

from __future__ import annotations

import os


def place() -> tuple[int, int]:
    """The rank of this process among those that were started for one run, and their number: (0, 1) alone."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
