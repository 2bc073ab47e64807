"""Whether it pays to compile is asked of all that a policy has yet to do, however small its units of work are."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from oo_sim.engine import LOOP
from oo_sim.engine.tile import LEAST_COMPILED
from oo_sim.experiment import plan, run
from oo_sim.work import executors, unit

SIZES: dict[str, Any] = {"users": 200, "rounds": 6, "unit": 64, "plot": False}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Of how many decisions it was asked, by policy; units of 300 decisions are large enough for tiles."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(unit, "LEAST", 300)
    monkeypatch.setattr(executors, "_PREPARED", set())
    monkeypatch.setattr(unit, "compile_for", lambda _, policy, decisions: found.append((policy.name, decisions)))
    return found


def test_all_units_of_a_policy_count_together_and_once(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb", "random"], resume=tmp_path / "work", **SIZES)
    assert asked == [("linucb", 1200), ("random", 1200)]


def test_what_is_kept_does_not_count(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb"], resume=tmp_path / "work", **SIZES)
    asked.clear()
    run("quickstart", policies=["linucb"], resume=tmp_path / "work", **SIZES | {"users": 300})
    assert asked == [("linucb", (300 - 200) * 6)]


def test_workers_ask_too_each_once_for_a_policy(asked: list[tuple[str, int]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        run("quickstart", policies=["linucb", "random"], executor=pool, **SIZES)
    assert sorted(asked) == [("linucb", 1200)] * 2 + [("random", 1200)] * 2  # here, and there


@pytest.mark.slow
def test_a_worker_that_has_compiled_nothing_compiles_for_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # of processes that are started now
    sizes = {"users": 10_000, "rounds": 60}
    [(_, small, _)] = plan("quickstart", policies=["random"], sizes=sizes, unit=10_000, checkpoints="off").units()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        few, many = (
            pool.submit(executors.toil, executors.Task([small], True, [None], left).packed()).result().played[0].by
            for left in (small.decisions, LEAST_COMPILED)
        )
    assert few == LOOP
    assert many != LOOP
    assert any(tmp_path.glob(f"*/{many}/*/*.nbi"))


def test_units_too_small_for_tiles_and_logs_need_none(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb"], **SIZES | {"unit": 32})
    run("quickstart", policies=["linucb"], events=True, out=tmp_path / "log", **SIZES)
    assert [decisions for _, decisions in asked] == [0, 0]
