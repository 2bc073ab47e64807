"""From the engine's integer sums to the tables of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from oo_sim.contract import I64
from oo_sim.kernels.tally import ENDED, MONEY, SUMS, TOTALS
from oo_sim.logs.schema import CURVES, USERS


def curves_table(label: str, sums: I64, scale: float) -> pa.Table:
    """One policy's curves from its sums (replicates, rounds, SUMS), whose names are those of the columns."""
    replicates, rounds, _ = sums.shape
    found: dict[str, Any] = {
        "policy": pa.repeat(label, replicates * rounds),
        "replicate": np.repeat(np.arange(replicates, dtype=np.int32), rounds),
        "round": np.tile(np.arange(1, rounds + 1, dtype=np.int32), replicates),
    }
    for name, column in zip(SUMS, np.moveaxis(sums, -1, 0), strict=True):
        added_up = column.cumsum(axis=1) if name in ENDED else column
        found[name] = (added_up / scale if name in MONEY else added_up).ravel()
    return pa.Table.from_arrays([pa.array(found[name]) for name in CURVES.names], schema=CURVES)


def users_table(
    label: str,
    totals: I64,
    marks: Sequence[int],
    user_ids: pa.Array,
    segments: pa.Array,
    scale: float,
    replicate: int = 0,
) -> pa.Table:
    """One policy's users from their totals (replicates, C, TOTALS, users) at the checkpoints `marks` (C,); a user's
    checkpoints stand together. Replicates are counted from `replicate` on."""
    replicates, points, _, users = totals.shape
    rows = replicates * points * users
    who = pa.array(np.tile(np.repeat(np.arange(users), points), replicates))
    found: dict[str, Any] = {
        "policy": pa.repeat(label, rows),
        "replicate": np.repeat(np.arange(replicate, replicate + replicates, dtype=np.int32), users * points),
        "user_id": user_ids.take(who),
        "segment": segments.take(who),
        "round": np.tile(np.array(marks, dtype=np.int32), replicates * users),
    }
    for name, column in zip(TOTALS, totals.transpose(2, 0, 3, 1), strict=True):
        found[name] = (column / scale if name in MONEY else column).ravel()
    return pa.Table.from_arrays([pa.array(found[name]) for name in USERS.names], schema=USERS)
