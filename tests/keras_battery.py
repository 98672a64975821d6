"""What Keras computes, beside what torch does, as numbers in JSON: a process of its own for each backend, which is fixed at import.

Run: KERAS_BACKEND=jax python tests/keras_battery.py OUT.json [all]
"""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch

from latentlab.config import layers as described
from latentlab.config.networks import fit_model
from latentlab.config.presets import PRESETS, preset
from latentlab.config.schema import Config
from latentlab.data import load_data
from latentlab.keras.backend import compiled, gradient, use_threads
from latentlab.keras.build import engine
from latentlab.keras.convert import places, take
from latentlab.keras.networks import connected
from latentlab.models import build
from latentlab.models.engine import Batch, Engine, TorchEngine
from latentlab.models.learner import Moment
from latentlab.models.nets import Chain

CPU = torch.device("cpu")
LAYERS = {  # every description, and an input without its batch
    "dense": (described.Dense(7, 5), (7,)),
    "dense, spectral": (described.Dense(7, 5, spectral=True), (7,)),
    "convolution, even": (described.Convolution(3, 4), (3, 8, 6)),
    "convolution, odd": (described.Convolution(3, 4), (3, 7, 9)),
    "convolution, spectral": (described.Convolution(3, 4, spectral=True), (3, 8, 6)),
    "transposed": (described.TransposedConvolution(4, 3), (4, 4, 3)),
    "transposed, to odd sizes": (described.TransposedConvolution(4, 3, output_padding=(1, 0)), (4, 4, 3)),
    "transposed, smooth": (described.TransposedConvolution(4, 3, kernel=4, smooth=1), (4, 4, 3)),
    "transposed, smooth at the end": (described.TransposedConvolution(4, 3, kernel=6, padding=2, smooth=2), (4, 4, 3)),
    "batch norm": (described.BatchNorm(5, spatial=False), (5,)),
    "batch norm of maps": (described.BatchNorm(3, spatial=True), (3, 4, 5)),
    "batch deviation": (described.BatchDeviation(), (3, 4, 5)),
    **{name: (described.Activation(name), (6,)) for name in ("relu", "leaky_relu", "elu", "tanh")},
    "flatten": (described.Flatten(), (3, 4, 2)),
    "reshape": (described.Reshape((3, 4, 2)), (24,)),
}


def last(values: np.ndarray) -> np.ndarray:
    """Maps [N, C, H, W] as [N, H, W, C]; vectors as they are."""
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def furthest(pairs: Any) -> float:
    """The largest difference of pairs of arrays, as a share of the largest number on the left."""
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in pairs]
    if any(a.shape != b.shape for a, b in pairs):
        raise AssertionError([(a.shape, b.shape) for a, b in pairs])
    return max(float(np.abs(a - b).max()) for a, b in pairs) / max(float(np.abs(a).max()) for a, _ in pairs)


def layer(description: described.Layer, shape: tuple[int, ...]) -> dict[str, float]:
    """One layer in training: outputs, gradients by input and weights, and what it keeps after two passes."""
    import keras
    from keras import ops

    torch.manual_seed(0)
    chain = Chain((description,)).train()
    x = torch.randn(6, *shape, requires_grad=True)
    before = {name: values.numpy().copy() for name, values in chain.state_dict().items()}
    chain(torch.randn(6, *shape, generator=torch.Generator().manual_seed(1)))  # a first pass moves what is kept
    out = chain(x)
    slope = torch.randn(out.shape)
    (out * slope).sum().backward()

    inputs = keras.Input(last(np.zeros((1, *shape))).shape[1:])
    outputs, made = connected((description,), inputs)
    model, found = keras.Model(inputs, outputs), places(made)
    for variable in model.variables:
        variable.assign(take(found, before, "{}")[id(variable)])
    model(last(torch.randn(6, *shape, generator=torch.Generator().manual_seed(1)).numpy()), training=True)

    weights, others = model.trainable_variables, model.non_trainable_variables

    def loss(at: list[Any]) -> tuple[Any, Any]:
        pairs = [*zip(weights, at[1:], strict=True), *((other, other.value) for other in others)]
        with keras.StatelessScope(pairs) as scope:
            y = model(at[0], training=True)
            return ops.sum(y * last(slope.numpy())), (y, [scope.get_current_value(other) for other in others])

    at = [ops.convert_to_tensor(last(x.detach().numpy())), *(weight.value + 0 for weight in weights)]
    _, (y, kept), slopes = compiled(lambda at, _: gradient(loss, at), fused=False)(at, 0)
    parameters = dict(chain.named_parameters())
    theirs = take(found, {name: p.grad.numpy() for name, p in parameters.items()}, "{}")
    buffers = take(found, {name: values.numpy() for name, values in chain.state_dict().items() if name not in parameters}, "{}")
    pairs = [(last(x.grad.numpy()), slopes[0])] + [(theirs[id(w)], s) for w, s in zip(weights, slopes[1:], strict=True)]
    result = {"output": furthest([(last(out.detach().numpy()), y)]), "gradient": furthest(pairs)}
    return result | ({"kept": furthest([(buffers[id(v)], k) for v, k in zip(others, kept, strict=True)])} if others else {})


