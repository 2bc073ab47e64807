"""The linear world on a tile: `worlds/linear.py`, whose formulas it repeats operation by operation."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner
from oo_sim.kernels.philox import NOISE, VECTOR
from oo_sim.kernels.tile import numbers as at

from . import draws
from .plan import (
    ACTIVE,
    ANSWERED,
    BALL,
    BERNOULLI,
    CHOSEN,
    DIMENSION,
    DRAWN,
    EXPECTED,
    GOT,
    LANES,
    NORMAL,
    OFFERED,
    REACTION,
    SCRATCH,
    THETA,
    TOP,
    WORTH,
    K,
)

_16 = np.uint64(16)


@inner
def begin(S: F64, people: F64, first: int) -> None:
    """The users from `first` on, the last again where there are no more: the rows of `people` are their theta."""
    for i in range(LANES):
        user = min(first + i, people.shape[1] - 1)
        S[ACTIVE + i] = 1.0
        for a in range(DIMENSION):
            S[THETA + a * LANES + i] = people[a, user]


@inner
def offer(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Candidates and their expected rewards, two candidates at a time, since a block of draws makes two numbers."""
    width, root = DIMENSION + 2 if BALL else DIMENSION, P[at.ROOT]
    for k in range(0, K, 2):
        many = min(2, K - k)
        for block in range((many * width + 1) // 2):
            address = (VECTOR << _16) | np.uint64(k * width // 2 + block)
            draws.pairs(S, U, t, address, seed, replicate, DRAWN + 2 * block * LANES)
        draws.normals(S, DRAWN, many * width, NORMAL)
        for j in range(many):
            z = S[NORMAL + j * width * LANES : NORMAL + (j + 1) * width * LANES]
            x = S[OFFERED + (k + j) * DIMENSION * LANES : OFFERED + (k + j + 1) * DIMENSION * LANES]
            if BALL:
                _into_ball(z, S[SCRATCH : SCRATCH + LANES], x)
            else:
                for i in range(DIMENSION * LANES):
                    x[i] = z[i] / root
            _weigh(
                x, S[THETA : THETA + DIMENSION * LANES], S[EXPECTED + (k + j) * LANES : EXPECTED + (k + j + 1) * LANES]
            )
    for i in range(LANES):
        S[TOP + i] = -np.inf
    for k in range(K):
        j = k * LANES
        for i in range(LANES):
            S[TOP + i] = max(S[TOP + i], S[EXPECTED + j + i])


@inner
def _weigh(x: F64, theta: F64, expected: F64) -> None:
    """`vectors.linear_rewards` of one candidate."""
    for i in range(LANES):
        expected[i] = 0.0
    for a in range(DIMENSION):
        for i in range(LANES):
            expected[i] += x[a * LANES + i] * theta[a * LANES + i]


@inner
def _into_ball(z: F64, norm: F64, x: F64) -> None:
    """`vectors.ball` of one candidate."""
    for i in range(LANES):
        norm[i] = 0.0
    for a in range(DIMENSION + 2):
        for i in range(LANES):
            norm[i] += z[a * LANES + i] * z[a * LANES + i]
    for i in range(LANES):
        norm[i] = 1.0 / np.sqrt(norm[i])
    for a in range(DIMENSION):
        for i in range(LANES):
            x[a * LANES + i] = z[a * LANES + i] * norm[i]


@inner
def respond(S: F64, U: U64, P: F64, t: int, seed: np.uint64, replicate: np.uint64) -> None:
    """Rewards: all of them arrive."""
    noise_sd = P[at.NOISE_SD]
    draws.pairs(S, U, t, NOISE << _16, seed, replicate, SCRATCH)
    if not BERNOULLI:
        draws.normals(S, SCRATCH, 1, NORMAL)
    for i in range(LANES):
        S[WORTH + i] = S[EXPECTED + np.int64(S[CHOSEN + i]) * LANES + i]
    for i in range(LANES):
        mean = S[WORTH + i]
        if BERNOULLI:
            S[GOT + i] = 1.0 if S[SCRATCH + i] < (1.0 + mean) / 2.0 else -1.0
        else:
            S[GOT + i] = mean + noise_sd * S[NORMAL + i]
        S[ANSWERED + i] = 1.0
        S[REACTION + i] = -1.0
