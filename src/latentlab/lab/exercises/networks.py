"""Checks of networks: encoder, decoder, generator and discriminator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentlab.base.texts import Phrase
from latentlab.lab.exercises.checks import HEIGHT, WIDTH, Check, Judged, images, latent, normal, said, shapes
from latentlab.lab.exercises.process import Student

SEEDS = 5  # initialisations
SCALES = (1.0, -1.0, 30.0, -30.0)  # what weights are multiplied by, to see where a network's output ends
DRAWS = {"encoder": False, "discriminator": False, "decoder": True, "generator": True}  # what a part takes: z, or images


def given(student: Student, part: str, count: int, seed: int = 0) -> np.ndarray:
    """Inputs of a part."""
    return normal(count, latent(student), seed=seed) if DRAWS[part] else images(count, seed)


def wanted(student: Student, part: str, count: int) -> list[list[tuple[int, ...]]]:
    """The ways in which a part may give its result, as shapes."""
    z = latent(student)
    if part == "encoder":
        return [[(count, z), (count, z)], [(count, 2 * z)]]
    return [[(count,)], [(count, 1)]] if part == "discriminator" else [[(count, 1, HEIGHT, WIDTH)]]


def outputs(student: Student, part: str, *inputs: np.ndarray, seed: int = 0, scale: float = 1.0) -> list[list[np.ndarray]]:
    """The results for each input, in evaluation mode, an encoder's as mean and log-variance."""
    found = student.ask("network", {f"x{at}": x for at, x in enumerate(inputs)}, part=part, seed=seed, train=False, scale=scale, of=None)[1]
    each = [[array for name, array in found.items() if name.startswith(f"out{number}_")] for number in range(len(inputs))]
    return [np.split(out[0], 2, 1) if part == "encoder" and len(out) == 1 else out for out in each]


def shape(student: Student, part: str) -> Judged:
    """Batches of 2 and of 7, a batch of one in evaluation mode."""
    for count, train in ((2, True), (7, True), (1, False)):
        x = {"x": given(student, part, count)}
        found = student.ask("network", x, part=part, seed=0, train=train, scale=1.0, of=None)[1]
        got = [array.shape for array in found.values()]
        if got not in wanted(student, part, count):
            return shapes(got, wanted(student, part, count)[0], student)
        if not all(np.isfinite(array).all() for array in found.values()):
            return said(False, "finite")
    return shapes(got, got, student)


def unbounded(student: Student, part: str) -> Judged:
    """Nothing squashes the result at its end: with other weights it leaves [−1, 1] on both sides."""
    seen = reach(student, part, 0)
    return said(seen[1] > 1.001 and seen[0] < -1.001, "range", low=seen[0], high=seen[1])


def reach(student: Student, part: str, of: int) -> tuple[float, float]:
    """The least and the largest number of a result over initialisations, their weights larger and of other signs."""
    x = [given(student, part, 8, seed) for seed in range(SEEDS)]
    out = [outputs(student, part, x[seed], seed=seed, scale=scale)[0][of] for seed in range(SEEDS) for scale in SCALES]
    return min(float(one.min()) for one in out), max(float(one.max()) for one in out)


def log_variance(student: Student, part: str = "encoder") -> Judged:
    """The log-variance can be negative: a deviation below 1."""
    low, high = reach(student, part, 1)
    return said(low < 0, "range", low=low, high=high)


def heads(student: Student, part: str = "encoder") -> Judged:
    """Mean and log-variance are two results."""
    mean, log_var = outputs(student, part, images(8))[0]
    return said(not np.allclose(mean, log_var), "alike" if np.allclose(mean, log_var) else "apart")


def rows(student: Student, part: str) -> Judged:
    """Each row of the result belongs to its row of the batch alone."""
    x = given(student, part, 6)
    whole, backwards, alone = outputs(student, part, x, x[::-1].copy(), x[2:3])
    pairs = [(one, other[::-1]) for one, other in zip(whole, backwards, strict=True)]
    pairs += [(one[2:3], other) for one, other in zip(whole, alone, strict=True)]
    off = max(float(np.abs(one - other).max()) for one, other in pairs)
    return said(off <= 1e-3 * (1 + max(float(np.abs(one).max()) for one in whole)), "off", off=off)


