"""Checks of a GAN's step.

With linear networks and plain gradient descent an update shows its gradient, which is linear in the targets that real and generated
images were given: they are read off it, and compared.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.exercises.checks import Judged, compared, named, said, value
from latentlab.lab.exercises.operations import Arrays, linear_gan
from latentlab.lab.exercises.process import Student

RATES = (0.5, 0.25)  # the generator's, the discriminator's
SMOOTH = 0.9
COUNT, UNITS, STEPS = 6, 2, 2
NOISES = 4 * STEPS  # more than any way of writing it draws


def setting(bias: float = 0.3) -> Arrays:
    """A linear GAN of 4 pixels and 2 units, images and noise; the discriminator's bias."""
    random = np.random.default_rng(7)
    given = {"generator": random.normal(0, 0.8, (4, UNITS + 1)), "discriminator": random.normal(0, 0.8, (1, 5))}
    given["discriminator"][0, -1] = bias
    given |= {"images": random.random((STEPS, COUNT, 1, 2, 2)), "noise": random.normal(0, 1, (NOISES, COUNT, UNITS))}
    return {name: each.astype(np.float32) for name, each in given.items()}


@dataclass(frozen=True)
class Trace:
    """What a file's step did: which network moved at each update (0 generator, 1 discriminator), all weights around each."""

    told: dict[str, Any]
    generator: np.ndarray  # [2 updates + 1, 12]
    discriminator: np.ndarray  # [2 updates + 1, 5]
    losses: np.ndarray  # [steps, 2]: what it returned

    def update(self, which: int, nth: int = 0) -> int | None:
        """The place of a network's nth update."""
        places = [place for place, moved in enumerate(self.told["order"]) if moved == which]
        return places[nth] if nth < len(places) else None

    def gradient(self, which: int, nth: int = 0) -> np.ndarray | None:
        """What a network's nth update followed."""
        place = self.update(which, nth)
        if place is None:
            return None
        weights = (self.generator, self.discriminator)[which]
        gradient: np.ndarray = (weights[2 * place] - weights[2 * place + 1]).astype(float) / RATES[which]
        return gradient


def traced(student: Student, given: Arrays, mixed: bool = False) -> Trace:
    """The file's step on a setting."""
    told, found = student.ask("gan_step", given, rates=list(RATES), mixed=mixed)
    return Trace(told, found["generator"], found["discriminator"], found["losses"])


def _networks(given: Arrays, trace: Trace, place: int, mixed: bool) -> tuple[Any, Any]:
    """Both networks with the weights that an update began with."""
    g, d = trace.generator[2 * place], trace.discriminator[2 * place]
    again = {"generator": np.c_[g[: 4 * UNITS].reshape(4, UNITS), g[4 * UNITS :]], "discriminator": d[None]}
    return linear_gan(given | again, mixed)


