"""Numbers that a student derives, each checked by quadrature of what defines it. No closed form of an answer stands here."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from latentlab.lab.exercises.checks import Check, Judged, said
from latentlab.lab.exercises.process import Student

TOLERANCE = 6e-3  # relative: three figures, rounded
REACH = 12.0  # deviations on either side; what lies outside is below 1e-30


def density(x: float, mean: float, deviation: float) -> float:
    """Of a normal distribution."""
    return math.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * math.sqrt(2 * math.pi))


def integral(function: Callable[[float], float], mean: float = 0.0, deviation: float = 1.0) -> float:
    """Over all that matters of a function that lives where N(mean, deviation²) does."""
    from scipy.integrate import quad

    low, high = mean - REACH * deviation, mean + REACH * deviation
    return float(quad(function, low, high, epsabs=1e-12, epsrel=1e-10, limit=400)[0])


def divergence(mean: float, deviation: float, to_mean: float = 0.0, to_deviation: float = 1.0) -> float:
    """KL of two normal distributions."""

    def inner(z: float) -> float:
        p, q = density(z, mean, deviation), density(z, to_mean, to_deviation)
        return p * math.log(p / q) if p > 0 and q > 0 else 0.0

    return integral(inner, mean, deviation)


# The model of the exercise: z ~ N(0, 1), x | z ~ N(2z, 0.5²), seen at x = 1, with q(z | x) = N(0.3, 0.4²).

X, Q = 1.0, (0.3, 0.4)


def joint(z: float) -> float:
    """p(x, z) at the x that was seen."""
    return density(z, 0, 1) * density(X, 2 * z, 0.5)


def evidence() -> float:
    """p(x)."""
    return integral(joint)


def posterior_mean() -> float:
    """Of p(z | x)."""
    return integral(lambda z: z * joint(z)) / evidence()


def posterior_deviation() -> float:
    """Of p(z | x)."""
    mean = posterior_mean()
    return math.sqrt(integral(lambda z: (z - mean) ** 2 * joint(z)) / evidence())


def expected(function: Callable[[float], float]) -> float:
    """Under q."""
    return integral(lambda z: density(z, *Q) * function(z), *Q)


def elbo() -> float:
    """E_q[log p(x, z) − log q(z | x)]."""
    return expected(lambda z: math.log(density(z, 0, 1)) + math.log(density(X, 2 * z, 0.5)) - math.log(density(z, *Q)))


# Two densities on a line: data N(0, 1), the generator's N(1.5, 1), a discriminator that can be any function of x.


def best(x: float, target: float = 1.0) -> float:
    """The output between 0 and 1 that is best at one x, found by search: real images have this target."""
    p, g = density(x, 0, 1), density(x, 1.5, 1)
    outputs = np.linspace(0, 1, 200_001)[1:-1]
    gains = p * (target * np.log(outputs) + (1 - target) * np.log1p(-outputs)) + g * np.log1p(-outputs)
    return float(outputs[gains.argmax()])


def game() -> float:
    """max over D of E_data[log D] + E_generator[log(1 − D)], point by point, of data U(0, 2) and a generator U(1, 3)."""
    from scipy.integrate import quad

    def inner(x: float) -> float:
        p, g = 0.5 * (x < 2), 0.5 * (x > 1)
        ratio = p / (p + g)
        return (p * math.log(ratio) if ratio > 0 else 0.0) + (g * math.log1p(-ratio) if ratio < 1 else 0.0)

    return sum(float(quad(inner, start, start + 1)[0]) for start in range(3))


NUMBERS: dict[str, Callable[[], float]] = {
    "kl": lambda: divergence(1.2, 0.5),
    "kl_two": lambda: divergence(1.0, 2.0) + divergence(-1.0, 0.5),
    "reversed_kl": lambda: divergence(0.0, 1.0, 1.2, 0.5),
    "log_evidence": lambda: math.log(evidence()),
    "posterior_mean": posterior_mean,
    "posterior_deviation": posterior_deviation,
    "elbo": elbo,
    "gap": lambda: divergence(*Q, posterior_mean(), posterior_deviation()),
    "best_discriminator": lambda: best(0.5),
    "smoothed_discriminator": lambda: best(0.5, 0.9),
    "value_of_the_game": game,
    "divergence_of_the_game": lambda: (game() + math.log(4)) / 2,
}


def one(name: str) -> Check:
    """The check of a number, which tells no more than whether it is right."""

    def judge(student: Student) -> Judged:
        got = student.ask("names")[0]["answers"].get(name)
        if got is None:
            return said(False, "empty")
        must = NUMBERS[name]()
        return said(abs(got - must) <= TOLERANCE * abs(must), "plain", got=float(got))

    return Check(f"number-{name.replace('_', '-')}", judge)


CHECKS = [one(name) for name in NUMBERS]
