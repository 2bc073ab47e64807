"""Made-up runs, in which each user earns the same in every round, so that answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from oo_sim.logs import CURVES, USERS, Manifest
from oo_sim.results import Run


def users_of(policies: Mapping[str, np.ndarray[Any, Any]], rounds: int) -> pa.Table:
    """The users table."""
    rows = [
        (label, r, f"user-{u}", None, t, value * t / 2, value * t, (1.0 - value) * t, t)
        for label, replicates in policies.items()
        for r, users in enumerate(replicates)
        for u, value in enumerate(users)
        for t in sorted({*(t for t in (1, 2, 5) if t < rounds), rounds})
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(USERS.names)
    return pa.table([list(column) for column in columns], schema=USERS)


def made(policies: Mapping[str, Sequence[Any]], /, *, rounds: int = 10, path: str = "", **facts: Any) -> Run:
    """A run in which reward as drawn is half of the expected one, and regret 1 minus it."""
    values = {label: np.atleast_2d(np.asarray(each, dtype=float)) for label, each in policies.items()}
    replicates, users = next(iter(values.values())).shape
    names = [*values, *facts.get("failures", {})]
    data = {
        "format": 1,
        "content_hash": path,
        "name": "toy",
        "scenario": {"world": {"kind": "tips", "tasks": [1, 2]}, "policies": names, "description": path},
        "policies": [{"label": label, "name": label.split(":")[0]} for label in names],
        "seed": 1,
        "users": users,
        "rounds": rounds,
        "replicates": replicates,
        "own_trajectory": False,
        "has_reactions": True,
        "failures": {},
        "timing": {},
        **facts,
    }
    manifest = Manifest.from_dict(data, Path("manifest.json"))
    return Run(manifest, CURVES.empty_table(), users_of(values, rounds), Path(path) if path else None)
