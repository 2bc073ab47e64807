"""What a run says about each policy: rewards, regret, their intervals over users, what they mean, and one value per
user behind them all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from oo_sim.logs import Manifest
from oo_sim.show import count, plain
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
    one = last["replicate"].nunique() < 2  # then each row is a user, and nothing has to be gathered by name
    for label, own in last.groupby("policy", sort=False, observed=True):
        values = own[sums] if one else own.groupby("user_id", sort=False, observed=True)[sums].mean()
        values = values[values["decisions"] > 0]  # a user who came and left between two rounds has none
        truth = values[values["regret"].notna()]  # of a served log nobody knows it
        found[str(label)] = _Intervals(
            mean_interval(truth["expected_reward"] / truth["decisions"], LEVEL),
            mean_interval(values["reward"] / values["decisions"], LEVEL),
            mean_interval(truth["regret"], LEVEL),
            truth["regret"].sum() / max(truth["decisions"].sum(), 1) if len(truth) else math.nan,
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
    parts = [count(manifest.users, "user"), count(manifest.rounds, "round")]
    if manifest.replicates > 1:
        parts.append(count(manifest.replicates, "replicate"))
    return ", ".join(parts)


_APPEAL = {
    "keywords": (
        "Worth of tips by keywords: a toy that sees only whether a text names a task or misses the hour. An insult "
        "that names a task is worth as much as a good tip."
    ),
    "panel": "Worth of tips by a panel: a language model reacted to each text in the user's place.",
    "fitted": "Worth of tips as fitted to reactions to other texts.",
}


def _appeals(manifest: Manifest) -> Iterator[str]:
    """The appeal models by which the tips of the run's banks were worth something; older runs knew keywords alone."""
    for policy in manifest.policies:
        if policy.bank and policy.bank.get("prompt_version"):
            yield str(policy.bank.get("appeal", "keywords"))


def notes(manifest: Manifest) -> Iterator[str]:
    """What a reader must know to read the numbers, one sentence or two a note."""
    users, rounds = manifest.users, count(manifest.rounds, "round")
    if manifest.served:
        yield (
            "A served log: realised reward is what was reported within the reward window, 0 where nothing was; "
            "expected reward and regret are not known. Each policy met its own users: compare by `oo-sim evaluate`."
        )
    else:
        yield (
            "Reward is the true expected reward of what was chosen, realised reward what the draws made of it. "
            f"Regret is the best expected reward on offer minus the chosen one's, summed over {rounds}."
        )
    if users > 1:
        yield (
            f"±: 95 % Student t interval of the mean over {count(users, 'user')}, each user one value, "
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
        yield from (_APPEAL[kind] for kind in dict.fromkeys(_appeals(manifest)) if kind in _APPEAL)
    elif manifest.own_trajectory and not manifest.served:
        yield (
            "What is on offer depends on what was served before, so regret is against the best on this "
            "policy's own trajectory: reward, not regret, compares policies."
        )
    yield from dynamics_notes(manifest)
    yield from unchecked_notes(manifest.unchecked)
    if dynamics_of(manifest).reporting:
        yield (
            "Shares of decisions by what became of their rewards by the end: rewarded (reported and learned), pending "
            "(still on the way), expired (lost after the window), never reported (no reaction, or missing)."
        )


class Dynamics(NamedTuple):
    """Which dynamics there are: rewards that are late or missing, users who come or leave, users who change, and users
    whom a policy can drive away."""

    reporting: bool
    presence: bool
    change: bool
    churn: bool


def dynamics_of(manifest: Manifest) -> Dynamics:
    """The dynamics of a run's scenario; people who are served come and leave, and answer when they like."""
    if manifest.served:
        return Dynamics(reporting=True, presence=True, change=False, churn=False)
    scenario = manifest.scenario
    world = scenario.get("world")
    has = {name for name in ("drift", "fatigue", "churn", "arrivals") if isinstance(world, dict) and world.get(name)}
    return Dynamics(
        reporting=bool(scenario.get("feedback")),
        presence=bool(has & {"churn", "arrivals"}),
        change=bool(has & {"drift", "fatigue"}),
        churn="churn" in has,
    )


def dynamics_notes(manifest: Manifest) -> Iterator[str]:
    """What a reader must know to read rewards and regrets of such a run, one sentence or two a note."""
    found = dynamics_of(manifest)
    if found.change:
        yield "Users change: regret is against the best for the user as it is in that round (dynamic regret)."
    if found.presence:
        yield (
            "Users come or leave: each user's value is over its own decisions, so that a user who left early still "
            "counts, and a user who never decided does not. Curves of reward are means over the users who are there in "
            "a round."
        )
    if found.churn:
        yield (
            "Who leaves stops counting: a policy that drives users away may have more reward a decision, so look at "
            "who stayed. Users who leave because of bad reactions make realised reward lie below reward."
        )


def unchecked_notes(labels: Sequence[str]) -> Iterator[str]:
    """What a reader must know of private policies that ran without the check of their lanes."""
    if labels:
        yield (
            f"Ran unchecked: {', '.join(plain(label, 60) for label in labels)}. It is not known whether its lanes are "
            "independent, so the numbers may change with the number of workers."
        )


def user_values(users: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rows by `keys` and user, in order: `reward`, the mean expected reward per decision, and `regret`, summed.

    Where expected rewards are not known, as in served logs, it is the mean realised reward.
    `users` is the users table or some of its rows; a user who has made no decision by a checkpoint has no row there.
    """
    known, sums = users[users["decisions"] > 0], ["reward", "expected_reward", "regret", "decisions"]
    means = known.groupby([*keys, "user_id"], sort=True, observed=True)[sums].mean()
    earned = means["reward" if means["expected_reward"].isna().any() else "expected_reward"]
    return means.assign(reward=earned / means["decisions"])[["reward", "regret"]]


def last_round(users: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last checkpoint."""
    return users[users["round"] == (users["round"].max() if len(users) else np.nan)]
