"""What a run says about each policy: rewards, regret, their intervals over users, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from oo_sim.logs import Manifest
from oo_sim.results import dynamics
from oo_sim.stats import Interval, mean_interval
from oo_sim.stats.exact import ExactMoments

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""The confidence level of all intervals in tables and figures."""
FATES = ("rewarded", "pending", "expired", "never")
"""What can become of a decision's reward; the columns of `curves` that count it."""
_AT_THE_END = ("users", *FATES)


class PolicySummary(NamedTuple):
    """One policy in one run. Intervals are over users, a user's value being the mean over its replicates."""

    policy: str
    decisions: int
    expected_reward: Interval  # true expected reward per decision
    reward: Interval  # reward per decision, as drawn
    regret_per_user: Interval  # summed over all rounds
    regret_per_decision: float
    no_reaction: float | None  # share of decisions; None in a world without reactions
    decisions_per_second: float | None
    users_at_the_end: float  # who decide in the last round, averaged over replicates
    rewarded: int  # decisions by what became of their rewards by the end, as are the three below
    pending: int
    expired: int
    never: int


def summarise(manifest: Manifest, curves: pd.DataFrame, users: pd.DataFrame | None) -> list[PolicySummary]:
    """One summary per policy that has results, in the manifest's order; without users, of the manifest's moments."""
    totals = curves.groupby("policy", sort=False)[["users", "none"]].sum()
    ends = curves[curves["round"] == curves["round"].max()].groupby("policy", sort=False)[[*_AT_THE_END]].sum()
    found = [label for label in manifest.labels if label in totals.index]
    intervals = {label: _of_moments(manifest, label) for label in found} if users is None else _of_users(users)
    regret = curves.groupby("policy", sort=False)["regret"].sum()
    return [
        _one(label, totals.loc[label], ends.loc[label], intervals[label], float(regret[label]), manifest)  # type: ignore[arg-type]
        for label in found
    ]


class _Intervals(NamedTuple):
    expected_reward: Interval
    reward: Interval
    regret_per_user: Interval
    regret_per_decision: float | None  # where users are known one by one


def _of_users(users: pd.DataFrame) -> dict[str, _Intervals]:
    last, found = users[users["round"] == users["round"].max()], {}
    sums = ["reward", "expected_reward", "regret", "decisions"]
    per_user = last.groupby(["policy", "user_id"], sort=False, observed=True)[sums].mean()
    for label in dict.fromkeys(per_user.index.get_level_values("policy")):
        values = per_user.loc[label]
        values = values[values["decisions"] > 0]  # who came and left between two rounds has no reward per decision
        found[label] = _Intervals(
            mean_interval(values["expected_reward"] / values["decisions"], LEVEL),
            mean_interval(values["reward"] / values["decisions"], LEVEL),
            mean_interval(values["regret"], LEVEL),
            values["regret"].sum() / max(values["decisions"].sum(), 1),
        )
    return found


def _of_moments(manifest: Manifest, label: str) -> _Intervals:
    kept = manifest.moments[label]
    moments = ExactMoments(kept["n"], tuple(kept["sums"]), tuple(kept["squares"]))
    reward, expected, regret = (moments.interval(i, LEVEL, times) for i, times in enumerate((1, 1, manifest.rounds)))
    return _Intervals(expected, reward, regret, None)


def _one(
    label: str, totals: pd.Series[Any], end: pd.Series[Any], found: _Intervals, regret: float, manifest: Manifest
) -> PolicySummary:
    decisions, each = int(totals["users"]), found.regret_per_decision
    return PolicySummary(
        policy=label,
        decisions=decisions,
        expected_reward=found.expected_reward,
        reward=found.reward,
        regret_per_user=found.regret_per_user,
        regret_per_decision=regret / max(decisions, 1) if each is None else each,
        no_reaction=int(totals["none"]) / decisions if manifest.has_reactions and decisions else None,
        decisions_per_second=manifest.timing.get(label, {}).get("decisions_per_second"),
        users_at_the_end=int(end["users"]) / manifest.replicates,
        **{fate: int(end[fate]) for fate in FATES},
    )


def size(manifest: Manifest) -> str:
    """How large the run is, in words."""
    parts = [_count(manifest.users, "user"), _count(manifest.rounds, "round")]
    if manifest.replicates > 1:
        parts.append(_count(manifest.replicates, "replicate"))
    return ", ".join(parts)


def notes(manifest: Manifest) -> Iterator[str]:
    """What a reader must know to read the numbers, one sentence or two a note."""
    users, rounds = manifest.users, _count(manifest.rounds, "round")
    yield (
        "Reward is the true expected reward of what was chosen, realised reward what the draws made of it. "
        f"Regret is the best expected reward on offer minus the chosen one's, summed over {rounds}."
    )
    if users > 1:
        yield (
            f"±: 95 % Student t interval of the mean over {_count(users, 'user')}, each user one value, "
            "averaged over rounds and replicates; it is over users, never over rounds."
        )
    else:
        yield "No interval with one user: intervals are over users, never over rounds."
    if any(policy.name == "oracle" for policy in manifest.policies):
        yield "The oracle sees the true expected rewards: its regret is 0 by construction."
    if any(policy.bank for policy in manifest.policies):
        yield (
            "Each tip bank has candidates of its own, and regret is against the best among them: "
            "reward, not regret, compares policies."
        )
    elif manifest.own_trajectory:
        yield (
            "What is on offer depends on what was served before, so regret is against the best on this "
            "policy's own trajectory: reward, not regret, compares policies."
        )
    found = dynamics.dynamics_of(manifest)
    yield from dynamics.notes(found)
    yield from dynamics.fate_notes(found)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
