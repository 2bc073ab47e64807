"""A log's rows as dense arrays: K candidates, d features, n rows.

Decisions are ordered by t and then by lane, so that a round is a slice; learnings by lane and then by sequence.

Arrow in, NumPy out. Rows that cannot be judged are refused on the way and never reach a check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit import refusals
from oo_sim.audit.arrays import F64, I64, Bool
from oo_sim.audit.columns import (
    Columns,
    among,
    arrow,
    floats,
    ints,
    is_null,
    lanes_last,
    looked_up,
    narrow,
    spread,
    truths,
)
from oo_sim.audit.refusals import REWARDS, Refuse
from oo_sim.audit.sources import SAID

NO_TASK = -2
"""In place of a serial number where a candidate's task_id is that of no task."""


class Decisions(NamedTuple):
    """n decisions. Probabilities and expected rewards are nan, and `explored` is -1, where the log has none; where
    nothing stands there are zeros."""

    row: I64
    lane: I64
    t: I64
    hour: I64
    day: I64
    standing: Bool  # (K, n)
    is_overdue: Bool  # (K, n)
    age: F64  # (K, n)
    priority: F64  # (K, n)
    is_llm: Bool  # (K, n)
    x: F64  # (K, d, n)
    probs: F64  # (K, n)
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
    said: Mapping[str, pa.Array]  # columns that not every log has
    task_ids: pa.Array | None = None  # of the standing candidates, row by row, where they were read
    tip_ids: pa.Array | None = None  # the candidates' own, likewise

    @property
    def has_probs(self) -> Bool:
        """Which decisions have their probabilities logged."""
        return np.asarray(~np.isnan(self.probs[0]))

    def of_chosen(self, values: F64) -> F64:
        """The values (n,) of the candidates chosen, out of all (K, n)."""
        return np.asarray(values[self.chosen, np.arange(len(self.t))])

    def find(self, lane: I64, t: I64) -> I64:
        """Where the decisions (lane, t) stand; -1 where they do not."""
        if len(self.t) == 0:
            return np.full(len(lane), -1)
        width, length = int(self.lane.max()) + 1, int(self.t.max()) + 1
        there = (t >= 0) & (t < length) & (lane < width)
        keys, wanted = self.t * width + self.lane, np.where(there, t * width + lane, 0)
        if width * length <= 4 * len(keys):  # as where everybody decides about as often
            place = np.full(width * length, -1)
            place[keys] = np.arange(len(keys))
            return np.where(there, place[wanted], -1)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(there & (keys[at] == wanted), at, -1)

    def serials(self) -> I64:
        """The serial numbers (K, n) of the tasks that candidates are about, by their ids: -1 where there is none,
        `NO_TASK` where an id is that of no task."""
        assert self.task_ids is not None
        parts = pc.extract_regex(self.task_ids, "^task-(?P<serial>0|[1-9][0-9]{0,17})$")
        found = ints(pc.struct_field(parts, "serial").cast(pa.int64()))
        found[(found < 0) & ~is_null(self.task_ids)] = NO_TASK
        out = np.full(self.standing.shape[::-1], -1)
        out[self.standing.T] = found
        return np.asarray(out.T)

    def before(self) -> I64:
        """Where the decision of the same lane stands that comes before each; -1 for a lane's first."""
        order = np.argsort(self.lane, kind="stable")
        found = np.full(len(order), -1)
        same = self.lane[order[1:]] == self.lane[order[:-1]]
        found[order[1:][same]] = order[:-1][same]
        return found


class Learnings(NamedTuple):
    """m learnings. `reaction` is the reward that the reaction is worth, nan where it is not known;
    `t_decided` -1.
    """

    row: I64
    lane: I64
    seq: I64
    t_now: I64
    reset: Bool
    x: F64  # (d, m)
    reward: F64
    reaction: F64
    t_decided: I64
    served: Bool
    ts: I64
    ids: pa.Array
    said: Mapping[str, pa.Array]  # columns that not every log has


def decisions(table: pa.Table, d: int | None, judge_raw: bool, refuse: Refuse) -> Decisions:
    """The decisions of one policy; `table` has columns `row` and `lane` beside the log's own.

    `d` is how many features a vector has (None: as many as the first has); `judge_raw` asks that the raw
    columns make sense as tasks and tips.
    """
    shaped = refusals.keep(Columns(table), "decisions", refusals.decision_shapes(), refuse)
    width = shaped.first_width("x") if d is None else d
    return _dense_decisions(
        refusals.keep(shaped, "decisions", refusals.decision_values(width, judge_raw), refuse), width
    )


