"""A small experiment of many units, and what was done of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from oo_sim import Run, run

SCENARIO = "backlog"
SMALL: dict[str, Any] = {"policies": ["linucb", "egreedy"], "users": 20 * 64 - 10, "rounds": 20, "workers": 1}
"""40 units of 64 users: the last one of each policy is shorter."""
UNITS = 40


@cache
def whole() -> str:
    """The content hash of the run in one piece."""
    return run(SCENARIO, **SMALL).manifest.content_hash


def kept(work: Path, **changes: Any) -> Run:
    """The run with its units kept in `work`."""
    return run(SCENARIO, **(SMALL | {"unit": 64, "resume": work} | changes))


def files(work: Path) -> dict[str, tuple[int, int]]:
    """Each unit's file with its inode and time: both change when it is written again."""
    found = {path: path.stat() for path in work.glob("units/*/*.unit")}
    return {str(path.relative_to(work)): (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def forked(work: Callable[[], Any]) -> Any:
    """A process that does the work; it knows all that this one has compiled, and starts at once."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process
