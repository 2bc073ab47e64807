"""What logs hold: a hash of every column that small runs with events write, beside what their policies do.

65 users, one more than are written together, so that what stands between groups of users is hashed too.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq

from oo_sim.experiment import run
from oo_sim.gate import mechanisms
from oo_sim.logs.recorder import GROUP

RUNS = {
    "plain": "linucb",
    "masks": "thompson:samples=6,scale=0.3",
    "late": "linucb_hybrid:sharing=2",
    "linear": "egreedy:epsilon=0.4,decay=0.05,schedule=sqrt",
}
"""The worlds that are logged, and the policy that is: sets that vary, late rewards, vectors in place of tips."""
_ROUNDS = 12


def logged() -> dict[str, str]:
    """A hash of each column of decisions and learnings, by world, table and column: of values, not of how a library
    writes them."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for world, policy in RUNS.items():
            scenario, out = mechanisms.scenario(world).with_(users=GROUP + 1, rounds=_ROUNDS), Path(place) / world
            run(scenario, policies=[policy], events=True, out=out, workers=1, progress=False, plot=False)
            for table in ("decisions", "learnings"):
                columns = pq.read_table(out / f"{table}.parquet")
                for column in columns.column_names:
                    found[f"{world} {table}.{column}"] = _hash(columns[column].to_pylist())
    return found


def other(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The columns that differ, and how."""
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            yield name, "is recorded, and is not written any more"
        elif name not in before:
            yield name, "is not recorded"
        elif before[name] != now[name]:
            yield name, "holds other values"


def _hash(values: list[object]) -> str:
    return hashlib.blake2b(repr(values).encode(), digest_size=4).hexdigest()
