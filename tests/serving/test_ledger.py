"""Decision ids: duplicates, conflicts, unknown ones, late ones; and who may reset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from oo_sim.contract import REACTIONS, REWARDS
from oo_sim.serving.export import export_log

from .conftest import Client, serving, task


def _scored(client: Client, user: str = "u", policy: str = "linucb") -> dict[str, Any]:
    reply: dict[str, Any] = client.post(f"/score/{policy}", {"user_id": user, "candidates": [task("a", priority=3)]})
    return reply


def _rewarded(client: Client, decision_id: str, reward: float, **more: object) -> Any:
    body = {"user_id": "u", "tip_id": "a", "reward": reward, "decision_id": decision_id, **more}
    return client.call("POST", "/reward", body)


def test_the_same_reward_twice_changes_nothing(client: Client) -> None:
    decision = _scored(client)["decision_id"]
    assert _rewarded(client, decision, 0.5).body == {"ok": True, "duplicate": False}
    before = client.get("/stats/u")
    assert _rewarded(client, decision, 0.5).body == {"ok": True, "duplicate": True}
    assert client.post("/react", {"decision_id": decision, "reaction": "helpful"})["duplicate"] is True
    assert client.get("/stats/u") == before


@pytest.mark.parametrize("policy", ["linucb", "egreedy", "dlinucb"])
@pytest.mark.parametrize("reaction", REACTIONS)
def test_a_retried_reaction_is_learned_once(tmp_path: Path, policy: str, reaction: str) -> None:
    """By either call, before and after a restart; a snooze too, though its reward is 0. Any other reaction differs."""
    reward = REWARDS[REACTIONS.index(reaction)]
    state = tmp_path / "state"

    def retried(client: Client) -> None:
        assert client.post("/react", {"decision_id": decision, "reaction": reaction})["duplicate"] is True
        body = {"user_id": "u", "tip_id": "a", "reward": reward, "decision_id": decision}
        assert client.post(f"/reward/{policy}", body)["duplicate"] is True
        for other in REACTIONS:
            answer = client.call("POST", "/react", {"decision_id": decision, "reaction": other})
            assert answer.status == (200 if other == reaction else 409)

    with serving(state, policies=["dlinucb"], seed=1) as client:
        decision = _scored(client, policy=policy)["decision_id"]
        assert client.post("/react", {"decision_id": decision, "reaction": reaction})["duplicate"] is False
        before = client.get(f"/stats/{policy}/u")
        retried(client)
    with serving(state, policies=["dlinucb"]) as client:
        retried(client)
        assert client.get(f"/stats/{policy}/u") == before
        assert (before["reward_count"], before["cumulative_reward"]) == (1, reward)
    export_log(state, tmp_path / "out")
    [row] = pq.read_table(tmp_path / "out" / "learnings.parquet").to_pylist()
    assert (row["reaction"], row["reward"], row["tip_id"], row["decision_id"]) == (reaction, reward, "a", decision)


def test_another_reward_for_the_same_decision_is_a_conflict(client: Client) -> None:
    decision = _scored(client)["decision_id"]
    _rewarded(client, decision, 0.5)
    before = client.get("/stats/u")
    assert _rewarded(client, decision, 1.0).status == 409
    assert client.call("POST", "/react", {"decision_id": decision, "reaction": "done"}).status == 409
    assert client.get("/stats/u") == before


@pytest.mark.parametrize(
    "decision", ["linucb/0/7/u", "linucb/0/0/v", "egreedy/0/0/u", "linucb/1/0/u", "linucb/0/00/u", "x", "linucb/0/0/"]
)
def test_a_decision_that_was_never_made_is_not_known(client: Client, decision: str) -> None:
    _scored(client)
    assert _rewarded(client, decision, 1.0).status == 404
    assert client.get("/stats/u")["reward_count"] == 0


def test_another_tip_than_the_one_served_is_a_conflict(client: Client) -> None:
    decision = _scored(client)["decision_id"]
    assert _rewarded(client, decision, 1.0, tip_id="b").status == 409


def test_late_rewards_in_any_order_are_learned_from_the_decisions_own_vector(client: Client) -> None:
    decisions = [_scored(client)["decision_id"] for _ in range(3)]
    wrong = {"hour_of_day": 3, "priority": 1}  # what the caller says the features were does not count
    for decision in reversed(decisions):
        assert _rewarded(client, decision, 1.0, features=wrong).status == 200
    for _ in range(3):
        features = {"hour_of_day": 12, "priority": 3}
        client.post("/reward", {"user_id": "v", "tip_id": "a", "reward": 1, "features": features})
    assert client.get("/stats/u")["theta"] == client.get("/stats/v")["theta"]


def test_a_reset_ends_what_was_decided_before(client: Client) -> None:
    rewarded, open_ = _scored(client)["decision_id"], _scored(client)["decision_id"]
    _rewarded(client, rewarded, 0.5)
    client.post("/reset/u")
    assert _rewarded(client, rewarded, 0.5).body["duplicate"] is True  # a retry is still a retry
    assert _rewarded(client, open_, 0.5).status == 404
    assert client.get("/stats/u")["reward_count"] == 0


def test_thompson_does_not_know_its_propensity_and_random_has_no_theta(tmp_path: Path) -> None:
    with serving(tmp_path, policies=["thompson", "random", "bold=linucb:alpha=3"]) as client:
        assert _scored(client, policy="thompson")["propensity"] is None
        assert _scored(client, policy="random")["propensity"] == 1.0
        assert client.get("/stats/random/u")["theta"] == []
        assert client.get("/stats/random/u")["exploration_rate"] == 1.0
        assert _scored(client, policy="bold")["decision_id"] == "bold/0/0/u"
        assert client.get("/stats/u")["pulls"] == 0


def test_a_reset_needs_the_token_where_there_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, admin_token="s3cret") as client:
        assert client.call("POST", "/reset/u").status == 401
        assert client.call("POST", "/reset/u", headers={"Authorization": "Bearer wrong"}).status == 401
        assert client.call("POST", "/reset/u", headers={"Authorization": "Bearer s3cret"}).status == 200


def test_a_reset_is_for_this_machine_alone_where_there_is_no_token(client: Client) -> None:
    assert client.call("POST", "/reset/u").status == 200
    assert client.call("POST", "/reset/u", headers={"X-Forwarded-For": "203.0.113.7"}).status == 403
    assert client.call("POST", "/reset/u", headers={"Origin": "http://evil.example"}).status == 403


def test_the_token_comes_from_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OO_ADMIN_TOKEN", "s3cret")
    with serving(tmp_path) as client:
        assert client.call("POST", "/reset/u").status == 401


def test_metrics_and_request_ids(client: Client) -> None:
    answer = client.call("POST", "/score", {"user_id": "u", "candidates": [task("a")]}, {"X-Request-Id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    first, second = (client.call("GET", "/health", headers={"X-Request-Id": "no good"}) for _ in range(2))
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    client.call("GET", "/no/such/place")
    text = client.call("GET", "/metrics").body
    assert 'oo_sim_decisions_total{policy="linucb"} 1.0' in text
    assert 'oo_sim_requests_total{method="POST",route="/score",status="200"} 1.0' in text
    assert 'oo_sim_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert 'oo_sim_request_seconds_bucket{le="+Inf",route="/health"} 2.0' in text


def test_docs_need_no_other_host(client: Client) -> None:
    page = client.call("GET", "/docs")
    named = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.body)
    assert len(named) >= 4
    for path in named:
        assert path.startswith("/")
        assert client.call("GET", path).status == 200
    assert "://" not in page.body
    assert "SwaggerUIBundle" in client.call("GET", "/docs/assets/swagger-ui-bundle.js").body
    assert client.call("GET", "/docs/assets/..%2Fapp.py").status == 404


def test_the_schema_names_every_call(client: Client) -> None:
    schema = client.get("/openapi.json")
    for path in ("/score", "/reward/egreedy", "/stats/egreedy/{user_id}", "/recommend", "/react", "/generate"):
        assert path in schema["paths"]
    assert "ScoreBody" in schema["components"]["schemas"]
