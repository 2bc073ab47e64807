"""Results depend on the scenario and the seed alone: bit for bit the same for any threads, blocks, processor, log."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from oo_sim import Run, Scenario, run
from oo_sim.contract import Offer, State
from oo_sim.engine import run_policy
from oo_sim.policies import POLICIES, make
from oo_sim.scenario import load, shipped, validate
from oo_sim.worlds import build

SPECS = [*POLICIES, "thompson:samples=3", "egreedy:decay=0.2,epsilon=0.5", "linucb:features=oo7x"]
LINEAR_SPECS = [*POLICIES, "thompson:samples=3"]
FILES = ("curves.parquet", "users.parquet", "decisions.parquet", "learnings.parquet")

MIXED: dict[str, Any] = {
    "kind": "tips",
    "tasks": {"count": {"min": 0, "max": 4}, "due_in_days": {"normal": {"mean": 0, "sd": 9}}, "no_due_date": 0.2},
    "tips": {"count": {"min": 1, "max": 3}, "features": "task"},
    "reactions": {"no_reaction": 0.2},
    "segments": [
        {"name": "a", "weight": 2, "preferences": {"hour_sin*priority": {"mean": 2, "sd": 1}, "is_llm": -0.3}},
        {"name": "b", "preferences": {"is_overdue": {"mean": 1, "sd": 0.4}, "dow_cos*is_llm": 1}},
    ],
}

CHANGING: dict[str, Any] = MIXED | {
    "clock": {"mode": "walk", "decisions_per_day": 2},
    "tasks": {"count": 4, "mode": "backlog", "no_due_date": 0.2},
    "drift": [
        {"segments": ["a"], "share": 0.5, "abrupt": {"at": 3}, "become": "b"},
        {"gradual": {"start": 1, "end": 6}, "preferences": {"is_overdue": {"mean": -1, "sd": 0.3}}},
        {"periodic": {"days": [1, 2]}, "preferences": {"is_llm": 1.5}},
        {"share": 0.7, "random_walk": {"sd_per_day": 0.5}},
    ],
    "fatigue": {"task": 0.5, "source": 0.2, "half_life": 2, "novelty": 1, "novelty_showings": 3},
    "churn": {"bad_reactions": 3, "hazard": 0.05},
    "arrivals": {"over": 3},
}
"""Every dynamic of the world at once, so fast that all of it happens within a few rounds."""
LATE = {
    "delay": {"lognormal": {"median": 1.5, "sigma": 1}},
    "window": 4,
    "missing": {"rate": 0.1, "by_reaction": {"dismiss": 0.5}, "by_source": {"llm": 0.3}},
}
LATE_LINEAR = {"delay": {"geometric": {"mean": 1}}, "window": 4, "missing": {"rate": 0.1}}


def scenarios() -> dict[str, Scenario]:
    """Varying sets with tips about tasks; a backlog that remembers; vectors with Gaussian noise; users of whom all
    changes that can, and rewards that are late, expire, or are never heard of."""
    base = {"version": 1, "users": 1, "rounds": 1, "policies": ["random"]}
    return {
        "mixed": validate(base | {"name": "mixed", "world": MIXED}),
        "backlog": load("backlog"),
        "linear": load("linear"),
        "changing": validate(base | {"name": "changing", "world": CHANGING, "feedback": LATE}),
        "late": validate(base | {"name": "late", "world": {"kind": "linear"}, "feedback": LATE_LINEAR}),
    }


WORLDS = scenarios()
every_world = pytest.mark.parametrize("name", WORLDS)


def short(name: str, **changes: Any) -> Run:
    """All built-in policies, few users and rounds: enough for three blocks of 64 and several updates."""
    settings: dict[str, Any] = {"users": 130, "rounds": 8, "replicates": 2, "seed": 3, "threads": 1, "plot": False}
    settings |= {"policies": LINEAR_SPECS if WORLDS[name].world.kind == "linear" else SPECS}
    result = run(WORLDS[name], **(settings | changes))
    assert not result.failures
    return result


@functools.cache
def plain(name: str) -> Run:
    """The run that all others are compared with."""
    return short(name)


def test_what_can_happen_does_in_the_run_that_others_are_compared_with() -> None:
    """All four fates of a decision, users who are yet to come, and users who have left."""
    for name in ("changing", "late"):
        last = of(plain(name).curves, policy="linucb", replicate=0).iloc[-1]
        assert (last[["rewarded", "pending", "expired", "never"]] > 0).all()
    there = of(plain("changing").curves, policy="linucb", replicate=0)["users"]
    assert there[0] < there.max() > there.iloc[-1]


def assert_same(one: Run, other: Run) -> None:
    """Bit for bit: frames are compared without tolerance."""
    pd.testing.assert_frame_equal(one.curves, other.curves, check_exact=True)
    pd.testing.assert_frame_equal(one.users, other.users, check_exact=True)
    assert one.manifest.content_hash == other.manifest.content_hash


@every_world
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("block", [64, 1000])
def test_threads_and_blocks_change_nothing(name: str, threads: int, block: int) -> None:
    assert_same(plain(name), short(name, threads=threads, block=block))


def written(result: Run) -> dict[str, str]:
    assert result.path is not None
    return {file: hashlib.sha256((result.path / file).read_bytes()).hexdigest() for file in FILES}


@pytest.mark.e2e
@every_world
def test_event_files_are_the_same_bytes_and_logging_changes_nothing(name: str, tmp_path: Path) -> None:
    few = {"users": 70, "replicates": 1}
    logged = [
        short(name, events=True, out=tmp_path / f"{threads}-{block}", threads=threads, block=block, **few)
        for threads, block in ((1, None), (2, 64), (2, 1000))
    ]
    unlogged = short(name, **few)
    for each in logged:
        assert_same(each, unlogged)
        assert written(each) == written(logged[0])


PRINT_HASHES = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine.test_identity import hashes
import numba
assert numba.config.CPU_FEATURES == ""
print(json.dumps(hashes(Path(sys.argv[2]))))
"""