def small(name: str) -> tuple[Config, tuple[int, int, int]]:
    """A preset in small: every kind of layer and every part of its step, a few weights."""
    shape = (16, 16, 3) if name == "art-gan" else (12, 12, 1)
    config = preset(name)
    few = {"model.hidden": (9,) if config.model.hidden else (), "model.channels": (3, 4) if config.model.channels else ()}
    if config.family == "gan":
        few |= {"model.discriminator_channels": (3, 4) if config.model.discriminator_channels else (), "train.r1_steps": 2}
        few |= {"train.generator_frozen_images": 8} if name == "gan-from-vae" else {"train.generator_updates": 1}
    else:
        few |= {"train.log_steps": 4}
    config = config.replace(**few, **{"model.latent_dim": 3, "train.batch_size": 8, "train.threads": 1, "train.ema_halflife_images": 20})
    return dataclasses.replace(config, model=fit_model(config.model, shape)), shape


# Keras has no residual blocks, no paired game, no VAE with a discriminator, no bound of several draws, and no points.
UNKNOWN = ("iwae-1layer", "point-gan", "point-vae", "robust-gan", "vae-gan")
KNOWN = [name for name in PRESETS if name not in UNKNOWN]
VARIANTS: dict[str, dict[str, Any]] = {  # what no preset has
    "mlp-vae, warm-up and binarised": {"train.beta_warmup_steps": 5, "model.binarization": "dynamic"},
    "conv-vae, batch norm": {"model.normalization": "batch"},
    "conv-gan, batch norm and deviation": {"model.discriminator_normalization": "batch", "model.discriminator_deviation": True},
    "mlp-vae, clipped and falling": {"train.gradient_clip": 0.5, "train.rate_decay_images": 30, "train.rate_final": 0.2},
    "sn-gan, clipped and falling": {"train.gradient_clip": 0.01, "train.rate_decay_images": 30, "train.rate_halflife_images": 20},
    "conv-gan, two updates": {"train.discriminator_updates": 2, "train.generator_updates": 2, "model.normalization": "none"},
}


def pair(name: str) -> tuple[TorchEngine, Engine, Config, tuple[int, int, int]]:
    """A preset or a variant of one in both engines."""
    config, shape = small(name.partition(",")[0])
    config = config.replace(**VARIANTS.get(name, {}))
    ours = build(config, shape, CPU, False)
    return TorchEngine(ours, CPU), engine(config, shape, build(config, shape, CPU, False), fail), config, shape


def fail(words: str) -> None:
    raise AssertionError(words)


def batches(count: int, size: int, shape: tuple[int, ...], first: int = 0) -> tuple[list[Batch], list[Moment]]:
    """The middles of digits, a digit for each channel, and when they are learned from."""
    height, width, channels = shape
    top, left = (28 - height) // 2, (28 - width) // 2
    digits = load_data("digits").train.images[:, top : top + height, left : left + width, 0]
    made = []
    for number in range(first, first + count):
        rows = (np.arange(size * channels) + number * size * channels) % len(digits)
        made.append(Batch(np.ascontiguousarray(digits[rows].reshape(size, channels, height, width).transpose(0, 2, 3, 1)), None))
    return made, [Moment(step, step * size) for step in range(first, first + count)]


