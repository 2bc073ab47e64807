"""Simultaneous bounds: a band that holds a whole true curve, intervals that hold for all means at once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oo_sim.stats import special
from oo_sim.stats.few import few_differ
from oo_sim.stats.intervals import F64, check_level
from oo_sim.stats.resampling import Seed, generator

_CHUNK = 1 << 22
"""Multipliers drawn at a time (32 MiB)."""


ROUNDING = 1e-12
"""A difference no larger is none: means of replicates were rounded."""


class Band(NamedTuple):
    """A curve (T,) with simultaneous bounds; `critical` is how many standard errors they lie away."""

    estimate: F64
    lower: F64
    upper: F64
    critical: float
    n: int


def sup_t_band(curves: ArrayLike, level: float = 0.95, *, seed: Seed, samples: int = 2000) -> Band:
    """The sup-t band of the mean of `curves` (n users, T points), by a bootstrap-t over users.

    Each sample draws whole users with replacement and takes the largest |t| along the curve, with the variance of
    the drawn sample; the band's width is the `level` quantile of those, and never below Student's for one point.
    Sources: Montiel Olea and Plagborg-Moller (2019) for the sup-t band; Hall (1988), "Theoretical comparison of
    bootstrap confidence intervals", for the symmetric bootstrap-t, which is right where differences are skewed.

    Points at which nearly all users are at 0 (`few_differ`) are left out of what the band claims: their bounds are
    nan. Elsewhere, points where users do not differ have no width. ValueError with fewer than 2 users or values that
    are not finite.
    """
    check_level(level)
    array = checked_curves(curves)
    n, mean = len(array), array.mean(axis=0)
    centred, error, varies = _spread(array)
    claimed = ~few_differ(array, ROUNDING)
    used = varies & claimed
    peaks = _resampled(centred[:, used], seed, samples).max(axis=1) if used.any() else np.zeros(1)
    critical = max(float(np.quantile(peaks, level, method="higher")), _student(n, level) if used.any() else 0.0)
    half = np.where(claimed, critical * np.where(varies, error, 0.0), np.nan)
    return Band(mean, mean - half, mean + half, critical, n)


class MaxT(NamedTuple):
    """Many means (P,) at once: how many standard errors wide their intervals must be so that all hold together, and
    the p-value (P,) of each, adjusted for all; an interval excludes 0 where p is at most 1 - level, and only there.
    Means of values that nearly all are 0 have nan."""

    critical: float
    p_values: F64


def max_t(values: ArrayLike, level: float = 0.95, *, seed: Seed, samples: int = 4000) -> MaxT:
    """Simultaneous inference on the means of `values` (n users, P columns), by flipping the signs of whole users.

    Each sample takes the largest |t| over the columns, with the variance of the flipped sample. Source: Westfall and
    Young (1993), single-step max-t; the sign flips (Rademacher multipliers: Chernozhukov, Chetverikov and Kato 2013)
    are exact for differences of policies that are exchangeable, as those of equal policies are, at any number of users.
    """
    check_level(level)
    array = checked_curves(values)
    mean = array.mean(axis=0)
    centred, error, varies = _spread(array)
    used = varies & ~few_differ(array, ROUNDING)
    p_values = np.full(len(mean), np.nan)
    if not used.any():
        return MaxT(0.0, p_values)
    peaks = np.sort(_flipped(centred[:, used], seed, samples).max(axis=1))
    at_least = len(peaks) - np.searchsorted(peaks, np.abs(mean[used]) / error[used], "left")
    own = 2.0 * special.stdtr(len(array) - 1, -np.abs(mean[used]) / error[used])
    p_values[used] = np.maximum((1 + at_least) / (1 + len(peaks)), own)
    rank = min(math.ceil((1 + len(peaks)) * level) - 1, len(peaks) - 1)
    return MaxT(max(float(peaks[rank]), _student(len(array), level)), p_values)


def _student(n: int, level: float) -> float:
    """Student's critical value of one mean: with a handful of users there are too few ways to flip them."""
    return float(special.stdtrit(n - 1, 0.5 + level / 2))


def checked_curves(curves: ArrayLike) -> F64:
    """Curves (n, T) as float64. ValueError with fewer than 2 users, no point, or values that are not finite."""
    array = np.asarray(curves, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2 or array.shape[1] == 0:
        raise ValueError(f"curves: shape {array.shape} received; expected (users, points) with at least 2 users")
    if not np.isfinite(array).all():
        raise ValueError(f"curves: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite")
    return array


def _spread(array: F64) -> tuple[F64, F64, NDArray[np.bool_]]:
    """Deviations from the mean (n, T), its standard errors (T,), and where users differ (T,)."""
    n, mean = len(array), array.mean(axis=0)
    centred = array - mean
    error = np.sqrt((centred**2).sum(axis=0) / (n - 1) / n)
    return centred, error, error > 1e-12 * np.maximum(np.abs(mean), 1e-280)


def _resampled(centred: F64, seed: Seed, samples: int) -> F64:
    """|t| (samples, T) in each of `samples` draws, with replacement, of as many users from `centred` (n, T). A draw in
    which no two users differ says nothing at that point: 0."""
    n, rng = len(centred), generator(seed)
    unit = centred / np.sqrt((centred**2).mean(axis=0))
    both = np.concatenate([unit, unit**2], axis=1)
    found: list[F64] = []
    step = max(1, _CHUNK // n)
    for start in range(0, samples, step):
        count = min(step, samples - start)
        drawn = rng.integers(0, n, (count, n)) + n * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)
        mean, square = np.split(times @ both / n, 2, axis=1)
        variance = np.maximum(square - mean**2, 0.0) / (n - 1)
        varies = variance > 1e-12
        found.append(np.where(varies, np.abs(mean) / np.sqrt(np.where(varies, variance, 1.0)), 0.0))
    return np.concatenate(found)


def _flipped(centred: F64, seed: Seed, samples: int) -> F64:
    """|t| (samples, T) in each of `samples` sign-flipped samples of `centred` (n, T)."""
    n, rng = len(centred), generator(seed)
    unit = centred / np.sqrt((centred**2).sum(axis=0))  # so that each point's squares sum to 1
    found: list[F64] = []
    step = max(1, _CHUNK // n)
    for start in range(0, samples, step):
        flips = rng.integers(0, 2, (min(step, samples - start), n), dtype=np.int8)
        sums = np.abs((2.0 * flips - 1.0) @ unit)
        left = np.maximum(1.0 - sums**2 / n, 1e-12)  # the flipped sample's spread: its squares sum to 1 too
        found.append(sums * np.sqrt((n - 1) / n) / np.sqrt(left))
    return np.concatenate(found)
