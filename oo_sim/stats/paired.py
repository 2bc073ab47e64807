"""Two policies on the same users: how far apart, how surely, and for how many."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from oo_sim.stats.intervals import F64, Interval, clopper_pearson, column, mean_interval, t_interval


class Paired(NamedTuple):
    """What one value per user and policy says of candidate minus baseline.

    `variance_kept` is the variance of the paired difference over that of two independent groups of users: 0.1
    means that pairing does with a tenth of the users. nan where neither policy varies over users.
    `gain`, `lose` and `same` are shares of users with exact (Clopper-Pearson) bounds. `p_value` is two-sided.
    `improvement` is the chance that a user drawn at random does better under the candidate than another user,
    drawn by itself, under the baseline, ties counting half.
    """

    baseline: Interval
    candidate: Interval
    difference: Interval
    p_value: float
    variance_kept: float
    gain: Interval
    lose: Interval
    same: Interval
    improvement: Interval


def paired(baseline: ArrayLike, candidate: ArrayLike, level: float = 0.95, tolerance: float = 0.0) -> Paired:
    """Compares two policies by one value per user; both vectors (n,) list the same users in order.

    A user whose difference is at most `tolerance` in size counts as unchanged. ValueError when the lengths
    differ, a value is not finite, or there is no user.
    """
    a, b = _pair(baseline, candidate)
    n, step = len(a), b - a
    gain, lose = int((step > tolerance).sum()), int((step < -tolerance).sum())
    apart = float(a.var() + b.var())
    difference = mean_interval(step, level)
    return Paired(
        mean_interval(a, level),
        mean_interval(b, level),
        difference,
        t_test(step),
        float(step.var()) / apart if apart > 0.0 else math.nan,
        clopper_pearson(gain, n, level),
        clopper_pearson(lose, n, level),
        clopper_pearson(n - gain - lose, n, level),
        improvement(a, b, level),
    )


def t_test(values: ArrayLike) -> float:
    """The two-sided p-value of Student's t test that the mean of `values` (n,) is 0; nan when n < 2."""
    array = column(values)
    n = len(array)
    if n < 2:
        return math.nan
    mean, error = float(array.mean()), math.sqrt(float(array.var(ddof=1)) / n)
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return 2.0 * float(special.stdtr(n - 1, -abs(mean / error)))


def improvement(baseline: ArrayLike, candidate: ArrayLike, level: float = 0.95) -> Interval:
    """P(candidate > baseline) + P(equal) / 2 over all pairs of users, with an interval over users.

    Source: Mann and Whitney (1947); Agarwal et al. (2021), section 4.3, for its use. The variance is that
    of the users' placements (DeLong et al. 1988), both of a user's values taken together, so that pairing
    is honoured.
    """
    a, b = _pair(baseline, candidate)
    above, below = _placement(b, a), 1.0 - _placement(a, b)
    estimate = float(above.mean())
    both = above + below
    variance = float(both.var(ddof=1)) if len(a) > 1 else math.nan
    plain = t_interval(estimate, variance, len(a), level)
    if len(a) < 2:
        return plain
    return plain._replace(lower=max(0.0, plain.lower), upper=min(1.0, plain.upper))


def _placement(values: F64, among: F64) -> F64:
    """For each value the share of `among` below it, ties counting half."""
    ordered = np.sort(among)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(ranks / (2.0 * len(among)))


def _pair(baseline: ArrayLike, candidate: ArrayLike) -> tuple[F64, F64]:
    a, b = column(baseline, "baseline"), column(candidate, "candidate")
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(
            f"{len(a)} users under the baseline, {len(b)} under the candidate; the same users, at least one, are wanted"
        )
    return a, b
