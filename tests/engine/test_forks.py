"""Forked processes: the same bits as one thread, the same errors, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oo_sim import run
from oo_sim.contract import Policy
from oo_sim.engine import Result, RoundError, forks, run_policy, tile
from oo_sim.entrants import entrants
from oo_sim.policies import make
from oo_sim.scenario import load
from oo_sim.worlds import build

WORLD = build(load("backlog"))


@pytest.fixture(autouse=True)
def no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on forks is the loop, also where an earlier process compiled tiles."""
    monkeypatch.setattr(tile, "LEAST", 1 << 60)


pytestmark = pytest.mark.skipif(not forks.possible(), reason="this system cannot fork")


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the work."""
    monkeypatch.setattr(forks, "LEAST", 0)


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each forked crew succeeded: an empty list means that nothing was forked."""
    seen: list[bool] = []
    forked = forks.forked

    def watched(*settings: Any) -> bool:
        seen.append(forked(*settings))
        return seen[-1]

    monkeypatch.setattr(forks, "forked", watched)
    return seen


def results(policy: Policy, **settings: Any) -> Result:
    sizes: dict[str, Any] = {"seed": 3, "users": 200, "rounds": 20, "replicates": 2, "block": 64}
    return run_policy(WORLD, policy, **(sizes | settings))


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("name", ["linucb", "egreedy", "thompson"])
def test_processes_change_nothing(workers: int, name: str, crews: list[bool]) -> None:
    one, many = results(make(name), threads=1), results(make(name), threads=workers, fork=True)
    assert crews == [True]
    np.testing.assert_array_equal(one.sums, many.sums)
    np.testing.assert_array_equal(one.totals, many.totals)


def test_a_run_forks_for_built_in_policies_only(crews: list[bool]) -> None:
    """What a private policy holds (threads, devices, open files) may not survive a fork."""
    mine = make("linucb")._replace(name="mine", score=lambda state, batch, noise: batch.x[:, 0])
    assert [each.built_in for each in entrants(WORLD, ["egreedy", mine])] == [True, False]
    settings: dict[str, Any] = {"users": 200, "rounds": 5, "threads": 2, "plot": False}
    run("quickstart", policies=["linucb", mine], **settings)
    assert crews == [True]


def test_progress_adds_up(crews: list[bool]) -> None:
    heard: list[int] = []
    results(make("random"), threads=2, fork=True, progress=heard.append)
    assert sum(heard) == 200 * 20 * 2
    assert min(heard) > 0
    assert crews == [True]


def failing(when: Callable[[Any], bool]) -> Policy:
    sound = make("random")

    def probs(scores: Any, batch: Any) -> Any:
        out = sound.probs(scores, batch)
        return out._replace(total=out.total * 0.5) if when(batch) else out

    return sound._replace(probs=probs)


def test_a_failure_is_the_same_as_on_one_thread(crews: list[bool]) -> None:
    heard: list[int] = []
    broken = failing(lambda batch: int(batch.t[0]) == 7)
    found = []
    for settings in ({"threads": 1}, {"threads": 2, "fork": True, "progress": heard.append}):
        with pytest.raises(RoundError) as failure:
            results(broken, **settings)
        found.append((failure.value.t, failure.value.user, str(failure.value.__cause__)))
    assert found[0] == found[1]
    assert crews == [False]
    assert sum(heard) <= 200 * 20 * 2


def test_a_process_that_is_killed_is_made_good(crews: list[bool]) -> None:
    """Such as by a system that runs out of memory."""
    here, sound = os.getpid(), make("random")

    def init(n: int) -> Any:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return sound.init(n)

    result = results(sound._replace(init=init), threads=2, fork=True)
    np.testing.assert_array_equal(result.sums, results(sound).sums)
    assert crews == [False]


def test_an_exception_in_progress_ends_the_processes() -> None:
    def progress(decisions: int) -> None:
        raise BrokenPipeError("nobody listens")

    start = time.monotonic()
    with pytest.raises(BrokenPipeError, match="nobody listens"):
        results(make("random"), rounds=200_000, threads=2, fork=True, progress=progress)
    assert multiprocessing.active_children() == []
    assert time.monotonic() - start < 30  # rather than the minutes that all of it takes


def test_threads_do_the_work_where_nothing_can_be_forked(crews: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on other systems than Linux, and in a daemonic process."""
    monkeypatch.setattr(forks, "possible", lambda: False)
    result = results(make("linucb"), threads=2, fork=True)
    np.testing.assert_array_equal(result.sums, results(make("linucb"), threads=1).sums)
    assert crews == []


def test_no_fork_where_somebody_watches_or_nothing_is_gained(crews: list[bool]) -> None:
    results(make("random"), threads=1, fork=True)
    results(make("random"), threads=2, fork=True, users=10, replicates=1)
    assert crews == []