def implied(given: Arrays, trace: Trace, which: int, nth: int = 0, mixed: bool = False) -> tuple[list[float], float]:
    """The targets that an update's gradient implies, and how far from any targets it is (relative).

    Of the discriminator: those of real and of generated images; of the generator: of generated ones. A step may draw noise anew or use
    the discriminator's again, and may take half of the discriminator's sum: what fits best counts.
    """
    gradient, place = trace.gradient(which, nth), trace.update(which, nth)
    if gradient is None or place is None:
        return [], np.inf
    per_step = max(1, trace.told["drawn"] // STEPS)
    best: tuple[list[float], float] = ([], np.inf)
    for draw in range(nth * per_step, min((nth + 1) * per_step, NOISES)):
        generator, discriminator = _networks(given, trace, place, mixed)
        base, by_target = _parts(generator, discriminator, given["images"][nth], given["noise"][draw], which)
        for share in (1.0, 0.5) if which else (1.0,):
            targets, *_ = np.linalg.lstsq(-share * by_target, gradient - share * base, rcond=None)
            left = gradient - share * (base - by_target @ targets)
            off = float(np.abs(left).max() / max(1e-3, np.abs(gradient).max()))
            if off < best[1]:
                best = ([float(target) for target in targets], off)
    return best


def _parts(generator: Any, discriminator: Any, images: np.ndarray, noise: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient of the mean cross-entropies at targets of 0, [P], and what a target takes off it, [P, targets]."""
    import torch
    from torch.nn import functional as F

    fake = torch.sigmoid(generator(torch.from_numpy(noise.copy())))
    weights = list((generator, discriminator)[which].parameters())
    logits = [discriminator(torch.from_numpy(images.copy())), discriminator(fake)] if which else [discriminator(fake)]

    def of(total: Any) -> np.ndarray:
        slopes = torch.autograd.grad(total, weights, retain_graph=True)
        return np.concatenate([slope.numpy().ravel() for slope in slopes]).astype(float)

    return of(sum(F.softplus(each).mean() for each in logits)), np.stack([of(each.mean()) for each in logits], 1)


def gan_returns(student: Student) -> Judged:
    """Two losses, one number each."""
    found = traced(student, setting()).losses.shape[1]
    return found == 2, compared(found == 2, found, 2)


def gan_losses(student: Student) -> Judged:
    """They are those that the updates followed, the discriminator's first; half of its sum will do."""
    given = setting()
    trace = traced(student, given)
    places, best = (trace.update(1), trace.update(0)), np.inf
    if None in places:
        return said(False, "form")
    for draws in itertools.product(range(max(1, trace.told["drawn"] // STEPS)), repeat=2):
        must = _losses(given, trace, draws)
        for share in (1.0, 0.5):
            best = min(best, float(np.abs(trace.losses[0] - must * (share, 1.0)).max()))
    return said(best < 1e-3, "off", off=best)


def _losses(given: Arrays, trace: Trace, draws: tuple[int, ...]) -> np.ndarray:
    """Both losses as they should be, with the noise of these draws and the weights before each update."""
    import torch
    from torch.nn import functional as F

    with torch.no_grad():
        generator, discriminator = _networks(given, trace, trace.update(1) or 0, False)
        fake = discriminator(torch.sigmoid(generator(torch.from_numpy(given["noise"][draws[0]].copy()))))
        real = discriminator(torch.from_numpy(given["images"][0].copy()))
        own = (SMOOTH * F.softplus(-real) + (1 - SMOOTH) * F.softplus(real)).mean() + F.softplus(fake).mean()
        generator, discriminator = _networks(given, trace, trace.update(0) or 0, False)
        fooled = F.softplus(-discriminator(torch.sigmoid(generator(torch.from_numpy(given["noise"][draws[1]].copy()))))).mean()
    return np.array([float(own), float(fooled)])


def gan_order(student: Student) -> Judged:
    """The discriminator is updated, then the generator, once each for a batch."""
    order = traced(student, setting()).told["order"]
    told = Phrase("exercise.said.list", {"values": " ".join("GD"[which] for which in order) or "–"})
    return said(order == [1, 0] * STEPS, "order", got=told)


def gan_own(student: Student) -> Judged:
    """Each update moves its own network alone, and nothing moves one between two updates."""
    trace, names = traced(student, setting()), ("generator", "discriminator")
    for place, which in enumerate(trace.told["order"]):
        for at, weights in enumerate((trace.generator, trace.discriminator)):
            before, after, later = weights[2 * place : 2 * place + 3]
            if np.array_equal(before, after) == (at == which) or not np.array_equal(after, later):
                return said(False, "still" if at == which and np.array_equal(before, after) else "foreign", part=names[at])
    return said(set(trace.told["order"]) == {0, 1}, "own")


def _target(student: Student, which: int, at: int, must: float) -> Judged:
    targets, off = implied(setting(), traced(student, setting()), which)
    if not targets:
        return said(False, "still", part=("generator", "discriminator")[which])
    passed, got = value(targets[at], must, 0.01)
    return (passed, got) if off < 0.01 else said(False, "gradient", off=off)


def gan_real(student: Student) -> Judged:
    """Real images have the target 0.9 (one-sided smoothing, Salimans et al. 2016)."""
    return _target(student, 1, 0, SMOOTH)


def gan_fake(student: Student) -> Judged:
    """Generated ones have the target 0 in the discriminator's update."""
    return _target(student, 1, 1, 0.0)


def gan_fooled(student: Student) -> Judged:
    """In the generator's update they have the target 1, and its gradient is that of the cross-entropy alone."""
    return _target(student, 0, 0, 1.0)


def gan_start(student: Student) -> Judged:
    """A generator whose images are told at once (logits near −10) still learns (Goodfellow et al. 2014, section 3)."""
    given = setting(-10.0)
    trace = traced(student, given)
    gradient, place = trace.gradient(0), trace.update(0)
    if gradient is None or place is None:
        return said(False, "still", part="generator")
    nets = _networks(given, trace, place, False)
    base, by_target = _parts(*nets, given["images"][0], given["noise"][min(1, trace.told["drawn"] // STEPS - 1)], 0)
    share = float(np.abs(gradient).max() / np.abs(base - by_target[:, 0]).max())
    return said(share > 0.1, "strength", share=100 * share)


def gan_second(student: Student) -> Judged:
    """The second step follows its own gradients: nothing is left of earlier ones."""
    given = setting()
    trace = traced(student, given)
    for which, must in ((1, [SMOOTH, 0.0]), (0, [1.0])):
        targets, off = implied(given, trace, which, 1)
        if not targets or off > 0.01 or np.abs(np.subtract(targets, must)).max() > 0.01:
            return said(False, "left", part=("generator", "discriminator")[which])
    return said(True, "own")


def gan_apart(student: Student) -> Judged:
    """A discriminator with batch norm sees real and generated images in batches of their own."""
    targets, off = implied(setting(), traced(student, setting(), mixed=True), 1, mixed=True)
    return said(bool(targets) and off < 0.01, "gradient" if off >= 0.01 else "own", off=off)


def gan_noise(student: Student) -> Judged:
    """Each step draws z with noise()."""
    drawn = traced(student, setting()).told["drawn"]
    return drawn >= STEPS, compared(drawn >= STEPS, drawn, f"≥ {STEPS}")


def gan_mode(student: Student) -> Judged:
    """Both networks compute and are left in training mode."""
    training = traced(student, setting()).told["training"]
    return said(all(training), "mode" if not all(training) else "own")


FIRST = ("gan-real", "gan-fake", "gan-fooled")
STEP = [
    *named(gan_returns, gan_order, gan_own, gan_noise, gan_real, gan_fake, gan_fooled, gan_start, gan_mode),
    *named(gan_second, gan_losses, after=FIRST),
    *named(gan_apart, after=FIRST[:2]),
]
