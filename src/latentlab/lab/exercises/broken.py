"""Ten pieces of wrong code, each to be found and mended under the contract that stands above it. Each check is that contract."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from latentlab.lab.exercises import from_decoder, gan, vae
from latentlab.lab.exercises.checks import Judged, arrays, named, said, value
from latentlab.lab.exercises.process import Student


class Renamed:
    """A file whose functions go by other names, as another exercise's checks call them."""

    def __init__(self, student: Student, **names: str) -> None:
        self.student, self.names, self.framework = student, names, student.framework

    def ask(self, operation: str, arrays: Any = None, **settings: Any) -> Any:
        """See `Student.ask`."""
        return self.student.ask(operation, arrays or {}, **settings | {"aliases": self.names})


def piece_kl(student: Student) -> Judged:
    """1: KL(N(2, 1) ‖ N(0, 1)) in three units."""
    mean = np.full((2, 3), 2.0, np.float32)
    got = student.ask("call", {"mean": mean, "log_var": mean * 0}, function="kl", seed=0, of=None)[1]["out0"]
    passed, said_ = value(float(got.mean()), 6.0)
    if not passed:
        return passed, said_
    random = vae.batch(6)
    given = {name: random[name].astype(np.float32) for name in ("mean", "log_var")}
    out = student.ask("call", given, function="kl", seed=0, of=None)[1]["out0"]
    return arrays(out, 0.5 * (random["mean"] ** 2 + np.exp(random["log_var"]) - 1 - random["log_var"]).sum(1))


def _cross(student: Student, function: str) -> Judged:
    given = vae.batch(6)
    some = {name: given[name].astype(np.float32) for name in ("images", "logits")}
    out = student.ask("call", some, function=function, seed=0, of=None)[1]["out0"]
    return arrays(out, vae.reference(**given | {"mean": np.zeros((6, 1)), "log_var": np.zeros((6, 1))}))


def piece_reconstruction(student: Student) -> Judged:
    """2: nats per image, the sum over its pixels."""
    return _cross(student, "reconstruction")


def piece_step(student: Student) -> Judged:
    """3: the generator's update follows its own loss alone."""
    return _all(Renamed(student, step="train_step"), gan.gan_order, gan.gan_real, gan.gan_fake, gan.gan_fooled)


def _all(student: Student, *judges: Callable[[Student], Judged]) -> Judged:
    """The first of some properties that fails, or the last."""
    for judge in judges:
        passed, got = judge(student)
        if not passed:
            break
    return passed, got


def piece_noise(student: Student) -> Judged:
    """4: another noise for each image."""
    return vae.sample_noise(Renamed(student, sample="draw"))


def piece_deviation(student: Student) -> Judged:
    """5: the deviation is exp(log_var / 2)."""
    return vae.sample_deviation(Renamed(student, sample="reparameterise"))


def piece_sigmoid(student: Student) -> Judged:
    """6: the loss of logits."""
    return _cross(student, "loss_of_logits")


def piece_mode(student: Student) -> Judged:
    """7: drawn in evaluation mode, and the generator left as it was."""
    return _all(Renamed(student, new_images="draw_images"), from_decoder.images_alone, from_decoder.images_noise, from_decoder.images_left)


def piece_labels(student: Student) -> Judged:
    """8: large logits mean real."""
    real, fake = np.array([[3.0], [4.0], [-1.0]], np.float32), np.array([[-2.5], [0.5], [-4.0]], np.float32)
    got = student.ask("call", {"real": real, "fake": fake}, function="discriminator_loss", seed=0, of=None)[1]["out0"]
    must = float((np.log1p(np.exp(-real)) + np.log1p(np.exp(fake))).mean())
    return value(float(got.mean()), must, 1e-3)


def piece_evaluation(student: Student) -> Judged:
    """9: an unbiased estimate of the ELBO draws z."""
    mean, log_var, count = 0.7, 0.4, 20_000
    given = {"images": np.ones((count, 1), np.float32), "mean": np.full((count, 1), mean, np.float32)}
    given["log_var"] = np.full((count, 1), log_var, np.float32)
    got = student.ask("call", given, function="estimate_elbo", seed=0, of=None)[1]["out0"].astype(float)
    # Gaussian likelihood of variance 1 around z: E[(x − z)²] = (x − μ)² + σ².
    kl = 0.5 * (mean**2 + math.exp(log_var) - 1 - log_var)
    must = -0.5 * ((1 - mean) ** 2 + math.exp(log_var) + math.log(2 * math.pi)) - kl
    error = 5 * max(float(got.std()), 1e-3) / count**0.5
    return said(abs(float(got.mean()) - must) <= error, "value", got=float(got.mean()), must=must)


def piece_statistics(student: Student) -> Judged:
    """10: real and generated images in batches of their own."""
    return _all(Renamed(student, step="apart_step"), gan.gan_order, gan.gan_real, gan.gan_fake, gan.gan_fooled, gan.gan_apart)


CHECKS = named(
    piece_kl, piece_reconstruction, piece_step, piece_noise, piece_deviation, piece_sigmoid, piece_mode, piece_labels,
    piece_evaluation, piece_statistics,
)  # fmt: skip
