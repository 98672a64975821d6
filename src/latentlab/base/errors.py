"""What latentlab raises, and the one form in which it says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class LabError(Exception):
    """The user's input is wrong or something is missing: one line, exit status 2."""

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))


class Refused(LabError):
    """A value that is not what it must be. The command line calls it by the option that was typed, whoever refuses it."""

    def __init__(self, name: str, must_be: str, got: object, remedy: str = "") -> None:
        self.name, self.rest = name, f"must be {must_be}. Got {got!r}. {remedy}".strip()
        super().__init__(f"{name} {self.rest}")


class OutOfMemory(LabError):
    """The memory of the machine, or of its GPU, does not hold what was asked for."""


class Damaged(LabError):
    """A file is not what was written: its checksum or its form is wrong."""


class NonFinite(LabError):
    """A loss or a gradient is NaN or infinite; raised before the optimiser's step."""


class Busy(LabError):
    """Another process trains this run folder."""


class Lost(LabError):
    """Another process of the same run ended."""


class Unreachable(LabError):
    """An address does not answer, or not wholly."""


class OutOfSpace(LabError):
    """The disk is full, so that something could not be kept."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or torch, which has no one type for it, could not allocate memory."""
    full = ("can't allocate memory", "out of memory", "std::bad_alloc")
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(words in str(error) for words in full))


@contextmanager
def memory_for(what: str, remedy: str) -> Iterator[None]:
    """Say in one line that there is no memory for `what`. Raises OutOfMemory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"{what} must fit into memory, but there is too little of it. {remedy}") from None


def refusal(name: str, must_be: str, got: object, remedy: str = "") -> Refused:
    """The one form of a refusal: the value, what it must be, what to do.

    >>> print(refusal("model.latent_dim", "an integer of at least 1", 0, "Try 32."))
    model.latent_dim must be an integer of at least 1. Got 0. Try 32.
    """
    return Refused(name, must_be, got, remedy)


def printable(name: str) -> str:
    """A name that somebody gave, a file's or a run's, as it can be shown in one line of any encoding that has Unicode."""
    return "".join(c if c.isprintable() or c in _SPACES else ascii(c)[1:-1] for c in name)


_SPACES = "\u00a0\u202f"  # of French texts
