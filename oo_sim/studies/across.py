"""Several scenarios in one figure: interquartile means and performance profiles, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64
from oo_sim.results.summary import LEVEL
from oo_sim.show.text import plain
from oo_sim.stats import (
    Interval,
    Profile,
    interquartile_mean,
    percentile_bounds,
    performance_profile,
    stratified_bootstrap,
)
from oo_sim.studies.outcomes import Outcomes

FLOOR, CEILING = "random", "oracle"
"""The policies that make the scale: their mean scores are 0 and 1 in each scenario."""
_WORK = 4_000_000
_THRESHOLDS = 41


class Across(NamedTuple):
    """Over all scenarios: each policy's interquartile mean of its users' scores, the differences of those for
    each pair (baseline, candidate), and each policy's profile."""

    scenarios: tuple[str, ...]
    iqm: Mapping[str, Interval]
    differences: Mapping[tuple[str, str], Interval]
    profiles: Mapping[str, Profile]


def obstacle(scenarios: Sequence[Outcomes]) -> str:
    """Why scores can't be put on one scale; empty when they can."""
    for outcomes in scenarios:
        missing = [label for label in (FLOOR, CEILING) if label not in outcomes.values]
        if missing:
            return f"{plain(outcomes.name)} has no results of {' and '.join(missing)}, which make the common scale"
        low, high = (outcomes.values[label][-1].mean() for label in (FLOOR, CEILING))
        if abs(high - low) < 1e-12:
            return f"in {plain(outcomes.name)} {FLOOR} earns as much as {CEILING}, which leaves no scale"
    return ""


def across(scenarios: Sequence[Outcomes], pairs: Sequence[tuple[str, str]], seed: int) -> Across:
    """Bootstraps over users, stratified by scenario; all policies see the same resampled users, so differences are
    paired. The scale is taken as known. Source: Agarwal et al. (2021), sections 4.1 to 4.3."""
    policies = list(dict.fromkeys(label for pair in pairs for label in pair))
    strata = [_scores(outcomes, policies) for outcomes in scenarios]
    users = sum(map(len, strata))
    samples = max(200, min(2000, _WORK // users))
    drawn = stratified_bootstrap(strata, lambda s: interquartile_mean(np.concatenate(s)), seed=seed, samples=samples)
    estimates = interquartile_mean(np.concatenate(strata))
    place = {label: i for i, label in enumerate(policies)}

    def interval(weights: F64) -> Interval:
        lower, upper = percentile_bounds(drawn @ weights, LEVEL)
        return Interval(float(estimates @ weights), float(lower), float(upper), users)

    unit = np.eye(len(policies))
    thresholds = np.linspace(min(s.min() for s in strata), max(s.max() for s in strata), _THRESHOLDS)
    return Across(
        tuple(outcomes.name for outcomes in scenarios),
        {label: interval(unit[i]) for label, i in place.items()},
        {(a, b): interval(unit[place[b]] - unit[place[a]]) for a, b in pairs},
        {
            label: performance_profile([s[:, i] for s in strata], thresholds, LEVEL, seed=seed, samples=samples)
            for label, i in place.items()
        },
    )


def _scores(outcomes: Outcomes, policies: Sequence[str]) -> F64:
    """(n, P): each user's score under each policy; 0 is the floor's mean and 1 the ceiling's."""
    low, high = (outcomes.values[label][-1].mean() for label in (FLOOR, CEILING))
    return np.stack([(outcomes.values[label][-1] - low) / (high - low) for label in policies], axis=1)
