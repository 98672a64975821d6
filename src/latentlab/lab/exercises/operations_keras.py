"""What is asked of a student's Keras file, on TensorFlow, in the process in which it runs: the operations of `operations.py`.

The judge knows one layout, torch's. Images are turned channel last on their way in and channel first on their way out; a dense layer's
weights are told as [outputs, inputs], then its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from latentlab.lab.exercises.operations import MOVED, Answer, Arrays, Seen, Space, names

tf.config.run_functions_eagerly(True)  # what a @tf.function does is seen too
# A file's networks and the weights that they began with: one for each seed, for making them takes far longer than using them.
begun = dict[tuple[int, int], tuple[Any, Any, list[np.ndarray]]]()

# The operations.


def call(space: Space, function: str, seed: int, of: int | None, **arrays: np.ndarray) -> Answer:
    """See `operations.call`."""
    keras.utils.set_random_seed(seed)
    given = {name: taken(value) for name, value in arrays.items()}
    with tf.GradientTape() as tape:
        tape.watch(list(given.values()))
        out = _tensors(space[function](*given.values()))
        total = None if of is None else tf.reduce_sum(out[of])
    found = {f"out{number}": told(one) for number, one in enumerate(out)}
    if total is not None:
        slopes = tape.gradient(total, list(given.values()))
        found |= {f"by_{name}": told(slope) for name, slope in zip(given, slopes, strict=True) if slope is not None}
    return {}, found


def network(space: Space, part: str, seed: int, train: bool, scale: float, of: int | None, **arrays: np.ndarray) -> Answer:
    """See `operations.network`."""
    given = [taken(value) for value in arrays.values()]
    made = _made(space[part], seed, given[0])
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    for weight in made.trainable_variables:
        value = np.asarray(weight)
        if (value == value.flat[0]).all():  # not at random: zeros, say
            value = value + MOVED * random.standard_normal(value.shape)
        weight.assign(value * scale)
    with tf.GradientTape() as tape:
        tape.watch(given[0])
        results = [_tensors(made(one, training=train)) for one in given]
        total = None if of is None else tf.reduce_sum(results[0][of] * random.standard_normal(results[0][of].shape, np.float32))
    found = {f"out{number}_{at}": told(one) for number, out in enumerate(results) for at, one in enumerate(out)}
    weights: list[str] = []
    strays: list[str] = []
    if total is not None:
        own = made.trainable_variables
        by_input, *slopes = tape.gradient(total, [given[0], *(weight.value for weight in own)])
        weights, known = [weight.path for weight in own], {id(weight.value) for weight in own}
        strays = [str(list(one.shape)) for one in tape.watched_variables() if id(one) not in known]
        found["by_weights"] = np.array([0.0 if slope is None else float(tf.reduce_max(tf.abs(slope))) for slope in slopes])
        if by_input is not None:
            found["by_input"] = told(by_input)
    return {"weights": weights, "strays": strays}, found


def vae_step(space: Space, rate: float, seed: int, **arrays: np.ndarray) -> Answer:
    """See `operations.vae_step`."""
    x = keras.Input((2, 2, 1))
    heads = [_linear(arrays[name]) for name in ("mean", "log_var")]
    encoder = Recorder(keras.Model(x, [head(layers.Flatten()(x)) for head in heads]))
    last = _linear(arrays["decoder"])
    decoder = Recorder(keras.Sequential([keras.Input((arrays["decoder"].shape[1] - 1,)), last, layers.Reshape((2, 2, 1))]))
    dense = [*heads, last]
    after, losses, steps = [_flat(dense)], [], list[int]()
    optimizer = Descent(rate, lambda: steps.append(1), lambda: None)
    keras.utils.set_random_seed(seed)
    found, modes = {}, []
    for number, images in enumerate(arrays["images"]):
        (loss,) = _tensors(space["vae_step"](encoder, decoder, optimizer, taken(images)))
        losses.append(told(loss))
        after.append(_flat(dense))
        found[f"code{number}"] = decoder.seen.codes()
        modes += [mode for net in (encoder, decoder) for _, mode, _ in net.seen]
        decoder.seen.clear()
    return {"updates": len(steps), "training": modes}, found | {"weights": np.stack(after), "losses": np.stack(losses)}


def gan_step(space: Space, rates: list[float], mixed: bool, **arrays: np.ndarray) -> Answer:
    """See `operations.gan_step`."""
    dense = [_linear(arrays[name]) for name in ("generator", "discriminator")]
    z, x = keras.Input((arrays["generator"].shape[1] - 1,)), keras.Input((2, 2, 1))
    norm = [layers.BatchNormalization(center=False, scale=False, epsilon=1e-5)] if mixed else []
    nets = [
        Recorder(keras.Sequential([z, dense[0], layers.Reshape((2, 2, 1))])),
        Recorder(keras.Sequential([x, layers.Flatten(), *norm, dense[1]])),
    ]
    noises: Iterator[np.ndarray] = iter(arrays["noise"])
    order, drawn, losses = list[int](), [0], []
    trace: list[list[np.ndarray]] = [[], []]

    def keep() -> None:
        for kept, layer in zip(trace, dense, strict=True):
            kept.append(_flat([layer]))

    def begin(which: int) -> None:
        order.append(which)
        keep()

    optimizers = [Descent(rate, partial(begin, which), keep) for which, rate in enumerate(rates)]

    def noise(count: int = len(arrays["images"][0])) -> tf.Tensor:
        drawn[0] += 1
        return tf.constant(next(noises)[:count])

    for images in arrays["images"]:
        out = _tensors(space["step"](*nets, taken(images), noise, *optimizers))
        losses.append(np.concatenate([told(one).ravel() for one in out]))
    keep()
    modes = [mode for net in nets for _, mode, _ in net.seen]
    found = {"losses": np.stack(losses), "generator": np.stack(trace[0]), "discriminator": np.stack(trace[1])}
    return {"order": order, "drawn": drawn[0], "training": modes}, found


def generator_from(space: Space, rate: float, **arrays: np.ndarray) -> Answer:
    """See `operations.generator_from`. Keras models have no mode of their own."""
    decoder, z = _decoder_net(arrays), tf.constant(arrays["z"])
    learned = len(decoder.trainable_variables)
    decoder.trainable = False  # as it may be after its own training
    generator = space["generator_from"](decoder)
    if not isinstance(generator, layers.Layer):
        raise TypeError(f"a keras.Model is needed here. Got {type(generator).__name__}")
    found = {"decoder": decoder(z), "generator": generator(z, training=False)}
    free = generator.trainable_variables
    if free:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(generator(z, training=True) ** 2)
        slopes = tape.gradient(total, [weight.value for weight in free])
        keras.optimizers.SGD(rate).apply([0 * weight if slope is None else slope for weight, slope in zip(free, slopes, strict=True)], free)
    found |= {"decoder_after": decoder(z), "generator_after": generator(z, training=False)}
    return {"learns": [True] * len(free) + [False] * (learned - len(free))}, {name: told(one) for name, one in found.items()}


def new_images(space: Space, count: int, latent: int, seed: int, **arrays: np.ndarray) -> Answer:
    """See `operations.new_images`. Keras models have no mode of their own, and no gradient hangs on what they give."""
    generator = Recorder(_decoder_net(arrays))
    keras.utils.set_random_seed(seed)
    learned = len(generator.trainable_variables)
    images = space["new_images"](generator, count, latent)
    codes = generator.seen.codes()
    moved = next(np.asarray(value) for value in generator.non_trainable_variables if value.path.endswith("moving_mean"))
    again = space["new_images"](generator, count, latent)
    tells = {"training": True, "gradient": False, "learns": len(generator.trainable_variables) == learned}
    return tells, {"images": told(images), "z": codes, "running_mean": moved, "again": told(again)}


# Small networks of given arrays.


class Recorder(keras.Model):
    """A network around another one that keeps what it `seen`; also what it is given by `call` alone."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.inner, self.kept = network, SimpleNamespace(seen=Seen())  # Keras would make another list of a list
        self(keras.ops.zeros((1, *network.input_shape[1:])))
        self.seen.clear()

    @property
    def seen(self) -> Seen:
        return self.kept.seen  # type: ignore[no-any-return]

    def call(self, x: Any, training: bool | None = None) -> Any:
        self.seen.append((told(x), training is True, training is True))
        return self.inner(x, training=training)


