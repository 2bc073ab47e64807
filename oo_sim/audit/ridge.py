"""Ridge regression the slow way: A = prior I + sum x x', b = sum r x, solved anew for every decision.

The sums are prefix sums along what each user learned, over many users at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from oo_sim.audit.arrays import F64, I64, Bool

_BUDGET = 1 << 19
"""Numbers in one block of states (4 MiB)."""
_TOGETHER = 256
"""Segments that are walked through together."""


class Learned(NamedTuple):
    """What users learned, ordered by lane and then by sequence."""

    lane: I64  # (m,)
    t_now: I64  # (m,), the number of the user's latest decision when it came; not falling within a lane
    reset: Bool  # (m,)
    x: F64  # (m, d)
    reward: F64  # (m,)


class States(NamedTuple):
    """The models of some decisions, `rows` (n,): A (n, d, d), b (n, d), and the sum of |r| (n,).

    Where that is 0, theta is exactly 0. Where b alone is 0, rewards cancelled out, and what is left of theta is
    rounding.
    """

    rows: I64
    A: F64
    b: F64
    size: F64


def states(learned: Learned, lane: I64, t: I64, prior: float) -> Iterator[States]:
    """Yields, in blocks, the model that each decision (`lane`, `t`, both (n,)) was made with.

    A decision knows what came while an earlier decision was the latest one: t_now < t, after the last reset.
    """
    segment, after, lengths = _segments(learned)
    keys = learned.lane << 32 | (learned.t_now + 1)
    end = np.searchsorted(keys, lane << 32 | (t + 1), "left")
    known = np.searchsorted(learned.lane, lane, "left") < end
    at = np.where(known, segment[end - 1], len(lengths) - 1) if len(segment) else np.zeros(len(t), np.int64)
    position = np.where(known, after[end - 1], 0) if len(segment) else np.zeros(len(t), np.int64)
    rows = np.flatnonzero(~learned.reset)
    starts = np.searchsorted(segment[rows], np.arange(len(lengths)), "left")
    by_length = np.argsort(lengths, kind="stable")  # so that segments walked together are of a length
    at = np.argsort(by_length)[at]
    order = np.argsort(at, kind="stable")
    for first in range(0, len(lengths), _TOGETHER):
        batch = by_length[first : first + _TOGETHER]
        decisions = order[slice(*np.searchsorted(at[order], (first, first + _TOGETHER)))]
        walk = _Walk(learned.x, learned.reward, rows, starts[batch], lengths[batch])
        yield from _walk(walk, decisions, at[decisions] - first, position[decisions], prior)


def _segments(learned: Learned) -> tuple[I64, I64, I64]:
    """Segments are runs between resets, and one more, empty, for users who learned nothing.

    Each row's segment (m,), how many rewards the segment has up to and with the row (m,), and all lengths.
    """
    m = len(learned.lane)
    if m == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64)
    begins = learned.reset | np.r_[True, learned.lane[1:] != learned.lane[:-1]]
    segment = np.cumsum(begins) - 1
    rewards = np.cumsum(~learned.reset)
    before: I64 = (rewards - ~learned.reset)[begins]
    lengths = np.bincount(segment[~learned.reset], minlength=segment[-1] + 2)
    return segment, rewards - before[segment], lengths


class _Walk(NamedTuple):
    """L segments that are walked through together; segment i's rewards are `lengths[i]` rows from `starts[i]`."""

    x: F64
    reward: F64
    rows: I64  # places of all rewards in x and reward, segment after segment
    starts: I64  # (L,)
    lengths: I64  # (L,)

    def steps(self, first: int, last: int) -> tuple[F64, F64]:
        """The vectors (L, last - first, d) and rewards of the segments' steps; zeros past a segment's end."""
        take = np.arange(first, last)
        inside = take < self.lengths[:, None]
        index = np.zeros(inside.shape, np.int64)
        index[inside] = self.rows[(self.starts[:, None] + take)[inside]]
        if len(self.x) == 0:
            return np.zeros((*inside.shape, self.x.shape[1])), np.zeros(inside.shape)
        return np.where(inside[:, :, None], self.x[index], 0.0), np.where(inside, self.reward[index], 0.0)


def _walk(walk: _Walk, decisions: I64, segment: I64, position: I64, prior: float) -> Iterator[States]:
    """The states of `decisions`, which stand after `position` rewards of `segment`, both (n,)."""
    d, L, longest = walk.x.shape[1], len(walk.lengths), int(walk.lengths.max())
    step = max(1, _BUDGET // max(1, L * d * d))
    A, b, size = np.broadcast_to(prior * np.eye(d), (L, d, d)), np.zeros((L, d)), np.zeros(L)
    order = np.argsort(position, kind="stable")
    for first in range(0, longest + 1, step):
        x, r = walk.steps(first, min(first + step, longest))
        As = np.concatenate([A[:, None], x[:, :, :, None] * x[:, :, None, :]], axis=1).cumsum(axis=1)
        bs = np.concatenate([b[:, None], r[:, :, None] * x], axis=1).cumsum(axis=1)
        sizes = np.concatenate([size[:, None], np.abs(r)], axis=1).cumsum(axis=1)
        here = order[slice(*np.searchsorted(position[order], (first, first + step)))]
        if len(here):
            at = segment[here], position[here] - first
            yield States(decisions[here], As[at], bs[at], sizes[at])
        A, b, size = As[:, -1], bs[:, -1], sizes[:, -1]


def mean_and_width(state: States, x: F64, width: bool) -> tuple[F64, F64]:
    """theta'x and sqrt(x' A^-1 x), both (n, K), of candidates `x` (n, K, d); widths are 0 where not wanted."""
    right = state.b[:, :, None]
    if width:
        right = np.concatenate([right, x.transpose(0, 2, 1)], axis=2)
    try:
        solved = np.linalg.solve(state.A, right)
    except np.linalg.LinAlgError:  # a prior that rounding has swallowed
        solved = np.linalg.pinv(state.A, hermitian=True) @ right
    mean = np.einsum("nkd,nd->nk", x, solved[:, :, 0])
    if not width:
        return mean, np.zeros_like(mean)
    return mean, np.sqrt(np.maximum(np.einsum("nkd,ndk->nk", x, solved[:, :, 1:]), 0.0))
