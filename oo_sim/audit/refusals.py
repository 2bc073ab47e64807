"""Which rows cannot be judged at all, and why; they are counted, and no check ever sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from oo_sim.audit import columns as col
from oo_sim.audit.arrays import F64, I64, Bool

REWARDS: Mapping[str, float] = {"dismiss": -1.0, "not_helpful": -0.5, "snooze": 0.0, "helpful": 0.5, "done": 1.0}
"""What each reaction is worth."""

Refuse: TypeAlias = Callable[[str, str, I64], None]
"""Takes a table's name, a reason, and the numbers of the rows that are refused for it."""
Reason: TypeAlias = tuple[str, Callable[[pa.Table], Bool]]
"""Why rows are refused, and which rows of a table those are."""

_WILD = f"null, not finite or above {col.WILD:g} in size"


def keep(table: pa.Table, name: str, reasons: Iterator[Reason], refuse: Refuse) -> pa.Table:
    """The rows that no reason refuses; each reason sees only what the former ones left."""
    for reason, wrong in reasons:
        bad = wrong(table)
        if bad.any():
            refuse(name, reason, col.ints(table["row"])[bad])
            table = table.filter(pa.array(~bad))
    return table


def decision_shapes() -> Iterator[Reason]:
    """What a decision needs before its vectors' width can be told."""
    yield from _nulls("t", "hour", "day", "candidates", "x", "chosen", "score")
    yield "there are no candidates", lambda t: col.lengths(t["candidates"]) < 1
    yield "a candidate is null", lambda t: col.holds_null(t["candidates"])
    yield "x does not have one vector for each candidate", lambda t: _uneven(t, "x")


def decision_values(width: int, judge_raw: bool) -> Iterator[Reason]:
    """What a decision needs; `judge_raw`: its raw columns must be those of tasks and tips."""
    yield f"a vector of x does not have {width} numbers", lambda t: col.widths_differ(t["x"], width)
    yield f"a number of x is {_WILD}", lambda t: col.holds_wild(t["x"])
    yield "probs does not have one number for each candidate", lambda t: _given(t, "probs") & _uneven(t, "probs")
    yield "a probability is null, below 0 or above 1", lambda t: col.outside(t["probs"], 0.0, 1.0 + 1e-9)
    yield "chosen is not among the candidates", _not_offered
    yield "propensity is 0, below 0, above 1 or not a number", _no_propensity
    yield "score is not finite", lambda t: ~np.isfinite(col.floats(t["score"]))
    yield "t is below 0", lambda t: col.ints(t["t"]) < 0
    if judge_raw:
        yield "hour is outside 0 to 23", lambda t: _beyond(col.ints(t["hour"]), 0, 23)
        yield "day is outside 0 to 6", lambda t: _beyond(col.ints(t["day"]), 0, 6)
        yield "a candidate's columns are null or out of range", _raw_wrong
    yield "the same decision stands there twice", lambda t: _repeated(t, "t")


def learning_values(width: int) -> Iterator[Reason]:
    """What a learning needs; vectors have `width` numbers."""
    yield from _nulls("seq", "kind", "t_now")
    yield "t_now is below -1", lambda t: col.ints(t["t_now"]) < -1
    yield "kind is neither reward nor reset", lambda t: ~col.among(t["kind"], ("reward", "reset"))
    yield f"x does not have {width} numbers", lambda t: is_reward(t) & (col.lengths(t["x"]) != width)
    yield f"a number of x is {_WILD}", lambda t: col.holds_wild(t["x"])
    yield f"reward is {_WILD}", lambda t: is_reward(t) & ~(np.abs(col.floats(t["reward"])) <= col.WILD)
    yield "reaction is not known", lambda t: _given(t, "reaction") & ~col.among(t["reaction"], REWARDS)
    yield "the same learning stands there twice", lambda t: _repeated(t, "seq")


def is_reward(table: pa.Table) -> Bool:
    """Which learnings are rewards rather than resets."""
    return col.among(table["kind"], ("reward",))


def _nulls(*names: str) -> Iterator[Reason]:
    for name in names:
        yield f"{name} is null", partial(_missing, name)


def _missing(name: str, table: pa.Table) -> Bool:
    return col.is_null(table[name])


def _given(table: pa.Table, name: str) -> Bool:
    return ~col.is_null(table[name])


def _uneven(table: pa.Table, name: str) -> Bool:
    return np.asarray(col.lengths(table[name]) != col.lengths(table["candidates"]))


def _beyond(values: I64, low: int, high: int) -> Bool:
    return (values < low) | (values > high)


def _not_offered(table: pa.Table) -> Bool:
    chosen = col.ints(table["chosen"])
    return (chosen < 0) | (chosen >= col.lengths(table["candidates"]))


def _no_propensity(table: pa.Table) -> Bool:
    values: F64 = col.floats(table["propensity"])
    return _given(table, "propensity") & ~((values > 0.0) & (values <= 1.0 + 1e-9))


def _raw_wrong(table: pa.Table) -> Bool:
    raw = col.Structs(table["candidates"])
    priority, age = raw.floats("priority"), raw.floats("task_age_days")
    wrong = ~((priority >= 1.0) & (priority <= 4.0)) | ~np.isfinite(age)
    wrong |= raw.null("is_overdue") | ~raw.among("source", ("todoist", "llm"))
    return raw.any(wrong)


def _repeated(table: pa.Table, column: str) -> Bool:
    """The second and later rows of the same lane and number."""
    lane, number = col.ints(table["lane"]), col.ints(table[column])
    order = np.lexsort((number, lane))
    same = np.zeros(len(lane), np.bool_)
    same[order[1:]] = (np.diff(lane[order]) == 0) & (np.diff(number[order]) == 0)
    return same
