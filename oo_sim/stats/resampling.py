"""Bootstraps over users, stratified by scenario, from an explicit seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from oo_sim.stats.intervals import F64, check_level

Seed: TypeAlias = int | np.random.Generator
"""A seed, or a generator that is used as it stands."""


def generator(seed: Seed) -> np.random.Generator:
    """A Philox generator of `seed`; a generator given is handed back. The clock is never asked."""
    return seed if isinstance(seed, np.random.Generator) else np.random.Generator(np.random.Philox(seed))


def stratified_bootstrap(
    strata: Sequence[F64], statistic: Callable[[Sequence[F64]], F64], *, seed: Seed, samples: int = 2000
) -> F64:
    """`statistic` of `samples` resampled data sets, stacked (samples, ...).

    `strata` holds one array (users, ...) for each scenario; each keeps its size, and whole users are drawn
    with replacement within it. Source: Agarwal et al. (2021), section 4.1.
    """
    if not strata or any(len(stratum) == 0 for stratum in strata):
        raise ValueError("strata: at least one scenario, each with at least one user, expected")
    rng = generator(seed)
    drawn = ([stratum[rng.integers(0, len(stratum), len(stratum))] for stratum in strata] for _ in range(samples))
    return np.stack([np.asarray(statistic(sample)) for sample in drawn])


def percentile_bounds(samples: F64, level: float = 0.95) -> tuple[F64, F64]:
    """The percentile bounds of bootstrap `samples` (B, ...) over its first axis."""
    check_level(level)
    lower, upper = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return lower, upper
