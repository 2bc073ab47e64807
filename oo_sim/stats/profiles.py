"""Many scenarios in one figure: the interquartile mean and performance profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.stats.intervals import F64, Interval, column
from oo_sim.stats.resampling import Seed, percentile_bounds, stratified_bootstrap


class Profile(NamedTuple):
    """The share of scores above each of `thresholds` (T,), with pointwise bootstrap bounds."""

    thresholds: F64
    share: F64
    lower: F64
    upper: F64


def interquartile_mean(values: ArrayLike) -> F64:
    """The mean of the middle half of `values` (n, ...) over its first axis, a quarter (n // 4) trimmed at each end.

    Source: Agarwal et al. (2021), section 4.2. ValueError when there is no value.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("values: none given; the interquartile mean of nothing is not defined")
    cut = len(array) // 4
    return np.asarray(np.sort(array, axis=0)[cut : len(array) - cut].mean(axis=0))


def iqm(scenarios: Sequence[ArrayLike], level: float = 0.95, *, seed: Seed, samples: int = 2000) -> Interval:
    """The interquartile mean over all users of all scenarios, with its stratified bootstrap interval.

    `scenarios` holds one vector of scores for each scenario, on one scale (normalised by oracle and random,
    say); a scenario weighs as many users as it has.
    """
    strata = _strata(scenarios)
    drawn = stratified_bootstrap(strata, lambda s: interquartile_mean(np.concatenate(s)), seed=seed, samples=samples)
    lower, upper = percentile_bounds(drawn, level)
    pooled = np.concatenate(strata)
    return Interval(float(interquartile_mean(pooled)), float(lower), float(upper), len(pooled))


def performance_profile(
    scenarios: Sequence[ArrayLike],
    thresholds: ArrayLike,
    level: float = 0.95,
    *,
    seed: Seed,
    samples: int = 2000,
) -> Profile:
    """The share of scores above each threshold, averaged over scenarios, with pointwise bounds.

    Source: Agarwal et al. (2021), section 4.2, after Dolan and More (2002).
    """
    strata, at = _strata(scenarios), column(thresholds, "thresholds")
    drawn = stratified_bootstrap(strata, lambda s: _shares(s, at), seed=seed, samples=samples)
    return Profile(at, _shares(strata, at), *percentile_bounds(drawn, level))


def _strata(scenarios: Sequence[ArrayLike]) -> list[F64]:
    return [column(scores, f"scenario {i}") for i, scores in enumerate(scenarios)]


def _shares(strata: Sequence[F64], thresholds: F64) -> F64:
    above = [1.0 - np.searchsorted(np.sort(s), thresholds, "right") / len(s) for s in strata]
    return np.asarray(np.mean(above, axis=0))
