"""Which rows cannot be judged at all, and why; they are counted, and no check ever sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from oo_sim.audit.arrays import I64, Bool
from oo_sim.audit.columns import WILD, Columns, among, beyond, is_null

REWARDS: Mapping[str, float] = {"dismiss": -1.0, "not_helpful": -0.5, "snooze": 0.0, "helpful": 0.5, "done": 1.0}
"""What each reaction is worth."""

Refuse: TypeAlias = Callable[[str, str, I64], None]
"""Takes a table's name, a reason, and the numbers of the rows that are refused for it."""
Reason: TypeAlias = tuple[str, Callable[[Columns], Bool]]
"""Why rows are refused, and which rows those are."""

RAW = ("is_overdue", "source", "task_age_days", "priority")
"""The raw columns of a candidate."""
_LARGEST = float(np.finfo(np.float64).max)
_WILD = f"null, not finite or above {WILD:g} in size"


def keep(rows: Columns, name: str, reasons: Iterator[Reason], refuse: Refuse) -> Columns:
    """The rows that no reason refuses; each reason sees only what the former ones left."""
    for reason, wrong in reasons:
        bad = wrong(rows)
        if bad.any():
            refuse(name, reason, rows.ints("row")[bad])
            rows = rows.without(bad)
    return rows


def decision_shapes() -> Iterator[Reason]:
    """What a decision needs before its vectors' width can be told."""
    yield from _nulls("t", "hour", "day", "candidates", "x", "chosen", "score")
    yield "there are no candidates", lambda r: r.lengths("candidates") < 1
    yield "a candidate is null", lambda r: r.holding("candidates", is_null(r.inside("candidates")))
    yield "x does not have one vector for each candidate", lambda r: _uneven(r, "x")


def decision_values(width: int, judge_raw: bool) -> Iterator[Reason]:
    """What a decision needs; `judge_raw`: its raw columns must be those of tasks and tips."""
    yield f"a vector of x does not have {width} numbers", lambda r: r.holding("x", r.inner_lengths("x") != width)
    yield f"a number of x is {_WILD}", lambda r: r.outside("x", -WILD, WILD)
    yield "probs does not have one number for each candidate", lambda r: ~r.null("probs") & _uneven(r, "probs")
    yield "a probability is null, below 0 or above 1", lambda r: r.outside("probs", 0.0, 1.0 + 1e-9)
    yield "chosen is not among the candidates", _not_offered
    yield "propensity is 0, below 0, above 1 or not a number", _no_propensity
    yield "score is not finite", lambda r: ~np.isfinite(r.floats("score"))
    yield "t is below 0", lambda r: r.ints("t") < 0
    if judge_raw:
        yield "hour is outside 0 to 23", lambda r: _beyond(r.ints("hour"), 0, 23)
        yield "day is outside 0 to 6", lambda r: _beyond(r.ints("day"), 0, 6)
        yield (
            "a candidate has a null, a priority other than 1 to 4, or a source other than todoist and llm",
            _raw_wrong,
        )
    yield "an earlier row is the same decision (user and t)", lambda r: r.repeated("t", "lane")


def learning_values(width: int) -> Iterator[Reason]:
    """What a learning needs; vectors have `width` numbers."""
    yield from _nulls("seq", "kind", "t_now")
    yield "t_now is below -1", lambda r: r.ints("t_now") < -1
    yield "kind is neither reward nor reset", lambda r: ~r.among("kind", ("reward", "reset"))
    yield "a reset has an x, a reward, a reaction or a decision", _reset_says
    yield f"x does not have {width} numbers", lambda r: is_reward(r) & (r.lengths("x") != width)
    yield f"a number of x is {_WILD}", lambda r: r.outside("x", -WILD, WILD)
    yield f"reward is {_WILD}", lambda r: is_reward(r) & ~(np.abs(r.floats("reward")) <= WILD)
    yield f"reaction is none of {', '.join(REWARDS)}", lambda r: ~r.null("reaction") & ~r.among("reaction", REWARDS)
    yield "an earlier row is the same learning (user and seq)", lambda r: r.repeated("lane", "seq")


def _reset_says(rows: Columns) -> Bool:
    said = ~(rows.null("x") & rows.null("reward") & rows.null("reaction") & rows.null("decision_id"))
    return np.asarray(~is_reward(rows) & (said | (rows.ints("t_decided") >= 0)))


def is_reward(rows: Columns) -> Bool:
    """Which learnings are rewards rather than resets."""
    return rows.among("kind", ("reward",))


def _nulls(*names: str) -> Iterator[Reason]:
    for name in names:
        yield f"{name} is null", partial(_missing, name)


def _missing(name: str, rows: Columns) -> Bool:
    return rows.null(name)


def _uneven(rows: Columns, name: str) -> Bool:
    return np.asarray(rows.lengths(name) != rows.lengths("candidates"))


def _beyond(values: I64, low: int, high: int) -> Bool:
    return (values < low) | (values > high)


def _not_offered(rows: Columns) -> Bool:
    chosen = rows.ints("chosen")
    return (chosen < 0) | (chosen >= rows.lengths("candidates"))


def _no_propensity(rows: Columns) -> Bool:
    values = rows.floats("propensity")
    return ~rows.null("propensity") & ~((values > 0.0) & (values <= 1.0 + 1e-9))


def _raw_wrong(rows: Columns) -> Bool:
    overdue, source, age, priority = (rows.field("candidates", name) for name in RAW)
    wrong = is_null(overdue) | ~among(source, ("todoist", "llm"))
    wrong |= beyond(priority, 1.0, 4.0) | beyond(age, -_LARGEST, _LARGEST)
    return rows.holding("candidates", wrong)
