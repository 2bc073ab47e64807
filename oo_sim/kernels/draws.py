"""A set of lanes' addressed uniforms, and how a user's id becomes part of an address."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from oo_sim.contract import F64, I64, U64, Lanes
from oo_sim.kernels import elementary, philox


def hash_users(ids: Iterable[str]) -> U64:
    """The 64-bit BLAKE2b hashes of user ids, as little-endian integers."""
    return np.frombuffer(
        b"".join(hashlib.blake2b(i.encode(), digest_size=8).digest() for i in ids), dtype="<u8"
    ).astype(np.uint64)


class LaneDraws(NamedTuple):
    """The uniforms and normals of lanes whose users hash to `users` (n,), under one seed and replicate."""

    seed: np.uint64
    replicate: np.uint64
    users: U64

    @classmethod
    def of(cls, lanes: Lanes) -> LaneDraws:
        """The draws of a block of lanes in their own replicate."""
        return cls(np.uint64(lanes.seed), np.uint64(lanes.replicate), lanes.users)

    @classmethod
    def of_population(cls, lanes: Lanes) -> LaneDraws:
        """The draws of a block of lanes that are the same in all replicates."""
        return cls(np.uint64(lanes.seed), np.uint64(philox.POPULATION), lanes.users)

    def uniforms(self, purpose: np.uint64, t: I64, count: int, first: int = 0) -> F64:
        """Uniforms in [0, 1) of shape (count, n), addressed by `purpose` and the lanes' rounds `t` (n,); without the
        `first` ones that stand there."""
        if first + count > philox.MAX_UNIFORMS:
            raise ValueError(f"{first + count} uniforms at one address; an address has {philox.MAX_UNIFORMS}")
        skipped = first % 2
        out = np.empty((skipped + count, len(self.users)))
        if count:
            philox.uniforms(self.seed, self.replicate, self.users, t, purpose, first // 2, out)
        return out[skipped:]

    def normals(self, purpose: np.uint64, t: I64, count: int, first: int = 0) -> F64:
        """Standard normal draws of shape (count, n), addressed likewise."""
        uniform = self.uniforms(purpose, t, count, first)
        out = np.empty(uniform.shape)
        elementary.normals(uniform, out)
        return out
