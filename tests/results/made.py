"""Made-up runs whose summaries can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from oo_sim.logs import CURVES, USERS, Manifest
from oo_sim.results import Run

LEVELS = {"linucb": 0.3, "egreedy": 0.2, "random": 0.0, "oracle": 0.5}
BuildRun = Callable[..., Run]


def tables(
    policies: Sequence[str],
    users: int,
    rounds: int,
    replicates: int,
    segments: Sequence[str | None] = (None,),
    marks: Sequence[int] = (1, 2, 5),
) -> tuple[pa.Table, pa.Table]:
    """User u earns u/10 more than the policy's level each round, in replicate r also r/10; reward is half.

    Users take turns among the segments.
    """
    curves, totals = [], []
    offsets = np.arange(users) / 10
    for policy in policies:
        level = LEVELS.get(policy, 0.25)
        for r in range(replicates):
            each = level + offsets + r / 10
            regret = 0.5 - level
            n = rounds
            sums = {"reward": each.sum() / 2, "expected_reward": each.sum(), "regret": users * regret}
            counts = dict.fromkeys(("dismiss", "not_helpful", "snooze", "helpful", "done"), [0] * n)
            keys = {
                "policy": [policy] * n,
                "replicate": [r] * n,
                "round": range(1, n + 1),
                "users": [users] * n,
            }
            row = {**keys, **{k: [v] * n for k, v in sums.items()}, **counts, "none": [users // 2] * n}
            fates = {"rewarded": [users * t for t in range(1, n + 1)]}
            row |= {**dict.fromkeys(("pending", "expired", "never"), [0] * n), **fates}
            curves.append(pa.table(row, schema=CURVES))
            for t in sorted({*marks, rounds}):
                ids = [f"user-{i}" for i in range(users)]
                row = {"policy": [policy] * users, "replicate": [r] * users, "user_id": ids}
                row |= {
                    "segment": [segments[i % len(segments)] for i in range(users)],
                    "round": [t] * users,
                    "reward": each * t / 2,
                }
                row |= {"expected_reward": each * t, "regret": [regret * t] * users, "decisions": [t] * users}
                totals.append(pa.table(row, schema=USERS))
    return (
        pa.concat_tables([CURVES.empty_table(), *curves]),
        pa.concat_tables([USERS.empty_table(), *totals]),
    )


def manifest(policies: Sequence[str], users: int, rounds: int, replicates: int, **changes: Any) -> Manifest:
    features = {"name": "oo5", "names": ["a"]}
    data = {
        "format": 1,
        "name": "toy",
        "scenario": {},
        "policies": [
            {"label": p, "name": p.split(":")[0], "hash": p, "parameters": {}, "features": features} for p in policies
        ],
        "seed": 1,
        "users": users,
        "rounds": rounds,
        "replicates": replicates,
        "own_trajectory": False,
        "has_reactions": True,
        "versions": {},
        "content_hash": "0",
        "failures": {},
        "timing": {p: {"seconds": 0.5, "decisions_per_second": 1234567.8} for p in policies},
        "threads": 1,
        **changes,
    }
    return Manifest.from_dict(data, Path("manifest.json"))


@pytest.fixture
def build() -> BuildRun:
    """A function that makes a run in memory; policies without results are named in `missing`."""

    def make(
        policies: Sequence[str] = tuple(LEVELS),
        users: int = 4,
        rounds: int = 10,
        replicates: int = 1,
        missing: Sequence[str] = (),
        segments: Sequence[str | None] = (None,),
        marks: Sequence[int] = (1, 2, 5),
        **changes: Any,
    ) -> Run:
        found = [p for p in policies if p not in missing]
        return Run(
            manifest(policies, users, rounds, replicates, **changes),
            *tables(found, users, rounds, replicates, segments, marks),
        )

    return make
