"""Sums and squares over clusters as whole numbers, so that the order of adding up cannot matter."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np

from oo_sim.stats.intervals import F64, Interval, t_interval

_UNIT = 2.0**40


class ExactMoments(NamedTuple):
    """Sums over `n` clusters of m values each, and of their squares, in units of 2^-40 and 2^-80.

    Values lie between -2 and 2, and are rounded to a multiple of 2^-40. At most 2^20 clusters are taken at a time; any
    number may be merged.
    """

    n: int
    sums: tuple[int, ...]
    squares: tuple[int, ...]

    @classmethod
    def of(cls, values: F64) -> Self:
        """Of values (m, n), one column a cluster."""
        whole = np.rint(values * _UNIT).astype(np.int64)
        high, low = whole >> 20, whole & 0xFFFFF  # so that sums of products fit into 64 bits
        pairs = ((high, high, 40), (high, low, 21), (low, low, 0))
        squares = [[int(each) << shift for each in (a * b).sum(axis=1)] for a, b, shift in pairs]
        return cls(
            values.shape[1],
            tuple(map(int, whole.sum(axis=1))),
            tuple(sum(parts) for parts in zip(*squares, strict=True)),
        )

    def merged(self, other: ExactMoments) -> ExactMoments:
        """Those of two disjoint sets of clusters together."""
        sums = tuple(a + b for a, b in zip(self.sums, other.sums, strict=True))
        return ExactMoments(
            self.n + other.n, sums, tuple(a + b for a, b in zip(self.squares, other.squares, strict=True))
        )

    def interval(self, which: int, level: float, times: float = 1.0) -> Interval:
        """Student's t interval of the mean of one of the values, times a factor; nan where n is too small."""
        n, total, square = self.n, self.sums[which], self.squares[which]
        if n == 0:
            return Interval(math.nan, math.nan, math.nan, 0)
        variance = (n * square - total * total) / (n * (n - 1)) / _UNIT**2 if n > 1 else math.nan
        return t_interval(times * total / n / _UNIT, times * times * variance, n, level)
