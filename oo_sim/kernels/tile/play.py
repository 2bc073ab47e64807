"""The loop over rounds, compiled: 64 users at a time live through all their rounds, and nothing of it is kept but sums.

One call plays a block and releases the interpreter's lock for as long as it takes; a round's order is that of
`engine.run.loop`. All that a tile remembers stands in one flat array S whose rows have `LANES` numbers: row by row at
constant distances, so that a compiler need not test what overlaps, and vectorises each loop over lanes.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, U64
from oo_sim.kernels.compile import inner, kernel, lane
from oo_sim.kernels.philox import LOW, _32
from oo_sim.kernels.tile import numbers as at

from . import choose, late, learn, offers, people, taste, vectors
from .plan import (
    ACTIVE,
    ANSWERED,
    CHOSEN,
    GOT,
    HEARD,
    LANES,
    LATE,
    LEARNED,
    LEARNS,
    NOW,
    PRESENT,
    REACTION,
    ROWS,
    STATE,
    STATE_ROWS,
    TOP,
    VECTORS,
    WORTH,
    D,
    put_features,
)

_MAGIC = 6755399441055744.0  # 1.5 * 2^52: with it added, a whole number stands in the low bits
_MAGIC_BITS = np.int64(0x4338000000000000)
_CODES = 6
_EIGHT = np.int64(8)


@kernel
def play(
    users: U64,
    who: F64,
    P: F64,
    days: F64,
    cdf: F64,
    changes: F64,
    start: F64,
    seed: np.uint64,
    replicate: np.uint64,
    first: int,
    last: int,
    stretch: I64,
    words: I64,
    marks: I64,
    sums: I64,
    totals: I64,
) -> int:
    """Play all rounds of the users (n,) from `first` to `last`: adds to `sums` (rounds, columns), and writes theirs of
    the `totals` (marks, 4, n), as `kernels.tally` has them.

    `stretch` (3,) says in which round it begins, whether to write what the users remember into `words` (rows, n) at the
    end, and whether to go on from what is there; elsewhere it has no rows.

    `who` (rows, n) is who the users are, P `numbers`, `days` and `cdf` the tasks' due dates where they are drawn by
    weight, `changes` (J, 35) how users change, and `start` (rows,) a policy's state before the first decision.
    Returns how many lanes met a score that is not finite; then nothing of this is to be used.
    """
    S, U, running = _room(ROWS * LANES), _room(2 * LANES).view(np.uint64), np.zeros(4 * LANES, np.int64)
    broken, slots = 0, int(P[at.WINDOW]) + 1 if LATE else 0
    ring, links = np.empty(slots * (D + 2) * LANES), np.empty(slots * late.FIELDS * LANES, np.int64)
    many, fates = np.zeros(LANES, np.int64), np.zeros(4, np.int64)
    for tile in range(first, last, LANES):
        live, mark = min(LANES, last - tile), 0
        _begin(S, U, users, start, tile, running)
        if LATE:
            late.begin(links, fates)
        _meet(S, U, P, who, days, cdf, tile, seed, replicate)
        _recall(S, running, ring, links, fates, words, stretch[2] > 0, live, tile)
        for r in range(len(sums)):
            t = r + stretch[0]
            if VECTORS:
                vectors.offer(S, U, P, t, seed, replicate)
            else:
                offers.offer(S, U, P, days, cdf, t, seed, replicate)
                people.observe(S, changes, t)
                taste.weigh(S, P)
            broken += choose.choose(S, U, P, t, seed, replicate)
            if VECTORS:
                vectors.respond(S, U, P, t, seed, replicate)
            else:
                taste.react(S, U, P, t, seed, replicate)
            _hear(S)
            _count(S, P[at.SCALE], live, running, sums[r])
            if LATE:
                _take(S)
                most = late.settle(S, U, P, ring, links, many, fates, live, t, seed, replicate)
                sums[r, 10:14] += fates
                _learn_late(S, U, P, start, t, ring, links, many, most, seed, replicate)
            elif LEARNS:
                _take(S)
                learn.learn(S, U, P, start, t, True, seed, replicate)
            if not VECTORS:
                people.advance(S, U, P, changes, t, seed, replicate)
            if mark < len(marks) and t + 1 == marks[mark]:
                _note(running, live, tile, totals[mark])
                mark += 1
        _remember(S, running, ring, links, words, stretch[1] > 0, live, tile)
    return broken


@inner
def _room(numbers: int) -> F64:
    """So many zeros from a multiple of 64 bytes on, so that no group of eight lies in two lines of a cache."""
    room = np.zeros(numbers + 7)
    first = -(np.int64(room.ctypes.data) // 8) % 8
    return room[first : first + numbers]


@inner
def _begin(S: F64, U: U64, users: U64, start: F64, first: int, running: I64) -> None:
    """The users from `first` on, the last again where there are no more, and the policy before its first decision."""
    for i in range(LANES):
        user = users[min(first + i, len(users) - 1)]
        U[i], U[LANES + i] = user & LOW, user >> _32
        S[NOW + i] = 0.0
        for p in range(STATE_ROWS):
            S[STATE + p * LANES + i] = start[p]
    for j in range(4 * LANES):
        running[j] = 0


@inner
def _meet(
    S: F64, U: U64, P: F64, who: F64, days: F64, cdf: F64, first: int, seed: np.uint64, replicate: np.uint64
) -> None:
    """The same users, and what is on their lists."""
    if VECTORS:
        vectors.begin(S, who, first)
    else:
        people.begin(S, P, who, first)
        offers.begin(S, U, P, days, cdf, seed, replicate)


@inner
def _recall(
    S: F64, running: I64, ring: F64, links: I64, fates: I64, words: I64, goes_on: bool, live: int, first: int
) -> None:
    """All that a tile remembers of its users, where it `goes_on`; of the last of them again where there are no more."""
    if goes_on:
        row = 0
        for part in (S.view(np.int64), running, ring.view(np.int64), links):
            for j in range(len(part) // LANES):
                for i in range(LANES):
                    part[j * LANES + i] = words[row, first + min(i, live - 1)]
                row += 1
        if LATE:
            late.count_pending(links, fates, live)


@inner
def _remember(S: F64, running: I64, ring: F64, links: I64, words: I64, is_asked: bool, live: int, first: int) -> None:
    """The inverse of `_recall`, where it `is_asked`."""
    if is_asked:
        row = 0
        for part in (S.view(np.int64), running, ring.view(np.int64), links):
            for j in range(len(part) // LANES):
                for i in range(live):
                    words[row, first + i] = part[j * LANES + i]
                row += 1


@inner
def _learn_late(
    S: F64,
    U: U64,
    P: F64,
    start: F64,
    t: int,
    ring: F64,
    links: I64,
    many: I64,
    most: int,
    seed: np.uint64,
    replicate: np.uint64,
) -> None:
    """Learn what arrives, one reward of each lane at a time."""
    if LEARNS:
        for step in range(max(most, 1)):
            late.collect(S, ring, links, many, step)
            learn.learn(S, U, P, start, t, step == 0, seed, replicate)


@inner
def _note(running: I64, live: int, first: int, totals: I64) -> None:
    for j in range(4):
        for i in range(live):
            totals[j, first + i] = running[j * LANES + i]


@inner
def _hear(S: F64) -> None:
    """Whether the reward is learned from now: nothing is by those who are not there."""
    for i in range(LANES):
        S[HEARD + i] = S[ANSWERED + i] * S[ACTIVE + i] if PRESENT else S[ANSWERED + i]
        S[LEARNED + i] = S[HEARD + i]


@inner
def _take(S: F64) -> None:
    """The chosen one's features."""
    for i in range(LANES):
        put_features(S, np.int64(S[CHOSEN + i]), i)


