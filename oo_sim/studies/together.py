"""All pairs of a scenario at once: simultaneous intervals, adjusted p-values, and which ranks policies can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oo_sim.results.summary import LEVEL
from oo_sim.stats import Interval, max_t
from oo_sim.studies.outcomes import Outcomes
from oo_sim.studies.pairs import Pair, exact_interval


class Rank(NamedTuple):
    """The ranks, 1 the best, that a policy can have among those compared; all sets hold together with 95 %."""

    scenario: str
    policy: str
    mean: float
    best: int
    worst: int


def together(outcomes: Outcomes, pairs: Sequence[Pair], seed: int, families: int = 1) -> list[Pair]:
    """The pairs of one scenario with intervals that hold for all of them at once, and with p-values to match.

    Paired by user: the bootstrap flips whole users, so that pairs keep what they have in common (`max_t`). With
    several scenarios (`families`), each has its share of the error. Pairs in which nearly no user differs have exact
    bounds, each with its own part of the error.
    """
    if not pairs or pairs[0].users < 2:
        return list(pairs)
    differences = np.stack([outcomes.difference(pair.baseline, pair.candidate)[-1] for pair in pairs], axis=1)
    few = np.array([pair.few for pair in pairs])
    alpha = (1 - LEVEL) / families
    share = float(few.mean())  # of the error that goes to exact bounds
    found = max_t(differences, 1 - alpha * (1 - share) if share < 1 else LEVEL, seed=seed)
    times = families / (1 - share) if share < 1 else 1.0
    return [
        _held(pair, alpha / len(pairs), found.critical, min(1.0, float(p) * times))
        for pair, p in zip(pairs, found.p_values, strict=True)
    ]


def _held(pair: Pair, own: float, critical: float, p: float) -> Pair:
    estimate, n = pair.difference.estimate, pair.users
    if pair.few:
        interval = exact_interval(pair, 1 - own)
        return pair._replace(simultaneous=interval, p_together=min(1.0, pair.p_value * (1 - LEVEL) / own))
    half = max(critical * pair.spread / np.sqrt(n), pair.difference.width / 2)  # never narrower than the pair's own
    interval = Interval(estimate, float(estimate - half), float(estimate + half), n)
    return pair._replace(simultaneous=interval, p_together=max(p, pair.p_value) if pair.spread > 0.0 else pair.p_value)


def ranks(outcomes: Outcomes, pairs: Sequence[Pair]) -> list[Rank]:
    """Rank confidence sets from the simultaneous intervals, the best mean first; none unless every two were compared.

    A policy is at best behind those that surely beat it, and at worst before those that it surely beats. Source:
    Mogstad, Romano, Shaikh and Wilhelm (2024), section 3.1, without the step-down.
    """
    policies = list(dict.fromkeys(label for pair in pairs for label in (pair.baseline, pair.candidate)))
    if len(pairs) < len(policies) * (len(policies) - 1) // 2 or len(policies) < 3:
        return []
    if any(pair.simultaneous is None for pair in pairs):
        return []
    beaten_by = dict.fromkeys(policies, 0)
    beats = dict.fromkeys(policies, 0)
    for pair in pairs:
        assert pair.simultaneous is not None
        if not pair.simultaneous.excludes(0.0):
            continue
        winner, loser = pair.candidate, pair.baseline
        if (pair.simultaneous.estimate < 0.0) != (pair.metric == "regret"):
            winner, loser = loser, winner
        beats[winner] += 1
        beaten_by[loser] += 1
    means = {label: float(outcomes.values[label][-1].mean()) for label in policies}
    ordered = sorted(policies, key=lambda label: means[label] if pairs[0].metric == "regret" else -means[label])
    return [
        Rank(outcomes.name, label, means[label], 1 + beaten_by[label], len(policies) - beats[label])
        for label in ordered
    ]
