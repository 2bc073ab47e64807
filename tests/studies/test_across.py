"""Scenarios together: one scale, interquartile means that can be worked out, and paired bootstraps."""

from __future__ import annotations

import numpy as np
import pytest

import oo_sim
from oo_sim.stats import interquartile_mean
from oo_sim.studies import compare_outcomes, gather
from oo_sim.studies.across import across, obstacle

from .runs import made

N = 20
NOISE = np.random.default_rng(3).normal(0, 0.05, N)


def scenario(name: str, low: float, high: float, users: int = N) -> oo_sim.Run:
    """a earns 50 % of the way from random to the oracle, b 60 %; users differ by the same noise under both."""
    span, noise = high - low, np.resize(NOISE, users)
    noise = noise - noise.mean()
    earned = {"a": low + span * (0.5 + noise), "b": low + span * (0.6 + noise)}
    return made({**earned, "random": [low] * users, "oracle": [high] * users}, name=name)


def test_scores_put_worlds_of_different_reach_on_one_scale() -> None:
    runs = [scenario("s", 0.0, 1.0), scenario("t", -10.0, 30.0)]
    found = across(gather(runs), [("random", "oracle"), ("random", "a"), ("a", "b")], seed=0)
    assert found.iqm["random"][:3] == (0.0, 0.0, 0.0)
    assert found.iqm["oracle"][:3] == (1.0, 1.0, 1.0)
    one = interquartile_mean(0.5 + NOISE - NOISE.mean())
    assert found.iqm["a"].estimate == pytest.approx(one)
    assert found.iqm["a"].n == 2 * N
    assert found.iqm["a"].lower < one < found.iqm["a"].upper


def test_differences_are_paired() -> None:
    """b is 0.1 above a for every user, so the difference is 0.1 in every resample, though each mean varies."""
    found = across(gather([scenario("s", 0, 1), scenario("t", 1, 3)]), [("a", "b")], seed=0)
    assert found.differences["a", "b"][:3] == pytest.approx((0.1, 0.1, 0.1))
    assert found.iqm["a"].width > 0.01


def test_profiles_fall_from_all_users_to_none() -> None:
    found = across(gather([scenario("s", 0, 1), scenario("t", 1, 3, users=10)]), [("a", "b")], seed=0)
    share = found.profiles["b"].share
    assert (np.diff(share) <= 0).all()
    assert share[0] == 1.0
    assert share[-1] == 0.0
    assert (share >= found.profiles["a"].share - 1e-12).all()


def test_the_seed_is_honoured() -> None:
    scenarios = gather([scenario("s", 0, 1), scenario("t", 1, 3)])
    one, same, other = (across(scenarios, [("a", "b")], seed=seed).iqm["a"] for seed in (4, 4, 5))
    assert one == same
    assert one.lower != other.lower


def test_without_a_scale_scenarios_stay_apart_and_the_note_says_why() -> None:
    bare = made({"a": [0.1, 0.2], "b": [0.2, 0.2]}, name="bare")
    found = compare_outcomes(gather([scenario("s", 0, 1), bare]), "expected", policies=["a", "b"])
    assert found.across is None
    assert any("bare has no results of random and oracle" in note for note in found.notes)
    flat = scenario("flat", 1.0, 1.0)
    assert obstacle(gather([flat])) == "in flat random earns as much as oracle, which leaves no scale"
    together = compare_outcomes(gather([scenario("s", 0, 1), scenario("t", 0, 2)]), "expected", policies=["a", "b"])
    assert together.across is not None
    assert set(together.across.iqm) == {"a", "b"}