@lane
def _whole(x: float) -> np.int64:
    """x cut to a whole number, for |x| < 2^51: without the conversion, which processors do one by one."""
    return np.int64(np.float64(np.trunc(x) + _MAGIC).view(np.int64) - _MAGIC_BITS)


@inner
def _count(S: F64, scale: float, live: int, running: I64, sums: I64) -> None:
    """`kernels.tally.tally`, and how many rewards were reported and never will be."""
    reward, expected, regret = np.int64(0), np.int64(0), np.int64(0)
    decided, heard, seen = np.int64(0), np.int64(0), np.int64(0)
    for i in range(LANES):
        on = np.int64(1) if i < live else np.int64(0)
        if PRESENT:
            on = on if S[ACTIVE + i] > 0.0 else np.int64(0)
        value = _whole(S[WORTH + i] * scale)
        earned = _whole(S[GOT + i] * scale) * on
        missed = (_whole(S[TOP + i] * scale) - value) * on
        value *= on
        running[i] += earned
        running[LANES + i] += value
        running[2 * LANES + i] += missed
        running[3 * LANES + i] += on
        reward += earned
        expected += value
        regret += missed
        decided += on
        heard += on if S[HEARD + i] > 0.0 else np.int64(0)
        if not VECTORS:  # a byte for each reaction: 64 lanes fit into one
            seen += on << (_whole(S[REACTION + i]) * _EIGHT)
    sums[0] += reward
    sums[1] += expected
    sums[2] += regret
    sums[9] += decided
    if not LATE:
        sums[10] += heard
        sums[12] += decided - heard
    for code in range(_CODES):
        sums[3 + code] += (seen >> np.int64(8 * code)) & np.int64(255)
