"""Measures in turns, so that a busy machine slows both sides alike, and reports medians with min and max."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.bench.naive import MATRIX, NAIVE, Naive, handle, handle_in_matrices, requests
from oo_sim.bench.private import numpy_linucb, parts_linucb
from oo_sim.contract import Policy, World
from oo_sim.engine import BLOCK, Block, run_policy, tile
from oo_sim.engine.run import loop
from oo_sim.experiment import run
from oo_sim.policies import make
from oo_sim.scenario import Scenario, load
from oo_sim.worlds import build

USERS, REQUESTS = 2 * BLOCK, 2000  # as many as keep two cores busy, for as many rounds as the scenario has
EVENT_USERS = 1024
PRIVATE: dict[str, Callable[[], Policy]] = {"private numpy": numpy_linucb, "private on ridge": parts_linucb}


class Spread(NamedTuple):
    """Median, min and max of repeated measurements."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values, at least one."""
        return cls(statistics.median(values), min(values), max(values))


class Row(NamedTuple):
    """One policy against the naive handler; times in microseconds a decision, on one core."""

    policy: str
    d: int
    K: int
    microseconds: Spread
    naive_microseconds: Spread
    ratio: Spread
    matrix_microseconds: Spread | None  # where there is a better handler
    matrix_ratio: Spread | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "policy": self.policy,
            "d": self.d,
            "K": self.K,
            "microseconds": self.microseconds._asdict(),
            "decisions_per_second": 1e6 / self.microseconds.median,
            "naive_microseconds": self.naive_microseconds._asdict(),
            "naive_decisions_per_second": 1e6 / self.naive_microseconds.median,
            "ratio": self.ratio._asdict(),
            "matrix_microseconds": self.matrix_microseconds and self.matrix_microseconds._asdict(),
            "matrix_ratio": self.matrix_ratio and self.matrix_ratio._asdict(),
        }


def bench(
    repeats: int = 7, scenario: str = "quickstart", progress: Callable[[str], None] = lambda _: None
) -> list[Row]:
    """Every learning policy, built in and private, on a scenario's world with one thread, against its naive handler."""
    loaded = load(scenario)
    world = build(loaded)
    rows = []
    for name in (*NAIVE, *PRIVATE):
        progress(name)
        policy = PRIVATE[name]() if name in PRIVATE else make(name)
        rows.append(_row(name, loaded, world, policy, NAIVE.get(name, NAIVE["linucb"]), repeats))
    return rows


def _row(name: str, scenario: Scenario, world: World, policy: Policy, naive: Naive, repeats: int) -> Row:
    stream = requests(REQUESTS, world.arms)
    tile.compile_for(world, policy)
    ours(scenario, world, policy, 1, rounds=2)
    handle(naive, stream[:50])
    mine, theirs = [], []
    better: list[float] = []
    for _ in range(repeats):
        mine.append(ours(scenario, world, policy, 1))
        theirs.append(seconds(lambda: handle(naive, stream)) / REQUESTS)
        if name in MATRIX:
            better.append(seconds(lambda: handle_in_matrices(name, stream)) / REQUESTS)
    return Row(
        name,
        policy.features.d,
        world.arms,
        _micro(mine),
        _micro(theirs),
        _ratio(theirs, mine),
        _micro(better) if better else None,
        _ratio(better, mine) if better else None,
    )


def _micro(times: Sequence[float]) -> Spread:
    return Spread.of([1e6 * each for each in times])


def _ratio(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    return Spread.of([a / b for a, b in zip(slow, fast, strict=True)])


def tiles(repeats: int = 7, scenario: str = "quickstart", policy: str = "linucb") -> Spread:
    """How many times as fast as the interpreted loop a compiled tile plays one block, measured in turns."""
    loaded = load(scenario)
    world, made, block = build(loaded), make(policy), Block(0, 0, BLOCK)
    tile.compile_for(world, made)
    given = (world, made, block.lanes(loaded.seed), BLOCK, loaded.rounds // 5, [loaded.rounds // 5])
    loop(*given)
    slow, fast = [], []
    for _ in range(repeats):
        slow.append(seconds(lambda: loop(*given)))
        fast.append(seconds(lambda: tile.played(*given)))
    return _ratio(slow, fast)


def threads(repeats: int = 7, scenario: str = "quickstart", policy: str = "linucb") -> Spread:
    """How much faster a run is with `threads=2` than with 1, measured in turns."""
    loaded = load(scenario)
    world, made = build(loaded), make(policy)
    tile.compile_for(world, made)
    ours(loaded, world, made, 2, rounds=2)
    ratios = []
    for _ in range(repeats):
        one, two = (ours(loaded, world, made, count) for count in (1, 2))
        ratios.append(one / two)
    return Spread.of(ratios)


def events(repeats: int = 7, scenario: str = "quickstart", policy: str = "linucb") -> Spread:
    """Microseconds of CPU a decision of a run with `--events`, on one thread: simulating it and writing its rows."""
    loaded, taken = load(scenario), []
    rounds = loaded.rounds // 5
    with tempfile.TemporaryDirectory() as place:
        for turn in range(-1, repeats):  # the first loads what the others use
            start = time.process_time()
            run(
                loaded.with_(users=EVENT_USERS, rounds=rounds),
                policies=[policy],
                replicates=1,
                threads=1,
                workers=1,
                events=True,
                out=Path(place) / str(turn),
                plot=False,
                progress=False,
            )
            taken.append(time.process_time() - start)
    return Spread.of([1e6 * each / (EVENT_USERS * rounds) for each in taken[1:]])


def ours(scenario: Scenario, world: World, policy: Policy, count: int, rounds: int | None = None) -> float:
    """Seconds a decision: world, features, policy, draw, learning and curves all counted."""
    rounds = rounds or scenario.rounds
    run = lambda: run_policy(  # noqa: E731
        world, policy, seed=scenario.seed, users=USERS, rounds=rounds, threads=count, fork=True
    )
    return seconds(run) / (USERS * rounds)


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


_CHILD = """
import json, resource, time
from pathlib import Path
start = time.perf_counter()
from oo_sim.experiment import run
first = []
run({scenario!r}, policies=["linucb"], users={users}, rounds={rounds}, threads=2,
    progress=lambda policy, done, of: first or not done or first.append(time.perf_counter()))
status = Path("/proc/self/status")  # on Linux ru_maxrss counts what the parent held, too
lines = status.read_text() if status.exists() else ""
peak = (
    int(lines.split("VmHWM:")[1].split()[0]) if lines else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
) / 1024
print(json.dumps({{"first_decision_seconds": first[0] - start, "peak_megabytes": peak}}))
"""


def fresh_process(users: int, rounds: int, scenario: str = "quickstart") -> dict[str, float]:
    """Seconds from a new process's start to its first decisions, with compiled kernels cached, and its peak memory."""
    code = _CHILD.format(scenario=scenario, users=users, rounds=rounds)
    start = time.perf_counter()
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    wall = time.perf_counter() - start
    found: dict[str, float] = json.loads(child.stdout)
    return found | {"wall_seconds": wall}


__all__ = ["NAIVE", "Row", "Spread", "bench", "fresh_process", "ours", "seconds", "threads", "tiles"]
