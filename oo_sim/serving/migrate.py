"""Rebuilds the states of a policy whose features, prior or rule changed, by learning its whole log again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from oo_sim.contract import MIN_LANES
from oo_sim.errors import ServingError
from oo_sim.serving import lanes
from oo_sim.serving.database import open_store
from oo_sim.serving.lanes import Lesson
from oo_sim.serving.mounts import Mount, Mounts
from oo_sim.serving.store import LearningRow, Store, transaction


class Migrated(NamedTuple):
    """What became of a policy's states."""

    label: str
    changed: bool
    users: int
    learnings: int


def migrate(state_dir: Path, policies: Sequence[str] = ()) -> list[Migrated]:
    """Make every state as if its policy had learned in this way from the beginning; those that did are left alone.

    All or nothing, in one transaction; servers that run on the old states refuse every call from then on. Raises
    ServingError, also where a reward that was given without its decision lacks what the new features need.
    """
    mounts = Mounts(policies)
    store = open_store(state_dir)
    try:
        return migrate_store(store, mounts)
    finally:
        store.close()


def migrate_store(store: Store, mounts: Mounts) -> list[Migrated]:
    """The same in any store that is open."""
    with transaction(store):
        known = store.policies()
        return [_migrate(store, mount, known.get(mount.label)) for mount in mounts.all.values()]


def _migrate(store: Store, mount: Mount, before: object) -> Migrated:
    if before is None or before == mount.learned_with():
        return Migrated(mount.label, False, 0, 0)
    store.register(mount.label, mount.learned_with())
    store.add_variant(mount.described)
    store.forget_states(mount.label)
    users = learned = 0
    for user, group in groupby(store.learnings(mount.label, by_user=True), lambda row: row.user):
        users, learned = users + 1, learned + _relearn(store, mount, user, group)
    return Migrated(mount.label, True, users, learned)


def _relearn(store: Store, mount: Mount, user: str, rows: Iterable[LearningRow]) -> int:
    """Learn a user's rows again, and let the rounds between them pass as they did; those after the last one pass when
    the user is served again. How many rows there were."""
    policy, draws = mount.policy, lanes.draws(store.seed, user)
    state, ticks, count = policy.init(MIN_LANES), 0, 0
    for row in rows:
        count += 1
        if row.kind == "reset":
            state = policy.init(MIN_LANES)
        else:
            state = lanes.pass_rounds(policy, state, range(ticks, row.t_now), draws)
            state = lanes.learn(policy, state, _lesson(mount, row, ticks <= row.t_now), draws)
        ticks = row.t_now + 1
    model = store.model(user, mount.label)
    store.write_model(user, mount.label, model._replace(state=lanes.pack(state), ticks=ticks))
    return count


def _lesson(mount: Mount, row: LearningRow, tick: bool) -> Lesson:
    assert row.tip is not None  # it is not a reset
    if row.tip.is_llm is None and not mount.reward_suffices:
        raise ServingError(
            f"policy {mount.label}: a reward of user {row.user!r} was given without its decision, and does not say "
            f"whether the tip was an LLM's, which the features {mount.policy.features.name} need"
        )
    x = lanes.encode_one(mount.policy, row.tip, row.hour or 0, row.day or 0)
    return Lesson(x, row.reward, row.t_now if row.t_decided is None else row.t_decided, row.t_now, tick)