def advance(what: Engine, count: int, shape: tuple[int, ...], first: int = 0) -> list[dict[str, float]]:
    """So many steps, as many at once as the engine takes; the losses."""
    found: list[dict[str, float]] = []
    given, moments = batches(count, what.images_per_step, shape, first)
    while len(found) < count:
        some = slice(len(found), len(found) + what.at_once)
        found += [{name: float(value) for name, value in losses.items()} for losses in what.update(given[some], moments[some])]
    return found


def compared(name: str) -> dict[str, float]:
    """Three steps, every phase of each from the same state: losses, gradients, what is kept, and how far the weights went.

    Weights whose gradient is next to nothing are left out of the last: Adam divides by it, so that its rounding moves them.
    """
    torch_, keras_, config, shape = pair(name)
    beta = config.train.adam_beta1
    worst = dict.fromkeys(("loss", "gradient", "kept", "moved", "counts"), 0.0)
    for batch, moment in zip(*batches(3, torch_.images_per_step, shape), strict=True):
        for phase in torch_.phases:
            before = {key: np.zeros_like(v) if key.endswith((".mean", ".square")) else v.copy() for key, v in torch_.tensors().items()}
            for each in (torch_, keras_):  # without moments the first one is (1 − β₁) times the gradient, to the last digit
                each.load_tensors({key: values.copy() for key, values in before.items()})
            ours, theirs = ({k: float(v) for k, v in each.run_phase(phase, batch, moment).items()} for each in (torch_, keras_))
            a, b = torch_.tensors(), keras_.tensors()
            if ours.keys() != theirs.keys() or a.keys() != b.keys():
                raise AssertionError((ours, theirs, a.keys() ^ b.keys()))
            slopes = {k: a[k] / (1 - beta) for k in a if k.startswith("adam.") and k.endswith(".mean")}
            changed = {k: values for k, values in slopes.items() if a[k].any()}
            worst["counts"] += sum(float(b[k].any()) for k in slopes if k not in changed and not a[k].any())  # what was held is held
            largest = max((float(np.abs(values).max()) for values in changed.values()), default=1.0)
            rates = {n: adam.learning_rate * adam.scale for n, adam in keras_.adams.items()}  # type: ignore[attr-defined]
            worst["loss"] = max(worst["loss"], *(abs(ours[k] - theirs[k]) / max(abs(ours[k]), 1.0) for k in ours))
            for key, slope in changed.items():
                _, optimiser, weight = key.removesuffix(".mean").split(".", 2)
                off = np.abs(b[key] / (1 - beta) - slope).max() / largest
                apart = np.abs(a[weight] - b[weight])[np.abs(slope) > 1e-3 * largest]
                worst["gradient"] = max(worst["gradient"], float(off))
                if name != "conv-gan, two updates":  # after the second one the slopes are those of both
                    worst["moved"] = max(worst["moved"], float(apart.max(initial=0.0)) / rates[optimiser])
            kept = [k for k in a if k.rpartition(".")[2] in ("running_mean", "running_var", "_u", "_v")]
            worst["kept"] = max(worst["kept"], furthest([(a[k], b[k]) for k in kept]) if kept else 0.0)
            worst["counts"] += float(sum(abs(a[k] - b[k]) for k in a if k.startswith("adam.") and k.endswith(".step")))
    return worst


def onward(name: str) -> dict[str, float]:
    """Nine steps each on its own way: losses, and the images of the averaged decoder in steps of 255."""
    torch_, keras_, _, shape = pair(name)
    ours, theirs = advance(torch_, 9, shape), advance(keras_, 9, shape)
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    images = [each.twin().decode(z).numpy().astype(np.float64) for each in (torch_, keras_)]
    losses = max(abs(a[k] - b[k]) / max(abs(a[k]), 1.0) for a, b in zip(ours, theirs, strict=True) for k in a)
    return {"losses": losses, "images": float(np.abs(images[0] - images[1]).max())}


