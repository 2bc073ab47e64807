"""From a served log to the tables of a run: what was reported, by round and by user. Expected rewards are not known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from oo_sim.contract import F64, I64, REACTIONS
from oo_sim.logs.reader import EXPIRED, NEVER, REWARDED, Part, RunLog
from oo_sim.logs.schema import CURVES, USERS

_POINTS = 40


def served_tables(log: RunLog) -> tuple[pa.Table, pa.Table]:
    """Curves and users of a served log; a round is a user's own decision number. What is not known is nan, and a reward
    of which it is not known whether it may still come is pending."""
    curves, users = [CURVES.empty_table()], [USERS.empty_table()]
    for policy in log.policies:
        parts = list(log.parts(policy.label))
        rounds = max((int(part.t.max()) + 1 for part in parts), default=0)
        if rounds:
            curves.append(_curves(policy.label, parts, rounds))
            users += [_users(policy.label, part, max(log.manifest.rounds, rounds)) for part in parts]
    return pa.concat_tables(curves), pa.concat_tables(users)


def _curves(label: str, parts: list[Part], rounds: int) -> pa.Table:
    t, fate = np.concatenate([p.t for p in parts]), np.concatenate([p.fate for p in parts])
    reaction = np.concatenate([p.reaction for p in parts])

    def count(chosen: I64 | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> I64:
        return np.bincount(t[chosen], minlength=rounds)

    known = {"rewarded": fate == REWARDED, "expired": fate == EXPIRED, "never": fate == NEVER}
    by_end = {name: count(which).cumsum() for name, which in known.items()}
    decided = count(np.ones(len(t), np.bool_))
    unknown = np.full(rounds, np.nan)
    columns = {
        "policy": [label] * rounds,
        "replicate": np.zeros(rounds, np.int32),
        "round": np.arange(1, rounds + 1, dtype=np.int32),
        "users": decided,
        "reward": np.bincount(t, np.concatenate([p.reward for p in parts]), minlength=rounds),
        "expected_reward": unknown,
        "regret": unknown,
        **{name: count(reaction == code) for code, name in enumerate(REACTIONS)},
        "none": count(known["expired"] | known["never"]),
        **by_end,
        "pending": decided.cumsum() - sum(by_end.values()),
    }
    return pa.table({name: columns[name] for name in CURVES.names}, schema=CURVES)


def _users(label: str, part: Part, rounds: int) -> pa.Table:
    """Running totals at checkpoints that are the same for all users."""
    marks = np.unique(np.geomspace(1, rounds, _POINTS).round().astype(np.int64))
    reward, decisions = (_until(part, marks, values) for values in (part.reward, np.ones(len(part.t))))
    size = reward.size
    columns = {
        "policy": [label] * size,
        "replicate": np.zeros(size, np.int32),
        "user_id": np.repeat(np.array([lane.user_id for lane in part.lanes], object), len(marks)),
        "segment": pa.nulls(size, pa.string()),
        "round": np.tile(marks.astype(np.int32), len(part.lanes)),
        "reward": reward.ravel(),
        "expected_reward": np.full(size, np.nan),
        "regret": np.full(size, np.nan),
        "decisions": decisions.ravel().astype(np.int64),
    }
    return pa.table({name: columns[name] for name in USERS.names}, schema=USERS)


def _until(part: Part, marks: I64, values: F64) -> F64:
    """Sums (L, marks) of the values (n,) of each lane's decisions before each mark."""
    out = np.zeros((len(part.lanes), len(marks)))
    np.add.at(out, (part.lane, np.searchsorted(marks, part.t, "right")), values)
    return out.cumsum(axis=1)
