"""Whether it pays to compile is asked of all that a policy has yet to do, however small its units of work are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oo_sim.experiment import run, working

SIZES: dict[str, Any] = {"users": 200, "rounds": 6, "unit": 64, "plot": False}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Of how many decisions it was asked, by policy; units of 300 decisions are large enough for tiles."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(working, "LEAST", 300)
    monkeypatch.setattr(working, "compile_for", lambda _, policy, decisions: found.append((policy.name, decisions)))
    return found


def test_all_units_of_a_policy_count_together_and_once(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb", "random"], resume=tmp_path / "work", **SIZES)
    assert asked == [("linucb", 1200), ("random", 1200)]


def test_what_is_kept_does_not_count(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb"], resume=tmp_path / "work", **SIZES)
    asked.clear()
    run("quickstart", policies=["linucb"], resume=tmp_path / "work", **SIZES | {"users": 300})
    assert asked == [("linucb", (300 - 200) * 6)]


def test_workers_elsewhere_find_what_is_compiled_here(asked: list[tuple[str, int]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        run("quickstart", policies=["linucb"], executor=pool, **SIZES)
    assert asked == [("linucb", 1200)]


def test_units_too_small_for_tiles_and_logs_need_none(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    run("quickstart", policies=["linucb"], **SIZES | {"unit": 32})
    run("quickstart", policies=["linucb"], events=True, out=tmp_path / "log", **SIZES)
    assert [decisions for _, decisions in asked] == [0, 0]
