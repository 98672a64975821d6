"""What a page reads out of what it is given, in Python."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def base85_decoded(words: str) -> bytes:
    """The bytes that `base85_encoded` wrote."""
    return base64.b85decode(words.encode("ascii").translate(bytes.maketrans(b",.:", b"<>&")))


def dequantized(packed: Mapping[str, str]) -> NDArray[np.float64]:
    """The numbers [N, Z] that `quantized` wrote."""
    low, step = (np.frombuffer(base64.b64decode(packed[name]), "<f4") for name in ("low", "step"))
    units = np.frombuffer(base64.b64decode(packed["bytes"]), np.uint8).reshape(-1, len(low))
    return low.astype(np.float64) + units * step.astype(np.float64)
