"""An encoder and a discriminator of one shape, trained on the same images: what each knows of them and says of them.

Axes: N images, F features of the last hidden layer, Z latent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab.base.images import Images
from latentlab.lab.questions.decoder_as_generator import start
from latentlab.lab.questions.reparameterization.estimators import draw, flat_gradient
from latentlab.lab.questions.views import FITTED, View, exceeds, first, view
from latentlab.measure.metrics.classes import knn_accuracy, probe_accuracy
from latentlab.models.nets import Discriminator, GaussianEncoder, to_unit
from latentlab.models.objectives import bernoulli_nats, hinge_discriminator, hinge_generator, kl_to_standard_normal
from latentlab.train import Run, open_run

SAMPLES = 500
IMAGES, DRAWS = 1_000, 4  # of each gradient: images, and z of each image
QUANTILES = tuple(range(0, 101, 4))  # per cent

Floats = NDArray[np.float32]
Nets = Mapping[str, nn.Module]


def measure_networks(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A GAN's discriminator and the encoder of the VAE at `settings["vae"]`: probes, outputs, and agreement."""
    looking, vae = view(settings), open_run(settings["vae"])
    encoder, discriminator = vae.networks()["encoder"], run.networks()["discriminator"]
    images = kinds(looking, vae, run)
    outputs = {
        "logit": {name: each(discriminator, of_kind) for name, of_kind in images.items()},
        "kl_nats": {name: each(lambda x: kl_of(encoder, x), of_kind) for name, of_kind in images.items()},
    }
    measured: dict[str, Any] = {name: told(values) for name, values in outputs.items()}
    measured["agreement"] = agreement(looking, vae, run)
    if looking.labels is not None:
        starts = {"encoder": start(vae)["encoder"], "discriminator": start(run)["discriminator"]}
        measured["probes"] = probes(looking, {"encoder": encoder, "discriminator": discriminator}, starts)
    return measured


def kinds(looking: View, vae: Run, gan: Run) -> dict[str, Images]:
    """Real held-out images, the VAE's reconstructions of them, and samples of both models."""
    real, seed = looking.held_out[:SAMPLES], gan.config.train.seed + 1
    return {
        "real": real,
        "reconstructions": vae.reconstruct(real),
        "vae-samples": vae.sample(SAMPLES, seed=seed),
        "gan-samples": gan.sample(SAMPLES, seed=seed),
    }


def each(output: Callable[[Tensor], Tensor], images: Images) -> NDArray[np.float64]:
    """One number for each image: [N]."""
    return _batched(output, images).astype(np.float64)


def kl_of(encoder: nn.Module, x: Tensor) -> Tensor:
    """KL(q(z|x) ‖ p(z)) in nats, [N]: how much the encoder has to say of each image."""
    q = encoder(x)
    return kl_to_standard_normal(q.mean, q.log_var).sum(1)


