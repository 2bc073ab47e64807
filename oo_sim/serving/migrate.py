"""Rebuilds the states of a policy whose features, prior or rule changed, by learning its whole log again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from oo_sim.contract import MIN_LANES
from oo_sim.errors import ServingError
from oo_sim.serving import lanes
from oo_sim.serving.database import add_variant, canonical, connect, migrations, seed_of, transaction
from oo_sim.serving.lanes import Lesson, Raw
from oo_sim.serving.mounts import Mount, Mounts


class Migrated(NamedTuple):
    """What became of a policy's states."""

    label: str
    changed: bool
    users: int
    learnings: int


class _Learning(NamedTuple):
    user: str
    kind: str
    t_decided: int | None
    t_now: int
    reward: float | None
    hour: int | None
    day: int | None
    is_overdue: int | None
    task_age_days: float | None
    priority: int | None
    is_llm: int | None


def migrate(state_dir: Path, policies: Sequence[str] = ()) -> list[Migrated]:
    """Make every state as if its policy had learned in this way from the beginning; those that did are left alone.

    All or nothing, in one transaction; servers that run on the old states refuse every call from then on. Raises
    ServingError, also where a reward that was given without its decision lacks what the new features need.
    """
    mounts = Mounts(policies)
    db = connect(state_dir)
    try:
        with transaction(db):
            done = [_migrate(db, mount) for mount in mounts.all.values()]
            if any(one.changed for one in done):
                db.execute(f"PRAGMA user_version = {migrations(db) + 1}")
        return done
    finally:
        db.close()


def _migrate(db: sqlite3.Connection, mount: Mount) -> Migrated:
    found = db.execute("SELECT id, learned_with FROM policies WHERE label = ?", (mount.label,)).fetchone()
    now = canonical(mount.learned_with())
    if found is None or found[1] == now:
        return Migrated(mount.label, False, 0, 0)
    number, seed = found[0], seed_of(db)
    db.execute("UPDATE policies SET learned_with = ? WHERE id = ?", (now, number))
    add_variant(db, number, mount)
    db.execute("UPDATE models SET state = NULL, ticks = 0, version = version + 1 WHERE policy = ?", (number,))
    users = learned = 0
    rows = db.execute(
        f"SELECT {', '.join(_Learning._fields)} FROM learnings WHERE policy = ? ORDER BY user, seq", (number,)
    )
    for user, group in groupby(map(_Learning._make, rows), lambda row: row.user):
        count = _relearn(db, mount, number, seed, user, list(group))
        users, learned = users + 1, learned + count
    return Migrated(mount.label, True, users, learned)


def _relearn(db: sqlite3.Connection, mount: Mount, number: int, seed: int, user: str, rows: Sequence[_Learning]) -> int:
    """Learn a user's rows again, and let the rounds between them pass as they did; those after the last one pass when
    the user is served again."""
    policy, draws = mount.policy, lanes.draws(seed, user)
    state, ticks = policy.init(MIN_LANES), 0
    for row in rows:
        if row.kind == "reset":
            state = policy.init(MIN_LANES)
        else:
            state = lanes.pass_rounds(policy, state, range(ticks, row.t_now), draws)
            state = lanes.learn(policy, state, _lesson(mount, row, ticks <= row.t_now), draws)
        ticks = row.t_now + 1
    whose = (user, number)
    db.execute(
        "UPDATE models SET state = ?, ticks = ? WHERE user = ? AND policy = ?", (lanes.pack(state), ticks, *whose)
    )
    return len(rows)


def _lesson(mount: Mount, row: _Learning, tick: bool) -> Lesson:
    raw = Raw(
        bool(row.is_overdue),
        row.task_age_days or 0.0,
        row.priority or 1,
        None if row.is_llm is None else bool(row.is_llm),
    )
    if row.is_llm is None and not mount.reward_suffices:
        raise ServingError(
            f"policy {mount.label}: a reward of user {row.user!r} was given without its decision, and does not say "
            f"whether the tip was an LLM's, which the features {mount.policy.features.name} need"
        )
    x = lanes.encode_one(mount.policy, raw, row.hour or 0, row.day or 0)
    return Lesson(x, row.reward, row.t_now if row.t_decided is None else row.t_decided, row.t_now, tick)
