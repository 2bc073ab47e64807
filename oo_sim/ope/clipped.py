"""Clipped inverse propensity scoring: large weights are cut, which trades a bias towards 0 for less variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

BOUND = 10.0
"""The largest weight that is kept as it is, unless another is given."""


def clipping(bound: float = BOUND) -> Estimator:
    """The estimator: mean of min(w, bound) r. ValueError unless bound > 0."""
    if not bound > 0.0:
        raise ValueError(f"bound: {bound} given; weights are cut at a positive number, such as {BOUND}")
    column = f"min(w, {bound}) r"
    return Estimator(
        "clipped-ips",
        lambda d: {column: np.minimum(d.w, bound) * d.r},
        averaged(column),
        "Ionides (2008), Truncated importance sampling",
    )


def clipped_ips(
    w: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, *, bound: float = BOUND, level: float = 0.95
) -> Interval:
    """Clipped IPS: mean of min(w, bound) r. Arrays and errors as in `ips`.

    Source: Ionides (2008), eq. 2; for bandits Bottou et al. (2013), section 4.4.
    """
    e = clipping(bound)
    return estimate(e, sums(rows(w, r, user=user), [e]), level).value