def again(name: str) -> bool:
    """Whether the bits are the same after a checkpoint, from which the steps are taken one by one and phase by phase."""

    def bits(what: Engine) -> list[bytes]:
        return [values.tobytes() for _, values in sorted(what.tensors().items())]

    _, straight, _, shape = pair(name)
    advance(straight, 6, shape)
    _, first, _, _ = pair(name)
    advance(first, 3, shape)
    _, second, _, _ = pair(name)
    second.load_tensors({key: values.copy() for key, values in first.tensors().items()})
    for step in range(3, 6):
        (batch,), (moment,) = batches(1, second.images_per_step, shape, step)
        for phase in second.phases:
            second.run_phase(phase, batch, moment)
    return bits(second) == bits(straight)


def stops() -> dict[str, Any]:
    """A loss that is not finite: which step is named, and that the weights are those before it."""
    from latentlab.base.errors import NonFinite

    _, keras_, _, shape = pair("mlp-vae")
    advance(keras_, 1, shape)
    keras_.set("learning_rate", 1e30)
    given, moments = batches(4, keras_.images_per_step, shape, 1)
    try:
        keras_.update(given, moments)
    except NonFinite as error:
        return {"error": str(error)}
    return {"error": ""}


def alone() -> dict[str, Any]:
    """`latentlab.keras` as a student uses it: compile, fit, summary, save, load, the decoder as generator."""
    import keras

    from latentlab.keras import GAN, VAE, Decoder, Discriminator, Encoder

    keras.utils.set_random_seed(0)
    images = load_data("digits").train.images[:512]
    vae = VAE(Encoder(latent_dim=4, hidden=(32,)), Decoder(latent_dim=4, hidden=(32,)), seed=1)
    vae.compile(optimizer=keras.optimizers.Adam(3e-3))
    seen: list[int] = []
    story = vae.fit(
        images,
        epochs=4,
        batch_size=64,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))],
    ).history
    floats = vae.evaluate(images[:64].astype(np.float32) / 255, verbose=0, return_dict=True)
    summary = io.StringIO()
    with redirect_stdout(summary):
        vae.summary()
        vae.encoder.summary()
    gan = GAN(
        generator=vae.decoder,
        discriminator=Discriminator(hidden=(16,), channels=()),
        loss_name="non-saturating",
        label_smoothing=0.9,
        seed=2,
    )
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    before = [np.asarray(weight) for weight in gan.discriminator.trainable_variables]
    fitted = gan.fit(images, epochs=2, batch_size=64, verbose=0).history
    moved = max(float(np.abs(np.asarray(a) - b).max()) for a, b in zip(gan.discriminator.trainable_variables, before, strict=True))
    z = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        differences, go_on = [], []
        for name, model, ask, given in (("vae", vae, "reconstruct", images[:5]), ("gan", gan, "__call__", z)):
            model.save(Path(folder, f"{name}.keras"))
            read = keras.models.load_model(Path(folder, f"{name}.keras"))
            differences.append(furthest([(np.asarray(getattr(model, ask)(given)), np.asarray(getattr(read, ask)(given)))]))
            go_on.append(read.fit(images[:64], epochs=1, verbose=0).history)
    return {
        "losses": story["loss"],
        "parts": [r + k for r, k in zip(story["reconstruction_nats"], story["kl_nats"], strict=True)],
        "epochs": seen,
        "evaluated": floats["loss"],
        "summary": summary.getvalue(),
        "shared": gan.generator is vae.decoder,
        "gan": fitted,
        "discriminator moved": moved,
        "images": [float(np.asarray(gan(z)).min()), float(np.asarray(gan(z)).max()), *np.asarray(gan(z)).shape],
        "differences": differences,
        "trained on": [sorted(each) for each in go_on],
    }


