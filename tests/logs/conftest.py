"""Small made-up runs: arrays as the engine hands them over, and a whole run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from oo_sim.contract import Candidates, Decision
from oo_sim.logs import CURVES, USERS, EventSource, Manifest, RunWriter, decision_batch, learning_batch

SOURCE = EventSource("linucb", "hash-1", 0, propensities=True, explores=True)


def lanes(n: int, seed: int, K: int = 4, d: int = 3) -> tuple[Candidates, Decision]:
    """Random candidates, 1 to K standing, and a decision among them for each of n lanes."""
    g = np.random.default_rng(seed)
    size = g.integers(1, K + 1, n)
    mask = np.arange(K)[:, None] < size
    is_llm = (g.random((K, n)) < 0.3).astype(np.float64)
    candidates = Candidates(
        is_overdue=g.integers(0, 2, (K, n)).astype(np.float64),
        task_age_days=g.integers(-9, 9, (K, n)).astype(np.float64),
        priority=g.integers(1, 5, (K, n)).astype(np.float64),
        is_llm=is_llm,
        hour=g.integers(0, 24, n),
        day=g.integers(0, 7, n),
        mask=mask,
        serial=np.where(is_llm > 0, -1, g.integers(0, 99, (K, n))),
    )
    probs = mask / size
    index = g.integers(0, size)
    return candidates, Decision(
        x=g.normal(size=(K, d, n)),
        probs=probs,
        chosen=index,
        propensity=probs[index, np.arange(n)],
        score=g.normal(size=n),
        explored=g.random(n) < 0.1,
    )


def events(n: int = 5, seed: int = 0, source: EventSource = SOURCE) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """One round's batches of decisions and learnings."""
    candidates, decision = lanes(n, seed)
    users = [f"user-{i}" for i in range(n)]
    t = np.full(n, seed)
    expected = np.where(candidates.mask, 0.25, 0.0)
    decisions = decision_batch(
        source,
        users,
        t,
        candidates=candidates,
        decision=decision,
        expected=expected.max(axis=0),
        best=expected.max(axis=0),
    )
    learnings = learning_batch(
        source,
        users,
        t,
        t_decided=t,
        t_now=t,
        x=decision.x[0],
        reaction=np.arange(n) % 6,
        reward=np.arange(n) / 4 - 1,
        learn=np.arange(n) % 6 < 5,
    )
    return decisions, learnings


def manifest(**changes: Any) -> Manifest:
    """A whole manifest of one policy."""
    return Manifest.from_dict(manifest_data(**changes), Path("manifest.json"))


def manifest_data(**changes: Any) -> dict[str, Any]:
    """What its file holds."""
    features = {"name": "toy", "names": ["a", "b", "c"]}
    return {
        "format": 1,
        "name": "toy",
        "scenario": {"name": "toy"},
        "policies": [{"label": "linucb", "name": "linucb", "hash": "hash-1", "parameters": {}, "features": features}],
        "seed": 1,
        "users": 5,
        "rounds": 2,
        "replicates": 1,
        "own_trajectory": False,
        "has_reactions": True,
        "versions": {},
        "content_hash": "0",
        "failures": {},
        "timing": {"linucb": {"seconds": 1.0, "decisions_per_second": 10.0}},
        "threads": 1,
        **changes,
    }


def curves() -> pa.Table:
    """Two rounds of one policy and five users, without reactions."""
    zeros = {name: [0, 0] for name in ("dismiss", "not_helpful", "snooze", "helpful", "done", "none")}
    sums = {"reward": [1.0, 2.0], "expected_reward": [1.5, 1.5], "regret": [0.5, 0.25]}
    keys = {"policy": ["linucb"] * 2, "replicate": [0, 0], "round": [1, 2], "users": [5, 5]}
    fates = {"pending": [2, 3], "rewarded": [3, 6], "expired": [0, 0], "never": [0, 1]}
    return pa.table({**keys, **sums, **zeros, **fates}, schema=CURVES)


def users() -> pa.Table:
    """Five users at two checkpoints."""
    return pa.table(
        {
            "policy": ["linucb"] * 10,
            "replicate": [0] * 10,
            "user_id": [f"user-{i}" for i in range(5) for _ in range(2)],
            "segment": [None] * 10,
            "round": [1, 2] * 5,
            "reward": [0.2, 0.6] * 5,
            "expected_reward": [0.3, 0.6] * 5,
            "regret": [0.1, 0.15] * 5,
            "decisions": [1, 2] * 5,
        },
        schema=USERS,
    )


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """A committed run without events."""
    with RunWriter(tmp_path / "run") as writer:
        writer.write_manifest(manifest())
        writer.write_table("curves", curves())
        writer.write_table("users", users())
        return writer.commit()
