"""Prediction-powered inference: a few labels and many predictions in one interval that no bad predictor can spoil."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oo_sim.stats import special
from oo_sim.stats.intervals import F64, Interval, check_level, column


def predicted_mean(
    labels: ArrayLike,
    predictions: ArrayLike,
    clusters: ArrayLike,
    more: ArrayLike,
    more_clusters: ArrayLike,
    level: float = 0.95,
) -> tuple[Interval, float]:
    """The mean of what `labels` (n,) are a sample of, and the weight that was given to the predictions.

    `predictions` (n,) are those of the labelled units and `more` (N,) those of further ones, each in a cluster;
    a cluster may have units of both kinds. The estimate is mean(labels) + w (mean(more) - mean(predictions)) with the
    w in -1 to 1 that makes its variance, over clusters, least: 0 where predictions say nothing, and do no harm. No
    number of predictions makes it narrower than sqrt(1 - r^2) of labels alone, r their correlation with labels.
    Each cluster's residual is taken at the weight of the other clusters (or few labels would cover too little), and
    Student's t with one degree of freedom less than there are labelled clusters. Sources: Angelopoulos et al. (2023);
    the weight, Angelopoulos, Duchi and Zrnic (2023), PPI++, section 6; clusters, Liang and Zeger (1986); residuals,
    MacKinnon and White (1985).
    """
    check_level(level)
    y, f, g = column(labels, "labels"), column(predictions, "predictions"), column(more, "more")
    if not len(y):
        return Interval(math.nan, math.nan, math.nan, 0), 0.0
    names, which = np.unique(np.concatenate([np.asarray(clusters), np.asarray(more_clusters)]), return_inverse=True)
    here, there = which[: len(y)].astype(np.int64), which[len(y) :].astype(np.int64)
    labelled = _shares(y, here, len(names))
    helped = _shares(g, there, len(names)) - _shares(f, here, len(names)) if len(g) else np.zeros(len(names))
    spread = float(helped @ helped)
    weight = min(max(-float(labelled @ helped) / spread, -1.0), 1.0) if spread > 0 else 0.0
    estimate = float(y.mean()) + (weight * float(g.mean() - f.mean()) if len(g) else 0.0)
    n = len(np.unique(here))
    if n < 2:
        return Interval(estimate, math.nan, math.nan, n), weight
    rest = labelled + weight * helped
    if 0 < abs(weight) < 1:
        rest /= np.maximum(1 - helped**2 / spread, 1e-3)
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(float(rest @ rest) * n / (n - 1))
    return Interval(estimate, estimate - half, estimate + half, n), weight


def _shares(values: F64, which: NDArray[np.int64], count: int) -> F64:
    """What each cluster contributes to the deviation of the mean of `values` from its expectation."""
    sums: F64 = np.bincount(which, values - values.mean(), count) / len(values)
    return sums