def told(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Each kind's mean and quantiles, and how well the output tells it from real images, whichever side it lies on."""
    by_kind: dict[str, Any] = {}
    for name, outputs in values.items():
        by_kind[name] = {"mean": float(outputs.mean()), "sd": float(outputs.std()), "quantiles": np.percentile(outputs, QUANTILES).tolist()}
        if name != "real":
            above = exceeds(values["real"], outputs)
            by_kind[name] |= {"real_above": above, "apart": max(above, 1.0 - above)}
    return by_kind


def probes(looking: View, trained: Mapping[str, nn.Module], untrained: Mapping[str, nn.Module]) -> dict[str, dict[str, float]]:
    """Accuracy of a linear probe and of k-NN on what the networks make of an image, trained and as they started."""
    fit = first(looking.data.train, FITTED)
    if fit.labels is None or looking.labels is None:
        return {}
    codes: dict[str, tuple[Floats, Floats]] = {}
    for state, networks in (("trained", trained), ("untrained", untrained)):
        for name, network in networks.items():
            codes[f"{name}.{state}"] = hidden(network, fit.images), hidden(network, looking.held_out)
    for name, network in trained.items():
        codes[f"{name}.output"] = last(network, fit.images), last(network, looking.held_out)
    return {
        name: {
            "linear": probe_accuracy(train, fit.labels, test, looking.labels).value,
            "knn": knn_accuracy(train, fit.labels, test, looking.labels).value,
            "numbers": train.shape[1],
        }
        for name, (train, test) in codes.items()
    }


def hidden(network: nn.Module, images: Images) -> Floats:
    """The last hidden layer of an encoder or a discriminator: [N, F]."""
    return _batched(lambda x: network.features(x) if isinstance(network, Discriminator) else _body(network)(x), images)


def last(network: nn.Module, images: Images) -> Floats:
    """What the network says in the end: a posterior's mean [N, Z], or a logit [N, 1]."""
    return _batched(lambda x: network(x)[:, None] if isinstance(network, Discriminator) else network(x).mean, images)


def _body(network: nn.Module) -> nn.Module:
    if not isinstance(network, GaussianEncoder):
        raise TypeError(type(network))
    return network.layers[:-1]


@torch.no_grad()
def _batched(output: Callable[[Tensor], Tensor], images: Images) -> Floats:
    parts = [output(to_unit(torch.from_numpy(images[i : i + 500].copy()))).float().numpy() for i in range(0, len(images), 500)]
    result: Floats = np.concatenate(parts)
    return result


def agreement(looking: View, vae: Run, gan: Run) -> dict[str, float]:
    """The cosine between the gradient of a network's own loss and that of its partner's loss, by the same network's weights.

    1: what it learns helps its partner as much as can be; −1: it learns at its partner's cost. Its own loss is that of
    training images, the partner's that of held-out images and other z, so that agreement is more than an identity where
    both have one loss, as encoder and decoder do.
    """
    shown = first(looking.data.train, IMAGES).images, looking.held_out[:IMAGES]
    train, real = (to_unit(torch.from_numpy(images.copy())) for images in shown)
    source = torch.Generator().manual_seed(gan.config.train.seed)
    noise, z = (torch.randn(DRAWS, len(x), gan.config.model.latent_dim, generator=source) for x in (train, real))
    nets = {**vae.networks(), **gan.networks()}
    partners = {"encoder": (elbo, elbo), "decoder": (elbo, elbo), "discriminator": (judging, deceiving), "generator": (deceiving, judging)}
    cosines = {}
    for name, (own, other) in partners.items():
        weights: list[Tensor] = list(nets[name].requires_grad_(True).parameters())
        a, b = (flat_gradient(loss, weights) for loss in (own(nets, train, noise), other(nets, real, z)))
        cosines[name] = float(a @ b / (a.norm() * b.norm()))
    return cosines


def elbo(nets: Nets, x: Tensor, noise: Tensor) -> Tensor:
    """The negative ELBO in nats, the one loss of encoder and decoder; noise [S, N, Z] is S draws for each image."""
    q = nets["encoder"](x)
    codes = [draw(q, epsilon) for epsilon in noise]
    reconstruction = torch.stack([bernoulli_nats(nets["decoder"](z), x) for z in codes]).mean()
    return reconstruction + kl_to_standard_normal(q.mean, q.log_var).sum(1).mean()


def judging(nets: Nets, x: Tensor, z: Tensor) -> Tensor:
    """The discriminator's hinge loss; of z [S, N, Z] the first draw."""
    on_real, on_fake = hinge_discriminator(nets["discriminator"](x), nets["discriminator"](torch.sigmoid(nets["generator"](z[0]))))
    return on_real.mean() + on_fake.mean()


def deceiving(nets: Nets, x: Tensor, z: Tensor) -> Tensor:
    """The generator's hinge loss; real images do not enter."""
    return hinge_generator(nets["discriminator"](torch.sigmoid(nets["generator"](z[0])))).mean()
