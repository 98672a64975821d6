"""What latentlab raises, and the one form in which it says so."""

from __future__ import annotations


class LabError(Exception):
    """The user's input is wrong or something is missing: one line, exit status 2."""

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))


class Damaged(LabError):
    """A file is not what was written: its checksum or its form is wrong."""


class NonFinite(LabError):
    """A loss or a gradient is NaN or infinite; raised before the optimiser's step."""


class Busy(LabError):
    """Another process trains this run folder."""


class OutOfSpace(LabError):
    """The disk is full, so that something could not be kept."""


def refusal(name: str, must_be: str, got: object, remedy: str = "") -> LabError:
    """The one form of a refusal: the value, what it must be, what to do.

    >>> print(refusal("model.latent_dim", "an integer of at least 1", 0, "Try 32."))
    model.latent_dim must be an integer of at least 1. Got 0. Try 32.
    """
    return LabError(f"{name} must be {must_be}. Got {got!r}. {remedy}".strip())


def printable(name: str) -> str:
    """A name that somebody gave, a file's or a run's, as it can be shown in one line of any encoding that has Unicode."""
    return "".join(c if c.isprintable() or c in _SPACES else ascii(c)[1:-1] for c in name)


_SPACES = "\u00a0\u202f"  # of French texts
