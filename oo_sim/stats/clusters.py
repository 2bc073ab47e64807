"""Intervals of shares, ratios and quantiles where what was counted hangs together in clusters: the tips of a user."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats import special
from oo_sim.stats.intervals import F64, Interval, check_level, column

_LUCK = 2.0  # the variance of independent trials over some 20 clusters may well be estimated as half of what it is


class Clusters(NamedTuple):
    """Sums over clusters: of what is counted, and of what it is counted over; both (G,)."""

    top: F64
    bottom: F64

    @classmethod
    def of(cls, labels: ArrayLike, top: ArrayLike, bottom: ArrayLike) -> Clusters:
        """The sums of `top` and `bottom` (n,) over equal `labels` (n,); clusters with nothing below are left out."""
        above, below = column(top, "top"), column(bottom, "bottom")
        _, which = np.unique(np.asarray(labels), return_inverse=True)
        tops: F64 = np.bincount(which, above).astype(np.float64)
        bottoms: F64 = np.bincount(which, below).astype(np.float64)
        kept = bottoms > 0
        return cls(tops[kept], bottoms[kept])


def ratio_interval(clusters: Clusters, level: float = 0.95) -> Interval:
    """Student's t interval of sum(top) / sum(bottom), its variance linearised over the G clusters.

    Bounds are nan where G < 2. Source: Cochran (1977), section 6.
    """
    check_level(level)
    G = len(clusters.top)
    if not G:
        return Interval(math.nan, math.nan, math.nan, 0)
    estimate, variance = _ratio(clusters)
    if G < 2:
        return Interval(estimate, math.nan, math.nan, G)
    half = float(special.stdtrit(G - 1, 0.5 + level / 2)) * math.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half, G)


def share_interval(clusters: Clusters, level: float = 0.95) -> Interval:
    """Wilson's interval of sum(top) / sum(bottom), a share, at the number of independent trials that the clusters are
    worth, with Student's quantile of G - 1 degrees of freedom.

    That number is p (1 - p) / variance, at most `_LUCK` times sum(bottom); where the share is 0 or 1 it is unknown, and
    G taken. With one cluster the bounds are 0 and 1. Source: Dean and Pagendarm, see Franco et al. (2019), who bound it
    by sum(bottom): of independent trials that covers 96 to 98 % (20 users with 10 each), and this 95.
    """
    check_level(level)
    G = len(clusters.top)
    if G < 2:
        estimate = float(clusters.top.sum() / clusters.bottom.sum()) if G else math.nan
        return Interval(estimate, 0.0, 1.0, G)
    share, variance = _ratio(clusters)
    most, spread = _LUCK * float(clusters.bottom.sum()), share * (1 - share)
    worth = float(G) if spread <= 0 else spread / variance if spread < variance * most else most
    lower, upper = _wilson(share, worth, _squared(G, level))
    return Interval(share, lower if share > 0 else 0.0, upper if share < 1 else 1.0, G)


def quantile_interval(labels: ArrayLike, values: ArrayLike, rank: float, level: float = 0.95) -> Interval:
    """The `rank` quantile (0 to 1) of `values` (n,) in clusters of equal `labels`, with the quantiles at both ends of
    the interval of the share of values up to it. Bounds are nan with one cluster.

    Sources: Woodruff (1952); with the variance over clusters, Francisco and Fuller (1991).
    """
    check_level(level)
    known = column(values)
    if not len(known):
        return Interval(math.nan, math.nan, math.nan, 0)
    middle = float(np.quantile(known, rank))
    share = ratio_interval(Clusters.of(labels, known <= middle, np.ones(len(known))), level)
    if share.n < 2:
        return Interval(middle, math.nan, math.nan, share.n)
    half = share.width / 2
    lower, upper = np.quantile(known, [max(rank - half, 0.0), min(rank + half, 1.0)])
    return Interval(middle, float(lower), float(upper), share.n)


def _ratio(clusters: Clusters) -> tuple[float, float]:
    """The ratio and its variance."""
    top, bottom = clusters
    G, whole = len(top), float(bottom.sum())
    estimate = float(top.sum()) / whole
    rest = top - estimate * bottom
    return estimate, float((rest**2).sum()) * G / max(G - 1, 1) / whole**2


def _squared(G: int, level: float) -> float:
    return float(special.stdtrit(G - 1, 0.5 + level / 2)) ** 2


def _wilson(share: float, n: float, z2: float) -> tuple[float, float]:
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)
