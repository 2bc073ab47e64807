"""Two policies on the same users: how far apart, how surely, and for how many."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats import special
from oo_sim.stats.few import few_interval, sign_test, too_few
from oo_sim.stats.intervals import F64, Interval, clopper_pearson, column, mean_interval
from oo_sim.stats.skewed import skewed_interval, skewed_test

_NEAR = 5.0  # users' worth of comparisons on the rarer side: with fewer, the normal approximation ends


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


def paired(
    baseline: ArrayLike,
    candidate: ArrayLike,
    level: float = 0.95,
    tolerance: float = 0.0,
    largest: float = math.nan,
) -> Paired:
    """Compares two policies by one value per user; both vectors (n,) list the same users in order.

    A user whose difference is at most `tolerance` in size counts as unchanged. Where nearly all are, bounds and p-value
    are exact (`few_interval`, `sign_test`) and follow from `largest`, the largest difference that can be; else they are
    Student's, wider by what skewness asks for (`skewed_interval`). ValueError when the lengths differ, a value is not
    finite, or there is no user.
    """
    a, b = _pair(baseline, candidate)
    n, step = len(a), b - a
    gain, lose = int((step > tolerance).sum()), int((step < -tolerance).sum())
    apart = float(a.var() + b.var())
    if few := n > 1 and too_few(gain + lose, n):
        difference = few_interval(float(step.mean()), gain, lose, n, largest, level)
    else:
        difference = skewed_interval(step, level)
    return Paired(
        mean_interval(a, level),
        mean_interval(b, level),
        difference,
        sign_test(gain, lose) if few else skewed_test(step),
        float(step.var()) / apart if apart > 0.0 else math.nan,
        clopper_pearson(gain, n, level),
        clopper_pearson(lose, n, level),
        clopper_pearson(n - gain - lose, n, level),
        improvement(a, b, level, tolerance),
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


def improvement(baseline: ArrayLike, candidate: ArrayLike, level: float = 0.95, tolerance: float = 0.0) -> Interval:
    """P(candidate > baseline) + P(equal) / 2 over all pairs of users, with an interval over users.

    Source: Mann and Whitney (1947); Agarwal et al. (2021), section 4.3, for its use. The variance is that
    of the users' placements (DeLong et al. 1988), both of a user's values taken together, so that pairing
    is honoured; the interval is Student's on the logit scale (Newcombe 2006, method 4 and its comparison).

    Two cases are exact, so that they cover at least `level`. Where nearly no user changes by more than `tolerance`, the
    probability is within the share of users who change of a half (as in `few_interval`). Near 0 and 1 the bounds are
    Chernoff's for a U-statistic, which has n / 2 independent pairs (Hoeffding 1963, section 5).
    """
    a, b = _pair(baseline, candidate)
    n = len(a)
    above, below = _placement(b, a), 1.0 - _placement(a, b)
    estimate = float(above.mean())
    if n < 2:
        return Interval(estimate, math.nan, math.nan, n)
    step = b - a
    gain, lose = int((step > tolerance).sum()), int((step < -tolerance).sum())
    if too_few(gain + lose, n):
        around = few_interval(estimate, gain, lose, n, 1.0, level)
        return around._replace(lower=max(0.0, 0.5 + around.lower), upper=min(1.0, 0.5 + around.upper))
    error = math.sqrt(float((above + below).var(ddof=1)) / n)
    if n * min(estimate, 1.0 - estimate) < _NEAR:
        pairs = n // 2
        lower, upper = (_chernoff(estimate, math.log(2.0 / (1.0 - level)) / pairs, side) for side in (0.0, 1.0))
        return Interval(estimate, lower, upper, n)
    centre = math.log(estimate / (1.0 - estimate))
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * error / (estimate * (1.0 - estimate))
    return Interval(estimate, float(special.expit(centre - half)), float(special.expit(centre + half)), n)


def _chernoff(share: float, most: float, end: float) -> float:
    """The probability on the side of `end` (0 or 1) whose divergence from `share` is `most`, by bisection."""

    def divergence(q: float) -> float:
        return float(special.rel_entr(share, q) + special.rel_entr(1.0 - share, 1.0 - q))

    inside, outside = share, end
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if divergence(middle) <= most else (inside, middle)
    return outside


def _placement(values: F64, among: F64) -> F64:
    """For each value the share of `among` below it, ties counting half."""
    ordered = np.sort(among)
    ranks = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(ranks / (2.0 * len(among)))


def _pair(baseline: ArrayLike, candidate: ArrayLike) -> tuple[F64, F64]:
    a, b = column(baseline, "baseline"), column(candidate, "candidate")
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(
            f"{len(a)} users under the baseline, {len(b)} under the candidate; expected the same users, at least one"
        )
    return a, b


def holm(p_values: ArrayLike) -> F64:
    """Adjusted p-values (m,), in the order given: reject those at or below alpha.

    The chance of any false rejection stays below alpha, however the tests depend on each other.
    Source: Holm (1979). ValueError when a p-value lies outside 0 to 1.
    """
    p = column(p_values, "p_values")
    if len(p) and (p.min() < 0.0 or p.max() > 1.0):
        raise ValueError(f"p_values: {p.min()} to {p.max()} given; p-values lie between 0 and 1")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


POWER = 0.8
"""How often a difference is to be found that is there."""


def detectable(spread: float, users: int, level: float = 0.95, power: float = POWER) -> float:
    """The difference that a two-sided test over `users` finds with this power, where differences of users have the
    standard deviation `spread`; nan with fewer than 2 users. Source: Cohen (1988), section 2.3, with Student's
    quantiles in place of the normal's."""
    if users < 2:
        return math.nan
    quantiles = float(special.stdtrit(users - 1, 0.5 + level / 2) + special.stdtrit(users - 1, power))
    return quantiles * spread / math.sqrt(users)


def users_for(difference: float, spread: float, level: float = 0.95, power: float = POWER) -> int:
    """The fewest users with which `detectable` is at most `difference`, at least 2. ValueError unless it is above 0."""
    if not difference > 0.0:
        raise ValueError(f"difference: {difference} received; expected a size above 0")
    z = float(special.ndtri(0.5 + level / 2) + special.ndtri(power))
    users = max(2, math.ceil((z * spread / difference) ** 2))
    while detectable(spread, users, level, power) > difference:
        users += max(1, users // 1000)
    return users