def repeats(student: Student, part: str) -> Judged:
    """One input has one result in evaluation mode."""
    x = given(student, part, 4)
    once, again = outputs(student, part, x, x)
    off = max(float(np.abs(one - other).max()) for one, other in zip(once, again, strict=True))
    return said(off <= 1e-5, "off", off=off)


def differs(student: Student, part: str) -> Judged:
    """Other inputs have other results."""
    out = outputs(student, part, given(student, part, 16))[0][0]
    spread = float(out.reshape(16, -1).std(0).max())
    return said(spread > 1e-6, "spread", spread=spread)


def slopes(student: Student, part: str, count: int, of: int, seed: int) -> tuple[list[str], dict[str, np.ndarray]]:
    """Derivatives of a result; see `operations.network`."""
    x = {"x": given(student, part, count, seed)}
    told, found = student.ask("network", x, part=part, seed=seed, train=False, scale=1.0, of=of)  # batch norm leaves no bias before it any
    return told["weights"], found


def whole(student: Student, part: str) -> Judged:
    """Every input counts: at least 7 of 10 pixels, and each latent unit."""
    size = given(student, part, 1).size
    reached = np.zeros(size, bool)
    for seed in range(3):
        slope = slopes(student, part, 16, 0, seed)[1].get("by_input")
        if slope is not None:
            reached |= (np.abs(slope).reshape(16, -1) > 0).any(0)
    share = float(reached.mean())
    return said(share >= (1.0 if DRAWS[part] else 0.7), "share", share=100 * share)


def learns(student: Student, part: str) -> Judged:
    """A gradient reaches every weight, of an encoder by mean or log-variance, and each of these alone reaches some."""
    count = len(student.ask("network", {"x": given(student, part, 4)}, part=part, seed=0, train=False, scale=1.0, of=None)[1])
    reached: np.ndarray | bool = False
    for at in range(count):
        names, found = slopes(student, part, 16, at, 0)
        if not (found["by_weights"] > 0).any():
            return said(False, "weight", name=Phrase(f"exercise.head.{at}") if part == "encoder" else part)
        reached = reached | (found["by_weights"] > 0)
    missed = [name for name, ok in zip(names, np.atleast_1d(reached), strict=True) if not ok]
    return said(not missed, "weight" if missed else "weights", name=missed[0] if missed else "", count=len(names))


def registered(student: Student, part: str) -> Judged:
    """Every weight that takes part is one that `parameters()` gives to an optimizer."""
    x = {"x": given(student, part, 4)}
    strays = student.ask("network", x, part=part, seed=0, train=False, scale=1.0, of=0)[0]["strays"]
    return said(not strays, "stray" if strays else "own", shape=str(strays[0]) if strays else "")


def pixels(student: Student, part: str) -> Judged:
    """Every pixel that is drawn depends on z."""
    moving = np.zeros(HEIGHT * WIDTH, bool)
    for seed in range(3):
        moving |= outputs(student, part, given(student, part, 32, seed), seed=seed)[0][0].reshape(32, -1).std(0) > 1e-9
    share = float(moving.mean())
    return said(share >= 0.99, "share", share=100 * share)


def of(part: str, *judges: Callable[[Student, str], Judged]) -> list[Check]:
    """Checks of one part, each named as its function."""

    def one(judge: Callable[[Student, str], Judged]) -> Check:
        name = judge.__name__.replace("_", "-")
        return Check(f"{part}-{name}", lambda student: judge(student, part), name)

    return [one(judge) for judge in judges]


ENCODER = of("encoder", shape, unbounded, log_variance, heads, rows, repeats, differs, whole, learns, registered)
DECODER = of("decoder", shape, unbounded, rows, repeats, differs, whole, pixels, learns, registered)
GENERATOR = of("generator", shape, unbounded, rows, repeats, differs, whole, pixels, learns, registered)
DISCRIMINATOR = of("discriminator", shape, unbounded, rows, repeats, differs, whole, learns, registered)
