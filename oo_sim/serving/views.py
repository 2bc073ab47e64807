"""What a user's records look like to a caller: statistics and history."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from oo_sim.serving.mounts import Mount
from oo_sim.serving.replies import History, Shown, ShownFeatures, Stats
from oo_sim.serving.store import DecisionRow, Model, Store
from oo_sim.serving.writer import Work

HISTORY = 100
"""Decisions that a history shows."""
_PLAIN = "linucb"
"""The policy whose history shows no day and no exploration, because it knows neither."""


def stats(mount: Mount, user: str) -> Work[Stats]:
    """The user's counts and theta under a policy; zeros for an unknown user."""

    def work(store: Store) -> Stats:
        model = store.model(user, mount.label)
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


def history(wires: dict[str, str], user: str) -> Work[History]:
    """The user's last decisions since the last reset, under all policies; `wires` are names on the wire by label."""

    def work(store: Store) -> History:
        shown = [_shown(row, wires) for row in store.history(user, HISTORY)]
        return History(user_id=user, history=shown)

    return work


def _shown(row: DecisionRow, wires: dict[str, str]) -> Shown:
    one = row.tip
    features = ShownFeatures(
        hour_of_day=row.hour, is_overdue=one.is_overdue, task_age_days=one.task_age_days, priority=one.priority
    )
    if row.policy != _PLAIN:
        features = ShownFeatures(**features.model_dump(exclude_unset=True), day_of_week=row.day, exploring=row.explored)
    return Shown(
        ts=utc_second(row.ts),
        features=features,
        score=row.score,
        tip_id=one.id,
        policy=wires.get(row.policy, row.policy),
        decision_id=str(row.id),
    )


def utc_second(us: int) -> str:
    """Microseconds since 1970 as an ISO 8601 UTC second."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
