"""What the engine logs passes the audit: two codes, written apart, agree on every decision."""

from __future__ import annotations

from pathlib import Path

import pytest

import oo_sim
from oo_sim.audit import audit_directory

POLICIES = ["linucb", "egreedy:decay=0.05", "greedy", "softmax", "thompson:samples=5", "random", "oracle"]


@pytest.mark.parametrize("scenario", ["quickstart", "linear", "exact_ties", "tiny_sets"])
def test_engine_logs_are_clean(scenario: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    oo_sim.run(scenario, policies=POLICIES, users=20, rounds=40, events=True, out=out, plot=False)
    report = audit_directory(out)
    assert report.clean, report
    assert [policy.decisions for policy in report.policies] == [800] * len(POLICIES)
    judged = {policy.label: set(policy.checks) for policy in report.policies}
    assert {"score", "argmax", "tie", "draw"} <= judged["linucb"]
    assert {"score", "probs", "explored", "draw"} <= judged["egreedy:decay=0.05"]
