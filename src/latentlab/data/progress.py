"""How far a long decoding or download is, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_QUIET_SECONDS = 1.0
_LINE_SECONDS = 15.0


@contextmanager
def progress(text: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A function that is told how many units more are done. A bar on a terminal, else a plain line now and then."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

        scaled = unit == "B"
        with tqdm(total=total, desc=text, unit=unit, unit_scale=scaled, delay=_QUIET_SECONDS, leave=False, file=sys.stderr) as bar:
            yield lambda more: bar.update(more) and None
        return
    done, told = 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, told
        done += more
        if time.monotonic() - told >= _LINE_SECONDS:
            told = time.monotonic()
            print(f"{text}: {done:,} of {total:,} {unit}", file=sys.stderr, flush=True)

    yield advance
