"""The independent audit derives a served log again: every score, tie, probability and draw, across resets."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from oo_sim.audit import audit_directory, audit_tables
from oo_sim.serving.export import export_log
from oo_sim.serving.migrate import migrate

from .conftest import Client, serving, task

POLICIES = ("linucb", "egreedy", "thompson", "random")


def _call(client: Client, chance: random.Random, rewards: bool = True) -> None:
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
    if rewards and chance.random() < 0.2 and policy in ("linucb", "egreedy"):
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


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        (("linucb:prior=2", "egreedy:epsilon=0.5", "thompson:samples=3", "random"), ()),
        (("linucb:alpha=0.1", "egreedy=softmax:features=oo7", "thompson=linucb:features=oo7", "random"), ()),
        (("linucb:features=oo7x", "egreedy", "thompson", "random"), ("linucb",)),
    ],
)
def test_each_decision_of_a_migrated_policy_is_derived_in_the_way_it_was_made(
    tmp_path: Path, after: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    """Before and after a migration; with other features, the first lines say that scores were not derived."""
    chance = random.Random(3)
    with serving(tmp_path / "state", policies=POLICIES, seed=5) as client:
        for _ in range(60):
            _call(client, chance, rewards=not missing)
    migrate(tmp_path / "state", after)
    with serving(tmp_path / "state", policies=after, seed=5) as client:
        for _ in range(60):
            _call(client, chance, rewards=False)
    export_log(tmp_path / "state", tmp_path / "log")
    report = audit_directory(tmp_path / "log")
    assert not report.violations or missing, report
    assert tuple(policy.label for policy in report.policies if "scores" in policy.unchecked) == missing
    for policy in report.policies:
        if policy.label not in missing:
            assert policy.checks["score"].judged == policy.decisions
            assert not policy.wrong
    manifest = json.loads((tmp_path / "log" / "manifest.json").read_text())
    ways = [entry for entry in manifest["policies"] if entry["label"] == "egreedy"]
    if len(ways) == 2:  # each under the other's hash: what is derived is another policy's
        ways[0]["hash"], ways[1]["hash"] = ways[1]["hash"], ways[0]["hash"]
        (tmp_path / "log" / "manifest.json").write_text(json.dumps(manifest))
        assert any(policy.wrong for policy in audit_directory(tmp_path / "log").policies if policy.label == "egreedy")


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
