"""Intervals that hold at every sample size at once, so that one may look as often as one likes."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np

from oo_sim.stats import special
from oo_sim.stats.intervals import Interval, check_level

Side: TypeAlias = Literal["both", "lower", "upper"]


def mixture_scale(n_best: int, level: float = 0.95, side: Side = "both") -> float:
    """rho, the scale of the mixture that makes the confidence sequence narrowest at `n_best` clusters.

    Source: Waudby-Smith et al. (2024), section 2.2, solved exactly with the lower branch of Lambert's W:
    u = n rho^2 solves u = log(1 + u) - 2 log(alpha), with 2 alpha in place of alpha for a one-sided bound.
    """
    check_level(level)
    if n_best < 1:
        raise ValueError(f"n_best: {n_best} received; at least 1 cluster expected")
    alpha = (1 - level) * (1 if side == "both" else 2)
    alpha = min(alpha, 0.999)
    u = -float(np.real(special.lambertw(-(alpha**2) / math.e, -1))) - 1
    return math.sqrt(u / n_best)


def confidence_sequence(
    mean: float, variance: float, n: int, *, n_best: int, level: float = 0.95, side: Side = "both"
) -> Interval:
    """The asymptotic confidence sequence at `n` clusters, from their mean and sample variance.

    Taken after every batch, all of its intervals hold the true mean together with probability `level`, once
    the first look has some 30 clusters. It is narrowest near `n_best` clusters, which is to be fixed
    beforehand. `side` "lower" or "upper" puts all of alpha on that bound and leaves the other one infinite.
    nan when n < 2. Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central
    limit theory and asymptotic confidence sequences", theorem 2.2, and its one-sided form in the appendix.
    The boundary in standard errors is widened from the normal's quantile to Student's, which changes
    nothing in the limit and repairs the variance's uncertainty at small n.
    """
    if side not in ("both", "lower", "upper"):
        raise ValueError(f"side: {side!r} given; it is both, lower or upper")
    rho2 = mixture_scale(n_best, level, side) ** 2
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    error = math.sqrt(variance / n)
    half = _student(_boundary(n * rho2, 1 - level, side), n) * error if error > 0.0 else 0.0
    lower = mean - half if side != "upper" else -math.inf
    upper = mean + half if side != "lower" else math.inf
    return Interval(mean, lower, upper, n)


def _boundary(u: float, alpha: float, side: Side) -> float:
    """The boundary in standard errors at u = n rho^2."""
    spread = math.sqrt(u + 1)
    log = math.log(spread / alpha) if side == "both" else math.log1p(spread / (2 * alpha))
    return math.sqrt(2 * (u + 1) / u * log)


def _student(z: float, n: int) -> float:
    """Student's quantile (n - 1 degrees of freedom) at the tail that lies beyond `z` in the normal.

    Infinite where that tail is too small for a float: so far from `n_best`, nothing can be said yet. SciPy before 1.17
    has nan there.
    """
    quantile = abs(float(special.stdtrit(n - 1, special.ndtr(-z))))
    return math.inf if math.isnan(quantile) else quantile