def classes() -> dict[str, Any]:
    """Networks written as classes, whose input's shape nobody knows before the first batch."""
    import keras
    from keras import layers

    from latentlab.base.errors import LabError
    from latentlab.keras import GAN, VAE

    class Coder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.mean, self.log_var = layers.Flatten(), layers.Dense(4), layers.Dense(4)

        def call(self, images: Any) -> Any:
            return self.mean(self.flat(images)), self.log_var(self.flat(images))

    class Drawer(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.image = layers.Dense(784), layers.Reshape((28, 28, 1))

        def call(self, z: Any) -> Any:
            return self.image(self.dense(z))

    keras.utils.set_random_seed(0)
    images = load_data("digits").train.images[:256]
    vae = VAE(Coder(), Drawer(), seed=1)
    vae.compile(optimizer=keras.optimizers.Adam(3e-3))
    losses = vae.fit(images, epochs=3, batch_size=64, verbose=0).history["loss"]
    gan = GAN(Drawer(), latent_dim=4, seed=2)
    gan.compile()
    fitted = gan.fit(images, epochs=1, batch_size=64, verbose=0).history
    try:
        GAN(Drawer())
        refused = ""
    except LabError as error:
        refused = str(error)
    return {"losses": losses, "gan": fitted, "refused": refused}


def commands() -> dict[str, Any]:
    """The command line in this process: a run in one go and one that is resumed, and a GAN that starts as its decoder."""
    import keras
    from commands import TINY

    from latentlab import open_run
    from latentlab.cli import main as latentlab
    from latentlab.runs import checkpoints

    with tempfile.TemporaryDirectory() as place:
        whole, halved, gan = (str(Path(place, name)) for name in ("whole", "halved", "gan"))
        small = ["train", "keras-vae", *TINY, "--hidden", "12"]
        asked = [
            [*small, "--steps", "14", "--out", whole],
            [*small, "--steps", "7", "--out", halved],
            ["resume", halved, "--steps", "14"],
            ["train", "keras-gan", *TINY, "--generator-from", whole, "--steps", "3", "--out", gan],
            ["sample", gan, "--count", "4", "--out", str(Path(place, "four.png"))],
            ["verify", whole],
            ["export", whole, "--format", "keras", "--out", str(Path(place, "plain.keras"))],
        ]
        statuses = [latentlab(each) for each in asked]

        def newest(run: str) -> dict[str, np.ndarray]:
            return checkpoints.load(checkpoints.newest(Path(run, "checkpoints"), fail))[0]

        decoder, start = newest(whole), checkpoints.load(Path(gan, "checkpoints", "step-00000000"))[0]
        run = open_run(whole)
        x, z = run.data().test.images[:5], np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
        image = keras.models.load_model(Path(place, "plain.keras"))(z)
        mean, log_var = keras.models.load_model(Path(place, "plain-encoder.keras"))(x.astype(np.float32) / 255)
        ours = run.encode(x)
        with torch.no_grad():
            drawn = torch.sigmoid(run.networks()["decoder"](torch.from_numpy(z))).numpy()
        pairs = [(last(drawn), image), (ours.mean, mean), (ours.std, np.exp(np.asarray(log_var) / 2))]
        with ZipFile(Path(place, "plain.keras")) as archive:
            plain = archive.read("config.json").decode()
        names = [name.removeprefix("average.decoder.") for name in decoder if name.startswith("average.decoder.")]
        return {
            "statuses": statuses,
            "exported": [furthest([pair]) for pair in pairs],
            "plain": "latentlab" not in plain and "Dense" in plain,
            "same": all(values.tobytes() == decoder[name].tobytes() for name, values in newest(halved).items()),
            "starts as the decoder": [bool((start[f"generator.{name}"] == decoder[f"average.decoder.{name}"]).all()) for name in names],
            "facts": json.loads(Path(whole, "environment.json").read_text()),
        }


def imported(everything: bool) -> dict[str, float]:
    """Models that were saved by Keras, as runs: how far their images, means and log-variances are from Keras's, at most."""
    import keras
    from keras import layers as k

    import latentlab as ll
    from latentlab.keras import VAE, Decoder, Encoder

    images = ll.load_data("digits").test.images[:5]
    x, z = images.astype(np.float32) / 255, np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)

    def away(file: Path, like: str, encoder: Any, decoder: Any, **changes: Any) -> float:
        small: dict[str, Any] = {"data": "digits", "train_images": 64, "batch_size": 16, "latent_dim": 3}
        run = ll.import_run(file, like, file.with_suffix(""), **small, **changes)
        with torch.no_grad():
            image = torch.sigmoid(run.networks()["decoder"](torch.from_numpy(z)))
            q = run.networks()["encoder"](torch.from_numpy(x.transpose(0, 3, 1, 2)))
        mean, log_var = encoder(x)
        return max(furthest([pair]) for pair in ((last(image.numpy()), decoder(z)), (q.mean.numpy(), mean), (q.log_var.numpy(), log_var)))

    pixels, codes, found = keras.Input((28, 28, 1)), keras.Input((3,)), dict[str, float]()
    hidden = pixels
    for width in (4, 8):
        hidden = k.Conv2D(width, 4, 2, padding="same", activation="elu")(hidden)
    hidden = k.Dense(16, activation="elu")(k.Flatten()(hidden))  # channel last
    encoder = keras.Model(pixels, [k.Dense(3, name="mu")(hidden), k.Dense(3, name="logvar")(hidden)], name="encoder")
    hidden = k.Activation("elu")(k.Reshape((7, 7, 8))(k.Dense(7 * 7 * 8)(k.Dense(16, activation="elu")(codes))))
    hidden = k.Conv2DTranspose(4, 4, 2, padding="same", activation="elu")(hidden)
    decoder = keras.Model(codes, k.Conv2DTranspose(1, 4, 2, padding="same", activation="sigmoid")(hidden), name="decoder")
    form: dict[str, Any] = {"hidden": (16,), "model.channels": (4, 8)}
    with tempfile.TemporaryDirectory() as place:
        decoder.save(Path(place, "conv.keras"))
        encoder.save(Path(place, "conv-encoder.keras"))
        found["convolutions, two files"] = away(Path(place, "conv.keras"), "conv-vae", encoder, decoder, **form)
        if everything:
            hidden = k.Dense(12, activation="relu")(k.Flatten()(pixels))
            encoder = keras.Model(pixels, [k.Dense(3, name="z_mean")(hidden), k.Dense(3, name="z_log_var")(hidden)], name="encoder")
            hidden = k.Dense(784, activation="sigmoid")(k.Dense(12, activation="relu")(codes))
            decoder = keras.Model(codes, k.Reshape((28, 28, 1))(hidden), name="decoder")
            both = keras.Model(pixels, decoder(encoder(pixels)[0]))
            for name in ("one.keras", "older.h5"):
                both.save(Path(place, name))
                found[name] = away(Path(place, name), "mlp-vae", encoder, decoder, hidden=(12,))
            ours: dict[str, Any] = {"latent_dim": 3, "hidden": (16,), "channels": (4, 8), "activation": "elu", "normalization": "batch"}
            vae = VAE(Encoder(**ours), Decoder(**ours))
            vae.compile(optimizer="adam")
            vae.fit(images, verbose=0)
            vae.save(Path(place, "vae.keras"))
            form |= {"model.normalization": "batch"}
            found["latentlab.keras"] = away(
                Path(place, "vae.keras"), "conv-vae", lambda x: vae.encoder(x, training=False), vae.generate, **form
            )
    return found


QUICK = ("mlp-vae, warm-up and binarised", "conv-vae, batch norm", "sn-gan")


def main() -> None:
    torch.set_num_threads(1)
    use_threads(1)
    everything = sys.argv[2:] == ["all"]
    result = {
        "layers": {name: layer(*about) for name, about in LAYERS.items()},
        "presets": {name: compared(name) for name in ((*KNOWN, *VARIANTS) if everything else QUICK)},
        "onward": {name: onward(name) for name in (("mlp-ae", "conv-vae", "keras-vae", "conv-gan") if everything else ("keras-vae",))},
        "bits": {name: again(name) for name in (("mlp-vae", "conv-ae", "sn-gan") if everything else ("mlp-vae",))},
        "stops": stops(),
        "alone": alone(),
        "classes": classes(),
        "commands": commands(),
        "imported": imported(everything),
    }
    Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
