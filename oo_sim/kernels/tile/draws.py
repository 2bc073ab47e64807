"""Addressed uniforms and normals of a tile of 64 users: `philox.uniforms` and `elementary.normals` in rows."""

from __future__ import annotations

import numpy as np

from oo_sim.contract import F64, U64
from oo_sim.kernels.compile import inner
from oo_sim.kernels.elementary import NEAR, SMALLEST, far_or, near_quantile
from oo_sim.kernels.philox import philox, philox_twice, unit, unit32

from .plan import LANES, NOW, PRESENT

_HALF = LANES // 2


@inner
def pairs(S: F64, U: U64, t: int, address: np.uint64, seed: np.uint64, replicate: np.uint64, to: int) -> None:
    """The two uniforms at an address and round t, into the rows from `to` on.

    Two halves at once: each block is one long chain of steps, and two chains keep a processor busy. And into a view,
    whose places a compiler knows not to be negative.
    """
    out, when = S[to : to + 2 * LANES], np.uint64(t)
    for i in range(_HALF):
        a, b = philox_twice(
            U[i], U[LANES + i], U[_HALF + i], U[LANES + _HALF + i], when, when, address, seed, replicate
        )
        out[i], out[LANES + i] = unit(a[0], a[1]), unit(a[2], a[3])
        out[_HALF + i], out[LANES + _HALF + i] = unit(b[0], b[1]), unit(b[2], b[3])


@inner
def own_pairs(S: F64, U: U64, t: int, address: np.uint64, seed: np.uint64, replicate: np.uint64, to: int) -> None:
    """The same at the lanes' own decisions."""
    if PRESENT:
        pairs_at(S, U, NOW, address, seed, replicate, to)
    else:
        pairs(S, U, t, address, seed, replicate, to)


@inner
def pairs_at(S: F64, U: U64, when: int, address: np.uint64, seed: np.uint64, replicate: np.uint64, to: int) -> None:
    """The same at the rounds in the row `when`."""
    out, rounds = S[to : to + 2 * LANES], S[when : when + LANES]
    for i in range(LANES):
        w0, w1, w2, w3 = philox(U[i], U[LANES + i], np.uint64(rounds[i]), address, seed, replicate)
        out[i], out[LANES + i] = unit(w0, w1), unit(w2, w3)


@inner
def words(out: F64, U: U64, t: int, address: np.uint64, seed: np.uint64, replicate: np.uint64) -> None:
    """The four words at an address and round t, and the four of the round after it, as uniforms in eight rows."""
    one, two = np.uint64(t), np.uint64(t + 1)
    for i in range(LANES):
        a, b = philox_twice(U[i], U[LANES + i], U[i], U[LANES + i], one, two, address, seed, replicate)
        out[i], out[LANES + i] = unit32(a[0]), unit32(a[1])
        out[2 * LANES + i], out[3 * LANES + i] = unit32(a[2]), unit32(a[3])
        out[4 * LANES + i], out[5 * LANES + i] = unit32(b[0]), unit32(b[1])
        out[6 * LANES + i], out[7 * LANES + i] = unit32(b[2]), unit32(b[3])


@inner
def normals(S: F64, at: int, rows: int, to: int) -> None:
    """Standard normal draws from the uniforms in `rows` rows from `at` on, into the rows from `to` on.

    A row with a draw in a far tail, which is one in ten million, is gone through again.
    """
    for j in range(rows):
        source, target, far = S[at + j * LANES : at + (j + 1) * LANES], S[to + j * LANES : to + (j + 1) * LANES], 0
        for i in range(LANES):
            far += 1 if abs(source[i] - 0.5) > NEAR else 0
        for i in range(LANES):
            target[i] = near_quantile(max(source[i], SMALLEST))
        if far > 0:
            for i in range(LANES):
                target[i] = far_or(source[i], target[i])
