"""Can this log answer? Figures on the weights: their mean, how few users carry them, and what no weight can reach."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.sums import Sums
from oo_sim.stats import Interval, mean_interval, t_test
from oo_sim.stats.intervals import F64

_ROUNDING = 1e-9
"""A mean weight this close to 1 is 1: where no weight varies, a test would call rounding a difference."""


class Diagnostics(NamedTuple):
    """What the weights of one policy on one log look like; the weight W_i of a user is the mean over their decisions.

    `mean_weight` should hold 1, and `p_value` is for that; `effective_users` = (sum W_i)^2 / sum W_i^2 (Kish 1965);
    `largest_weight` is that of a decision, `largest_share` that of a user, of all users' weight (nan without weight).
    """

    users: int
    decisions: int
    mean_weight: Interval
    p_value: float
    effective_users: float
    largest_weight: float
    largest_share: float


def diagnostics(sums: Sums, level: float = 0.95) -> Diagnostics:
    """The figures from a log's sums, whichever estimators they were made for."""
    weight = sums.mean("w")
    total = float(weight.sum())
    return Diagnostics(
        len(sums.user),
        int(sums.n.sum()),
        mean_interval(weight, level),
        weight_test(weight),
        total**2 / float((weight**2).sum()) if total else 0.0,
        float(sums.largest.max(initial=0.0)),
        float(weight.max()) / total if total else math.nan,
    )


def weight_test(weight: ArrayLike) -> float:
    """The two-sided p-value of Student's t test that the mean of one weight per user (m,) is 1; nan when m < 2,
    and where all have the same weight, other than 0 and 1: there is no variance to test by.

    Under right probabilities any policy that they cover has mean weight 1. For the target's own weights it tells
    whether its estimate can be trusted; for those of "uniform over the supported candidates" whether the logged
    probabilities are right at all.
    """
    array = np.asarray(weight, dtype=np.float64)
    apart = array - 1.0
    if len(apart) > 1 and np.ptp(apart) < _ROUNDING and array[0] > 0.0:
        return 1.0 if np.abs(apart).max() < _ROUNDING else math.nan
    return t_test(apart)


def unsupported_mass(pi: ArrayLike, p: ArrayLike, first: ArrayLike) -> F64:
    """Per decision (n,), the policy's probability of candidates that the log could never choose: sum of pi where p = 0.

    `pi` and `p` (M,) list the candidates of all decisions one after another; `first` (n,) is where each begins.
    """
    target, logged = np.asarray(pi, dtype=np.float64), np.asarray(p, dtype=np.float64)
    return np.add.reduceat(np.where(logged == 0.0, target, 0.0), np.asarray(first, dtype=np.int64))
