"""The processes that train one run: those that torchrun started, or others that are started here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from latentlab.base import core_count
from latentlab.base.processes import place
from latentlab.cli.parser import Parser, add_value
from latentlab.lab.pool import spawn

if TYPE_CHECKING:
    from latentlab.train.group import Group

LAST_SECONDS = 10.0  # for a process to end when its run has


def add_processes(parser: Parser) -> None:
    """`--processes`, 1 without."""
    help = "processes of this machine that compute a batch's shards side by side (torchrun starts them on several): docs/cluster.md"
    add_value(parser, "--processes", int, help, 1, minimum=1, maximum=1024)


@contextmanager
def together(count: int, program: Sequence[str]) -> Iterator[Group | None]:
    """This process among those of torchrun, or as the first of `count`, all of one program of Python; None where it trains alone."""
    if place()[1] > 1 or count == 1:
        with _joined() as group:
            yield group
        return
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, core_count() // count)))
    # As torchrun tells its processes, which find each other by the store of the one that started them.
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    others, group = list[subprocess.Popen[Any]](), None
    try:
        for rank in reversed(range(count)):
            os.environ |= shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            if rank:
                others.append(spawn([sys.executable, *program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        with _joined() as group:
            yield group
    finally:
        for name in (*shared, "RANK", "LOCAL_RANK"):
            os.environ.pop(name, None)
        for other in others:
            try:
                other.wait(0 if group is None or group.lost else LAST_SECONDS)
            except subprocess.TimeoutExpired:  # it may wait for one that ended
                other.kill()


@contextmanager
def _joined() -> Iterator[Group | None]:
    if place()[1] == 1:
        yield None
        return
    from latentlab.train.group import Group

    with Group() as group:
        yield group
