"""Summaries against numbers worked out by hand, and the words under the table."""

from __future__ import annotations

import json
import math

import pytest

from .made import BuildRun

# Student's t, 0.975 quantile with 3 degrees of freedom, from printed tables.
T3 = 3.182446305284263


def test_the_interval_is_over_users(build: BuildRun) -> None:
    # Four users at 0.3, 0.4, 0.5, 0.6: mean 0.45, variance 0.05 / 3, whatever the number of rounds.
    half = T3 * math.sqrt(0.05 / 3 / 4)
    for rounds in (10, 1000):
        row = build(rounds=rounds).rows[0]
        assert row.expected_reward == pytest.approx((0.45, 0.45 - half, 0.45 + half, 4))
        assert row.reward == pytest.approx((0.225, 0.225 - half / 2, 0.225 + half / 2, 4))
        assert row.regret_per_user == pytest.approx((0.2 * rounds, 0.2 * rounds, 0.2 * rounds, 4))
        assert row.regret_per_decision == pytest.approx(0.2)
        assert row.decisions == 4 * rounds
        assert row.no_reaction == 0.5
        assert row.decisions_per_second == 1234567.8


def test_replicates_of_a_user_are_one_value(build: BuildRun) -> None:
    # Two replicates shift each user's mean by 0.05 and leave both the spread and the number of users alone.
    one, two = (build(replicates=count).rows[0] for count in (1, 2))
    assert two.expected_reward.n == 4
    assert two.expected_reward.estimate == pytest.approx(one.expected_reward.estimate + 0.05)
    assert two.expected_reward.width == pytest.approx(one.expected_reward.width)
    assert two.decisions == 2 * one.decisions


def test_one_user_has_no_interval(build: BuildRun) -> None:
    run = build(users=1)
    assert math.isnan(run.rows[0].expected_reward.lower)
    data = run.as_dict()
    assert data["rows"][0]["expected_reward"] == {"estimate": 0.3, "lower": None, "upper": None, "n": 1}
    assert any("No interval with one user" in note for note in data["notes"])


def test_rows_keep_the_manifests_order_and_leave_out_what_failed(build: BuildRun) -> None:
    run = build(("random", "linucb", "egreedy"), missing=["linucb"], failures={"linucb": "score returned NaN"})
    assert [row.policy for row in run.rows] == ["random", "egreedy"]
    assert run.failures == {"linucb": "score returned NaN"}
    assert run.as_dict()["failures"] == run.failures


def test_a_run_in_which_all_failed_is_an_empty_table(build: BuildRun) -> None:
    run = build(("linucb",), missing=["linucb"], failures={"linucb": "no"})
    assert run.rows == []
    assert len(run.frame()) == 0
    assert list(run.frame().columns) == list(build().frame().columns)


def test_a_world_without_reactions_has_no_share(build: BuildRun) -> None:
    assert build(has_reactions=False).rows[0].no_reaction is None


def test_the_notes_say_what_the_numbers_mean(build: BuildRun) -> None:
    notes = " ".join(build().as_dict()["notes"])
    assert "interval of the mean over 4 users" in notes
    assert "never over rounds" in notes
    assert "oracle" in notes
    assert "0 by construction" in notes
    assert "own trajectory" not in notes
    assert "oracle" not in " ".join(build(("linucb",)).as_dict()["notes"])
    own = " ".join(build(own_trajectory=True).as_dict()["notes"])
    assert "own trajectory: reward, not regret, compares policies" in own


def test_json_has_the_documented_keys_and_no_nan(build: BuildRun) -> None:
    run = build(users=1, timing={"linucb": {"decisions_per_second": math.inf}})
    data = json.loads(json.dumps(run.as_dict(), allow_nan=False))
    assert list(data) == [
        *("path", "name", "users", "rounds", "replicates", "seed", "content_hash", "level"),
        *("rows", "failures", "notes"),
    ]
    assert list(data["rows"][0]) == [
        *("policy", "decisions", "expected_reward", "reward", "regret_per_user", "regret_per_decision"),
        *("no_reaction", "decisions_per_second", "users_at_the_end", "rewarded", "pending", "expired", "never"),
    ]
    assert {row["decisions_per_second"] for row in data["rows"]} == {None}


def test_the_frame_has_a_column_for_each_bound(build: BuildRun) -> None:
    frame = build(("linucb", "oracle")).frame()
    assert frame["policy"].to_list() == ["linucb", "oracle"]
    assert frame["regret_per_user"].to_list() == pytest.approx([2, 0])
    assert (frame["expected_reward_lower"] < frame["expected_reward"]).all()
    assert (frame["expected_reward_upper"] > frame["expected_reward"]).all()
