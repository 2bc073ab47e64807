"""A log's rows as dense arrays: K candidates, d features, n rows, ordered by lane and then by time.

Arrow in, NumPy out. Rows that cannot be judged are refused on the way and never reach a check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit import columns as col
from oo_sim.audit import refusals
from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.refusals import REWARDS, Refuse


class Decisions(NamedTuple):
    """n decisions. Probabilities and expected rewards are nan, and `explored` is -1, where the log has none."""

    row: I64
    lane: I64
    t: I64
    hour: I64
    day: I64
    standing: Bool  # (n, K)
    is_overdue: Bool  # (n, K)
    age: F64  # (n, K)
    priority: F64  # (n, K)
    is_llm: Bool  # (n, K)
    x: F64  # (n, K, d)
    probs: F64  # (n, K)
    chosen: I64
    propensity: F64
    score: F64
    explored: I64
    expected: F64
    best: F64
    served: Bool  # by the shim, with a time of its own, rather than simulated
    ts: I64  # microseconds, 0 where there are none
    ids: pa.Array
    hashes: pa.Array
    task_ids: pa.Array | None = None  # of the standing candidates, row by row, where they were read

    @property
    def has_probs(self) -> Bool:
        """Which decisions have their probabilities logged."""
        return np.asarray(~np.isnan(self.probs).any(axis=1))


class Learnings(NamedTuple):
    """m learnings. `reaction` is the reward that the reaction is worth, nan where it is not known;
    `t_decided` -1.
    """

    row: I64
    lane: I64
    seq: I64
    t_now: I64
    reset: Bool
    x: F64  # (m, d)
    reward: F64
    reaction: F64
    t_decided: I64
    served: Bool
    ts: I64
    ids: pa.Array


def decisions(table: pa.Table, d: int | None, judge_raw: bool, refuse: Refuse) -> Decisions:
    """The decisions of one policy; `table` has columns `row` and `lane` beside the log's own.

    `d` is how many features a vector has (None: as many as the first has); `judge_raw` asks that the raw
    columns make sense as tasks and tips.
    """
    shaped = refusals.keep(table, "decisions", refusals.decision_shapes(), refuse)
    width = col.first_width(shaped["x"]) if d is None else d
    return _dense_decisions(
        refusals.keep(shaped, "decisions", refusals.decision_values(width, judge_raw), refuse), width
    )


def learnings(table: pa.Table, d: int, refuse: Refuse) -> Learnings:
    """What one policy's models learned; `table` has columns `row` and `lane` beside the log's own."""
    return _dense_learnings(refusals.keep(table, "learnings", refusals.learning_values(d), refuse), d)


def _ordered(table: pa.Table, by: str) -> pa.Table:
    """The rows by lane and then by a number, as simulated logs mostly have them already."""
    order = np.lexsort((col.ints(table[by]), col.ints(table["lane"])))
    return table if np.array_equal(order, np.arange(len(order))) else table.take(pa.array(order))


def _dense_decisions(table: pa.Table, d: int) -> Decisions:
    table = _ordered(table, "t")
    count = col.lengths(table["candidates"])
    standing = np.arange(count.max(initial=1)) < count[:, None]
    raw = col.Structs(table["candidates"])
    probs = np.full(standing.shape, np.nan)
    has = ~col.is_null(table["probs"])
    probs[standing & has[:, None]] = col.flat(table["probs"])
    explored = pc.fill_null(table["explored"].cast(pa.int64()), -1)
    return Decisions(
        row=col.ints(table["row"]),
        lane=col.ints(table["lane"]),
        t=col.ints(table["t"]),
        hour=col.ints(table["hour"]),
        day=col.ints(table["day"]),
        standing=standing,
        is_overdue=col.spread(raw.floats("is_overdue"), standing) == 1.0,
        age=col.spread(raw.floats("task_age_days"), standing),
        priority=col.spread(raw.floats("priority"), standing),
        is_llm=col.spread(raw.among("source", ("llm",)).astype(np.float64), standing) == 1.0,
        x=col.spread(col.flat(table["x"]).reshape(int(standing.sum()), d), standing),
        probs=np.where(standing | ~has[:, None], probs, 0.0),
        chosen=col.ints(table["chosen"]),
        propensity=col.floats(table["propensity"]),
        score=col.floats(table["score"]),
        explored=col.ints(explored),
        expected=col.floats(table["expected_reward"]),
        best=col.floats(table["best_expected_reward"]),
        served=~col.is_null(table["ts"]),
        ts=col.times(table["ts"]),
        ids=col.whole(table["decision_id"]),
        hashes=col.whole(table["policy_hash"]),
        task_ids=raw.texts("task_id"),
    )


def _dense_learnings(table: pa.Table, d: int) -> Learnings:
    table = _ordered(table, "seq")
    reset = ~refusals.is_reward(table)
    x = np.zeros((len(reset), d))
    x[~reset] = col.flat(table["x"].filter(pa.array(~reset))).reshape(int((~reset).sum()), d)
    worth = pc.index_in(table["reaction"], value_set=pa.array(list(REWARDS)))
    values = np.array([*REWARDS.values(), np.nan])
    return Learnings(
        row=col.ints(table["row"]),
        lane=col.ints(table["lane"]),
        seq=col.ints(table["seq"]),
        t_now=col.ints(table["t_now"]),
        reset=reset,
        x=x,
        reward=np.where(reset, 0.0, col.floats(table["reward"])),
        reaction=values[col.ints(pc.fill_null(worth, len(REWARDS)))],
        t_decided=col.ints(pc.fill_null(table["t_decided"].cast(pa.int64()), -1)),
        served=~col.is_null(table["ts"]),
        ts=col.times(table["ts"]),
        ids=col.whole(table["decision_id"]),
    )
