"""Mean and variance over clusters, gathered in batches and merged, so that no batch has to be kept."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats import special
from oo_sim.stats.intervals import F64, check_level


class Moments(NamedTuple):
    """Count, mean and sum of squared deviations of `n` clusters; mean and m2 are shaped as one of them."""

    n: int
    mean: F64
    m2: F64

    @property
    def variance(self) -> F64:
        """The sample variance (divisor n - 1), nan where n < 2."""
        return self.m2 / (self.n - 1) if self.n > 1 else np.full_like(self.m2, np.nan)

    def bounds(self, level: float = 0.95) -> tuple[F64, F64]:
        """Student's t bounds of each mean by itself (no simultaneous band), nan where n < 2."""
        check_level(level)
        if self.n < 2:
            return np.full_like(self.mean, np.nan), np.full_like(self.mean, np.nan)
        half = special.stdtrit(self.n - 1, 0.5 + level / 2) * np.sqrt(self.variance / self.n)
        return self.mean - half, self.mean + half


def moments(values: ArrayLike) -> Moments:
    """The moments of `values` (n, ...) over its first axis. ValueError when there is none, or on nan."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        raise ValueError("values: a single number received; an array whose first axis is the cluster expected")
    if not np.isfinite(array).all():
        raise ValueError(f"values: {int((~np.isfinite(array)).sum())} of {array.size} are not finite")
    if len(array) == 0:
        return Moments(0, np.zeros(array.shape[1:]), np.zeros(array.shape[1:]))
    mean = np.asarray(array.mean(axis=0))
    return Moments(len(array), mean, np.asarray(((array - mean) ** 2).sum(axis=0)))


def merge(a: Moments, b: Moments) -> Moments:
    """The moments of two disjoint sets of clusters together.

    Source: Chan, Golub and LeVeque (1983), eq. 2.1.
    """
    if np.shape(a.mean) != np.shape(b.mean):
        raise ValueError(f"moments of shapes {np.shape(a.mean)} and {np.shape(b.mean)} cannot be merged")
    if a.n == 0 or b.n == 0:
        return b if a.n == 0 else a
    n = a.n + b.n
    step = b.mean - a.mean
    return Moments(n, a.mean + step * (b.n / n), a.m2 + b.m2 + step**2 * (a.n * b.n / n))


def merge_all(parts: Iterable[Moments]) -> Moments:
    """`merge` over any number of parts, at least one."""
    return functools.reduce(merge, parts)
