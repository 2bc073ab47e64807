"""Addressed randomness: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

key = (seed, replicate), counter = (user, user, t, purpose and block): any draw can be made again from its address
alone, so adding a policy, a user or a thread changes no other draw.
"""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, I64, U64
from oo_sim.kernels.compile import kernel, scalar

(
    SEGMENT,
    PREFERENCE,
    CLOCK,
    COUNT,
    TASK,
    TIP,
    REACTION,
    DECIDE,
    SCORE,
    UPDATE,
    VECTOR,
    NOISE,
    TITLE,
    FEEDBACK,
    DRIFT,
    PRESENCE,
) = map(np.uint64, range(1, 17))
"""What a draw is for; part of its address. TASK and TITLE are addressed by a task's serial number, others by t."""

POPULATION = 0xFFFFFFFF
"""Stands for the replicate in draws that depend on the user alone."""

MAX_UNIFORMS = 2 << 16
"""How many uniforms there are at one address: two in each of 2^16 blocks."""

LOW = np.uint64(0xFFFFFFFF)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_32, _26, _6, _5 = np.uint64(32), np.uint64(26), np.uint64(6), np.uint64(5)
_TO_UNIT = 2.0**-53
_WORD_TO_UNIT = 2.0**-32


@scalar
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random 32-bit words of a counter (c0..c3) under a key (k0, k1); all are uint64 below 2^32."""
    for _ in range(10):
        p0 = c0 * _M0
        p1 = c2 * _M1
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & LOW, (p0 >> _32) ^ c3 ^ k1, p0 & LOW
        k0 = (k0 + _W0) & LOW
        k1 = (k1 + _W1) & LOW
    return c0, c1, c2, c3


@scalar
def unit(high: np.uint64, low: np.uint64) -> np.float64:
    """A uniform in [0, 1) with 53 random bits, from two words."""
    return np.float64(((high >> _5) << _26) + (low >> _6)) * _TO_UNIT


@scalar
def unit32(word: np.uint64) -> np.float64:
    """A uniform in [0, 1) with 32 random bits, from one word."""
    return np.float64(word) * _WORD_TO_UNIT


@kernel
def uniforms(
    seed: np.uint64, replicate: np.uint64, users: U64, t: I64, purpose: np.uint64, first: int, out: F64
) -> None:
    """Fill `out` (count, n) with the uniforms of the lanes `users` (n,) at their rounds `t` (n,), two to a block, from
    block `first` on."""
    count, n = out.shape
    for block in range((count + 1) // 2):
        address = (purpose << np.uint64(16)) | np.uint64(first + block)
        second = min(2 * block + 1, count - 1)
        for i in range(n):
            w0, w1, w2, w3 = philox(users[i] & LOW, users[i] >> _32, np.uint64(t[i]), address, seed, replicate)
            out[second, i] = unit(w2, w3)
            out[2 * block, i] = unit(w0, w1)  # last, so that it wins where an odd count leaves no second row
