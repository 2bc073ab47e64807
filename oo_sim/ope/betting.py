"""An interval that may be looked at after every user: bets against each possible value, IPS weights in it."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from oo_sim.ope.sums import Sums
from oo_sim.stats import Interval
from oo_sim.stats.intervals import F64, check_level

_STAKES = np.geomspace(1e-3, 0.9, 24)
"""Shares of the capital that are staked, mixed with equal weight; a value of at most 1 can take none below zero."""


def betting_interval(sums: Sums, low: float = -1.0, high: float = 1.0, level: float = 0.95) -> Interval:
    """The anytime-valid interval of the IPS estimate, for rewards within `low` to `high`; sums are those of `IPS`.

    With rewards scaled to 0 to 1, a user's value X_i = mean of w r is never negative and has the policy's value v as
    its mean. Against each m, capital grows as prod (1 + s (X_i - m)), mixed over stakes s: where v <= m it is a
    nonnegative supermartingale, so by Ville's inequality it ever exceeds 2 / alpha with probability at most alpha / 2.
    The lower bound is the smallest m that it has not ruled out; the upper bound is 1 minus that of 1 - r. No bound on
    the weights is needed. Sources: Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro (2022), section 3 (both sides
    by mirroring); Karampatziakis, Mineiro and Ramdas (2021), section 4; mixed stakes, Waudby-Smith and Ramdas (2024).
    ValueError where low >= high.
    """
    check_level(level)
    if not low < high:
        raise ValueError(f"rewards from {low} to {high}: the lowest reward must be below the highest")
    weight, value = sums.mean("w"), sums.mean("w r")
    scaled = (value - low * weight) / (high - low)
    tolerance = 1e-9 * (1.0 + weight)
    if (scaled < -tolerance).any() or (scaled > weight + tolerance).any():
        raise ValueError(f"rewards: some lie outside {low} to {high}, which the betting interval relies on")
    scaled = np.clip(scaled, 0.0, weight)
    evidence = math.log(2.0 / (1.0 - level))
    lower, upper = _lower(scaled, evidence), 1.0 - _lower(weight - scaled, evidence)
    estimate = float(value.mean()) if len(value) else math.nan
    return Interval(estimate, low + (high - low) * lower, low + (high - low) * upper, len(weight))


def _lower(values: F64, evidence: float) -> float:
    """The smallest mean in 0 to 1 against which the log of the capital stays below `evidence`."""

    def excess(m: float) -> float:
        grown = np.log1p(_STAKES[:, None] * (values - m)).sum(axis=1)
        return float(special.logsumexp(grown)) - math.log(len(_STAKES)) - evidence

    if excess(0.0) <= 0.0:
        return 0.0
    return 1.0 if excess(1.0) > 0.0 else float(optimize.brentq(excess, 0.0, 1.0, xtol=1e-8))
