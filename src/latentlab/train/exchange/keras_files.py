"""`.keras`: each network as a functional model of Keras's own layers, which plain Keras 3 loads without latentlab.

FILE.keras           z [N, Z] → image [N, H, W, C] in [0, 1]: the mean of p(x|z), a GAN's generator
FILE-encoder.keras   image [N, H, W, C] in [0, 1] → mean and log_var [N, Z] of a VAE, code [N, Z] of an autoencoder
FILE-prior.keras     of an autoencoder: a standard normal [N, Z] → z, a draw of the Gaussian fitted to its codes
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.files import replace_bytes
from latentlab.config.networks import pictures
from latentlab.train.exchange.plain import plain_networks, prior_of, refuse_own, without_parametrization

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write the files, all of them or none. Raises LabError for networks of somebody's own, which are torch's."""
    refuse_own(run, "keras")
    content = {out.with_stem(out.stem + suffix): _bytes(model) for suffix, model in models(run).items()}
    for path, data in content.items():
        replace_bytes(path, data)
    return list(content)


def models(run: Trained) -> dict[str, Any]:
    """The Keras models of a run, by what stands after the file's name; its discriminator is not among them."""
    import keras

    from latentlab.keras.build import network
    from latentlab.keras.convert import take

    found = {}
    for name, chain in plain_networks(run).items():
        if name == "discriminator":
            continue
        layers = tuple(map(without_parametrization, pictures(run.config.model, run.image_shape)[name]))
        model, places = network(name, layers, run.config, run.image_shape, published=True)
        values = take(places, {f"layers.{key}": value.numpy() for key, value in chain.layers.state_dict().items()}, "{}")
        for place in places:
            for variable in place.variables:
                variable.assign(values[id(variable)])
        found["-encoder" if name == "encoder" else ""] = model
    if prior := prior_of(run):
        normal = keras.Input((run.config.model.latent_dim,), name="normal")
        draw = keras.layers.Dense(run.config.model.latent_dim, name="z")
        found["-prior"] = keras.Model(normal, draw(normal), name="prior")
        draw.set_weights([prior["prior_scale"].numpy(), prior["prior_mean"].numpy()])
    return found


def _bytes(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        return path.read_bytes()
