"""Encoder, Sampling, Decoder, VAE, Discriminator and GAN as ordinary Keras 3, usable alone with `compile` and `fit`.

TensorFlow computes, or JAX where KERAS_BACKEND says so before Keras is loaded. What they save as `.keras` is loaded again once
this module is imported. Raises LabError where Keras is not installed.
"""

from __future__ import annotations

import os
from importlib import import_module

from latentlab.base.backends import keras_backend, quiet_stderr
from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import reason

if (CHOSEN := keras_backend()) not in ("tensorflow", "jax"):
    raise refusal("KERAS_BACKEND", "tensorflow or jax", CHOSEN)
os.environ["KERAS_BACKEND"] = CHOSEN

try:
    with quiet_stderr():  # on which TensorFlow tells, at any log level, what it was compiled with
        import keras
except ModuleNotFoundError as error:
    raise LabError(reason("keras.missing", what=error.name, backend=CHOSEN)) from None

from latentlab.keras.models import GAN, VAE
from latentlab.keras.networks import Decoder, Discriminator, Encoder, Network, Sampling

__all__ = ["GAN", "VAE", "Decoder", "Discriminator", "Encoder", "Network", "Sampling"]


def versions() -> dict[str, str]:
    """What environment.json says of Keras."""
    return {"keras": keras.__version__, "keras_backend": CHOSEN, CHOSEN: str(import_module(CHOSEN).__version__)}
