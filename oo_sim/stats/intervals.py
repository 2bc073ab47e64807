"""Intervals for means over users and for shares: Student's t, Wilson, Clopper-Pearson.

The unit is always the cluster (the user): rounds of one user depend on each other, so they are not a sample.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oo_sim.stats import special

F64: TypeAlias = NDArray[np.float64]
"""A float64 array of any shape."""


class Interval(NamedTuple):
    """An estimate with its confidence bounds; `n` is the number of clusters (or trials) behind it.

    Bounds are nan where the data cannot give any (one cluster has no variance).
    """

    estimate: float
    lower: float
    upper: float
    n: int

    @property
    def width(self) -> float:
        """Upper minus lower bound."""
        return self.upper - self.lower

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside the bounds; nan bounds exclude nothing."""
        return value < self.lower or value > self.upper


def column(values: ArrayLike, what: str = "values") -> F64:
    """`values` as a float64 vector; ValueError when they are none, or hold nan or infinity."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{what}: shape {array.shape} received; one value per user expected, a vector")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{what}: {len(bad)} of {len(array)} are not finite, the first at {bad[0]} ({array[bad[0]]})")
    return array


def check_level(level: float) -> None:
    """ValueError unless 0 < level < 1."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: {level} given; a confidence level lies between 0 and 1, such as 0.95")


def t_interval(mean: float, variance: float, n: int, level: float = 0.95) -> Interval:
    """Student's t interval from the mean and the sample variance (divisor n - 1) of `n` clusters.

    Bounds are nan when n < 2. Source: Student (1908); over clusters, Liang and Zeger (1986).
    """
    check_level(level)
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's t interval of the mean of one value per user, `values` (n,).

    With one value the bounds are nan; with none the estimate is nan too. ValueError on nan or infinity.
    """
    array = column(values)
    n = len(array)
    mean = float(array.mean()) if n else math.nan
    return t_interval(mean, float(array.var(ddof=1)) if n > 1 else math.nan, n, level)


def _check_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials: successes must lie between 0 and the trials")


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share: close to its level on average, for tables and figures.

    Source: Wilson (1927). With no trials the estimate is nan and the bounds are 0 and 1.
    """
    check_level(level)
    _check_counts(successes, n)
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    z2 = float(special.ndtri(0.5 + level / 2)) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, lower, upper, n)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """The exact interval of a share: it covers at least `level`, whatever the true share.

    Source: Clopper and Pearson (1934). So 0 of 400 still allows a share of 0.9 %. With no trials: nan, 0, 1.
    """
    check_level(level)
    _check_counts(successes, n)
    tail = (1 - level) / 2
    lower = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    upper = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(successes / n if n else math.nan, lower, upper, n)
