"""What an estimator is: columns to sum over a user's decisions, and one value per user whose mean is the estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from oo_sim.ope.sums import Rows, Sums
from oo_sim.stats import Interval, mean_interval
from oo_sim.stats.intervals import F64


class Estimator(NamedTuple):
    """An off-policy estimator as data.

    `values` gives one value per user (m,). For plain means it is the user's own mean; for ratios of means it is the
    linearised value (Serfling 1980, section 3.3), so that its mean is the estimate and its variance over users is the
    estimate's. Hence one interval, one paired difference and one way to merge for all of them. `bounded` is False where
    an interval would promise too much. `uses_model` tells whether q_chosen and q_target are used.
    """

    name: str
    columns: Callable[[Rows], Mapping[str, F64]]
    values: Callable[[Sums], F64]
    source: str
    uses_model: bool = False
    bounded: bool = True


class Estimate(NamedTuple):
    """The policy's value, and its difference from the logged policy's mean reward, paired by user."""

    value: Interval
    difference: Interval


def estimate(estimator: Estimator, sums: Sums, level: float = 0.95) -> Estimate:
    """The estimate from sums that were made with this estimator: Student's t over users.

    Bounds are nan with fewer than 2 users, and for the direct method.
    """
    values = estimator.values(sums)
    found = Estimate(mean_interval(values, level), mean_interval(values - sums.mean("r"), level))
    return found if estimator.bounded else Estimate(*(i._replace(lower=math.nan, upper=math.nan) for i in found))


def averaged(column: str) -> Callable[[Sums], F64]:
    """Values of an estimator that is the mean of one column."""
    return lambda sums: sums.mean(column)


def ratio(numerator: str, sums: Sums) -> F64:
    """Linearised values (m,) of mean(numerator) / mean(w): rho + (N_i - rho W_i) / mean(W)."""
    top, weight = sums.mean(numerator), sums.mean("w")
    if not weight.any():
        raise ValueError("w: every weight is 0, so a self-normalised estimate does not exist; the policy never agrees")
    rho = float(top.sum() / weight.sum())
    return np.asarray(rho + (top - rho * weight) / weight.mean())
