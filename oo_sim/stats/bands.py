"""A simultaneous band along a curve: it holds the whole true curve, not each point by itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats.intervals import F64, check_level
from oo_sim.stats.resampling import Seed, generator

_CHUNK = 1 << 22
"""Multipliers drawn at a time (32 MiB)."""


class Band(NamedTuple):
    """A curve (T,) with simultaneous bounds; `critical` is how many standard errors they lie away."""

    estimate: F64
    lower: F64
    upper: F64
    critical: float
    n: int


def sup_t_band(curves: ArrayLike, level: float = 0.95, *, seed: Seed, samples: int = 2000) -> Band:
    """The sup-t band of the mean of `curves` (n users, T points), by a multiplier bootstrap over users.

    Each sample flips the signs of whole users at random (Rademacher multipliers) and takes the largest t
    statistic along the curve, with the variance of the flipped sample; the band's width is the `level`
    quantile of those. Points where users do not differ have no width. Sources: Montiel Olea and
    Plagborg-Moller (2019) for the sup-t band; Chernozhukov, Chetverikov and Kato (2013) for multipliers;
    the sign-flip t test is exact for symmetric data. ValueError with fewer than 2 users or values that are
    not finite.
    """
    check_level(level)
    array = np.asarray(curves, dtype=np.float64)
    if array.ndim != 2 or len(array) < 2 or array.shape[1] == 0:
        raise ValueError(f"curves: shape {array.shape} received; (users, points) with at least 2 users expected")
    if not np.isfinite(array).all():
        raise ValueError(f"curves: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite")
    n, mean = len(array), array.mean(axis=0)
    centred = array - mean
    error = np.sqrt((centred**2).sum(axis=0) / (n - 1) / n)
    varies = error > 1e-12 * np.maximum(np.abs(mean), 1e-280)
    peaks = _peaks(centred[:, varies], seed, samples) if varies.any() else np.zeros(1)
    critical = float(np.quantile(peaks, level, method="higher"))
    half = critical * np.where(varies, error, 0.0)
    return Band(mean, mean - half, mean + half, critical, n)


def _peaks(centred: F64, seed: Seed, samples: int) -> F64:
    """The largest |t| along the curve in each of `samples` sign-flipped samples of `centred` (n, T)."""
    n, rng = len(centred), generator(seed)
    unit = centred / np.sqrt((centred**2).sum(axis=0))  # so that each point's squares sum to 1
    peaks: list[F64] = []
    step = max(1, _CHUNK // n)
    for start in range(0, samples, step):
        flips = rng.integers(0, 2, (min(step, samples - start), n), dtype=np.int8)
        sums = np.abs((2.0 * flips - 1.0) @ unit)
        left = np.maximum(1.0 - sums**2 / n, 1e-12)  # the flipped sample's spread: its squares sum to 1 too
        peaks.append((sums * np.sqrt((n - 1) / n) / np.sqrt(left)).max(axis=1))
    return np.concatenate(peaks)
