"""How evenly samples fall on the classes, as a classifier sees them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import refusal
from latentlab.measure.metrics import Estimate, around, half_width, share_estimate

Doubles = NDArray[np.float64]


def shares(labels: NDArray[Any], classes: int) -> Doubles:
    """The share of each class among labels [N]: float64 [classes], summing to 1."""
    return np.bincount(labels, minlength=classes) / max(len(labels), 1)


def stacked_shares(labels: NDArray[Any], classes: int, channels: int) -> Doubles:
    """The share of each class of images of so many channels, each of which shows an image drawn evenly of those with labels [N].

    The label of such an image is the number that the channels' labels make in base `classes`: float64 [classes ** channels].
    """
    one = shares(labels, classes)
    every = one
    for _ in range(channels - 1):
        every = np.outer(every, one).reshape(-1)
    return every


def entropy_nats(p: Doubles) -> float:
    """−Σ p log p; log(classes) when balanced, 0 when collapsed to one class."""
    shown = p[p > 0]
    return float(-(shown * np.log(shown)).sum() + 0.0)


def reverse_kl_nats(p: Doubles, real: Doubles) -> float:
    """KL(p ‖ real) = Σ p log(p / real): 0 when samples have the classes of the real images; infinite outside them."""
    drawn = p > 0
    with np.errstate(divide="ignore"):
        return float((p[drawn] * np.log(p[drawn] / real[drawn])).sum())


def entropy_estimate(labels: NDArray[Any], classes: int) -> Estimate:
    """Entropy in nats of the classes of labels [N], cut to [0, log classes]; delete-one jackknife. Raises LabError when N < 2."""
    return _jackknife(labels, classes, entropy_nats).within(0.0, math.log(classes))


def reverse_kl_estimate(labels: NDArray[Any], real_shares: Doubles) -> Estimate:
    """KL(classes of labels [N] ‖ real_shares) in nats; delete-one jackknife. Raises LabError when N < 2.

    A single sample of a class that the real images lack proves the divergence infinite: then value, low and high all are.
    """
    return _jackknife(labels, len(real_shares), lambda p: reverse_kl_nats(p, real_shares)).within(0.0, math.inf)


def modes_estimate(labels: NDArray[Any], modes: int) -> Estimate:
    """How many of so many modes labels [N] name at all (Metz et al. 2017); delete-one jackknife. Raises LabError when N < 2.

    Without a sample that is alone in its mode there is one mode less: with f such modes the variance is (N − 1)/N f (1 − f/N).
    """
    count = len(labels)
    if count < 2:
        raise refusal("labels", "at least 2 of them", count)
    counts = np.bincount(labels, minlength=modes)
    found, alone = float((counts > 0).sum()), float((counts == 1).sum())
    half = half_width((count - 1) / count * alone * (1 - alone / count), count - 1)
    return around(found, found - half, found + half).within(1.0, float(modes))


def _jackknife(labels: NDArray[Any], classes: int, statistic: Callable[[Doubles], float]) -> Estimate:
    """The delete-one jackknife of a statistic of the shares: without a sample of one class the value is always the same,
    so that `classes` values stand for all N.

    Where the statistic is at its extreme (all classes alike, or one class only) its slope vanishes and the jackknife sees no
    spread at all. The second-order term is there: 2N·KL of shares against their own expectation is χ² with classes − 1
    degrees of freedom (Wilks 1938), whose variance adds (classes − 1) / (2N²) to that of an entropy or a KL.
    """
    count = len(labels)
    if count < 2:
        raise refusal("labels", "at least 2 of them", count)
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    value = statistic(counts / count)
    if not math.isfinite(value):
        return Estimate(value, value, value)
    present = counts[counts > 0]
    without = np.array([statistic((counts - (np.arange(len(counts)) == c)) / (count - 1)) for c in np.flatnonzero(counts)])
    spread = present @ np.square(without - present @ without / count)
    half = half_width((count - 1) / count * float(spread) + (classes - 1) / (2 * count**2), count - 1)
    return around(value, value - half, value + half)


# What a code knows of the labels: the accuracy of two simple classifiers trained on it.
#
# Axes: N training and M test samples, D numbers of a code.


def knn_accuracy(train_codes: NDArray[Any], train_labels: NDArray[Any], codes: NDArray[Any], labels: NDArray[Any], k: int = 5) -> Estimate:
    """Share of codes [M, D] whose label the majority of their k nearest train_codes [N, D] has, with Wilson's interval.

    Euclidean distance in the code itself, unscaled: it is the code's own geometry that is asked about. Ties go to the
    smallest label. Raises LabError unless 1 ≤ k ≤ N and both sets are finite, labelled and of one width.
    """
    from sklearn.neighbors import KNeighborsClassifier

    train, test = _checked(train_codes, train_labels, codes, labels)
    if not 1 <= k <= len(train):
        raise refusal("k", f"between 1 and the {len(train)} training codes", k)
    classifier = KNeighborsClassifier(n_neighbors=k).fit(train, train_labels)
    return share_estimate(int((classifier.predict(test) == labels).sum()), len(test))


def probe_accuracy(train_codes: NDArray[Any], train_labels: NDArray[Any], codes: NDArray[Any], labels: NDArray[Any]) -> Estimate:
    """Share of codes [M, D] that a logistic regression on standardised train_codes [N, D] labels rightly (Alain & Bengio 2016).

    L2 penalty 1, at most 300 steps of L-BFGS from 0, no randomness; Wilson's interval. A column that does not vary counts
    for nothing. Raises LabError as `knn_accuracy`, and when there is only one training label.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = _checked(train_codes, train_labels, codes, labels)
    if len(np.unique(train_labels)) < 2:
        raise refusal("training labels", "of at least 2 classes", np.unique(train_labels).tolist())
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 300 steps without convergence: the accuracy has settled long before
        predicted = probe.fit(train, train_labels).predict(test)
    return share_estimate(int((predicted == labels).sum()), len(test))


def _checked(
    train_codes: NDArray[Any], train_labels: NDArray[Any], codes: NDArray[Any], labels: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    train, test = np.asarray(train_codes, np.float64), np.asarray(codes, np.float64)
    for name, values, truth in (("training codes", train, train_labels), ("codes", test, labels)):
        if values.ndim != 2 or len(values) < 1 or len(values) != len(truth) or not np.isfinite(values).all():
            raise refusal(name, "finite numbers of shape [N, D] with a label for each", [list(values.shape), len(truth)])
    if train.shape[1] != test.shape[1]:
        raise refusal("codes", f"of {train.shape[1]} numbers, as the training codes", test.shape[1])
    return train, test


# Which latent units say something.

ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, section 5.2: of a unit's posterior mean over images


def active_units(mean: NDArray[np.floating[Any]]) -> int:
    """How many latent units say something about the image: the variance of their posterior mean [N, Z] over images is above 0.01."""
    return int((mean.astype(np.float64).var(0) > ACTIVE_VARIANCE).sum())
