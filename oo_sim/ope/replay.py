"""Replay: a learner walks through a log and keeps the decisions that it would have made, as if deployed on them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from oo_sim.ope.sums import I64, Labels, added, rows
from oo_sim.stats import Interval, mean_interval


def replay(
    accepted: ArrayLike, r: ArrayLike, user: ArrayLike | None = None, *, decisions: int, level: float = 0.95
) -> Interval:
    """The mean reward of each user's first `decisions` accepted ones, with Student's t over users.

    `accepted` (n,) says which logged decisions were kept: with probability pi(a) / (c p(a)), c the same for all, so
    that what is kept does not depend on the situation. Rows of a user are in order of time. Users with fewer accepted
    decisions are left out; `n` counts the others. ValueError if `decisions` < 1, and as in `rows`.
    Sources: Li, Chu, Langford and Wang (2011), algorithm 2; the rejection is Dudik, Erhan, Langford and Li (2012),
    section 5.
    """
    if decisions < 1:
        raise ValueError(f"decisions: {decisions} given; the number of accepted decisions per user is 1 or more")
    d = rows(np.asarray(accepted, dtype=bool), r, user=user)
    kept = np.flatnonzero(d.w)
    labels, at = np.unique(d.user[kept], return_inverse=True)
    early = nth(at) < decisions
    count = np.bincount(at[early], minlength=len(labels))
    total = added(at[early], d.r[kept][early], len(labels))
    full = count == decisions
    return mean_interval(total[full] / decisions, level) if full.any() else Interval(math.nan, math.nan, math.nan, 0)


def nth(label: Labels) -> I64:
    """How many earlier rows have the same label, for each row (n,)."""
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    heads = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])[: len(label)]
    place = np.empty(len(label), np.int64)
    place[order] = np.arange(len(label)) - np.repeat(heads, np.diff(np.r_[heads, len(label)]))
    return place
