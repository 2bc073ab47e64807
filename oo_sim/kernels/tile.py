"""The loop over rounds, compiled: 64 users at a time live through all their rounds, and nothing of it is kept but sums.

One call plays a block and releases the interpreter's lock for as long as it takes. What a world and a policy are comes
in as numbers and arrays, so that one compiled function serves them all; a round's order is that of `engine.run.loop`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, U64
from oo_sim.kernels import tile_policy as policies
from oo_sim.kernels import tile_tips as tips
from oo_sim.kernels.compile import inner, kernel
from oo_sim.kernels.encode import AGE_LIMIT
from oo_sim.kernels.philox import DECIDE, LOW, NOISE, SCORE, VECTOR, _32
from oo_sim.kernels.tile_policy import ANSWERED, EXPECTED, GOT_ROWS, HEARD, LANES, LEARNED, REACTION, REWARD
from oo_sim.kernels.tile_tips import ACTIVE, TOP, Rows, TipsTile

NO_SCORE, TRUTH, MEAN, CONFIDENCE, SAMPLE = range(5)
GREEDY, EPSILON, SOFTMAX, GAP, SHARES, EVEN = range(6)
NOTHING, RIDGE, LAPLACE, RESTART = range(4)
CLOCK_TERM, CANDIDATE_TERM, PRODUCT_TERM, TRUTH_TERM, VECTOR_TERM = 0, 4, 8, 24, 25
_16 = np.uint64(16)


class PolicyTile(NamedTuple):
    """What a policy is, as numbers: what it scores by, how it chooses, what it learns."""

    score: int
    explore: int
    learn: int
    terms: I64  # (d,), its features
    start: F64  # one user's rows of state before the first decision
    p: F64  # (4,), what scores and choices depend on
    samples: int
    period: int


class LinearTile(NamedTuple):
    """What the linear world is, as numbers; theta (d, n) is who its users are."""

    is_one: bool
    K: int
    theta: F64
    ball: bool
    root: float  # of d
    gaussian: bool
    noise_sd: float


class Desk(NamedTuple):
    """A tile's memory for what a policy sees and does: flat, rows of `LANES`."""

    x: F64  # (K d)
    scores: F64  # (K)
    total: F64  # (K)
    chosen_x: F64  # (d)
    state: F64
    got: F64  # (6): reward, whether there is one, reaction, expected reward, whether it is heard of, and learned
    scratch: F64
    factor: F64
    best: I64  # one row each
    chosen: I64
    now: I64
    rounds: I64


@kernel
def play(
    world: TipsTile,
    linear: LinearTile,
    policy: PolicyTile,
    users: U64,
    seed: np.uint64,
    replicate: np.uint64,
    start: int,
    stop: int,
    scale: float,
    marks: I64,
    sums: I64,
    totals: I64,
) -> int:
    """Play all rounds of the users (n,) from `start` to `stop`: adds to `sums` (rounds, columns) and writes theirs of
    the `totals` (marks, 4, count), as `kernels.tally` has them.

    Returns how many lanes met a score that is not finite; then nothing of this is to be used.
    """
    d, dimension = len(policy.terms), len(linear.theta)
    K, widest = linear.K if linear.is_one else world.tasks + world.tips, max(d, dimension)
    scratch = max(K * (widest + 2), policy.samples * d, 2 * tips.TERMS) + 8
    r = tips.rows(K, world.tasks, len(world.drift), scratch, dimension)
    desk = _desk(K, widest, len(policy.start), scratch)
    running, broken = np.zeros((4, LANES), np.int64), 0
    for first in range(start, stop, LANES):
        live, mark = min(LANES, stop - first), 0
        _begin(world, linear, policy, users, first, seed, replicate, r, desk, running)
        for t in range(len(sums)):
            _offer(world, linear, policy, t, scale, seed, replicate, r, desk)
            broken += _choose(policy, r, desk, K, seed, replicate)
            _respond(world, linear, seed, replicate, r, desk)
            _take(desk, d, r.own)
            _learn(policy, desk, d)
            _count(r.own, desk.got, live, scale, running, sums[t])
            for i in range(LANES):
                desk.now[i] += np.int64(r.own[ACTIVE * LANES + i])
            if not linear.is_one:
                reaction = desk.got[REACTION * LANES :]
                tips.advance(world, r, desk.rounds, desk.chosen, reaction, seed, replicate)
            if mark < len(marks) and t + 1 == marks[mark]:
                totals[mark, :, first : first + live] = running[:, :live]
                mark += 1
    return broken


