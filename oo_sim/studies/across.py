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
_WINS = 400  # resamples of P(improvement), which sorts all users for each pair


class Across(NamedTuple):
    """Over all scenarios: each policy's interquartile mean of its users' scores, the differences of those for
    each pair (baseline, candidate), each policy's profile and optimality gap (how far users stay below the ceiling's
    mean, 0 where above), and for each pair P(improvement): that a user under the candidate does better than another
    under the baseline, ties half, averaged over scenarios."""

    scenarios: tuple[str, ...]
    iqm: Mapping[str, Interval]
    differences: Mapping[tuple[str, str], Interval]
    profiles: Mapping[str, Profile]
    gaps: Mapping[str, Interval]
    improvements: Mapping[tuple[str, str], Interval]


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

    def bounded(estimated: F64, resampled: F64, i: int) -> Interval:
        lower, upper = percentile_bounds(resampled[:, i], LEVEL)
        return Interval(float(estimated[i]), float(lower), float(upper), users)

    def won(s: Sequence[F64]) -> F64:
        return np.array([np.mean([_wins(part[:, place[a]], part[:, place[b]]) for part in s]) for a, b in pairs])

    gaps = stratified_bootstrap(strata, lambda s: _gap(np.concatenate(s)), seed=seed, samples=samples)
    wins = stratified_bootstrap(strata, won, seed=seed, samples=min(samples, _WINS))
    estimated_gaps, estimated_wins = _gap(np.concatenate(strata)), won(strata)
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
        {label: bounded(estimated_gaps, gaps, i) for label, i in place.items()},
        {two: bounded(estimated_wins, wins, i) for i, two in enumerate(pairs)},
    )


def _gap(scores: F64) -> F64:
    """(P,): how far scores (n, P) stay below 1, on average. Source: Agarwal et al. (2021), section 4.3."""
    return np.asarray(np.maximum(1.0 - scores, 0.0).mean(axis=0))


def _wins(baseline: F64, candidate: F64) -> float:
    """P(candidate > baseline) + P(equal) / 2 over all pairs of users; Mann and Whitney (1947)."""
    ordered = np.sort(baseline)
    ranks = np.searchsorted(ordered, candidate, "left") + np.searchsorted(ordered, candidate, "right")
    return float(ranks.mean() / (2 * len(baseline)))


def _scores(outcomes: Outcomes, policies: Sequence[str]) -> F64:
    """(n, P): each user's score under each policy; 0 is the floor's mean and 1 the ceiling's."""
    low, high = (outcomes.values[label][-1].mean() for label in (FLOOR, CEILING))
    return np.stack([(outcomes.values[label][-1] - low) / (high - low) for label in policies], axis=1)
