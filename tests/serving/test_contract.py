"""The contract, endpoint by endpoint, against numbers worked out by hand."""

from __future__ import annotations

import math
from urllib.parse import quote

import pytest

from .conftest import Client, task

NOON = {"hour_of_day": 12, "day_of_week": 0}


def test_health(client: Client) -> None:
    assert client.get("/health") == {"ok": True}


def test_an_unknown_user_has_zeros(client: Client) -> None:
    stats = client.get("/stats/nobody")
    assert stats["theta"] == [0.0] * 5
    counts = ("pulls", "reward_count", "cumulative_reward", "estimated_mean_reward")
    assert [stats[name] for name in counts] == [0, 0, 0, 0]
    assert stats["last_updated"] is None
    assert client.get("/stats/egreedy/nobody")["theta"] == [0.0] * 7
    assert client.get("/features/nobody") == {"user_id": "nobody", "history": []}


def test_one_reward_by_hand(client: Client) -> None:
    """At noon x = (sin pi, cos pi, 0, 0, 0) = (0, -1, 0, 0, 0) (to rounding). A = I + x x' has 2 in place (1, 1), so
    theta = A^-1 r x = (0, -1/2, 0, 0, 0) r, and the same tip's score is theta.x + sqrt(x' A^-1 x) = r/2 + sqrt(1/2).
    """
    body = {"user_id": "u", "candidates": [task("a")], "context": NOON}
    assert client.post("/score", body)["score"] == 1.0  # alpha |x| = 1 before anything is learned
    assert client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": 0.5, "features": {}})["ok"] is True
    theta = client.get("/stats/u")["theta"]
    assert theta == pytest.approx([0.0, -0.25, 0.0, 0.0, 0.0], abs=1e-15)
    assert client.post("/score", body)["score"] == pytest.approx(0.25 + math.sqrt(0.5), abs=1e-15)


def test_all_features_by_hand(client: Client) -> None:
    """Hour 6: (sin, cos) = (1, 0); overdue 1; age 45 is clipped to 30 / 30 = 1; priority (4 - 1) / 3 = 1; so x has four
    ones, x'x = 4, and after one reward 1 theta = x / (1 + 4)."""
    features = {"hour_of_day": 6, "is_overdue": True, "task_age_days": 45, "priority": 4}
    client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": 1, "features": features})
    assert client.get("/stats/u")["theta"] == pytest.approx([0.2, 0.0, 0.2, 0.2, 0.2], abs=1e-15)


def test_egreedy_learns_the_day_too(client: Client) -> None:
    """Midnight, day 0, nothing else: x = (0, 1, 0, 0, 0, 0, 1); x'x = 2; theta = x / 3 after one reward 1."""
    body = {"user_id": "u", "tip_id": "a", "reward": 1, "features": {"hour_of_day": 0}, "day_of_week": 0}
    client.post("/reward/egreedy", body)
    stats = client.get("/stats/egreedy/u")
    assert stats["theta"] == pytest.approx([0, 1 / 3, 0, 0, 0, 0, 1 / 3], abs=1e-15)
    assert stats["policy"] == "egreedy-v1"
    assert stats["exploration_rate"] == 0
    names = ["hour_sin", "hour_cos", "is_overdue", "task_age", "priority", "dow_sin", "dow_cos"]
    assert stats["feature_labels"] == names
    assert client.get("/stats/u")["reward_count"] == 0  # the other policy learned nothing


def test_ages_are_clipped_from_both_sides(client: Client) -> None:
    """A task due in 5 days has age 0, so it ties with one due today and the first is served; ages 30 and 99 tie."""
    body = {"user_id": "u", "candidates": [task("early", task_age_days=-5), task("now", task_age_days=0)]}
    assert client.post("/score", body)["tip_id"] == "early"
    body = {"user_id": "u", "candidates": [task("old", task_age_days=30), task("older", task_age_days=99)]}
    assert client.post("/score", body)["tip_id"] == "old"


def test_the_context_hour_counts_and_the_candidates_hour_does_not(client: Client) -> None:
    scores = {
        client.post("/score", {"user_id": f"u{hour}", "candidates": [task("a", hour_of_day=hour, priority=3)]})["score"]
        for hour in (0, 5, 23)
    }
    assert len(scores) == 1


