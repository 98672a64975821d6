"""Signals that ask this process to end. What is trained is saved first, however often one asks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK", "SIGHUP") if hasattr(signal, name)]
AGAIN = "latentlab: already stopping; what can be saved is being saved. A third signal ends it at once.\n"


class Interrupted(BaseException):
    """A signal that ends what is being done, with the words to say of it."""

    def __init__(self, number: int, words: str = "stopped by a signal; nothing was being trained.") -> None:
        super().__init__(words)
        self.number = number


class StopFlag:
    """Set by the first SIGTERM, SIGINT, SIGBREAK or SIGHUP, which `raises` Interrupted where there is nothing to save.

    The second changes nothing and says that the third gives up: Interrupted while something is saved, else the process's end.
    """

    def __init__(self, raises: bool = False) -> None:
        self.raises = raises
        self.signal: int | None = None
        self.times = 0

    def __call__(self) -> bool:
        return self.signal is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.signal is None:
            self.signal = number
            if self.raises:
                raise Interrupted(number)
        elif self.times == 2:
            with suppress(OSError):  # nobody reads it; print is not to be called from within print
                os.write(2, ("\n" if os.isatty(2) else "").encode() + AGAIN.encode())
        elif self.times == 3 and not self.raises:
            raise Interrupted(number, "ended at once by a third signal.")
        else:
            os._exit(128 + number)

    @contextmanager
    def installed(self, for_good: bool = False) -> Iterator[None]:
        """Listen for the signals; only the main thread can. With `for_good` they are ignored from its end on.

        A flag that listened before learns what this one heard: a second Ctrl-C, when what the first one ended is saved,
        interrupts nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in NUMBERS}
        if before.get(getattr(signal, "SIGHUP", None)) is signal.SIG_IGN:
            del before[signal.SIGHUP]  # nohup: the closed terminal is not to end it
        outer = getattr(before[signal.SIGINT], "__self__", None)
        for number in before:
            signal.signal(number, self._handle)
        try:
            yield
        finally:
            if isinstance(outer, StopFlag) and self.signal is not None:
                outer.signal, outer.times = self.signal, outer.times + self.times
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if for_good else handler)
