"""Estimators of weights alone: inverse propensity scoring, self-normalised, and with its weights clipped.

The first is unbiased where the logged probabilities are right and cover the policy. The others trade a bias for less
variance: one divides by the weights' own mean, so that a constant reward is found exactly; one cuts large weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate, ratio
from oo_sim.ope.sums import rows, sums
from oo_sim.stats import Interval

IPS = Estimator(
    "ips",
    lambda d: {"w r": d.w * d.r},
    averaged("w r"),
    "Horvitz and Thompson (1952), A generalization of sampling without replacement from a finite universe",
)
"""mean of w r."""


def ips(w: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Inverse propensity scoring: mean of w r, for weights and rewards (n,) of users (n,). Errors as in `rows`.

    Source: Horvitz and Thompson (1952), eq. 1; for bandits Langford, Strehl and Wortman (2008).
    """
    return estimate(IPS, sums(rows(w, r, user=user), [IPS]), level).value


SNIPS = Estimator(
    "snips",
    lambda d: {"w r": d.w * d.r},
    lambda s: ratio("w r", s),
    "Swaminathan and Joachims (2015), The self-normalized estimator for counterfactual learning",
)
"""sum of w r over sum of w, of users' means."""


def snips(w: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Self-normalised IPS: mean of w r over mean of w. Arrays and errors as in `ips`, and ValueError if all w are 0.

    The interval is that of the linearised ratio, too narrow where few users carry the weight. Source: Swaminathan and
    Joachims (2015), eq. 8; the variance is Owen (2013), eq. 9.9, over users.
    """
    return estimate(SNIPS, sums(rows(w, r, user=user), [SNIPS]), level).value


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
