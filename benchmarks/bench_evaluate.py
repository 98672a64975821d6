"""How long measuring takes: the importance-sampled NLL of a VAE, and 10,000 samples against MNIST's test images.

Targets: k = 5,000 on the 10,000 test images in at most 5 minutes on 2 cores for a VAE 784-200-200-50 with tanh; 10,000
samples evaluated in at most 60 seconds once the classifier is cached. Beside the first stands what the usual script takes
for the same numbers, which encodes an image once for each importance sample; the two estimates differ by chance alone.

Run: LATENTLAB_DATA=… python benchmarks/bench_evaluate.py
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import torch
from common import report
from torch.nn import functional as F

import latentlab as ll
from latentlab.base.machine import fastest_threads, threads
from latentlab.data import Data
from latentlab.measure.extractors.networks import classifier_for
from latentlab.measure.likelihood import vae_scores
from latentlab.measure.scores import evaluate_run
from latentlab.measure.table import unwatched
from latentlab.models.vae import VAELearner

PLAIN_IMAGES = 20  # what the usual script is timed on


def plain_nll(run: ll.Run, data: Data, images: int, samples: int) -> tuple[float, float]:
    """The usual script: every image repeated k times through encoder and decoder, probabilities, logarithms. Seconds an image, nats."""
    learner = run.learner
    assert isinstance(learner, VAELearner)
    encoder, decoder = (learner.averages[name].sampler() for name in ("encoder", "decoder"))
    x = learner.target(torch.from_numpy(data.test.images[:images].copy()), run.config.train.seed, 0)
    found = []
    started = time.perf_counter()
    with torch.no_grad():
        for image in x:
            copies = image.expand(samples, *image.shape)
            q = encoder(copies)
            std = (0.5 * q.log_var).exp()
            z = q.mean + std * torch.randn_like(std)
            p = torch.sigmoid(decoder(z))
            log_likelihood = -F.binary_cross_entropy(p, copies, reduction="none").flatten(1).sum(1)
            prior, posterior = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(q.mean, std)
            w = log_likelihood + prior.log_prob(z).sum(1) - posterior.log_prob(z).sum(1)
            found.append(float(np.log(samples) - torch.logsumexp(w.double(), 0)))
    return (time.perf_counter() - started) / images, float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--images", type=int, default=10_000)
    options = parser.parse_args()
    data = ll.load_data("mnist")
    classifier_for(data)
    form = {"model.hidden": (200, 200), "model.latent_dim": 50, "model.activation": "tanh", "model.binarization": "dynamic"}
    with tempfile.TemporaryDirectory() as folder, threads(fastest_threads()):
        vae = ll.train(ll.preset("mlp-vae", data="mnist", epochs=3.0, **form), f"{folder}/vae")
        started = time.perf_counter()
        scores = vae_scores(vae, data.test, options.samples, options.images, unwatched)
        seconds = time.perf_counter() - started
        each, plain = plain_nll(vae, data, PLAIN_IMAGES, options.samples)
        ours = vae_scores(vae, data.test, options.samples, PLAIN_IMAGES, unwatched)["nll_nats"]
        what = f"NLL, k = {options.samples:,}, {options.images:,} images, VAE 784-200-200-50"
        report(f"{what}: seconds", seconds, "s", "≤ 300", at_most=300.0)
        report(f"{what}: against the usual script", each * options.images / seconds, "times as fast")
        apart = {"": abs(ours["value"] - plain), "expected of it, both estimates being random": 2**0.5 * ours["monte_carlo_stderr"]}
        report(f"{what}: distance to the usual script's on {PLAIN_IMAGES} images", apart, "nats")
        nll = scores["nll_nats"]
        shown = {"NLL": nll["value"], "stderr": nll["stderr"], "of it Monte Carlo": nll["monte_carlo_stderr"]}
        report(f"{what}, 3 epochs of dynamic binarisation", shown, "nats")
        gan = ll.train(ll.preset("sn-gan", data="mnist", steps=300), f"{folder}/gan")
        started = time.perf_counter()
        result = evaluate_run(gan, data=data)
        report("evaluate sn-gan, 10,000 samples", time.perf_counter() - started, "s", "≤ 60", at_most=60.0)
        report("evaluate sn-gan, samples a second", result["samples_per_second"], "")


if __name__ == "__main__":
    main()
