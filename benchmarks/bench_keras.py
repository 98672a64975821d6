"""How fast an epoch of `keras-vae` (784-400-20, batch 128, MNIST's 55,000) is beside the usual Keras script's, and what it reaches.

The usual script has the images as floats, a sampling layer, the KL as `add_loss`, binary cross-entropy, and `fit`; once with the
threads that its backend takes, once with one. Ours takes what its runs take. Each is a process of its own, after compilation, and
their epochs are timed in turns; the ratio is of the medians, to the faster of the two scripts. Targets: TensorFlow 2, JAX 1.2.

Then torch, TensorFlow and JAX each train three epochs: negative ELBO of the test images, target: within 0.5 nats.

Run: LATENTLAB_DATA=… python benchmarks/bench_keras.py [--epochs N] [--backends tensorflow jax]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Served, in_turns, report

import latentlab as ll

BATCH, LATENT, HIDDEN = 128, 20, 400
TARGETS = {"tensorflow": 2.0, "jax": 1.2}


class Usual:
    """The usual script."""

    def __init__(self, data: ll.Data) -> None:
        import keras
        from keras import layers, ops

        class Sampling(layers.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.seed = keras.random.SeedGenerator(0)

            def call(self, inputs):  # type: ignore[no-untyped-def]
                mean, log_var = inputs
                self.add_loss(-0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), 1)))
                return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed)

        self.x = data.train.images[:].reshape(-1, 784).astype("float32") / 255
        inputs = keras.Input((784,))
        hidden = layers.Dense(HIDDEN, activation="relu")(inputs)
        z = Sampling()([layers.Dense(LATENT)(hidden), layers.Dense(LATENT)(hidden)])
        outputs = layers.Dense(784, activation="sigmoid")(layers.Dense(HIDDEN, activation="relu")(z))
        self.model = keras.Model(inputs, outputs)
        self.model.compile("adam", lambda true, made: 784 * keras.losses.binary_crossentropy(true, made))

    def epoch(self) -> float:
        """Seconds of an epoch."""
        started = time.perf_counter()
        self.model.fit(self.x, self.x, batch_size=BATCH, epochs=1, verbose=0)
        return time.perf_counter() - started


class Ours:
    """A run as the loop drives it, its evaluations and checkpoints left out."""

    def __init__(self, folder: str) -> None:
        from latentlab.train.loop import step
        from latentlab.train.start import create

        self.session = create(
            ll.preset("keras-vae", data="mnist", evaluate_epochs=1e6, checkpoint_seconds=1e9, epochs=1e4), Path(folder, "run")
        )
        self.take = step

    def epoch(self) -> float:
        """Seconds of an epoch."""
        started, goal = time.perf_counter(), self.session.position.images_seen + len(self.session.data.train)
        while self.session.position.images_seen < goal:
            for _ in self.take(self.session):
                pass
        float(np.asarray(self.session.engine.state["decoder"][0]).ravel()[0])  # type: ignore[attr-defined]  # waits for the last
        return time.perf_counter() - started


def serve(name: str) -> None:
    """An epoch for every line on stdin."""
    if name == "one thread" and os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = Ours(folder) if name == "ours" else Usual(ll.load_data("mnist"))
        print("ready", flush=True)
        for _ in sys.stdin:
            print(run.epoch(), flush=True)


def reached(engine: str, backend: str, out: Path) -> float:
    """The negative ELBO of the test images in nats after three epochs."""
    asked = f"train keras-vae --data mnist --engine {engine} --epochs 3 --out".split()
    env = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-m", "latentlab", *asked, str(out)], env=env, check=True, capture_output=True)
    return float(ll.open_run(out).evaluate()["scores"]["negative_elbo_nats"]["value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--backends", nargs="+", default=list(TARGETS))
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    for backend in options.backends:
        flags = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        one = flags | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
        runs = {"fit": Served(__file__, "fit", flags), "fit on one thread": Served(__file__, "one thread", one)}
        medians = in_turns(runs | {"ours": Served(__file__, "ours", flags)}, options.epochs)
        ratio, target = min(medians["fit"], medians["fit on one thread"]) / medians["ours"], TARGETS[backend]
        report(f"speed of an epoch against the usual Keras script, {backend}", ratio, "times", f"≥ {target:g}", at_least=target)
        report(f"seconds of an epoch, {backend}", medians, "s")
    with tempfile.TemporaryDirectory() as folder:
        nats = {"torch": reached("torch", "jax", Path(folder, "torch"))}
        nats |= {backend: reached("keras", backend, Path(folder, backend)) for backend in options.backends}
    report("negative ELBO of keras-vae after three epochs of MNIST", nats, "nats")
    spread = max(nats.values()) - min(nats.values())
    report("the same, the engines' largest difference", spread, "nats", "≤ 0.5", at_most=0.5)


if __name__ == "__main__":
    main()