@inner
def _desk(K: int, d: int, state: int, scratch: int) -> Desk:
    """Memory for K candidates of d features, and `state` rows of state."""
    k, x = K * LANES, max(d, 1) * LANES
    return Desk(
        np.zeros(K * x),
        np.zeros(k),
        np.zeros(k),
        np.zeros(x),
        np.zeros(state * LANES),
        np.zeros(GOT_ROWS * LANES),
        np.zeros(scratch * LANES),
        np.zeros((d * (d + 1) // 2 + d + 1) * LANES),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
    )


@inner
def _begin(
    world: TipsTile,
    linear: LinearTile,
    policy: PolicyTile,
    users: U64,
    first: int,
    seed: np.uint64,
    replicate: np.uint64,
    r: Rows,
    desk: Desk,
    running: I64,
) -> None:
    """The users from `first` on, the last again where there are no more, before their first round."""
    n = len(users)
    running[:] = 0
    for i in range(LANES):
        user = users[min(first + i, n - 1)]
        r.low[i], r.high[i] = user & LOW, user >> _32
        desk.now[i] = 0
        for p in range(len(policy.start)):
            desk.state[p * LANES + i] = policy.start[p]
    if linear.is_one:
        _meet(linear, r, first, n)
    else:
        tips.begin(world, r, first, n, seed, replicate)


@inner
def _offer(
    world: TipsTile,
    linear: LinearTile,
    policy: PolicyTile,
    t: int,
    scale: float,
    seed: np.uint64,
    replicate: np.uint64,
    r: Rows,
    desk: Desk,
) -> None:
    """What is on offer in round t, and its features."""
    if linear.is_one:
        _vectors(linear, r, desk, t, seed, replicate)
    else:
        tips.offer(world, r, t, desk.rounds, policy.score == TRUTH, scale, seed, replicate)
        _encode(r, policy.terms, world.tasks + world.tips, desk.x)


@inner
def _respond(world: TipsTile, linear: LinearTile, seed: np.uint64, replicate: np.uint64, r: Rows, desk: Desk) -> None:
    if linear.is_one:
        _answer(linear, r, desk, seed, replicate)
    else:
        tips.react(world, r, desk.rounds, desk.chosen, seed, replicate, desk.got)


@inner
def _encode(r: Rows, terms: I64, K: int, x: F64) -> None:
    """The features of each candidate, term by term: `kernels.encode`."""
    d = len(terms)
    for a in range(d):
        term = terms[a]
        if term < CANDIDATE_TERM:
            _spread(r.own[term * LANES :], K, d, a, x)
        elif term == TRUTH_TERM:
            _column(r.expected, K, d, a, x)
        else:
            b = (term - CANDIDATE_TERM) % 4
            if b == 0:
                _column(r.overdue, K, d, a, x)
            elif b == 1:
                _age(r.age, K, d, a, x)
            elif b == 2:
                _priority(r.priority, K, d, a, x)
            else:
                _column(r.is_llm, K, d, a, x)
            if term >= PRODUCT_TERM:
                _times(r.own[(term - PRODUCT_TERM) // 4 * LANES :], K, d, a, x)


@inner
def _spread(row: F64, K: int, d: int, a: int, x: F64) -> None:
    for k in range(K):
        to = (k * d + a) * LANES
        for i in range(LANES):
            x[to + i] = row[i]


@inner
def _times(row: F64, K: int, d: int, a: int, x: F64) -> None:
    for k in range(K):
        to = (k * d + a) * LANES
        for i in range(LANES):
            x[to + i] = row[i] * x[to + i]


@inner
def _column(column: F64, K: int, d: int, a: int, x: F64) -> None:
    for k in range(K):
        at, to = k * LANES, (k * d + a) * LANES
        for i in range(LANES):
            x[to + i] = column[at + i]


@inner
def _age(age: F64, K: int, d: int, a: int, x: F64) -> None:
    for k in range(K):
        at, to = k * LANES, (k * d + a) * LANES
        for i in range(LANES):
            x[to + i] = min(max(age[at + i], 0.0), AGE_LIMIT) / AGE_LIMIT


@inner
def _priority(priority: F64, K: int, d: int, a: int, x: F64) -> None:
    for k in range(K):
        at, to = k * LANES, (k * d + a) * LANES
        for i in range(LANES):
            x[to + i] = (priority[at + i] - 1.0) / 3.0


@inner
def _choose(policy: PolicyTile, r: Rows, desk: Desk, K: int, seed: np.uint64, replicate: np.uint64) -> int:
    """Score the candidates and choose one in each lane; how many lanes have a score that is not finite."""
    d, scores = len(policy.terms), desk.scores
    theta, inverse = desk.state, desk.state[d * LANES :]
    if policy.score == NO_SCORE:
        scores[:] = 0.0
    elif policy.score == TRUTH:
        for j in range(K * LANES):
            scores[j] = r.expected[j]
    elif policy.score == MEAN:
        policies.means(theta, desk.x, K, d, scores)
    elif policy.score == CONFIDENCE:
        policies.upper_confidence(theta, inverse, desk.x, K, d, policy.p[0], scores, desk.scratch)
    else:
        z = _posterior(policy, r, desk, d, inverse, seed, replicate)
        if policy.samples > 1:
            return _shares(policy, r, desk, K, d, z, seed, replicate)
        sample = desk.factor[d * (d + 1) // 2 * LANES :]
        policies.sampled(theta, desk.factor, z, d, sample)
        policies.means(sample, desk.x, K, d, scores)
    broken = policies.argmax(scores, r.mask, K, desk.best, desk.scratch)
    if policy.explore == GREEDY:
        desk.chosen[:] = desk.best
    else:
        _explore(policy, r, desk, K)
        _draw(r, desk, K, seed, replicate)
    return broken


@inner
def _explore(policy: PolicyTile, r: Rows, desk: Desk, K: int) -> None:
    """The probabilities that a choice is drawn from."""
    scores, total = desk.scores, desk.total
    if policy.explore == EPSILON:
        policies.epsilon_greedy(desk.best, r.mask, K, desk.now, policy.p, total, desk.scratch)
    elif policy.explore == SOFTMAX:
        policies.softmax(scores, desk.best, r.mask, K, policy.p[0], total, desk.scratch)
    elif policy.explore == GAP:
        policies.inverse_gap(scores, desk.best, r.mask, K, desk.now, policy.p, total, desk.scratch)
    else:
        policies.standing(r.mask, K, desk.scratch)
        for k in range(K):
            for i in range(LANES):
                total[k * LANES + i] = 1.0 / desk.scratch[i] if r.mask[k * LANES + i] > 0.0 else 0.0


@inner
def _draw(r: Rows, desk: Desk, K: int, seed: np.uint64, replicate: np.uint64) -> None:
    policies.pairs(r.low, r.high, desk.now, DECIDE << _16, seed, replicate, r.uniform)
    policies.draw(desk.total, K, r.uniform, desk.chosen, desk.scratch)


@inner
def _posterior(
    policy: PolicyTile, r: Rows, desk: Desk, d: int, inverse: F64, seed: np.uint64, replicate: np.uint64
) -> F64:
    """Draws of the posterior, scaled, and the factor of A^-1: the first half of `policies.thompson`."""
    count = policy.samples * d
    policies.uniform_rows(r.low, r.high, desk.now, SCORE, seed, replicate, count, r.uniform)
    policies.normal_rows(r.uniform, 0, count, r.other)
    for j in range(count * LANES):
        r.other[j] *= policy.p[0]
    policies.cholesky(inverse, d, desk.factor)
    return r.other


@inner
def _shares(
    policy: PolicyTile, r: Rows, desk: Desk, K: int, d: int, z: F64, seed: np.uint64, replicate: np.uint64
) -> int:
    """Choose by the share of samples in which a candidate is the best: `choice.win_shares`."""
    sample, total, broken = desk.factor[d * (d + 1) // 2 * LANES :], desk.total, 0
    total[:] = 0.0
    for m in range(policy.samples):
        policies.sampled(desk.state, desk.factor, z[m * d * LANES :], d, sample)
        policies.means(sample, desk.x, K, d, desk.scores)
        broken += policies.argmax(desk.scores, r.mask, K, desk.best, desk.scratch)
        for k in range(K):
            for i in range(LANES):
                total[k * LANES + i] += 1.0 if desk.best[i] == k else 0.0
    for j in range(K * LANES):
        total[j] /= policy.samples
    _draw(r, desk, K, seed, replicate)
    return broken


@inner
def _take(desk: Desk, d: int, own: F64) -> None:
    """The chosen one's features, and whether its reward is learned from now: nothing is by those who are not there."""
    for a in range(d):
        for i in range(LANES):
            desk.chosen_x[a * LANES + i] = desk.x[(desk.chosen[i] * d + a) * LANES + i]
    for i in range(LANES):
        desk.got[HEARD * LANES + i] = desk.got[ANSWERED * LANES + i] * own[ACTIVE * LANES + i]
        desk.got[LEARNED * LANES + i] = desk.got[HEARD * LANES + i]


@inner
def _learn(policy: PolicyTile, desk: Desk, d: int) -> None:
    """Learn the round's reward."""
    theta, inverse, learn = desk.state, desk.state[d * LANES :], desk.got[LEARNED * LANES :]
    if policy.learn == RIDGE:
        policies.learn_ridge(desk.state, desk.chosen_x, desk.got, d, desk.scratch)
    elif policy.learn == LAPLACE:
        policies.learn_laplace(theta, inverse, desk.chosen_x, desk.got, learn, d, desk.scratch)
    elif policy.learn == RESTART:
        _restart(policy, desk, d)
        policies.learn_ridge(desk.state, desk.chosen_x, desk.got, d, desk.scratch)


@inner
def _restart(policy: PolicyTile, desk: Desk, d: int) -> None:
    """Start afresh where the next decision is of another epoch, which then has nothing to learn: `restart_linucb`."""
    size = d + d * (d + 1) // 2
    for i in range(LANES):
        epoch = (desk.now[i] + 1) // policy.period
        if epoch != desk.state[size * LANES + i]:
            for p in range(size):
                desk.state[p * LANES + i] = policy.start[p]
            desk.state[size * LANES + i] = epoch
        if desk.now[i] // policy.period != epoch:
            desk.got[LEARNED * LANES + i] = 0.0


@inner
def _count(own: F64, got: F64, live: int, scale: float, running: I64, sums: I64) -> None:
    """`kernels.tally.tally`, and how many rewards were heard of and never will be."""
    reward, expected, regret = np.int64(0), np.int64(0), np.int64(0)
    decided, heard = np.int64(0), np.int64(0)
    for i in range(LANES):
        on = np.int64(own[ACTIVE * LANES + i]) if i < live else np.int64(0)
        value = np.int64(got[EXPECTED * LANES + i] * scale)
        earned, missed = (
            np.int64(got[REWARD * LANES + i] * scale) * on,
            (np.int64(own[TOP * LANES + i] * scale) - value) * on,
        )
        value *= on
        running[0, i] += earned
        running[1, i] += value
        running[2, i] += missed
        running[3, i] += on
        reward += earned
        expected += value
        regret += missed
        decided += on
        heard += np.int64(got[HEARD * LANES + i]) * on
    sums[0] += reward
    sums[1] += expected
    sums[2] += regret
    sums[9] += decided
    sums[10] += heard
    sums[12] += decided - heard
    for code in range(6):
        seen, which = np.int64(0), float(code)
        for i in range(live):
            seen += np.int64(1) if got[REACTION * LANES + i] == which and own[ACTIVE * LANES + i] > 0.0 else np.int64(0)
        sums[3 + code] += seen


@inner
def _meet(linear: LinearTile, r: Rows, first: int, n: int) -> None:
    """The tile's users of a linear world: their theta stands in the rows of `start`."""
    for i in range(LANES):
        user = min(first + i, n - 1)
        r.own[ACTIVE * LANES + i] = 1.0
        for a in range(len(linear.theta)):
            r.start[a * LANES + i] = linear.theta[a, user]
    r.mask[:] = 1.0


@inner
def _vectors(linear: LinearTile, r: Rows, desk: Desk, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Candidates of a linear world and their expected rewards: `worlds.linear.observe`."""
    K, d = linear.K, len(linear.theta)
    width = d + 2 if linear.ball else d
    for i in range(LANES):
        desk.rounds[i] = t
    policies.uniform_rows(r.low, r.high, desk.rounds, VECTOR, seed, replicate, K * width, r.uniform)
    policies.normal_rows(r.uniform, 0, K * width, r.other)
    if linear.ball:
        for k in range(K):
            _ball(r.other[k * width * LANES :], d, r.uniform, desk.x[k * d * LANES :])
    else:
        for j in range(K * d * LANES):
            desk.x[j] = r.other[j] / linear.root
    policies.means(r.start, desk.x, K, d, r.expected)
    top = r.own[TOP * LANES : (TOP + 1) * LANES]
    for i in range(LANES):
        top[i] = -np.inf
    for k in range(K):
        for i in range(LANES):
            top[i] = max(top[i], r.expected[k * LANES + i])


@inner
def _ball(z: F64, d: int, norm: F64, x: F64) -> None:
    """`vectors.ball` of one candidate."""
    for i in range(LANES):
        norm[i] = 0.0
    for a in range(d + 2):
        for i in range(LANES):
            norm[i] += z[a * LANES + i] * z[a * LANES + i]
    for i in range(LANES):
        norm[i] = 1.0 / np.sqrt(norm[i])
    for a in range(d):
        for i in range(LANES):
            x[a * LANES + i] = z[a * LANES + i] * norm[i]


@inner
def _answer(linear: LinearTile, r: Rows, desk: Desk, seed: np.uint64, replicate: np.uint64) -> None:
    """Rewards in a linear world: `worlds.linear.respond`."""
    got = desk.got
    policies.pairs(r.low, r.high, desk.rounds, NOISE << _16, seed, replicate, r.uniform)
    policies.normal_rows(r.uniform, 0, 1, r.other)
    for i in range(LANES):
        mean = r.expected[desk.chosen[i] * LANES + i]
        noisy = mean + linear.noise_sd * r.other[i]
        got[i] = noisy if linear.gaussian else (1.0 if r.uniform[i] < (1.0 + mean) / 2.0 else -1.0)
        got[ANSWERED * LANES + i] = 1.0
        got[REACTION * LANES + i] = -1.0
        got[EXPECTED * LANES + i] = mean
