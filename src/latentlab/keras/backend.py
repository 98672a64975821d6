"""What TensorFlow and JAX do each in their own way: gradients, compiling, threads. Everything else is `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

BACKEND: str = keras.backend.backend()


def gradient(function: Callable[[Any], tuple[Any, Any]], at: Any) -> tuple[Any, Any, Any]:
    """Value, the rest of what the function gives, and the value's gradient with respect to nested tensors."""
    if BACKEND == "jax":
        import jax

        (value, rest), slope = jax.value_and_grad(function, has_aux=True)(at)
        return value, rest, slope
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        value, rest = function(at)
    return value, rest, tape.gradient(value, at)


def compiled(function: Callable[..., Any], fused: bool) -> Callable[..., Any]:
    """A function of nested tensors as one program; JAX takes the memory of the first argument for what it gives.

    `fused`: by XLA in TensorFlow too. It makes dense networks faster, and convolutions on a CPU twenty times slower.
    """
    if BACKEND == "jax":
        import jax

        return jax.jit(function, donate_argnums=0)
    import tensorflow as tf

    return tf.function(function, jit_compile=fused)


def use_threads(count: int) -> bool:
    """Let TensorFlow compute with so many threads; False where it has computed already with another number, and goes on so.

    On two its convolutions differ from run to run. What JAX computes does not.
    """
    if BACKEND != "tensorflow":
        return True
    import tensorflow as tf

    threading = tf.config.threading
    if (threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()) != (count, count):
        try:
            threading.set_intra_op_parallelism_threads(count)
            threading.set_inter_op_parallelism_threads(count)
        except RuntimeError:
            return False
    return True
