"""While others use the cores, this process's threads wait for each other asleep; nothing that they compute depends on it."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from commands import wait_until
from conftest import TINY

import latentlab as ll
from latentlab.base import core_count, waiting
from latentlab.base.machine import threads
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create

pytestmark = pytest.mark.skipif(sys.platform != "linux" or waiting.libgomp() is None, reason="torch computes without libgomp here")
STAT = """cpu  999 999 999 999 999 999 999 999 0 0
cpu0 100 20 30 4000 500 6 7 8 90 1
cpu1 1 2 3 4000 500 6 7 8 0 0
cpu10 900 900 900 900 900 900 900 900 0 0
intr 5
"""


class Others:
    """A machine on which others use so many cores."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cores, self.seconds, self.clock = 0.0, 0.0, 0.0
        monkeypatch.setattr(waiting, "SECONDS", 0.01)
        monkeypatch.setattr(waiting, "used_by_others", self)

    def __call__(self, cores: frozenset[str]) -> tuple[float, float]:
        assert len(cores) == core_count()
        self.clock += 1
        self.seconds += self.cores
        return self.seconds, self.clock


def sleeping() -> bool:
    return any(thread.name == "latentlab-sleeper" for thread in threading.enumerate())


def tasks() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_what_others_use_is_what_the_cores_did_without_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", lambda: 0.25)
    ticks = (100 + 20 + 30 + 6 + 7 + 8) + (1 + 2 + 3 + 6 + 7 + 8)  # neither idle nor waiting for a disk; a guest's are in the user's
    used, clock = waiting.used_by_others(frozenset({"cpu0", "cpu1"}), lambda: STAT)
    assert used == pytest.approx(ticks / 100 - 0.25)  # this system's clock ticks are hundredths of a second
    assert clock <= time.monotonic()


def test_waiting_sleeps_while_others_are_busy_and_spins_again_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    others = Others(monkeypatch)
    with threads(2):
        torch.ones(10**6).add_(1)  # this thread's own team
        before = tasks()
        others.cores = core_count() - 2 + 0.2  # not enough to begin
        wait_until(lambda clock=others.clock + 5: others.clock > clock)
        assert not sleeping()
        others.cores = core_count() - 2 + 1.0
        wait_until(sleeping)
        wait_until(lambda: tasks() == before + core_count() - 2 + 2)  # a team that with ours has more threads than there are cores
        others.cores = core_count() - 2 + 0.2  # not enough to end
        wait_until(lambda clock=others.clock + 5: others.clock > clock)
        assert sleeping()
        others.cores = core_count() - 2 + 0.0
        wait_until(lambda: not sleeping() and tasks() == before)
        others.cores = 9.0
        wait_until(sleeping)
    assert not sleeping()
    assert "latentlab-waiting" not in {thread.name for thread in threading.enumerate()}


def test_one_thread_waits_for_nobody() -> None:
    with threads(1):
        assert "latentlab-waiting" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("preset", ["conv-vae", "sn-gan"])
def test_no_bit_depends_on_how_busy_the_others_are(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others, trained = Others(monkeypatch), []
    config = ll.preset(preset, **TINY | {"train.threads": 2, "train.steps": 12})
    for cores in (0.0, 9.0):
        others.cores = cores
        folder = tmp_path / str(cores)
        slept = {sleeping() for event in events(create(config, folder)) if isinstance(event, Stepped)}
        assert (True in slept) == (cores > 0)
        trained.append(sorted(folder.glob("checkpoints/*"))[-1].joinpath("tensors.safetensors").read_bytes())
    assert trained[0] == trained[1]
