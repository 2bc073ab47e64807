"""Is the candidate worse than the baseline? Paired by user, one-sided, with a margin; and how many users that takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import special

from oo_sim.contract import F64
from oo_sim.stats import ROUNDING, Band, Interval, few_differ, few_interval, mean_interval, too_few

ALPHA = 0.001
"""The one-sided error rate of the last look."""
INTERIM = 0.1
"""What earlier looks get of it: so little that the last one needs no correction (Haybittle 1971, Peto et al. 1976)."""
POWER = 0.9999
"""The intended probability with which a loss of the margin fails. At 0.9999 half a margin is 3.4 standard errors, so
that a policy that lost nothing fails in 1 of 3,000 checks, not in 1 of 1,000."""
LEAST_POWER = 0.8
"""Below it a baseline is refused: a loss of the margin would pass too often."""
LEAST_USERS, FIRST_USERS, MOST_USERS = 64, 512, 20_000
_DRAWS = 100_000  # of which 10 lie beyond the strictest quantile


class Finding(StrEnum):
    """What the statistics say."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


class Judgement(NamedTuple):
    """Candidate minus baseline, true expected reward per decision: over all rounds, and the band up to each mark.

    The interval's bounds are one-sided, each at level 1 - `alpha`.
    """

    finding: Finding
    why: str
    difference: Interval
    marks: tuple[int, ...]
    band: Band
    margin: float
    alpha: float


def judge(
    steps: F64,
    marks: Sequence[int],
    margin: float,
    *,
    alpha: float = ALPHA,
    last: bool = True,
    largest: float = math.nan,
) -> Judgement:
    """Judge `steps` (C, n): each of n users' difference per decision up to each of C checkpoints `marks`.

    Regressed: the upper bound is below 0 and the estimate at or below -margin / 2, or somewhere along the curve the
    simultaneous band lies below -margin. Then equivalent: the lower bound is above -margin; of these, improved is what
    mirrors a regression. Else inconclusive. Before the `last` look, what may still be a gain of the margin is
    inconclusive too: a gain is looked at for as long as a loss, because a fault can look like one.

    Where nearly no user differs, the bounds are exact and follow from `largest`, the largest difference per decision
    that rewards allow; where that is not known (nan) they are Student's. The band leaves such points out. Where none
    differs at all, what changed is no more than rounding: equivalent, whatever so few users would allow.
    """
    difference = _difference(steps[-1], 1.0 - 2.0 * alpha, largest)
    band = sup_t_band(steps, alpha)
    finding, why = _found(difference, band, marks, margin)
    if not (np.abs(steps) > ROUNDING).any():
        finding, why = Finding.EQUIVALENT, "no user's rewards differ by more than rounding"
    if finding is Finding.EQUIVALENT and not last and difference.upper >= margin:
        finding, why = Finding.INCONCLUSIVE, "it may be a gain of the margin; record more users to decide"
    return Judgement(finding, why, difference, tuple(marks), band, margin, alpha)


def _difference(steps: F64, level: float, largest: float) -> Interval:
    gain, lose = (int((sign * steps > ROUNDING).sum()) for sign in (1.0, -1.0))
    if math.isnan(largest) or not too_few(gain + lose, len(steps)):
        return mean_interval(steps, level)
    return few_interval(float(steps.mean()), gain, lose, len(steps), largest, level)


def sup_t_band(steps: F64, alpha: float) -> Band:
    """The plug-in sup-t band of the mean curve of `steps` (C, n); each side holds the whole curve at level 1 - alpha.

    Normal draws with the checkpoints' correlation give the quantile of the largest deviation (Montiel Olea and
    Plagborg-Moller 2019, algorithm 1); it is widened to Student's. At these levels a bootstrap over users would take
    far more samples than users are there. Points at which nearly all users are at 0 have no bounds (nan): they are
    not part of what the band claims.
    """
    n = steps.shape[1]
    mean, error = steps.mean(axis=1), steps.std(axis=1, ddof=1) / math.sqrt(n)
    claimed = ~few_differ(steps.T, ROUNDING)
    varies = claimed & (error > 0.0)
    correlation = np.atleast_2d(np.corrcoef(steps[varies])) if varies.any() else np.eye(1)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    peaks = (root @ _normals(len(values))).max(axis=0)
    normal = float(np.quantile(peaks, 1.0 - alpha, method="higher"))
    critical = abs(float(special.stdtrit(n - 1, special.ndtr(-normal))))
    half = np.where(claimed, critical * error, np.nan)
    return Band(mean, mean - half, mean + half, critical, n)


@cache
def _normals(dimension: int) -> F64:
    """The same standard normal draws (dimension, draws) for every band."""
    return np.random.default_rng(0).standard_normal((dimension, _DRAWS))


def _found(d: Interval, band: Band, marks: Sequence[int], margin: float) -> tuple[Finding, str]:
    if d.upper < 0.0 and d.estimate <= -margin / 2:
        return Finding.REGRESSED, "the upper bound is below 0, and the estimate beyond half the margin"
    below = np.flatnonzero(band.upper < -margin)
    if len(below):
        return Finding.REGRESSED, f"up to round {marks[below[0]]}, the band lies below the margin"
    if d.lower > 0.0 and d.estimate >= margin / 2:
        return Finding.IMPROVED, "the lower bound is above 0, and the estimate beyond half the margin"
    if d.lower > -margin:
        some = "worse, by less than the margin: " if d.upper < 0.0 else ""
        return Finding.EQUIVALENT, f"{some}the lower bound is above minus the margin"
    return Finding.INCONCLUSIVE, "the interval holds both no loss and a loss of the margin; record more users to decide"


def looks(users: int) -> list[int]:
    """After how many users to look: a quarter, but not many, for the answer is mostly clear; then half, then all."""
    first = min(max(users // 4, LEAST_USERS), FIRST_USERS, users)
    return sorted({first, max(users // 2, first), users})


def alpha_at(look: int, planned: Sequence[int]) -> float:
    """The one-sided error rate at a look: all of it at the last."""
    return ALPHA if look == len(planned) - 1 else INTERIM * ALPHA


def users_wanted(sd: float, margin: float, power: float = POWER) -> int:
    """How many users give this power against a loss of the margin, where differences have this spread.

    With n = (sd (z_alpha + z_power) / margin)^2 the interval is as likely to clear 0 as, without any loss, to clear the
    margin.
    """
    return min(MOST_USERS, users_needed(sd, margin, power))


def users_needed(sd: float, margin: float, power: float) -> int:
    """How many users give the power, however many these are."""
    wanted = (sd * float(special.ndtri(1.0 - ALPHA) + special.ndtri(power)) / margin) ** 2
    return max(LEAST_USERS, math.ceil(wanted))


def margin_for(users: int, sd: float, power: float) -> float:
    """The loss that fails with this power among a number of users."""
    return sd * float(special.ndtri(1.0 - ALPHA) + special.ndtri(power)) / math.sqrt(users)


def power_of(users: int, sd: float, margin: float) -> float:
    """The power that a number of users gives; 1 where users do not differ."""
    if sd == 0.0:
        return 1.0
    return float(special.ndtr(margin * math.sqrt(users) / sd - special.ndtri(1.0 - ALPHA)))
