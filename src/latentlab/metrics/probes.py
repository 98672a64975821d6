"""What a code knows of the labels: the accuracy of two simple classifiers trained on it.

Axes: N training and M test samples, D numbers of a code.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import refusal
from latentlab.metrics.intervals import Estimate, share_estimate


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
