"""Student's interval where values are skewed: wider by the term of the Edgeworth expansion that skewness brings.

Differences of learners are skewed: most users gain a little, and a few lose much. Student's 95 % then are 92 of 30
users, because the mean and its standard error depend on each other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats import special
from oo_sim.stats.intervals import F64, Interval, check_level, column


def skewed_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of one value per user, `values` (n,), with bounds that hold for skewed values too; nan when n < 3.

    Two-sided, Student's quantile q falls short by q g^2 (q^4 + 2 q^2 - 3) / (18 n), with g the skewness, here that of
    the sample without its bias. Source: Hall (1983), "Inverting an Edgeworth expansion"; the term of the kurtosis is
    left out: it is small, and would make intervals narrower.
    """
    check_level(level)
    mean, error, n, bend = _parts(column(values))
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = _stretched(float(special.stdtrit(n - 1, 0.5 + level / 2)), bend) * error
    return Interval(mean, mean - half, mean + half, n)


def skewed_test(values: ArrayLike) -> float:
    """The two-sided p-value to match: `skewed_interval` excludes 0 at levels below 1 - p; nan when n < 2."""
    mean, error, n, bend = _parts(column(values))
    if n < 2:
        return math.nan
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    low, high = 0.0, abs(mean) / error
    wanted = high
    if _stretched(high, bend) < wanted:  # below q = 1 the term turns round
        high = 2.0 * high + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _stretched(middle, bend) < wanted else (low, middle)
    return 2.0 * float(special.stdtr(n - 1, -high))


def _parts(values: F64) -> tuple[float, float, int, float]:
    """Mean, standard error, n, and g^2 / (18 n)."""
    n = len(values)
    if n < 2:
        return float(values.mean()) if n else math.nan, math.nan, n, 0.0
    mean, spread = float(values.mean()), float(values.std())
    error = spread / math.sqrt(n - 1)
    if n < 3 or spread <= 1e-12 * abs(mean):
        return mean, error, n, 0.0
    skewness = float(np.mean(((values - mean) / spread) ** 3)) * math.sqrt(n * (n - 1)) / (n - 2)
    return mean, error, n, min(skewness**2 / (18 * n), 1 / 18)


def _stretched(q: float, bend: float) -> float:
    """What a quantile becomes; it rises with q for every `bend` up to 1 / 18."""
    return q * (1.0 + bend * (q**4 + 2.0 * q**2 - 3.0))