def learnings(table: pa.Table, d: int, refuse: Refuse) -> Learnings:
    """What one policy's models learned; `table` has columns `row` and `lane` beside the log's own."""
    return _dense_learnings(refusals.keep(Columns(table), "learnings", refusals.learning_values(d), refuse), d)


def _dense_decisions(rows: Columns, d: int) -> Decisions:
    order = rows.order("t", "lane")
    count = rows.lengths("candidates")
    standing = np.arange(count.max(initial=1)) < count[:, None]
    overdue, source, age, priority = (rows.field("candidates", name) for name in refusals.RAW)
    has, probs = ~rows.null("probs"), np.full(standing.shape, np.nan)
    if has.all():
        probs = spread(rows.flat("probs"), standing, order)
    else:
        probs[has] = 0.0
        probs[standing & has[:, None]] = rows.flat("probs")
        probs = lanes_last(probs, order)
    places = arrow(order)
    texts = [rows.field("candidates", name) for name in ("task_id", "id")]
    within = None if all(each is None for each in texts) else arrow(_places(count, order))
    tasks, tips = (_texts(each, within) for each in texts)
    return Decisions(
        row=rows.ints("row")[order],
        lane=rows.ints("lane")[order],
        t=rows.ints("t")[order],
        hour=rows.ints("hour")[order],
        day=rows.ints("day")[order],
        standing=np.ones(standing.shape[::-1], np.bool_) if standing.all() else lanes_last(standing, order),
        is_overdue=spread(truths(overdue), standing, order),
        age=spread(floats(age), standing, order),
        priority=spread(narrow(priority), standing, order).astype(np.float64, copy=False),
        is_llm=spread(among(source, ("llm",)), standing, order),
        x=spread(rows.flat("x").reshape(int(count.sum()), d), standing, order),
        probs=probs,
        chosen=rows.ints("chosen")[order],
        propensity=rows.floats("propensity")[order],
        score=rows.floats("score")[order],
        explored=ints(rows["explored"])[order],
        expected=rows.floats("expected_reward")[order],
        best=rows.floats("best_expected_reward")[order],
        served=~rows.null("ts")[order],
        ts=rows.times("ts")[order],
        ids=rows["decision_id"].take(places),
        hashes=rows["policy_hash"].take(places),
        said=_said(rows, "decisions", places),
        task_ids=tasks,
        tip_ids=tips,
    )


def _texts(column: pa.Array | None, places: pa.Array) -> pa.Array | None:
    """Texts, in an order; None where there are none."""
    return None if column is None else column.cast(pa.string()).take(places)


def _said(rows: Columns, name: str, places: pa.Array) -> Mapping[str, pa.Array]:
    """The columns that not every log has, in an order."""
    return {column: rows[column].take(places) for column in SAID[name] if column in rows.table.column_names}


def _places(count: I64, order: I64) -> I64:
    """Where the items of rows with `count` items each stand, when the rows are taken in an order."""
    size = count[order]
    return np.repeat((np.cumsum(count) - count)[order] - (np.cumsum(size) - size), size) + np.arange(size.sum())


def _dense_learnings(rows: Columns, d: int) -> Learnings:
    order = rows.order("lane", "seq")
    places = arrow(order)
    reset = ~refusals.is_reward(rows)
    x = rows.flat("x")
    if reset.any():
        given = x[np.repeat(~reset, np.maximum(rows.lengths("x"), 0))].reshape(int((~reset).sum()), d)
        x = np.zeros((len(reset), d))
        x[~reset] = given
    reaction = looked_up(rows["reaction"], lambda name: REWARDS.get(name, np.nan))
    return Learnings(
        row=rows.ints("row")[order],
        lane=rows.ints("lane")[order],
        seq=rows.ints("seq")[order],
        t_now=rows.ints("t_now")[order],
        reset=reset[order],
        x=lanes_last(x.reshape(len(reset), d), order),
        reward=np.where(reset, 0.0, rows.floats("reward"))[order],
        reaction=reaction[order],
        t_decided=rows.ints("t_decided")[order],
        served=~rows.null("ts")[order],
        ts=rows.times("ts")[order],
        ids=rows["decision_id"].take(places),
        said=_said(rows, "learnings", places),
    )
