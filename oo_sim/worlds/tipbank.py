"""A tip bank as the `llm` source of the tips world.

A decision goes through three stages. *Assemble*: the user's tasks and the tips of that decision's generation make one
pool (`assemble`); where the generation failed, the tasks are alone in it. *Score*: the policy scores the pool, and
`decide` draws. *Serve*: the user reacts, and the log says which prompt and model wrote the tip that was served
(`Offer.writer`). A tip is known here by what its text says alone, never by who wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, Bool, Candidates, Lanes
from oo_sim.kernels.elementary import exp
from oo_sim.kernels.tipbank import add_appeal, ground_tips
from oo_sim.kernels.tips import place_tips
from oo_sim.scenario import Appeal

_NOBODY = -1


class TipBank(NamedTuple):
    """A generation for each round and user: R rounds, U users from user-0 on, at most m tips each."""

    label: str
    prompt_version: str | None
    models: tuple[str, ...]
    usable: I64  # (R, U), how many tips there are; 0 where the generation failed
    about: I64  # (R, m, U), the row of the task on offer that the tip is about, -1 for none
    contradicts: Bool  # (R, m, U), whether it contradicts the hour
    model: I64  # (R, U), which of `models` wrote the tips
    facts: Mapping[str, Any] = {}  # what it was made with, for the record
    offsets: F64 | None = None  # (R, m, U), what a text adds to its tip's utility; None: as keywords say


class Pool(NamedTuple):
    """The part of a bank that a block's n users need, and what is on offer to them now."""

    usable: I64  # (R, n)
    about: I64  # (R, m, n)
    appeal: F64 | None  # (R, m, n), e^a of what a text adds to its tip's utility; None where texts do not matter
    model: I64  # (R, n)
    tasks: I64  # (n,)
    tips: I64  # (n,)
    writer: I64  # (n,), who wrote the tips: a place in `models`, -1 where there are none


def pool(bank: TipBank, lanes: Lanes, keywords: F64 | None) -> Pool:
    """The pool of a block; a lane that only fills the block up is the bank's last user again.

    A text that has no offset of its own is worth what `keywords` (2, 2) say of it.
    """
    n = lanes.n
    who = np.minimum(lanes.first + np.arange(n), bank.usable.shape[1] - 1)
    return Pool(
        bank.usable[:, who],
        np.ascontiguousarray(bank.about[..., who]),
        _appeal(bank, who, keywords),
        bank.model[:, who],
        tasks=np.zeros(n, np.int64),
        tips=np.zeros(n, np.int64),
        writer=np.full(n, _NOBODY),
    )


def _appeal(bank: TipBank, who: I64, keywords: F64 | None) -> F64 | None:
    if bank.offsets is not None:
        return np.ascontiguousarray(np.vectorize(exp, otypes=[np.float64])(bank.offsets[..., who]))
    if keywords is None:
        return None
    named, wrong = bank.about[..., who] >= 0, bank.contradicts[..., who]
    return np.ascontiguousarray(keywords[named.astype(np.int64), wrong.astype(np.int64)])


def assemble(pool: Pool, t: I64, tasks: I64, wanted: I64, copies: bool, c: Candidates) -> None:
    """Put the generation's first tips, at most `wanted` (n,), right behind the `tasks` (n,) in round `t` (n,).

    Where `copies`, a tip has the features of the task that it is about.
    """
    lanes = np.arange(len(t))
    pool.tasks[:] = tasks
    pool.tips[:] = np.minimum(wanted, pool.usable[t, lanes])
    pool.writer[:] = np.where(pool.tips > 0, pool.model[t, lanes], _NOBODY)
    columns = (c.is_overdue, c.task_age_days, c.priority)
    place_tips(tasks, pool.tips, np.empty((0, len(t))), False, *columns, c.is_llm, c.serial, c.mask)
    ground_tips(t, tasks, pool.tips, pool.about, copies, *columns, c.serial)


def keywords(appeal: Appeal | None) -> F64 | None:
    """e^a (2, 2) of what a tip's text adds to its utility by keywords: [names a task, contradicts the hour]."""
    if appeal is None:
        return None
    said = (appeal.names_no_task, appeal.about_task)
    return np.array([[exp(named), exp(named + appeal.contradicts_hour)] for named in said])


def appeal(pool: Pool, t: I64, cuts: F64, answers: float, odds: F64, expected: F64, best: F64) -> None:
    """Add to the tips' utilities what their texts say: odds e^u and expected rewards (K, n), the best of them (n,)."""
    if pool.appeal is not None:
        add_appeal(t, pool.tasks, pool.tips, pool.appeal, cuts, answers, odds, expected, best)
