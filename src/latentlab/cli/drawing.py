"""`python -m latentlab.cli.drawing`: a process that holds torch and trained networks, and draws samples for whoever asks on stdin.

A question is a line of JSON: {"run", "count", "seed", "prior", "truncation"}. The answer is a line of JSON, {"shape"} followed
by so many bytes of images uint8 [N, H, W, C], or {"refused"}. It ends when stdin does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from latentlab.base.errors import LabError
from latentlab.base.images import Images
from latentlab.runs.checkpoints import stamp
from latentlab.train import Run, open_run

KEPT = 4  # runs in memory

_opened: dict[tuple[str, tuple[str, int, int]], Run] = {}


def main() -> None:
    """Answer until nobody asks any more."""
    import torch

    torch.set_num_threads(1)
    for line in sys.stdin:
        try:
            images = drawn(json.loads(line))
        except LabError as error:
            _answer({"refused": str(error)})
        except Exception as error:  # whoever asks next is not to pay for it; the words go to the page
            _answer({"refused": f"{type(error).__name__}: {error}"})
        else:
            _answer({"shape": list(images.shape)}, images.tobytes())


def drawn(asked: dict[str, Any]) -> Images:
    """The samples that were asked for: those of `latentlab sample` with the same options."""
    run = _run(asked["run"])
    return run.sample(asked["count"], asked["seed"], prior=asked["prior"], truncation=asked["truncation"])


def _run(path: str) -> Run:
    """A run opened at its newest checkpoint, so that one that goes on training is drawn from as it is now."""
    run = open_run(path)
    key = (path, stamp(run.folder.checkpoints))
    if key not in _opened:
        while len(_opened) >= KEPT:
            del _opened[next(iter(_opened))]
        _opened[key] = run
    return _opened[key]


def _answer(head: dict[str, Any], body: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
