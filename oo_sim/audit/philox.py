"""Addressed draws, made again from their address alone: key (seed, replicate), counter (user, t, purpose and block).

Philox4x32-10 is that of Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special

from oo_sim.audit.arrays import F64, I64, U64

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
) = range(1, 17)
"""What a draw is for, in the high half of the counter's last word; the low half counts blocks of two uniforms."""
POPULATION = 0xFFFFFFFF
"""The replicate of draws that depend on the user alone."""

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox(counter: Sequence[U64], key: Sequence[U64 | np.uint64]) -> U64:
    """Ten rounds of Philox: the four arrays of `counter` and the two of `key` hold 32-bit words, of one shape when
    broadcast, (...); words (4, ...) come back."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (second >> _HALF) ^ c1 ^ k0, second & _LOW
        c2, c3 = (first >> _HALF) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack([c0, c1, c2, c3])


def words(seed: int, replicate: I64, users: U64, t: I64, purpose: int, blocks: int = 1) -> U64:
    """The four words (4, blocks, n) of each block at the addresses of `users` (n,), hashed, at `t` (n,) in `replicate`
    (n,)."""
    last = np.arange(blocks, dtype=np.uint64)[:, None] + np.uint64(purpose << 16)
    counter = users & _LOW, users >> _HALF, t.astype(np.uint64) & _LOW, last
    return philox(counter, (np.uint64(seed & 0xFFFFFFFF), replicate.astype(np.uint64) & _LOW))


def uniforms(seed: int, replicate: I64, users: U64, t: I64, purpose: int, count: int) -> F64:
    """`count` uniforms in [0, 1) of 53 bits (count, n) at each address; two words make one, two of them a block."""
    if count == 0 or len(t) == 0:
        return np.empty((count, len(t)))
    found = words(seed, replicate, users, t, purpose, -(-count // 2)).transpose(1, 0, 2)
    high, low = found[:, 0::2] >> np.uint64(5), found[:, 1::2] >> np.uint64(6)
    unit = (high.astype(np.float64) * 2.0**26 + low.astype(np.float64)) * 2.0**-53
    return np.asarray(unit.reshape(-1, len(t))[:count])


def normals(seed: int, replicate: I64, users: U64, t: I64, purpose: int, count: int) -> F64:
    """Standard normal draws (count, n), each the quantile of a uniform."""
    return quantile(uniforms(seed, replicate, users, t, purpose, count))


def quantile(uniform: F64) -> F64:
    """The standard normal quantile; 0 counts as half of the smallest uniform above it."""
    return np.asarray(special.ndtri(np.maximum(uniform, 2.0**-54)))


def unit32(word: U64) -> F64:
    """A uniform in [0, 1) with 32 random bits, from one word."""
    return np.asarray(word.astype(np.float64) * 2.0**-32)


def user_words(user_ids: Iterable[str]) -> U64:
    """Each user's place in the address: the 64-bit BLAKE2b hash of the id in UTF-8, little-endian."""
    digests = (hashlib.blake2b(user.encode(), digest_size=8).digest() for user in user_ids)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)
