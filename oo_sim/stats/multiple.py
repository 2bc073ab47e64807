"""Many comparisons at once: Holm's adjustment of p-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats.intervals import F64, column


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
