"""Inverse propensity scoring: unbiased where the logged probabilities are right and cover the policy."""

from __future__ import annotations

from numpy.typing import ArrayLike

from oo_sim.ope.estimator import Estimator, averaged, estimate
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
