"""`latentlab doctor`: what is installed, which device, how many threads, what is wrong and how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from latentlab.base import __version__, core_count
from latentlab.cli.parser import Parser

NEEDED = ("torch", "numpy", "pillow", "safetensors", "scikit-learn", "matplotlib", "tqdm", "platformdirs")
LEAST = {"torch": (2, 10), "pillow": (11, 3)}
FREE_GIB = 1.0


def command_doctor(arguments: list[str]) -> int:
    """Examine this installation. Exit status 2 when something must be mended."""
    parser = Parser("doctor", "What is installed, which device and how many threads are used, what is wrong and how to mend it.")
    parser.parse(arguments)
    problems = _packages()
    problems += _torch() if not any(p.startswith("torch") for p in problems) else []
    problems += _folders()
    for problem in problems:
        print(f"latentlab: {problem}", file=sys.stderr)
    print("all is well" if not problems else f"{len(problems)} to mend")
    return 2 if problems else 0


def _packages() -> list[str]:
    problems = []
    print(f"latentlab     {__version__}\npython        {platform.python_version()} ({sys.executable})\nsystem        {platform.platform()}")
    for name in NEEDED:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{name} must be installed. It is not. Run `pip install -c constraints.txt {name}`.")
            continue
        print(f"{name:<13} {version}")
        numbers = tuple(int(n) for n in version.split("+")[0].split(".")[:2] if n.isdigit())
        if name in LEAST and numbers < LEAST[name]:
            least = ".".join(map(str, LEAST[name]))
            problems.append(
                f"{name} must be {least} or later (older ones have known holes). Got {version}. Run `pip install -U '{name}>={least}'`."
            )
    return problems


def _torch() -> list[str]:
    import torch

    from latentlab.base import machine

    device = machine.pick_device("auto")
    print(f"device        {torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type}, with --device auto")
    print(f"processor     {machine.processor()}, {core_count()} cores")
    print(f"threads       {machine.measure_threads()} (the fastest here; measured now and kept)")
    bf16 = machine.pick_bf16("auto", device)
    print(f"precision     {'bf16' if bf16 else 'fp32'}, with --precision auto")
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        return [f"torch must be a CUDA build to use this NVIDIA card. Got {torch.__version__}. Install that build, see the README."]
    return []


def _folders() -> list[str]:
    from latentlab.base.files import cache_folder, data_root
    from latentlab.config.sources import PUBLISHED, SOURCES
    from latentlab.data import is_at_hand

    problems = []
    root, cache = data_root(None), cache_folder()
    print(f"data root     {root}")
    for name in PUBLISHED:
        print(f"  {name:<13} {'at hand' if is_at_hand(SOURCES[name], root) else f'not at hand: `latentlab data fetch {name}`'}")
    print(f"cache         {cache}")
    for folder in (cache, Path.cwd()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            problems.append(f"{folder} must be writable ({error.strerror}). Set LATENTLAB_CACHE, or go to a folder that is.")
            continue
        free = shutil.disk_usage(folder).free / 2**30
        if free < FREE_GIB:
            problems.append(f"{folder} must have {FREE_GIB:g} GiB free for runs. It has {free:.2f}. Free some space.")
    if os.environ.get("LATENTLAB_DATA") and not root.is_dir():
        problems.append(f"LATENTLAB_DATA must be a folder that exists. Got {root}. Create it, or unset the variable.")
    return problems