def hashes(home: Path) -> dict[str, dict[str, str]]:
    """The files of a small logged run in each world."""
    small = {"users": 70, "replicates": 1, "events": True}
    return {name: written(short(name, out=home / name, **small)) for name in WORLDS}


@pytest.mark.slow  # the matrix of the gate is measured so in `.ci/run`
@pytest.mark.subprocess
def test_processors_agree(tmp_path: Path) -> None:
    """Code for a generic x86-64 (no AVX, no fused multiply-add) writes the same bytes as code for this machine."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASHES, str(Path(__file__).parents[1]), str(tmp_path / "generic")],
        env=os.environ | {"NUMBA_CPU_NAME": "generic"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == hashes(tmp_path / "host")


def of(frame: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """The rows with these values, numbered anew."""
    for column, value in keys.items():
        frame = frame[frame[column] == value]
    return frame.reset_index(drop=True)


@every_world
def test_a_policy_alone_is_the_same_as_among_others(name: str) -> None:
    among = plain(name)
    for label in POLICIES:
        alone = short(name, policies=[label])
        pd.testing.assert_frame_equal(of(among.curves, policy=label), alone.curves, check_exact=True)
        pd.testing.assert_frame_equal(of(among.users, policy=label), alone.users, check_exact=True)


@pytest.mark.e2e
@every_world
def test_more_users_replicates_and_rounds_leave_the_others_traces(name: str) -> None:
    small, large = plain(name), short(name, users=201, replicates=3, rounds=12)
    ids = set(small.users["user_id"])
    both = large.users[large.users["user_id"].isin(ids) & (large.users["replicate"] < 2)]
    for mark in (1, 2, 5):
        pd.testing.assert_frame_equal(of(small.users, round=mark), of(both, round=mark), check_exact=True)
    more = short(name, replicates=3, rounds=12)
    early = more.curves[(more.curves["round"] <= 8) & (more.curves["replicate"] < 2)].reset_index(drop=True)
    pd.testing.assert_frame_equal(early, small.curves, check_exact=True)


@pytest.mark.parametrize("name", [*WORLDS, *shipped()])
def test_observing_a_round_again_offers_the_same_and_changes_nothing(name: str) -> None:
    """`observe` is pure: what comes later depends on what was served, never on how often somebody looked."""
    world, looked = build(WORLDS.get(name) or load(name)), []

    def thrice(state: State, t: int) -> Offer:
        copies = [[column.copy() for column in (*offer.candidates[:8], *offer[1:3])] for offer in observed(state, t)]
        looked.append(copies)
        for again in copies[1:]:
            for one, other in zip(copies[0], again, strict=True):
                np.testing.assert_array_equal(one, other)
        return world.observe(state, t)

    def observed(state: State, t: int) -> Iterator[Offer]:
        for _ in range(3):
            yield world.observe(state, t)

    sizes: dict[str, Any] = {"seed": 3, "users": 50, "rounds": 12, "threads": 1}
    once, often = (run_policy(w, make("random"), **sizes) for w in (world, world._replace(observe=thrice)))
    np.testing.assert_array_equal(once.sums, often.sums)
    np.testing.assert_array_equal(once.totals, often.totals)
    assert len(looked) == 12


@every_world
def test_seeds_and_replicates_do_change_what_happens(name: str) -> None:
    first, second = plain(name), short(name, seed=4)
    assert first.manifest.content_hash != second.manifest.content_hash
    zero, one = (of(first.curves, replicate=r)["reward"] for r in (0, 1))
    assert (zero != one).any()


@every_world
def test_policies_meet_the_same_users(name: str) -> None:
    """Common random numbers: two policies that do the same have the same luck, under whatever names."""
    result = short(name, policies=["greedy", "egreedy:epsilon=0"])
    greedy, other = (of(result.curves, policy=label) for label in ("greedy", "egreedy:epsilon=0"))
    pd.testing.assert_frame_equal(greedy.drop(columns="policy"), other.drop(columns="policy"), check_exact=True)