class Descent(keras.optimizers.SGD):
    """Plain gradient descent that tells of each update, before and after."""

    def __init__(self, rate: float, before: Callable[[], object], after: Callable[[], object]) -> None:
        super().__init__(rate)
        self.before, self.after = before, after

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        self.before()
        super().apply(grads, trainable_variables)
        self.after()


def _decoder_net(arrays: Arrays) -> Any:
    """z to logits [N, 2, 2, 1] with batch norm, whose means and variances are not those of any batch."""
    norm = layers.BatchNormalization(epsilon=1e-5)
    z = keras.Input((arrays["first"].shape[1] - 1,))
    made = keras.Sequential([z, _linear(arrays["first"]), norm, layers.ELU(), _linear(arrays["second"]), layers.Reshape((2, 2, 1))])
    norm.moving_mean.assign(arrays["running_mean"])
    norm.moving_variance.assign(arrays["running_var"])
    return made


def _linear(weights: np.ndarray) -> Any:
    """A dense layer of [outputs, inputs + 1], the last column its bias."""
    layer = layers.Dense(len(weights))
    layer.build((None, weights.shape[1] - 1))
    layer.set_weights([weights[:, :-1].T, weights[:, -1]])
    return layer


def _flat(dense: list[Any]) -> np.ndarray:
    return np.concatenate([np.asarray(weight).T.ravel() for layer in dense for weight in (layer.kernel, layer.bias)])


def _made(part: Any, seed: int, x: Any) -> Any:
    """The network as a seed makes it, built; one that the file holds itself as it was."""
    held = isinstance(part, layers.Layer)
    key = (id(part), 0 if held else seed)
    if key not in begun:
        keras.utils.set_random_seed(seed)
        made = part if held else part()
        if not isinstance(made, layers.Layer):
            raise TypeError(f"a keras.Model is needed here. Got {type(made).__name__}")
        made(x, training=False)
        begun[key] = (part, made, [np.array(each) for each in made.variables])
    _, made, values = begun[key]
    for weight, value in zip(made.variables, values, strict=True):
        weight.assign(value)
    return made


def taken(value: np.ndarray) -> Any:
    """An array as a file is given it."""
    return tf.constant(np.moveaxis(value, 1, -1) if value.ndim == 4 else value)


def told(tensor: Any) -> np.ndarray:
    """What a file gave, as the judge reads it."""
    array = np.array(tensor)
    return np.moveaxis(array, -1, 1) if array.ndim == 4 else array


def _tensors(out: Any) -> list[Any]:
    if out is None:
        raise TypeError("it returned None: is `return` missing?")
    each = list(out) if isinstance(out, tuple | list) else [out]
    return [one if tf.is_tensor(one) else tf.constant(np.asarray(one, np.float32)) for one in each]


OPERATIONS: dict[str, Callable[..., Answer]] = {
    operation.__name__: operation for operation in (names, call, network, vae_step, gan_step, generator_from, new_images)
}
