"""Adding users: the looks that are planned, when they end, and what may be said afterwards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import oo_sim
from oo_sim.contract import F64, Batch, Policy, Probs
from oo_sim.policies import make
from oo_sim.stats import Interval, confidence_sequence
from oo_sim.studies import ComparisonError, Look, compare_outcomes, gather, look, sizes

from .runs import made

SMALL: dict[str, Any] = {"rounds": 10, "users": 30}


def test_users_double_from_at_least_30_up_to_the_most() -> None:
    assert sizes(400, 3000) == [400, 800, 1600, 3000]
    assert sizes(10, 120) == [30, 60, 120]
    assert sizes(50, 50) == [50]


def test_settled_is_narrow_or_clear() -> None:
    narrow, clear, wide = Interval(0, -0.1, 0.1, 9), Interval(3, 1, 5, 9), Interval(0, -1, 1, 9)
    assert Look(9, (narrow, clear)).settled(0.1)
    assert not Look(9, (narrow, wide)).settled(0.1)
    assert not Look(9, (Interval(0, math.nan, math.nan, 1),)).settled(0.1)


def test_intervals_are_those_of_the_sequence_shared_over_pairs() -> None:
    rng = np.random.default_rng(0)
    found = compare_outcomes(gather([made({x: rng.normal(size=50).tolist() for x in "abc"})]), "expected", seed=None)
    seen = look(found.pairs, [50, 100, 200])
    pair = found.pairs[1]
    want = confidence_sequence(pair.difference.estimate, pair.spread**2, 50, n_best=100, level=1 - 0.05 / 3)
    assert seen.users == 50
    assert seen.intervals[1] == pytest.approx(want)
    assert all(at.width > pair.difference.width for at, pair in zip(seen.intervals, found.pairs, strict=True))
    stopped = found.stopped([seen], "enough")
    assert stopped.pairs[1].difference == seen.intervals[1]
    assert all(math.isnan(pair.holm) and math.isnan(pair.p_value) and pair.band is None for pair in stopped.pairs)
    assert stopped.notes[-1] == "enough"
    assert "Holm" not in " ".join(stopped.notes)


def test_a_clear_winner_ends_at_the_first_look() -> None:
    heard: list[Look] = []
    found = oo_sim.compare(
        "quickstart", policies=["random", "oracle"], until=1e-6, max_users=120, looked=heard.append, **SMALL
    )
    assert [each.users for each in heard] == [30]
    assert found.pairs[0].difference.lower > 0
    assert "Stopped at 30 users: each interval is at most" in found.notes[-1]


def test_users_are_added_up_to_the_most_and_earlier_ones_stay_as_they_were() -> None:
    heard: list[Look] = []
    like = ["linucb", "linucb:prior=1.1"]
    asked: dict[str, Any] = {"policies": like, "until": 1e-7, "max_users": 100, "looked": heard.append}
    found = oo_sim.compare("quickstart", **asked, **SMALL)
    assert [each.users for each in heard] == [30, 60, 100]
    assert "100 users, the most allowed" in found.notes[-1]
    assert any("in all 1.9 times the decisions of the last one" in note for note in found.notes)
    once = oo_sim.compare("quickstart", policies=like, rounds=10, users=60)
    assert once.pairs[0].difference.estimate == heard[1].intervals[0].estimate


def test_looks_that_make_no_sense_are_refused() -> None:
    run = oo_sim.run("quickstart", policies=["random", "greedy"], users=3, rounds=3)
    with pytest.raises(ComparisonError, match="requires scenarios to run"):
        oo_sim.compare(run, until=0.1)
    for width in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ComparisonError, match="a width above 0"):
            oo_sim.compare("quickstart", until=width)
    with pytest.raises(ComparisonError, match="at least the 400 users of the first look, not 399"):
        oo_sim.compare("quickstart", until=0.1, max_users=399)
    for most in (math.nan, 500.5, "500"):
        with pytest.raises(ComparisonError, match="max_users must be a whole number"):
            oo_sim.compare("quickstart", until=0.1, max_users=most)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"policies": "linucb"}, r"must be a list of specs or policies, such as \['linucb'\], not 'linucb'"),
        ({"policies": []}, "must be a list of specs or policies"),
        ({"bootstrap_seed": -1}, "bootstrap_seed must be a whole number of at least 0, not -1"),
        ({"until": "wide"}, "until must be a width above 0, such as 0.005, not 'wide'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ComparisonError, match=said):
        oo_sim.compare("quickstart", **asked)


def test_no_users_are_added_where_no_two_policies_have_results() -> None:
    def broken(scores: F64, batch: Batch) -> Probs:
        raise ValueError("no idea")

    heard: list[Look] = []
    policies: list[str | Policy] = ["random", make("greedy")._replace(name="broken", probs=broken)]
    found = oo_sim.compare("quickstart", policies=policies, until=0.1, unchecked=True, looked=heard.append, **SMALL)
    assert not heard
    assert not found.pairs
    assert list(found.failures) == ["quickstart: broken"]
    assert "Stopped" not in " ".join(found.notes)
    assert "broken failed" in str(found.table())
