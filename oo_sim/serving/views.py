"""What a user's rows look like to a caller: statistics and history."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from oo_sim.serving.ids import DecisionId
from oo_sim.serving.ledger import Ledger
from oo_sim.serving.mounts import Mount
from oo_sim.serving.replies import History, Shown, ShownFeatures, Stats
from oo_sim.serving.rows import Model, Offered, read_model
from oo_sim.serving.writer import Work

HISTORY = 100
"""Decisions that a history shows."""
_PLAIN = "linucb"
"""The policy whose history shows no day and no exploration, because it knows neither."""


def stats(ledger: Ledger, mount: Mount, user: str) -> Work[Stats]:
    """The user's counts and theta under a policy; zeros for an unknown user."""

    def work(db: sqlite3.Connection) -> Stats:
        model = read_model(db, user, ledger.number(mount))
        return Stats(
            user_id=user,
            pulls=model.pulls,
            reward_count=model.rewards,
            cumulative_reward=model.total,
            estimated_mean_reward=model.total / model.rewards if model.rewards else 0.0,
            theta=_theta(mount, model),
            last_updated=None if model.updated is None else utc_second(model.updated),
            policy=mount.wire,
            exploration_rate=_exploration(mount, model),
            feature_labels=list(mount.policy.features.names),
        )

    return work


def _theta(mount: Mount, model: Model) -> list[float]:
    """The coefficients, where the policy's state has such."""
    theta = getattr(mount.packing.unpack(model.state), "theta", None)
    return [] if theta is None else [float(value) for value in np.atleast_2d(theta)[..., 0].ravel()]


def _exploration(mount: Mount, model: Model) -> float | None:
    if not mount.policy.explores:
        return None
    return model.explored / model.pulls if model.pulls else 0.0


class _Row(NamedTuple):
    n: int
    policy: int
    t: int
    ts: int
    hour: int
    day: int
    candidates: str
    chosen: int
    score: float
    explored: int | None


_LATEST = (
    f"SELECT {', '.join(_Row._fields)} FROM decisions WHERE user = ? AND policy = ? AND t >= ? "
    f"ORDER BY t DESC LIMIT {HISTORY}"
)


def history(ledger: Ledger, wires: dict[str, str], user: str) -> Work[History]:
    """The user's last decisions since the last reset, under all policies; `wires` are names on the wire by label."""

    def work(db: sqlite3.Connection) -> History:
        found = db.execute("SELECT policy, since FROM models WHERE user = ?", (user,)).fetchall()
        rows = [_Row(*row) for policy, since in found for row in db.execute(_LATEST, (user, policy, since))]
        shown = [_shown(row, ledger.label(row.policy), wires, user) for row in sorted(rows)[-HISTORY:]]
        return History(user_id=user, history=shown)

    return work


def _shown(row: _Row, label: str, wires: dict[str, str], user: str) -> Shown:
    one = Offered(*json.loads(row.candidates)[row.chosen])
    features = ShownFeatures(
        hour_of_day=row.hour, is_overdue=one.is_overdue, task_age_days=one.task_age_days, priority=one.priority
    )
    if label != _PLAIN:
        exploring = None if row.explored is None else bool(row.explored)
        features = ShownFeatures(**features.model_dump(exclude_unset=True), day_of_week=row.day, exploring=exploring)
    return Shown(
        ts=utc_second(row.ts),
        features=features,
        score=row.score,
        tip_id=one.id,
        policy=wires.get(label, label),
        decision_id=str(DecisionId(label, row.t, user)),
    )


def utc_second(us: int) -> str:
    """Microseconds since 1970 as an ISO 8601 UTC second."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
