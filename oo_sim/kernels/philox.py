"""Addressed randomness: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

key = (seed, replicate), counter = (user, user, t, purpose and block): any draw can be made again from its address
alone, so adding a policy, a user or a thread changes no other draw.
"""

from __future__ import annotations

from typing import Any

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
_32, _6, _5 = np.uint64(32), np.uint64(6), np.uint64(5)
_2_26, _2_52, _2_52_BITS = 2.0**26, 2.0**52, np.uint64(0x4330000000000000)
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
def philox_twice(
    a0: np.uint64,
    a1: np.uint64,
    b0: np.uint64,
    b1: np.uint64,
    a2: np.uint64,
    b2: np.uint64,
    c3: np.uint64,
    k0: np.uint64,
    k1: np.uint64,
) -> tuple[tuple[np.uint64, np.uint64, np.uint64, np.uint64], tuple[np.uint64, np.uint64, np.uint64, np.uint64]]:
    """The words of (a0, a1, a2, c3) and of (b0, b1, b2, c3): side by side, they take two thirds of the time."""
    a3 = b3 = c3
    for _ in range(10):
        p0, q0, p1, q1 = a0 * _M0, b0 * _M0, a2 * _M1, b2 * _M1
        a0, a1, a2, a3 = (p1 >> _32) ^ a1 ^ k0, p1 & LOW, (p0 >> _32) ^ a3 ^ k1, p0 & LOW
        b0, b1, b2, b3 = (q1 >> _32) ^ b1 ^ k0, q1 & LOW, (q0 >> _32) ^ b3 ^ k1, q0 & LOW
        k0 = (k0 + _W0) & LOW
        k1 = (k1 + _W1) & LOW
    return (a0, a1, a2, a3), (b0, b1, b2, b3)


@scalar
def _real(word: np.uint64) -> Any:
    """A whole number below 2^52 as a float: put into the mantissa of 2^52, for want of a conversion of many at once."""
    return np.uint64(word | _2_52_BITS).view(np.float64) - _2_52


@scalar
def unit(high: np.uint64, low: np.uint64) -> Any:
    """A uniform in [0, 1) with 53 random bits, from two words."""
    return (_real(high >> _5) * _2_26 + _real(low >> _6)) * _TO_UNIT


@scalar
def unit32(word: np.uint64) -> Any:
    """A uniform in [0, 1) with 32 random bits, from one word."""
    return _real(word) * _WORD_TO_UNIT


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
