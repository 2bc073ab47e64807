"""From the engine's integer sums to the tables of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from oo_sim.contract import I64
from oo_sim.logs.schema import CURVES, USERS

_MONEY = 3  # reward, expected reward, regret come first, and are counted in units of 1 / scale
_DECIDED_AT, _FATES_AT, _PENDING_AT = 9, 10, 13


def curves_table(label: str, sums: I64, scale: float) -> pa.Table:
    """One policy's curves from its sums (replicates, rounds, 14): reward, expected reward, regret, six counts of
    reactions, decisions, and how many were rewarded, expired, never heard of, and are pending."""
    replicates, rounds, _ = sums.shape
    sums = sums.copy()
    sums[:, :, _FATES_AT:_PENDING_AT] = sums[:, :, _FATES_AT:_PENDING_AT].cumsum(axis=1)
    flat = sums.reshape(replicates * rounds, -1)
    columns = [
        pa.repeat(label, len(flat)),
        pa.array(np.repeat(np.arange(replicates, dtype=np.int32), rounds)),
        pa.array(np.tile(np.arange(1, rounds + 1, dtype=np.int32), replicates)),
        pa.array(flat[:, _DECIDED_AT]),
        *(pa.array(flat[:, j] / scale) for j in range(_MONEY)),
        *(pa.array(flat[:, j]) for j in range(_MONEY, _DECIDED_AT)),
        pa.array(flat[:, _PENDING_AT]),
        *(pa.array(flat[:, j]) for j in range(_FATES_AT, _PENDING_AT)),
    ]
    return pa.Table.from_arrays(columns, schema=CURVES)


def users_table(
    label: str, totals: I64, marks: Sequence[int], user_ids: pa.Array, segments: pa.Array, scale: float
) -> pa.Table:
    """One policy's users from their totals (replicates, checkpoints, 4, users); a user's checkpoints stand together."""
    replicates, points, _, users = totals.shape
    flat = totals.transpose(0, 3, 1, 2).reshape(-1, _MONEY + 1)
    who = pa.array(np.tile(np.repeat(np.arange(users), points), replicates))
    columns = [
        pa.repeat(label, len(flat)),
        pa.array(np.repeat(np.arange(replicates, dtype=np.int32), users * points)),
        user_ids.take(who),
        segments.take(who),
        pa.array(np.tile(np.array(marks, dtype=np.int32), replicates * users)),
        *(pa.array(flat[:, j] / scale) for j in range(_MONEY)),
        pa.array(flat[:, _MONEY]),
    ]
    return pa.Table.from_arrays(columns, schema=USERS)
