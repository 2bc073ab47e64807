"""Two policies in one scenario, paired by user: how far apart, how surely, for how many, and along the curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, REWARDS
from oo_sim.errors import ComparisonError
from oo_sim.results.summary import LEVEL
from oo_sim.show.text import plain
from oo_sim.stats import ROUNDING, Band, Interval, Paired, detectable, few_interval, holm, paired, sup_t_band, too_few
from oo_sim.studies.outcomes import Metric, Outcomes


class Pair(NamedTuple):
    """Candidate minus baseline, by user. `difference` is in units of the metric, per decision; with regret a negative
    one is the better. In `paired`, gain, lose and improvement always mean the better for the user. `spread` is the
    standard deviation of the difference over users.

    `p_value` is two-sided, `holm` the same adjusted over all pairs and scenarios. `simultaneous` holds for all pairs at
    once, and `p_together` is the p-value to match; None and nan with one user, or where users were added as needed, as
    is `band`, that of the difference per decision up to each of `marks`. Where nearly no user differs, bounds are exact
    and follow from `largest`, the largest difference that rewards allow (nan: not known).
    """

    scenario: str
    baseline: str
    candidate: str
    users: int
    difference: Interval
    p_value: float
    holm: float
    paired: Paired
    spread: float
    marks: F64
    band: Band | None
    metric: Metric = "expected"
    largest: float = math.nan
    simultaneous: Interval | None = None
    p_together: float = math.nan

    @property
    def changed(self) -> int:
        """How many users gained or lost."""
        return round((self.paired.gain.estimate + self.paired.lose.estimate) * self.users)

    @property
    def few(self) -> bool:
        """Whether so few users differ that bounds are exact."""
        return self.users > 1 and too_few(self.changed, self.users)

    @property
    def sure(self) -> bool:
        """Whether the difference is known to be one: for all pairs at once, where that was asked."""
        return (self.simultaneous or self.difference).excludes(0.0)

    @property
    def detectable(self) -> float:
        """The difference that so many users find in four of five such comparisons."""
        return detectable(self.spread, self.users, LEVEL)


def choose(outcomes: Outcomes, wanted: Sequence[str] | None, reference: str | None) -> list[tuple[str, str]]:
    """Pairs of labels (baseline, candidate): every two, the earlier one the baseline, or all against the reference.

    Policies that failed take part in no pair. Raises ComparisonError for unknown policies and fewer than two.
    """
    names = wanted if wanted is not None else [*outcomes.values, *outcomes.failures]
    known = list(dict.fromkeys(label for name in names for label in outcomes.named(name)))
    base = _only(outcomes, reference) if reference is not None else None
    if len({*known, *([base] if base else [])}) < 2:
        raise ComparisonError(
            f"{plain(outcomes.name)}: {plain(', '.join(known), 200) or 'no policy'} alone can't be compared; "
            "expected two policies of one scenario"
        )
    able = [label for label in known if label in outcomes.values]
    if base is None:
        return list(itertools.combinations(able, 2))
    return [(base, label) for label in able if label != base and base in outcomes.values]


def _only(outcomes: Outcomes, reference: str) -> str:
    found = outcomes.named(reference)
    if len(found) > 1:
        raise ComparisonError(f"the reference {plain(reference, 60)} is ambiguous: {plain(', '.join(found))}; name one")
    return found[0]


def compare_pair(outcomes: Outcomes, baseline: str, candidate: str, metric: Metric, seed: int | None) -> Pair:
    """One pair; `seed` is that of the band's bootstrap, None draws no band. Its `holm` is its own p-value yet."""
    a, b = outcomes.values[baseline], outcomes.values[candidate]
    users = a.shape[1]
    better = -1.0 if metric == "regret" else 1.0
    largest = largest_difference(outcomes.manifest.scenario, metric)
    result = paired(better * a[-1], better * b[-1], LEVEL, ROUNDING, largest)
    if metric == "regret":
        result = result._replace(
            baseline=_negative(result.baseline),
            candidate=_negative(result.candidate),
            difference=_negative(result.difference),
        )
    steps = outcomes.difference(baseline, candidate)
    band = sup_t_band(steps.T, LEVEL, seed=seed) if seed is not None and users > 1 else None
    spread = float(steps[-1].std(ddof=1)) if users > 1 else math.nan
    p = result.p_value
    shown = outcomes.name, baseline, candidate, users, result.difference
    return Pair(*shown, p, p, result, spread, outcomes.marks, band, metric, largest)


def exact_interval(pair: Pair, level: float) -> Interval:
    """Bounds of the difference that hold whatever the users who differ are; see `few_interval`."""
    gain, lose = (round(each.estimate * pair.users) for each in (pair.paired.gain, pair.paired.lose))
    up, down = (lose, gain) if pair.metric == "regret" else (gain, lose)
    return few_interval(pair.difference.estimate, up, down, pair.users, pair.largest, level)


def largest_difference(scenario: Mapping[str, Any], metric: Metric) -> float:
    """The largest difference per decision between two policies that rewards allow, nan where there is none."""
    world = scenario.get("world", {})
    if world.get("kind") == "tips":
        return max(REWARDS) - min(REWARDS)
    if metric == "realised":
        return math.nan if world.get("noise") == "gaussian" else 2.0
    return 2.0 * float(world["theta_norm"]) if world.get("contexts") == "ball" else math.nan


def adjusted(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with Holm's adjustment over all of them that have a p-value."""
    known = [pair for pair in pairs if not math.isnan(pair.p_value)]
    steps = iter(holm(np.array([pair.p_value for pair in known])).tolist())
    return [pair if math.isnan(pair.p_value) else pair._replace(holm=next(steps)) for pair in pairs]


def _negative(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.upper, -interval.lower, interval.n)
