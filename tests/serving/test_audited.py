"""The independent audit derives a served log again: every score, tie, probability and draw, across resets."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq

from oo_sim.audit import audit_directory, audit_tables
from oo_sim.serving.export import export_log

from .conftest import Client, serving, task

POLICIES = ("linucb", "egreedy", "thompson", "random")


def _call(client: Client, chance: random.Random) -> None:
    user, policy = f"user {chance.randrange(4)}", chance.choice(POLICIES)
    offered = [
        task(f"t{k}", priority=chance.randrange(1, 5), is_overdue=k % 2 == 0, task_age_days=chance.uniform(-3, 40))
        for k in range(chance.randrange(1, 6))
    ]
    context = {"hour_of_day": chance.randrange(24), "day_of_week": chance.randrange(7)}
    reply = client.post(f"/score/{policy}", {"user_id": user, "candidates": offered, "context": context})
    if chance.random() < 0.6:
        reaction = chance.choice(("done", "dismiss", "helpful", "snooze"))
        client.post("/react", {"decision_id": reply["decision_id"], "reaction": reaction})
    if chance.random() < 0.2 and policy in ("linucb", "egreedy"):
        features = {"hour_of_day": chance.randrange(24), "priority": 2}
        body = {"user_id": user, "tip_id": "x", "reward": chance.uniform(-1, 1), "features": features}
        client.post(f"/reward/{policy}", body)
    if chance.random() < 0.02:
        client.post(f"/reset/{user.replace(' ', '%20')}")


def test_rewards_before_the_first_decision_are_learned_and_forgotten(tmp_path: Path) -> None:
    """After as many decisions as a window or an epoch has, scores are those of a user who was never rewarded."""
    policies = ("swlinucb:window=3", "restart_linucb:period=4")
    last: dict[tuple[str, str], float] = {}
    with serving(tmp_path / "state", policies=policies, seed=5) as client:
        for policy in ("swlinucb", "restart_linucb"):
            for reward in (0.5, 1.0):
                body = {"user_id": "early", "tip_id": "x", "reward": reward, "features": {"hour_of_day": 9}}
                client.post(f"/reward/{policy}", body)
            for user in ("early", "never"):
                for t in range(6):
                    context = {"hour_of_day": 9, "day_of_week": 1}
                    body = {"user_id": user, "candidates": [task("a", priority=2)], "context": context}
                    score = client.post(f"/score/{policy}", body)["score"]
                    last[policy, user] = score
                    if t == 0:
                        last[policy, f"{user} at first"] = score
    for policy in ("swlinucb", "restart_linucb"):
        assert last[policy, "early at first"] != last[policy, "never at first"]
        assert abs(last[policy, "early"] - last[policy, "never"]) < 1e-12
    export_log(tmp_path / "state", tmp_path / "log")
    assert audit_directory(tmp_path / "log").clean


def test_a_served_log_passes_the_audit(tmp_path: Path) -> None:
    chance = random.Random(3)
    with serving(tmp_path / "state", policies=POLICIES, seed=5) as client:
        for _ in range(300):
            _call(client, chance)
    export_log(tmp_path / "state", tmp_path / "log")
    decisions, learnings = (pq.read_table(tmp_path / "log" / f"{name}.parquet") for name in ("decisions", "learnings"))
    assert "reset" in learnings["kind"].to_pylist()
    manifest = json.loads((tmp_path / "log" / "manifest.json").read_text())
    report = audit_tables(decisions, learnings, manifest)
    assert sum(policy.decisions for policy in report.policies) == 300
    assert not report.refused
    assert all(count.wrong == 0 for policy in report.policies for count in policy.checks.values())
    judged = {name for policy in report.policies for name, count in policy.checks.items() if count.judged}
    assert judged >= {"order", "features", "learned", "score", "argmax", "tie", "probs", "explored", "draw"}
