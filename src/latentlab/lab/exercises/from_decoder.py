"""Checks of a decoder that becomes a generator, and of the images that are drawn from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentlab.lab.exercises.checks import Judged, arrays, is_normal, named, said, shapes
from latentlab.lab.exercises.operations import Arrays, decoder_net
from latentlab.lab.exercises.process import Student

MANY = 3000


def decoder(seed: int = 3) -> Arrays:
    """A decoder with batch norm, from 5 units to 4 pixels, and z."""
    random = np.random.default_rng(seed)
    given = {"first": random.normal(0, 1, (6, 6)), "second": random.normal(0, 1, (4, 7)), "running_mean": random.normal(0, 1, 6)}
    given |= {"running_var": random.uniform(0.5, 2, 6), "z": random.normal(0, 1, (7, 5))}
    return {name: each.astype(np.float32) for name, each in given.items()}


def made(student: Student) -> tuple[dict[str, Any], Arrays, Arrays]:
    """What the file makes of it."""
    given = decoder()
    return *student.ask("generator_from", given, rate=0.1), given


def _plain(given: Arrays, z: np.ndarray) -> np.ndarray:
    """The decoder's logits in evaluation mode."""
    import torch

    with torch.no_grad():
        out: np.ndarray = decoder_net(given).eval()(torch.from_numpy(z.copy())).numpy()
    return out


def from_equal(student: Student) -> Judged:
    """The generator draws what the decoder drew."""
    _, found, given = made(student)
    return arrays(found["generator"], _plain(given, given["z"]))


def from_apart(student: Student) -> Judged:
    """Training the generator leaves the decoder as it was."""
    _, found, given = made(student)
    return arrays(found["decoder_after"], _plain(given, given["z"]))


def from_learns(student: Student) -> Judged:
    """Every weight of the generator learns, also where the decoder's were frozen."""
    told, found, _ = made(student)
    frozen = sum(not learns for learns in told["learns"])
    moved = not np.allclose(found["generator"], found["generator_after"])
    return said(
        bool(told["learns"]) and not frozen and moved, "frozen" if frozen or not moved else "own", count=frozen or len(told["learns"])
    )


def from_mode(student: Student) -> Judged:
    """The generator is in training mode."""
    training = made(student)[0]["training"]
    return said(training, "own" if training else "mode")


def images_of(student: Student, count: int = MANY) -> tuple[dict[str, Any], Arrays, Arrays]:
    """The images that the file draws."""
    given = decoder()
    return *student.ask("new_images", given, count=count, latent=5, seed=0), given


def images_shape(student: Student) -> Judged:
    """As many images as asked for, in [0, 1]."""
    for count in (3, 2):
        found = images_of(student, count)[1]
        if found["images"].shape != (count, 1, 2, 2):
            return shapes([found["images"].shape], [(count, 1, 2, 2)], student)
        if found["images"].min() < 0 or found["images"].max() > 1:
            return said(False, "range", low=float(found["images"].min()), high=float(found["images"].max()))
    return shapes([(3, 1, 2, 2)], [(3, 1, 2, 2)], student)


def images_noise(student: Student) -> Judged:
    """z is standard normal."""
    return is_normal(images_of(student)[1]["z"].astype(float))


def images_alone(student: Student) -> Judged:
    """An image follows from its z alone: the generator is in evaluation mode, and its logits pass a sigmoid once."""
    _, found, given = images_of(student, 50)
    return arrays(found["images"], 1 / (1 + np.exp(-_plain(given, found["z"]))))


def images_left(student: Student) -> Judged:
    """Afterwards the generator is as it was: in training mode, its running means too; no gradient hangs on the images."""
    told, found, given = images_of(student, 50)
    same = np.allclose(found["running_mean"], given["running_mean"])
    if not told["training"] or not same:
        return said(False, "mode" if not told["training"] else "moved")
    if told["gradient"] or not told["learns"]:
        return said(False, "graph" if told["gradient"] else "frozen-all")
    return said(True, "own")


def images_kept(student: Student) -> Judged:
    """A generator in evaluation mode stays there."""
    left = images_of(student, 5)[0]["left"]
    return said(left, "own" if left else "mode-changed")


def images_anew(student: Student) -> Judged:
    """Drawn again, they are others."""
    found = images_of(student, 5)[1]
    same = np.allclose(found["images"], found["again"])
    return said(not same, "alike" if same else "apart")


CHECKS = [
    *named(from_equal, from_apart, from_learns),
    *named(from_mode, torch_only=True),
    *named(images_shape, images_noise, images_alone, images_left),
    *named(images_kept, torch_only=True),
    *named(images_anew),
]
