"""A variation of the lab for each student: a seed, a latent size, a β and an activation of one's own, drawn from the student's number."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from latentlab.base.errors import refusal

LONGEST = 40  # characters of a student's number
LATENT_DIM = (16, 20, 24, 28, 32, 40, 48)
BETA = (0.5, 0.75, 1.0, 1.5, 2.0)
ACTIVATION = ("relu", "leaky_relu", "elu")
_NUMBER = re.compile(rf"[\w.-]{{1,{LONGEST}}}")


def student_number(words: str) -> str:
    """A student's number as it is compared: without spaces, in small letters. Raises LabError for what is none."""
    number = "".join(words.split()).casefold()
    if not _NUMBER.fullmatch(number):
        raise refusal("a student's number", f"1 to {LONGEST} letters and digits", words)
    return number


def variation(student: str, family: str) -> dict[str, Any]:
    """The fields in which a student's run of a family differs from the lab's, by dotted name: the same on every machine."""
    drawn = int.from_bytes(hashlib.sha256(student_number(student).encode()).digest())
    fields: dict[str, Any] = {}
    for name, values in (("model.latent_dim", LATENT_DIM), ("model.activation", ACTIVATION), ("train.beta", BETA)):
        drawn, at = divmod(drawn, len(values))
        fields[name] = values[at]
    fields["train.seed"] = drawn % 2**31
    return {name: value for name, value in fields.items() if name != "train.beta" or family == "vae"}