def test_stats_count_calls(client: Client) -> None:
    for reward in (1.0, -0.5):
        client.post("/score", {"user_id": "u", "candidates": [task("a")]})
        client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": reward, "features": {}})
    client.post("/score", {"user_id": "u", "candidates": [task("a")]})
    stats = client.get("/stats/u")
    assert (stats["pulls"], stats["reward_count"]) == (3, 2)
    assert (stats["cumulative_reward"], stats["estimated_mean_reward"]) == (0.5, 0.25)
    assert len(stats["last_updated"]) == len("2026-01-31T08:00:00Z")


def test_scoring_never_changes_what_was_learned(client: Client) -> None:
    client.post("/reward", {"user_id": "u", "tip_id": "a", "reward": 1, "features": {}})
    before = client.get("/stats/u")["theta"]
    for _ in range(5):
        client.post("/score", {"user_id": "u", "candidates": [task("a"), task("b", priority=4)]})
    assert client.get("/stats/u")["theta"] == before


def test_propensities_of_egreedy(client: Client) -> None:
    """With K = 4 the greedy candidate has 0.9 + 0.1 / 4, every other one 0.1 / 4. All tie at first: 'a' is greedy."""
    names = ("a", "b", "c", "d")
    for user in range(60):
        reply = client.post("/score/egreedy", {"user_id": f"u{user}", "candidates": [task(name) for name in names]})
        assert reply["propensity"] == pytest.approx(0.925 if reply["tip_id"] == "a" else 0.025, abs=1e-15)
        assert reply["policy"] == "egreedy-v1"


def test_the_history_has_the_last_hundred_of_both_policies(client: Client) -> None:
    for i in range(60):
        client.post(
            "/score", {"user_id": "u", "candidates": [task(f"l{i}", priority=2)], "context": {"hour_of_day": 7}}
        )
        client.post("/score/egreedy", {"user_id": "u", "candidates": [task(f"e{i}")], "context": {"day_of_week": 3}})
    history = client.get("/features/u")["history"]
    assert [one["tip_id"] for one in history] == [f"{kind}{i}" for i in range(10, 60) for kind in "le"]
    first, second = history[:2]
    assert first["policy"] == "linucb-v1"
    assert first["features"] == {"hour_of_day": 7, "is_overdue": False, "task_age_days": 0.0, "priority": 2}
    assert second["policy"] == "egreedy-v1"
    assert second["features"]["day_of_week"] == 3
    explored = sum(one["features"]["exploring"] for one in history if one["policy"] == "egreedy-v1")
    rate = client.get("/stats/egreedy/u")["exploration_rate"]
    assert 0 <= explored <= round(60 * rate) <= explored + 10


def test_reset_forgets_the_user_alone_and_numbers_go_on(client: Client) -> None:
    for user in ("u", "v"):
        client.post("/score", {"user_id": user, "candidates": [task("a")]})
        client.post("/reward", {"user_id": user, "tip_id": "a", "reward": 1, "features": {}})
    assert client.post("/reset/u") == {"ok": True}
    assert client.get("/stats/u")["theta"] == [0.0] * 5
    assert client.get("/stats/u")["pulls"] == 0
    assert client.get("/stats/u")["last_updated"] is None
    assert client.get("/features/u")["history"] == []
    assert client.get("/stats/v")["pulls"] == 1
    assert client.post("/score", {"user_id": "u", "candidates": [task("a")]})["decision_id"] == "linucb/0/1/u"


@pytest.mark.parametrize(
    ("one", "other"), [("a.b", "a_b"), ("A", "a"), ("\u00e9", "e\u0301"), ("a/b", "a_b"), ("a ", "a")]
)
def test_ids_that_look_alike_are_different_users(client: Client, one: str, other: str) -> None:
    client.post("/score", {"user_id": one, "candidates": [task("a")]})
    assert client.get(f"/stats?user_id={quote(one, safe='')}")["pulls"] == 1
    assert client.get(f"/stats?user_id={quote(other, safe='')}&policy=linucb-v1")["pulls"] == 0
    assert len(client.get(f"/features?user_id={quote(one, safe='')}")["history"]) == 1
