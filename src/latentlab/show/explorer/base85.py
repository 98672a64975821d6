"""Bytes as text that can stand in a page: five characters for four bytes, where base64 takes six.

The alphabet is that of RFC 1924 with "<", ">" and "&" replaced, so that neither HTML nor JSON has to escape any of it.
"""

from __future__ import annotations

import base64

_RFC, _OURS = b"<>&", b",.:"
_THERE, _BACK = bytes.maketrans(_RFC, _OURS), bytes.maketrans(_OURS, _RFC)


def encode(data: bytes) -> str:
    """Bytes as text; a last group of n < 4 bytes becomes n + 1 characters."""
    return base64.b85encode(data).translate(_THERE).decode("ascii")


def decode(words: str) -> bytes:
    """The bytes of a text. Raises ValueError for one that `encode` did not write."""
    written = words.encode("ascii")
    if any(letter in _RFC for letter in written):
        raise ValueError("a character that is not in the alphabet")
    return base64.b85decode(written.translate(_BACK))
