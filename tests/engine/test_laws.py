"""Laws that follow from the definitions of the policies, in the linear world and in every shipped one.

Each statistical assertion fails a sound simulator with probability 1e-6; users are independent, rounds are not, so
all intervals are over users.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from oo_sim.contract import F64, Policy
from oo_sim.engine import Block, run_policy, simulate
from oo_sim.entrants import entrants
from oo_sim.scenario import load, shipped, validate
from oo_sim.worlds import build

from .cases import Watch

EPSILON, K, USERS, ROUNDS, LATE = 0.2, 5, 300, 500, 250
Z = float(stats.norm.isf(5e-7))

TEXTBOOK: dict[str, Any] = {"kind": "linear", "dimension": 2, "candidates": K, "noise_sd": 0.0}
WORLD = build(validate({"version": 1, "name": "t", "users": 1, "rounds": 1, "policies": ["random"], "world": TEXTBOOK}))


class Late(NamedTuple):
    """Per round and user (rounds, users), of the late rounds."""

    regret: F64
    gap: F64  # how far the candidates' mean lies below the best: the regret of choosing at random
    best: F64  # 1 where the best candidate was chosen


def late(spec: str) -> Late:
    """Rewards without noise and a small prior: by then the greedy candidate is the best one, but for 1e-6 of rounds."""
    policy: Policy = entrants(WORLD, [spec])[0].policy
    watch = Watch()
    simulate(WORLD, policy, Block(0, 0, USERS).lanes(11), USERS, ROUNDS, [ROUNDS], observer=watch)
    rows = watch.rows[LATE:]
    return Late(
        np.array([row.best - row.got for row in rows]),
        np.array([row.best - row.expected.mean(axis=0) for row in rows]),
        np.array([(row.got == row.best) * 1.0 for row in rows]),
    )


def assert_zero(per_user: F64, within: float) -> None:
    """The mean over users is 0 within its interval, and that interval reaches no further than `within`: a fault of
    twice that size fails."""
    half = Z * per_user.std(ddof=1) / np.sqrt(len(per_user))
    assert 0.0 < half < within
    assert abs(per_user.mean()) < half


def test_late_regret_of_epsilon_greedy_grows_by_epsilon_times_the_mean_gap() -> None:
    """A uniform draw is made with probability epsilon, and costs the mean gap."""
    seen = late(f"egreedy:epsilon={EPSILON},prior=1e-4")
    assert_zero((seen.regret - EPSILON * seen.gap).mean(axis=0), within=0.01)
    slope = seen.regret.mean() / seen.gap.mean()
    assert slope == pytest.approx(EPSILON, abs=0.01)


def test_share_of_the_best_arm_tends_to_1_minus_epsilon_plus_epsilon_over_k() -> None:
    """The uniform draw hits the best arm as well."""
    seen = late(f"egreedy:epsilon={EPSILON},prior=1e-4")
    want = 1 - EPSILON + EPSILON / K
    assert_zero(seen.best.mean(axis=0) - want, within=0.01)
    assert seen.best.mean() == pytest.approx(want, abs=0.005)


def test_decaying_epsilon_has_decaying_regret() -> None:
    """Late regret is the mean gap times epsilon_t, which follows 1 / (1 + decay t)."""
    seen = late("egreedy:epsilon=0.5,decay=0.01,prior=1e-4")
    epsilon = 0.5 / (1 + 0.01 * np.arange(LATE, ROUNDS))
    assert_zero((seen.regret - epsilon[:, None] * seen.gap).mean(axis=0), within=0.01)


def test_greedy_policies_stop_paying_once_they_know() -> None:
    """Without noise LinUCB's bound and greedy's error both shrink: late regret is under 1 % of chance's."""
    for spec in ("greedy:prior=1e-4", "linucb:alpha=0.1,prior=1e-4", "thompson:scale=0.1,prior=1e-4"):
        seen = late(spec)
        assert seen.regret.mean() < 0.01 * seen.gap.mean()


def test_random_pays_the_mean_gap_in_every_round() -> None:
    """Its regret per round is the gap, early as late: no trend over rounds."""
    seen = late("random")
    assert_zero((seen.regret - seen.gap).mean(axis=0), within=0.01)
    t = np.arange(ROUNDS - LATE) - (ROUNDS - LATE - 1) / 2
    assert_zero((t @ seen.regret) / (t @ t), within=0.0002)
    assert_zero(seen.best.mean(axis=0) - 1 / K, within=0.01)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_oracles_regret_is_exactly_zero(name: str) -> None:
    scenario = load(name)
    world = build(scenario)
    oracle, chance = (entrant.policy for entrant in entrants(world, ["oracle", "random"]))
    result = run_policy(world, oracle, seed=5, users=65, rounds=30, replicates=2)
    assert (result.sums[:, :, 2] == 0).all()
    assert (result.totals[:, :, 2] == 0).all()
    assert (run_policy(world, chance, seed=5, users=65, rounds=30).totals[:, -1, 2] > 0).any()


@pytest.mark.parametrize("name", ["commuters", "exact_ties", "linear", "quickstart", "tiny_sets"])
def test_random_has_constant_regret_in_worlds_that_neither_remember_nor_change(name: str) -> None:
    """Second half minus first half of the rounds, per user."""
    world = build(load(name))
    assert not world.own_trajectory
    users, half = 1500, 30
    (random,) = entrants(world, ["random"])
    result = run_policy(world, random.policy, seed=9, users=users, rounds=2 * half, marks=[half, 2 * half])
    first = result.totals[0, 0, 2] / world.scale
    both = result.totals[0, 1, 2] / world.scale
    assert_zero((both - 2 * first) / half, within=0.02)
    assert first.mean() > 0


def test_nobody_beats_the_oracle_and_learners_beat_chance() -> None:
    """Expected reward on identical candidates, per user; learners by more than their interval on the quickstart."""
    world = build(load("quickstart"))
    earned = {
        e.label: run_policy(world, e.policy, seed=4, users=300, rounds=200).totals[0, -1, 1] / world.scale
        for e in entrants(world, ["oracle", "linucb", "egreedy", "thompson", "greedy", "softmax", "random"])
    }
    for label, each in earned.items():
        assert (each <= earned["oracle"]).all()
        if label not in ("oracle", "random"):
            lead = each - earned["random"]
            assert lead.mean() > Z * lead.std(ddof=1) / np.sqrt(len(lead))
