"""The machine that trains: device, precision, threads, and what environment.json says of them."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from latentlab.base import __version__, core_count
from latentlab.base.errors import refusal
from latentlab.base.files import cache_folder, read_json_or_nothing, replace_json
from latentlab.base.waiting import considerate

CLEARLY_FASTER = 0.9  # more threads must take at most this share of the time, or they only crowd out others
MOST_THREADS = 16  # small networks gain nothing beyond


def pick_device(name: str) -> torch.device:
    """The torch device of "auto", "cpu", "cuda" or "mps". Raises LabError when it is not there.

    A CUDA card that PyTorch cannot use counts as none, which is said on stderr.
    """
    available = {"cpu": True, "cuda": name in ("auto", "cuda") and cuda_works(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available[name]:
        here = ", ".join(device for device, is_here in available.items() if is_here)
        raise refusal("train.device", f"one that this machine has ({here})", name, "Use --device auto; `latentlab doctor` says more.")
    return torch.device(name)


def cuda_works() -> bool:
    """Whether a CUDA card is there and computes: `is_available` is also true of a card that is too old for this PyTorch's kernels."""
    if not torch.cuda.is_available():
        return False
    try:
        return bool(torch.ones(1, device="cuda").add(1).item() == 2)
    except RuntimeError as error:
        why = str(error).strip().partition("\n")[0]
        print(f"latentlab: PyTorch {torch.__version__} cannot use this CUDA card ({why}). The CPU computes.", file=sys.stderr)
        return False


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed in hardware, not emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def keep_freed_memory() -> None:
    """Let glibc keep what is freed instead of giving it back to the system: a training step takes the same again at once.

    Without it every gradient and activation of more than 128 KiB is mapped afresh at each step, and the faults of its
    pages cost a small network a quarter of its time. Other systems' allocators need nothing of the kind.
    """
    trim_threshold, mmap_threshold, at_most = -1, -3, 2**30  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another C library, such as musl
    mallopt(mmap_threshold, at_most)
    mallopt(trim_threshold, at_most)


def pick_bf16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16; the weights, the optimiser and every objective stay in fp32."""
    return precision == "bf16" or (precision == "auto" and has_fast_bf16(device))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many CPU threads, as the configuration fixes it: results depend on their number. How they wait may change."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with considerate(count):
            yield
    finally:
        torch.set_num_threads(before)


def processor() -> str:
    """The processor's name, for the record."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _milliseconds(threads: int) -> float:
    """A training step of a middling convolution and a dense layer with so many threads: the best of several."""
    torch.set_num_threads(threads)
    with torch.random.fork_rng(devices=[]):
        net = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 4, 2, 1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 49, 128))
        x = torch.zeros(128, 16, 14, 14)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        net(x).sum().backward()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def most_threads() -> int:
    """No more threads than this process has cores, nor than the user allows by OMP_NUM_THREADS."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(core_count(), MOST_THREADS, int(allowed) if allowed.isdecimal() else MOST_THREADS))


def fastest_threads() -> int:
    """The number of threads that trains fastest here: measured once per machine, then read from the cache."""
    known = _known_threads().get(_thread_key())
    return min(known, most_threads()) if known is not None and 1 <= known <= core_count() else measure_threads()


def measure_threads() -> int:
    """Measure the fastest number of threads and keep it in the cache."""
    before = torch.get_num_threads()
    chosen, best, count = 1, _milliseconds(1), 2
    while count <= most_threads():
        took = _milliseconds(count)
        if took < CLEARLY_FASTER * best:
            chosen, best = count, took
        count *= 2
    torch.set_num_threads(before)
    if most_threads() < min(core_count(), MOST_THREADS):
        return chosen  # the best of those that are allowed now is nothing to remember
    try:
        replace_json(_thread_file(), _known_threads() | {_thread_key(): chosen})
    except OSError:
        pass  # a cache that cannot be written is measured again
    return chosen


def _thread_key() -> str:
    return f"{processor()}/{core_count()}/{torch.__version__}"


def _thread_file() -> Path:
    return cache_folder() / "threads.json"


def _known_threads() -> dict[str, int]:
    return {key: value for key, value in read_json_or_nothing(_thread_file()).items() if isinstance(value, int)}


def revision() -> str | None:
    """The git commit of latentlab's own source, with "+" when it was changed since; None for an installed package."""
    home = Path(__file__).parents[1]  # src/latentlab
    if not (home.parent.parent / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", "-C", str(home), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def environment(device: torch.device, threads: int, bf16: bool) -> dict[str, Any]:
    """What results depend on beside the configuration."""
    import numpy

    return {
        "latentlab": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": core_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "precision": "bf16" if bf16 else "fp32",
        "source_revision": revision(),
    }
