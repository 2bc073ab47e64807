"""What sending units to Dask's workers costs: in CPU time, which a busy machine changes little, and in time. On idle
cores: pytest -m slow -s tests/slow/test_dask_speed.py"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oo_sim import run
from oo_sim.work.executors import dask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task").exists(), reason="this system does not tell"),
]


def _tree(process: int) -> set[int]:
    found = {process}
    for thread in Path(f"/proc/{process}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found |= _tree(int(child))
    return found


def _cpu() -> float:
    """Seconds that this process and its children have been at work."""
    total = 0
    for process in _tree(os.getpid()):
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def _taken(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU time and time, in seconds."""
    cpu, start = _cpu(), time.perf_counter()
    work()
    return _cpu() - cpu, time.perf_counter() - start


def _play(units: int, users: int, rounds: int, **how: Any) -> None:
    run("quickstart", policies=["linucb"], users=units * users, rounds=rounds, unit=users, plot=False, **how)


@pytest.mark.parametrize(
    ("units", "users", "rounds", "checkpoints", "turns"),
    [(1000, 64, 100, "all", 3), (1000, 64, 100, "off", 3), (12, 16_000, 500, "last", 3)],
    ids=["of 10 ms, with rows", "of 10 ms, sums", "of a second and more"],
)
def test_what_dask_costs(units: int, users: int, rounds: int, checkpoints: str, turns: int) -> None:
    """Small units: the loss in CPU time. Large ones: two local workers against two threads."""
    sizes, alone = (users, rounds), 1 if users < 1000 else 2
    cpus, times = list[float](), list[float]()
    with dask("local:2") as executor:
        _play(units, *sizes, checkpoints=checkpoints, workers=alone)  # all is compiled, and workers are there
        _play(4, *sizes, checkpoints=checkpoints, executor=executor)
        for _ in range(turns):
            here = _taken(lambda: _play(units, *sizes, checkpoints=checkpoints, workers=alone))
            there = _taken(lambda: _play(units, *sizes, checkpoints=checkpoints, executor=executor))
            cpus.append(here[0] / there[0])
            times.append(here[1] / there[1])
            print(
                f"{units} units: here {here[0]:.1f} s of CPU in {here[1]:.1f} s, Dask {there[0]:.1f} in {there[1]:.1f}"
            )
    cpu, speed = statistics.median(cpus), statistics.median(times)
    print(
        f"median: {cpu:.2f} of the CPU rate ({min(cpus):.2f} to {max(cpus):.2f}), {speed:.2f} of the speed on {alone}"
    )
    assert cpu > (0.7 if users < 1000 else 0.8)
