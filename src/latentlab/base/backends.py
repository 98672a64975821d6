"""What Keras computes with, told without loading it or torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """What C++ libraries write to this process's stderr goes nowhere; what Python raises is raised."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def keras_backend() -> str:
    """What Keras computes with here: KERAS_BACKEND, else TensorFlow. Keras is not loaded for it."""
    keras = sys.modules.get("keras")
    return str(keras.backend.backend()) if keras is not None else os.environ.get("KERAS_BACKEND", "tensorflow")
