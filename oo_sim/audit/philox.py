"""The addressed draw of a decision, made again in plain NumPy from its address alone.

Philox4x32-10 is that of Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from oo_sim.audit.arrays import F64, I64, U64

DECIDE = 8
"""The purpose of the two uniforms of a decision, in the high half of the counter's last word."""

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox(counter: U64, key: U64) -> U64:
    """Ten rounds of Philox: `counter` (4, n) and `key` (2, n) hold 32-bit words; words (4, n) come back."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (second >> _HALF) ^ c1 ^ k0, second & _LOW
        c2, c3 = (first >> _HALF) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack([c0, c1, c2, c3])


def decision_uniforms(seed: int, replicate: I64, users: U64, t: I64) -> F64:
    """The two uniforms (2, n) of decisions `t` (n,) of `users` (n,) in `replicate` (n,).

    The first picks the candidate, the second says whether the pick counts as explored.
    """
    n = len(t)
    key = np.stack([np.full(n, seed & 0xFFFFFFFF, np.uint64), replicate.astype(np.uint64) & _LOW])
    last = np.full(n, DECIDE << 16, np.uint64)
    words = philox(np.stack([users & _LOW, users >> _HALF, t.astype(np.uint64) & _LOW, last]), key)
    high, low = words[0::2] >> np.uint64(5), words[1::2] >> np.uint64(6)
    return np.asarray((high.astype(np.float64) * 2.0**26 + low.astype(np.float64)) * 2.0**-53)


def user_words(user_ids: Iterable[str]) -> U64:
    """Each user's place in the address: the 64-bit BLAKE2b hash of the id in UTF-8, little-endian."""
    digests = (hashlib.blake2b(user.encode(), digest_size=8).digest() for user in user_ids)
    return np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)
