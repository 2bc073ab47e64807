"""Differences that are 0 for nearly all users: bounds that hold whatever the few others are.

Student's interval takes the spread from the users that were seen. Where two policies part for one user in fifty, thirty
users may show no difference at all, and the interval [0, 0] misses the truth. What can be said then follows from how
many users differ, and from the largest difference that rewards allow.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from oo_sim.stats.intervals import F64, Interval, clopper_pearson

FEW = 20
"""Fewer users than this who differ are too few for Student's interval of a difference that is mostly 0."""


def too_few(differ: int, n: int) -> bool:
    """Whether most of `n` users do not differ, and so few do that their spread says little about the others."""
    return differ < min(FEW, n / 2)


def few_differ(values: F64, tolerance: float = 0.0) -> NDArray[np.bool_]:
    """`too_few` for each of the columns of differences (n, T): (T,)."""
    differ = (np.abs(values) > tolerance).sum(axis=0)
    return np.asarray(differ < min(FEW, len(values) / 2))


def few_interval(estimate: float, gain: int, lose: int, n: int, largest: float, level: float = 0.95) -> Interval:
    """The mean of differences of which `gain` of `n` are above 0 and `lose` below, none larger than `largest` in size.

    The mean is at most P(above 0) times `largest` and at least minus P(below 0) times it, so exact one-sided bounds of
    the two shares bound it: at least `level` is covered, whatever the differences are. Source: Clopper and Pearson
    (1934), each side at half of the error. Bounds are nan where `largest` is not known (nan).
    """
    if n < 2 or math.isnan(largest):
        return Interval(estimate, math.nan, math.nan, n)
    return Interval(
        estimate,
        -clopper_pearson(lose, n, level).upper * largest,
        clopper_pearson(gain, n, level).upper * largest,
        n,
    )


def sign_test(gain: int, lose: int) -> float:
    """The exact two-sided p-value that a user who differs gains as often as it loses; 1 where none differs.

    Source: Dixon and Mood (1946), the sign test.
    """
    n, rarer = gain + lose, min(gain, lose)
    if 2 * rarer >= n:
        return 1.0
    return float(min(1.0, 2.0 * math.fsum(math.comb(n, k) for k in range(rarer + 1)) / 2.0**n))
